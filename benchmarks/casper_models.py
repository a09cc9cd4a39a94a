"""Backbones of the published sizes, or toys of the same build, with weights by chance: nothing is downloaded."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from lamina.backbones import cogvideox, wan
from lamina.backbones.checkpoint import load_strictly
from lamina.backbones.cogvideox import CogVideoX
from lamina.backbones.interface import Backbone, Condition
from lamina.backbones.memory import COMPUTE, MODES, Storage, place_transformer
from lamina.backbones.plan import Model, Run, cogvideox_sizes, wan_sizes
from lamina.backbones.specs import COG_5B, WAN_1_3B, BackboneSpec
from lamina.backbones.timing import Timing, plan_timing
from lamina.backbones.tuning import PLAIN, Tuning, tuned_transformer, tuned_vae
from lamina.backbones.wan import Wan
from lamina.backbones.wan_vae import VaeSizes, build_vae
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.sampling import seeded, start_noise
from lamina.schedule import DdimSchedule, FlowSchedule

COG_TRANSFORMER = {
    **{"num_attention_heads": 48, "attention_head_dim": 64, "num_layers": 42, "time_embed_dim": 512},
    **{"in_channels": 33, "out_channels": 16, "patch_size": 2, "patch_size_t": 2, "patch_bias": False},
    **{"max_text_seq_length": 226, "text_embed_dim": 4096, "use_rotary_positional_embeddings": True},
}
COG_VAE = {
    **{"block_out_channels": [128, 256, 256, 512], "layers_per_block": 3, "latent_channels": 16},
    **{"norm_num_groups": 32, "norm_eps": 1e-6, "scaling_factor": 0.7},
}
WAN_TRANSFORMER = {
    **{"dim": 1536, "num_heads": 12, "num_layers": 30, "ffn_dim": 8960, "freq_dim": 256, "in_dim": 36},
    **{"out_dim": 16, "text_dim": 4096, "text_len": 512, "eps": 1e-6},
}
WAN_VAE = VaeSizes(96, 16, (1, 2, 4, 4), 2, (False, True, True))
WAN_IMAGE_WIDTH = 1280
COG_TOY = {"num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 2, "time_embed_dim": 16}
COG_TOY |= {"max_text_seq_length": 10, "text_embed_dim": 24}
COG_TOY_VAE = {"block_out_channels": [8] * 4, "layers_per_block": 1, "norm_num_groups": 4}
WAN_TOY = {"dim": 32, "num_heads": 2, "num_layers": 2, "ffn_dim": 48, "freq_dim": 32, "text_dim": 24}


@dataclass(frozen=True)
class Case:
    """A model, and the run of it that is measured."""

    spec: BackboneSpec
    transformer: Mapping[str, Any]
    """Its published config.json, or a toy's."""
    vae: Any
    frames: int
    size: tuple[int, int]

    @property
    def kind(self) -> Literal["cogvideox", "wan"]:
        return self.spec.kind

    @property
    def timing(self) -> Timing:
        return plan_timing(self.spec.geometry, self.frames)

    def run(self, items: int, steps: int) -> Run:
        """As far as memory and time depend on it."""
        return Run.of(self.timing, self.size, items, steps)

    def noise(self, items: int) -> Tensor:
        """What a run of it starts from, `n c t h w`."""
        shape = self.spec.geometry.latent_shape(self.timing.padded_frames, *self.size)
        return start_noise(seeded(1), shape, items)


CASES = {
    "cogvideox": Case(COG_5B, COG_TRANSFORMER, COG_VAE, 85, COG_5B.size),
    "wan": Case(WAN_1_3B, WAN_TRANSFORMER, WAN_VAE, 81, WAN_1_3B.size),
}
TOYS = {
    "cogvideox": replace(
        CASES["cogvideox"], transformer=COG_TRANSFORMER | COG_TOY, vae=COG_VAE | COG_TOY_VAE, frames=13, size=(32, 48)
    ),
    "wan": replace(
        CASES["wan"], transformer=WAN_TRANSFORMER | WAN_TOY, vae=replace(WAN_VAE, width=3), frames=9, size=(32, 48)
    ),
}


@dataclass(frozen=True)
class Held:
    """How a model is held while it is measured."""

    storage: Storage = "bf16"
    mode: str = "full"
    tuning: Tuning = PLAIN
    compiler: str = "inductor"


