"""What a video diffusion model offers to those who remove objects with it, whichever model it is.

Pictures are `t 3 h w`, 0..1. Latents are `c t h w` of one clip, or `n c t h w` of n items sampled together, whatever
axis order the model itself prefers. A condition is what a network is told beside the noisy latents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lamina.sampling import Denoiser, NoiseSource
from lamina.schedule import Level, Schedule
from lamina.windows import Window


@dataclass(frozen=True)
class Geometry:
    """How pictures become latents, and how many latents a network sees at once."""

    window_frames: int
    """Frames of a window: what the network was trained with."""
    latent_multiple: int
    """The number of latent frames must be a multiple of this."""
    reference_last: Literal["short", "moved"]
    """What the published sampler does with the last window of a clip."""
    size_multiple: int = 16
    """Height and width of pictures must be multiples of this."""
    overlap_frames: int = 16
    """Frames that neighbouring windows share."""
    channels: int = 16
    """Of a latent."""
    spatial: int = 8
    """Pixels per latent, each way."""
    temporal: int = 4
    """Frames per latent frame; the first latent frame holds the first frame alone."""

    def latent_frames(self, frames: int) -> int:
        """Latent frames of 1 + k * temporal frames."""
        return (frames - 1) // self.temporal + 1

    def frames(self, latent_frames: int) -> int:
        """Frames that so many latent frames are decoded to."""
        return (latent_frames - 1) * self.temporal + 1

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        """`c t h w` of the latents of a clip."""
        return self.channels, self.latent_frames(frames), height // self.spatial, width // self.spatial


@dataclass(frozen=True, eq=False)
class Condition:
    """All that a network is told beside the noisy latents. Text, image and video are the same for all items."""

    mask: Float[Tensor, "n m t h w"]
    """Of each item, in the network's own channels and numbers."""
    video: Float[Tensor, "c t h w"]
    """Latents of the clip with everything in it."""
    text: Float[Tensor, "tokens d"]
    image: Float[Tensor, "image_tokens e"] | None = None
    """Features of the first frame, for networks that look at it."""

    def window(self, window: Window) -> "Condition":
        """The same over some latent frames only."""
        at = slice(window.start, window.stop)
        return replace(self, mask=self.mask[:, :, at], video=self.video[:, at])


@runtime_checkable
class Backbone(Protocol):
    """A video diffusion model that removes what a trimask marks."""

    @property
    def geometry(self) -> Geometry: ...

    @property
    def schedule(self) -> Schedule: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def record(self) -> Mapping[str, Any]:
        """Which files it was made from, and how; fits into JSON."""
        ...

    def encode(self, frames: Float[Tensor, "t 3 h w"], noise: NoiseSource | None = None) -> Float[Tensor, "c lt lh lw"]:
        """Latents of a clip of 1 + k * temporal frames, scaled as the network wants them.

        Without noise the most likely ones, as for removal; with noise one draw of what is likely, as for training.
        """
        ...

    def decode(self, latents: Float[Tensor, "c lt lh lw"]) -> Float[Tensor, "t 3 h w"]:
        """The clip that latents stand for, 0..1, in memory of the CPU."""
        ...

    def embed_text(self, prompt: str) -> Float[Tensor, "tokens d"]:
        """What a text encoder makes of a prompt. It is loaded for this and let go again."""
        ...

    def embed_image(self, frame: Float[Tensor, "3 h w"]) -> Float[Tensor, "image_tokens e"] | None:
        """What an image encoder makes of a frame of any size, 0..1; None where the network looks at none."""
        ...

    def condition(
        self,
        frames: Float[Tensor, "t 3 h w"],
        trimasks: Sequence[UInt8[np.ndarray, "t h w"]],
        text: Float[Tensor, "tokens d"],
        image: Float[Tensor, "image_tokens e"] | None,
        noise: NoiseSource,
    ) -> Condition:
        """Put together what the network is told of each trimask (values of `Region`); the clip is encoded once.

        noise: where a network is to be told of a slightly noisy clip, drawn from here.
        """
        ...

    def answer(
        self, latents: Float[Tensor, "n c t h w"], level: Level, condition: Condition
    ) -> Float[Tensor, "n c t h w"]:
        """What the network itself says of noisy latents: a velocity, of which `schedule.clean` makes clean latents."""
        ...

    def denoiser(self, condition: Condition) -> Denoiser:
        """The network under a condition; its latents are of the condition's length."""
        ...


@runtime_checkable
class Trainable(Backbone, Protocol):
    """A backbone whose network can be trained."""

    @property
    def transformer(self) -> Any:
        """The network itself, a module that nothing is wrapped around."""
        ...

    def with_network(self, network: Any) -> "Trainable":
        """The same with `network` asked for answers: the transformer inside whatever shares it out among processes."""
        ...

    def training_condition(
        self,
        frames: Float[Tensor, "t 3 h w"],
        trimask: UInt8[np.ndarray, "t h w"],
        text: Float[Tensor, "tokens d"],
        image: Float[Tensor, "image_tokens e"] | None,
        noise: NoiseSource,
    ) -> Condition:
        """`condition` of one trimask as networks are trained with it: latents drawn from what the encoder says, and
        where the clip is made noisy, by as much as chance will have it.
        """
        ...


def denoiser_of(backbone: Backbone, condition: Condition) -> Denoiser:
    """A backbone's answers as a denoiser."""

    def denoise(latents: Tensor, level: Level) -> Tensor:
        answer = backbone.answer(latents, level, condition)
        return backbone.schedule.clean(latents.to(answer.device).float(), answer.float(), level)

    return denoise
