"""Casper-S as a backbone: pixels are its latents, and beside frames and trimask it is told what other frames show."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from lamina.backbones.interface import Condition, Geometry, denoiser_of
from lamina.backbones.memory import COMPUTE, Storage
from lamina.backbones.small_files import FILE, SMALL, find_small, open_small_network, sizes_in
from lamina.backbones.small_network import SIDE
from lamina.backbones.weights import cache_folder, sha256_of
from lamina.masks.trimask import KEEP, REMOVE
from lamina.sampling import Denoiser, NoiseSource
from lamina.schedule import FlowSchedule, Level
from lamina.smooth import push_pull

GEOMETRY = Geometry(
    window_frames=16,
    latent_multiple=1,
    reference_last="moved",
    size_multiple=SIDE,
    overlap_frames=4,
    channels=3,
    spatial=1,
    temporal=1,
)
SCHEDULE = FlowSchedule()
Network = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class SmallSpec:
    """How Casper-S is best run: a `ModelSpec`."""

    name: str = SMALL
    kind: str = "small"
    geometry: Geometry = GEOMETRY
    size: tuple[int, int] = (160, 288)
    steps: int = 1
    grow: int = 5
    """It was trained with masks that are too generous by 0 to 3 pixels at every side."""
    dtype: Storage = "fp32"


SMALL_SPEC = SmallSpec()


@dataclass(frozen=True, eq=False)
class Anchor:
    """Background that other frames show."""

    known: Float[Tensor, "t 3 h w"] | None
    """0..1; the best guess where it is not sure. None where nothing was looked up."""
    sure: Sequence[Bool[np.ndarray, "t h w"]]
    """Where each removal must show it."""


@dataclass(frozen=True, eq=False)
class Small:
    """A `Trainable`. Its condition's mask holds per item: what is known (3), where that is sure, REMOVE, KEEP."""

    transformer: Any
    """The network, on the device."""
    device: torch.device = torch.device("cpu")
    dtype: torch.dtype = torch.float32
    """What sums of products are computed in; pictures are mixed in float32."""
    record: Mapping[str, Any] = field(default_factory=dict)
    asked: Network | None = None
    """Stands in for the network."""
    geometry: Geometry = GEOMETRY
    schedule: FlowSchedule = SCHEDULE

    @property
    def network(self) -> Any:
        return self.asked or self.transformer

    def with_network(self, network: Any) -> "Small":
        return replace(self, asked=network)

    def encode(self, frames: Float[Tensor, "t 3 h w"], noise: NoiseSource | None = None) -> Float[Tensor, "3 t h w"]:
        return 2 * rearrange(frames.to(self.device, torch.float32), "t c h w -> c t h w") - 1

    def decode(self, latents: Float[Tensor, "3 t h w"]) -> Float[Tensor, "t 3 h w"]:
        return rearrange(latents.float() / 2 + 0.5, "c t h w -> t c h w").clamp(0, 1).cpu()

    def embed_text(self, prompt: str) -> Float[Tensor, "no_tokens 1"]:
        """Nothing: it reads no text."""
        return torch.zeros(0, 1)

    def embed_image(self, frame: Float[Tensor, "3 h w"]) -> None:
        return None

    def condition(
        self,
        frames: Float[Tensor, "t 3 h w"],
        trimasks: Sequence[UInt8[np.ndarray, "t h w"]],
        text: Float[Tensor, "tokens d"],
        image: Float[Tensor, "image_tokens e"] | None,
        noise: NoiseSource,
    ) -> Condition:
        return self.told(frames, trimasks, None)

    def training_condition(
        self,
        frames: Float[Tensor, "t 3 h w"],
        trimask: UInt8[np.ndarray, "t h w"],
        text: Float[Tensor, "tokens d"],
        image: Float[Tensor, "image_tokens e"] | None,
        noise: NoiseSource,
    ) -> Condition:
        return self.told(frames, [trimask], None)

    def told(
        self,
        frames: Float[Tensor, "t 3 h w"],
        trimasks: Sequence[UInt8[np.ndarray, "t h w"]],
        anchor: Anchor | None,
    ) -> Condition:
        """What the network is told of each trimask. Without an anchor the frames are what is known, nowhere sure, with
        what any removal takes away continued smoothly from around it.
        """
        video = self.encode(frames)
        hidden = np.any([one == REMOVE for one in trimasks], axis=0)
        found = None if anchor is None else anchor.known
        known = continued(video, hidden) if found is None else self.encode(found)
        sure = [np.zeros(one.shape, bool) for one in trimasks] if anchor is None else anchor.sure
        items = [torch.cat([known, _marks(one, s).to(known)]) for one, s in zip(trimasks, sure, strict=True)]
        return Condition(mask=torch.stack(items), video=video, text=torch.zeros(0, 1))

    def clean(
        self,
        latents: Float[Tensor, "n 3 t h w"],
        video: Float[Tensor, "n 3 t h w"],
        mask: Float[Tensor, "n 6 t h w"],
        noise: Float[Tensor, " n"],
    ) -> Float[Tensor, "n 3 t h w"]:
        """What the network takes for the clean frames, items of different clips together."""
        given = torch.cat([latents.to(video), video, mask], 1).to(self.device)
        exact = self.dtype == torch.float32
        with nullcontext() if exact else torch.autocast(self.device.type, self.dtype):
            return self.network(given, noise.to(self.device)).float()

    def answer(self, latents: Float[Tensor, "n 3 t h w"], level: Level, condition: Condition) -> Tensor:
        latents = latents.to(self.device, torch.float32)
        video = repeat(condition.video, "c t h w -> n c t h w", n=len(latents))
        clean = self.clean(latents, video, condition.mask, torch.full((len(latents),), level.noise))
        return (latents - clean) / level.noise

    def denoiser(self, condition: Condition) -> Denoiser:
        return denoiser_of(self, condition)


