"""What backbones of published modules have in common, whichever network and VAE they are."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from lamina.backbones.interface import Condition, Geometry, denoiser_of
from lamina.backbones.memory import MemoryMode, coded
from lamina.backbones.text_encoders import EmbedText
from lamina.sampling import Denoiser


class Published:
    """A `Backbone` but for its conditions and its answers; what it is made of is a dataclass's own to say."""

    transformer: Any
    vae: Any
    geometry: Geometry
    device: torch.device
    mode: MemoryMode
    place: Callable[[Any], Any]
    text_encoder: EmbedText

    @cached_property
    def network(self) -> Any:
        return self.place(self.transformer)

    @property
    def dtype(self) -> torch.dtype:
        """What is computed in."""
        return self.vae.dtype

    def embed_text(self, prompt: str) -> Float[Tensor, "tokens d"]:
        return self.text_encoder(prompt)

    def video_of(self, frames: Float[Tensor, "t 3 h w"]) -> Float[Tensor, "3 t h w"]:
        """-1..1. All arithmetic on pictures is done on the device."""
        return 2 * rearrange(frames.to(self.device), "t c h w -> c t h w") - 1

    def frames_by(
        self, coder: Callable[[Tensor], Tensor], latents: Float[Tensor, "c lt lh lw"]
    ) -> Float[Tensor, "t 3 h w"]:
        """0..1 on the CPU, of latents that `coder` decodes to -1..1, whole or tile by tile."""
        video = coded(coder, latents.to(self.device, self.dtype), self.geometry.spatial, self.mode)
        return rearrange(video.float() / 2 + 0.5, "c t h w -> t c h w").clamp(0, 1).cpu()

    def denoiser(self: Any, condition: Condition) -> Denoiser:
        return denoiser_of(self, condition)

    def with_network(self: Any, network: Any) -> Any:
        return replace(self, place=lambda transformer: network)