class Chance(Mapping[str, Tensor]):
    """Weights by chance for a module that was built on meta, each made on the device when it is asked for.

    They are scaled so that numbers of all layers stay as large as those of a trained network: what a matrix product
    takes depends on them too.
    """

    def __init__(self, module: nn.Module, device: torch.device, home: torch.device, dtype: torch.dtype):
        self._shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
        self._generator = torch.Generator(device).manual_seed(0)
        self._device, self._home, self._dtype = device, home, dtype

    def __getitem__(self, name: str) -> Tensor:
        shape = self._shapes[name]
        if len(shape) < 2:
            value = 0.0 if name.endswith("bias") else 1.0
            return torch.full(shape, value, device=self._home, dtype=self._dtype)
        made = torch.empty(shape, device=self._device, dtype=self._dtype)
        made.normal_(0, (made[0].numel()) ** -0.5, generator=self._generator)
        return made.to(self._home)

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)


def build(case: Case, device: torch.device, held: Held, wrap: Callable[[Any], Any] = lambda network: network) -> Any:
    """A backbone with weights by chance, as `open_backbone` makes it. wrap: laid around the placed transformer."""
    mode, dtype = MODES[held.mode], COMPUTE[held.storage]
    home = torch.device("cpu") if mode.offload_blocks else device
    transformer, vae = _modules(case)
    load_strictly(transformer, Chance(transformer, device, home, dtype), "by chance", dtype)
    load_strictly(vae, Chance(vae, device, device, dtype), "by chance", dtype)

    def place(made: Any) -> Any:
        placed = place_transformer(made, device, held.storage, mode)
        return wrap(tuned_transformer(placed, held.tuning, held.compiler))

    parts: dict[str, Any] = {
        **{"transformer": transformer, "vae": tuned_vae(vae, held.tuning), "geometry": case.spec.geometry},
        **{"device": device, "mode": mode, "place": place, "record": {}, "tuning": held.tuning},
        **{"text_encoder": lambda prompt: text_of(case)},
    }
    if case.kind == "cogvideox":
        return CogVideoX(schedule=DdimSchedule(), **parts)
    return Wan(schedule=FlowSchedule(), image_encoder=lambda frame: _normal(wan.IMAGE_TOKENS, WAN_IMAGE_WIDTH), **parts)


def _modules(case: Case) -> tuple[nn.Module, nn.Module]:
    """Transformer and VAE on meta."""
    if case.kind == "cogvideox":
        return cogvideox.build_transformer(case.transformer), cogvideox.build_vae(case.vae)
    return wan.build_transformer(case.transformer, WAN_IMAGE_WIDTH), build_vae(case.vae, "the VAE")


def model_of(case: Case) -> Model:
    """What a plan needs to know of it; no encoders, for none is run."""
    transformer, vae = (2 * sum(p.numel() for p in module.parameters()) for module in _modules(case))
    sizes = cogvideox_sizes(case.transformer) if case.kind == "cogvideox" else wan_sizes(case.transformer)
    return Model(case.kind, sizes, transformer, vae, 0, case.spec.geometry)


def text_of(case: Case) -> Tensor:
    """As many numbers as the text encoder's answer to a prompt."""
    config = case.transformer
    if case.kind == "cogvideox":
        return _normal(config["max_text_seq_length"], config["text_embed_dim"])
    return _normal(config["text_len"], config["text_dim"])


@dataclass(frozen=True, eq=False)
class Shown:
    """What a model is shown: a clip by chance, and a trimask for each removal."""

    frames: Tensor
    trimasks: list[np.ndarray]


def show(case: Case, items: int) -> Shown:
    """The first removal is the plate, the others are solos."""
    frames = torch.rand(case.timing.padded_frames, 3, *case.size, generator=torch.Generator().manual_seed(2))
    return Shown(frames, [_trimask(case, kept) for kept in range(items)])


def condition_of(case: Case, backbone: Backbone, shown: Shown) -> Condition:
    """What the network is told of a clip; encodes it."""
    told = text_of(case), backbone.embed_image(shown.frames[0])
    return backbone.condition(shown.frames, shown.trimasks, *told, seeded(3))


def _trimask(case: Case, kept: int) -> np.ndarray:
    """Two objects that cross the picture; `kept` stays, counted from 1."""
    height, width = case.size
    trimask = np.full((case.timing.padded_frames, height, width), UNKNOWN, np.uint8)
    for number in (1, 2):
        for t, frame in enumerate(trimask):
            left = (width * t // len(trimask) + number * width // 3) % (width * 3 // 4)
            here = frame[height // 4 : height * 3 // 4, left : left + width // 6]
            here[:] = KEEP if number == kept else REMOVE
    return trimask


def _normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(4))