def open_small(folder: Path | None, device: str, storage: Storage) -> Small:
    """Casper-S from a folder's file, or the one that comes with Lamina.

    Raises:
        WeightsError: the file is missing, or not what it should be.
    """
    network = open_small_network(folder).to(device)
    return Small(network, torch.device(device), COMPUTE[storage], small_record(folder, device, storage))


def small_record(folder: Path | None, device: str, storage: Storage) -> dict[str, Any]:
    """What a result is to be told it came from.

    Raises:
        WeightsError: there is no file, or its header is none.
    """
    sizes_in(find_small(folder))
    return {"model": SMALL, "device": device, "storage": storage, "sha256": small_hash(folder)}


def small_hash(folder: Path | None = None) -> dict[str, str]:
    """The SHA-256 of its file, by the file's name.

    Raises:
        WeightsError: there is no file.
    """
    return sha256_of({FILE: find_small(folder)}, cache_folder() / "sha256.json")


def continued(video: Float[Tensor, "c t h w"], hidden: Bool[np.ndarray, "t h w"]) -> Float[Tensor, "c t h w"]:
    """Each frame with what is hidden as a smooth continuation of what is around it."""
    frames = rearrange(video.cpu().numpy(), "c t h w -> t h w c")
    shown = ~hidden[..., None]
    pairs = zip(frames * shown, shown[..., 0].astype(np.float32), strict=True)
    filled = np.stack([push_pull(frame, weight) for frame, weight in pairs])
    return rearrange(torch.from_numpy(np.where(shown, frames, filled)), "t h w c -> c t h w").to(video)


def _marks(trimask: UInt8[np.ndarray, "t h w"], sure: Bool[np.ndarray, "t h w"]) -> Float[Tensor, "3 t h w"]:
    return torch.from_numpy(np.stack([sure, trimask == REMOVE, trimask == KEEP])).float()
