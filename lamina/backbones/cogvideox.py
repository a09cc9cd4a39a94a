"""CogVideoX-Fun V1.5 with Casper's transformer, as the published pipeline runs it.

The network is told of noisy latents, a mask and the latents of the clip, side by side in its channels. Its text encoder
reads padding too, its clip is made slightly noisy, and its latents come in pairs.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lamina.backbones.checkpoint import build_on_meta, imported
from lamina.backbones.cogvideox_vae import decode_video
from lamina.backbones.interface import Condition, Geometry
from lamina.backbones.mask_latents import merged_in_time
from lamina.backbones.memory import MemoryMode, coded
from lamina.backbones.posterior import encode_posterior
from lamina.backbones.published import Published
from lamina.backbones.text_encoders import EmbedText
from lamina.backbones.tuning import PLAIN, Tuning
from lamina.sampling import NoiseSource
from lamina.schedule import DdimSchedule, Level

VIDEO_NOISE = 0.0563
"""Deviation of the noise on the clip: the mean of what the network was trained with, exp(N(-3, 0.5^2))."""
LOG_VIDEO_NOISE = (-3.0, 0.5)
"""Mean and deviation of its logarithm in training."""


def build_transformer(config: Mapping[str, Any]) -> nn.Module:
    """CogVideoXTransformer3DModel without weights, from a published config.json."""
    diffusers = imported("diffusers")
    return build_on_meta(lambda: diffusers.CogVideoXTransformer3DModel(**arguments(config)), "the transformer")


def build_vae(config: Mapping[str, Any]) -> nn.Module:
    """AutoencoderKLCogVideoX without weights, from a published config.json."""
    diffusers = imported("diffusers")
    return build_on_meta(lambda: diffusers.AutoencoderKLCogVideoX(**arguments(config)), "the VAE")


def arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a config.json says to the class; not who wrote it, and not what concerns the caller alone."""
    ours = ("add_noise_in_inpaint_model",)
    return {key: value for key, value in config.items() if not key.startswith("_") and key not in ours}


@dataclass(frozen=True, eq=False)
class CogVideoX(Published):
    """A `Backbone`."""

    transformer: Any
    """On the CPU; it is placed when the first latents are denoised."""
    vae: Any
    """On the device."""
    geometry: Geometry
    schedule: DdimSchedule
    device: torch.device
    mode: MemoryMode
    place: Callable[[Any], Any]
    """Brings the transformer to the device, or has it fetched block by block."""
    text_encoder: EmbedText
    record: Mapping[str, Any]
    video_noise: float = VIDEO_NOISE
    """Deviation of the noise on the clip, of -1..1; 0 for a network that was trained without."""
    tuning: Tuning = PLAIN
    """As transformer and VAE were prepared for."""

    def embed_image(self, frame: Float[Tensor, "3 h w"]) -> None:
        return None

    def encode(self, frames: Float[Tensor, "t 3 h w"], noise: NoiseSource | None = None) -> Float[Tensor, "c lt lh lw"]:
        return self._encode(self.video_of(frames), noise)

    def _encode(self, video: Tensor, noise: NoiseSource | None = None) -> Tensor:
        def coder(piece: Tensor) -> Tensor:
            mean, logvar = encode_posterior(self.vae, piece)
            drawn = 0 if noise is None else torch.exp(logvar / 2) * noise(mean.shape).to(mean)
            return (mean + drawn) * self.vae.config.scaling_factor

        return coded(coder, video.to(self.device, self.dtype), 1 / self.geometry.spatial, self.mode)

    def decode(self, latents: Float[Tensor, "c lt lh lw"]) -> Float[Tensor, "t 3 h w"]:
        def coder(piece: Tensor) -> Tensor:
            return decode_video(self.vae, piece / self.vae.config.scaling_factor)

        return self.frames_by(coder, latents)

    def condition(
        self,
        frames: Float[Tensor, "t 3 h w"],
        trimasks: Sequence[UInt8[np.ndarray, "t h w"]],
        text: Float[Tensor, "tokens d"],
        image: Float[Tensor, "image_tokens e"] | None,
        noise: NoiseSource,
    ) -> Condition:
        return self._told(self._encode(self._noisy(frames, self.video_noise, noise)), trimasks, text)

    def training_condition(
        self,
        frames: Float[Tensor, "t 3 h w"],
        trimask: UInt8[np.ndarray, "t h w"],
        text: Float[Tensor, "tokens d"],
        image: Float[Tensor, "image_tokens e"] | None,
        noise: NoiseSource,
    ) -> Condition:
        mean, deviation = LOG_VIDEO_NOISE
        strength = math.exp(mean + deviation * float(noise(()))) if self.video_noise else 0.0
        return self._told(self._encode(self._noisy(frames, strength, noise), noise), [trimask], text)

    def _noisy(self, frames: Tensor, deviation: float, noise: NoiseSource) -> Tensor:
        video = self.video_of(frames)
        return noisy_video(video, deviation, noise) if deviation else video

    def _told(self, video: Tensor, trimasks: Sequence[UInt8[np.ndarray, "t h w"]], text: Tensor) -> Condition:
        mask = merged_in_time(trimasks, self.geometry) * self.vae.config.scaling_factor
        return Condition(mask.to(self.device, self.dtype), video, text.to(self.device, self.dtype))

    def answer(self, latents: Float[Tensor, "n c t h w"], level: Level, condition: Condition) -> Tensor:
        items = len(latents)
        video = repeat(condition.video, "c t h w -> n c t h w", n=items)
        given = torch.cat([latents.to(self.device, self.dtype), condition.mask, video], dim=1)
        _, _, frames, height, width = given.shape
        sizes = self.transformer.config
        patch, patch_t = sizes.patch_size, sizes.patch_size_t
        grid = frames // patch_t, height // patch, width // patch
        with self.tuning.attention():
            answer = self.network(
                hidden_states=rearrange(given, "n c t h w -> n t c h w"),
                encoder_hidden_states=repeat(condition.text, "k d -> n k d", n=items),
                timestep=torch.full((items,), level.timestep, device=self.device),
                image_rotary_emb=rotary_tables(sizes.attention_head_dim, grid, self.device),
                return_dict=False,
            )[0]
        return rearrange(answer, "n t c h w -> n c t h w")


def noisy_video(video: Float[Tensor, "3 t h w"], deviation: float, noise: NoiseSource) -> Float[Tensor, "3 t h w"]:
    """A clip, -1..1, with noise on it; but none on values that are -1 exactly, which once marked what was cut out."""
    return torch.where(video == -1, video, video + deviation * noise(video.shape).to(video))


@lru_cache(maxsize=8)
def rotary_tables(
    head_width: int, grid: tuple[int, int, int], device: torch.device
) -> tuple[Float[Tensor, "tokens head_width"], Float[Tensor, "tokens head_width"]]:
    """Cosines and sines of positions in time, height and width, in whole numbers from 0; a window begins at 0 too."""
    make = imported("diffusers").models.embeddings.get_3d_rotary_pos_embed
    frames, *size = grid
    with torch.inference_mode(False):  # they are kept, and training may be the next to ask for them
        return make(head_width, None, tuple(size), frames, grid_type="slice", max_size=tuple(size), device=device)
