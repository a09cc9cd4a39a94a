"""Wan2.1-Fun with Casper's transformer or LoRA, as the published pipeline runs it.

The network is told of noisy latents, a mask of four channels and the latents of the clip, side by side in its channels,
and of CLIP's features of the first frame. The published code holds all weights in bfloat16; diffusers computes
modulation, norms and the embedding of time in float32, from the same numbers, and so does this.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from einops import repeat
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lamina.backbones.checkpoint import build_on_meta, imported, require_names
from lamina.backbones.image_encoder import EmbedImage
from lamina.backbones.interface import Condition, Geometry
from lamina.backbones.mask_latents import stacked_in_time
from lamina.backbones.memory import MemoryMode, coded
from lamina.backbones.posterior import encode_posterior
from lamina.backbones.published import Published
from lamina.backbones.text_encoders import UMT5_TOKENS, EmbedText, padded_text
from lamina.backbones.tuning import PLAIN, Tuning
from lamina.sampling import NoiseSource
from lamina.schedule import FlowSchedule, Level

IMAGE_TOKENS = 257
"""Of CLIP: 16 x 16 and the class token."""
ROPE_LENGTH = 1024


def build_transformer(config: Mapping[str, Any], image_width: int) -> nn.Module:
    """WanTransformer3DModel without weights, from a published config.json of Wan.

    image_width: channels of the features of the first frame, which that file does not say.
    """
    diffusers = imported("diffusers")

    def make() -> nn.Module:
        module = diffusers.WanTransformer3DModel(**_arguments(config, image_width))
        module.condition_embedder.timesteps_proj = Sinusoid(config["freq_dim"])
        return module

    return build_on_meta(make, "the transformer")


def _arguments(config: Mapping[str, Any], image_width: int) -> dict[str, Any]:
    """A config.json of Wan in the words of diffusers."""
    return {
        "patch_size": tuple(config.get("patch_size", (1, 2, 2))),
        "num_attention_heads": config["num_heads"],
        "attention_head_dim": config["dim"] // config["num_heads"],
        "in_channels": config["in_dim"],
        "out_channels": config["out_dim"],
        "text_dim": config.get("text_dim", 4096),
        "freq_dim": config["freq_dim"],
        "ffn_dim": config["ffn_dim"],
        "num_layers": config["num_layers"],
        "cross_attn_norm": config.get("cross_attn_norm", True),
        "eps": config["eps"],
        "image_dim": image_width,
        "added_kv_proj_dim": config["dim"],
        "rope_max_seq_len": ROPE_LENGTH,
    }


def image_width(tensors: Mapping[str, Tensor], source: str) -> int:
    """Of a transformer, from its tensors under the names of Wan."""
    require_names(tensors, ["img_emb.proj.0.weight"], source)
    return len(tensors["img_emb.proj.0.weight"])


class Sinusoid(nn.Module):
    """Cosines and then sines of a timestep, computed in float64 as the published code does; diffusers rounds sooner."""

    def __init__(self, width: int):
        super().__init__()
        self.waves = width // 2

    def forward(self, timestep: Float[Tensor, " n"]) -> Float[Tensor, "n width"]:
        rates = 10000.0 ** -(torch.arange(self.waves, device=timestep.device, dtype=torch.float64) / self.waves)
        angles = timestep.double()[:, None] * rates
        return torch.cat([angles.cos(), angles.sin()], dim=1).float()


@dataclass(frozen=True, eq=False)
class Wan(Published):
    """A `Backbone`."""

    transformer: Any
    """On the CPU; it is placed when the first latents are denoised."""
    vae: Any
    """On the device."""
    geometry: Geometry
    schedule: FlowSchedule
    device: torch.device
    mode: MemoryMode
    place: Callable[[Any], Any]
    """Brings the transformer to the device, or has it fetched block by block."""
    text_encoder: EmbedText
    image_encoder: EmbedImage
    record: Mapping[str, Any]
    tuning: Tuning = PLAIN
    """As transformer and VAE were prepared for."""

    def embed_image(self, frame: Float[Tensor, "3 h w"]) -> Float[Tensor, "image_tokens e"]:
        return self.image_encoder(frame)

    def encode(self, frames: Float[Tensor, "t 3 h w"], noise: NoiseSource | None = None) -> Float[Tensor, "c lt lh lw"]:
        mean, inverse = self._statistics()

        def coder(piece: Tensor) -> Tensor:
            found = encode_posterior(self.vae, piece)
            # as in the published training, what is drawn is not divided by the channels' deviation
            drawn = 0 if noise is None else torch.exp(found.logvar / 2) * noise(found.mean.shape).to(found.mean)
            return (found.mean - mean) * inverse + drawn

        return coded(coder, self.video_of(frames).to(self.dtype), 1 / self.geometry.spatial, self.mode)

    def decode(self, latents: Float[Tensor, "c lt lh lw"]) -> Float[Tensor, "t 3 h w"]:
        mean, inverse = self._statistics()

        def coder(piece: Tensor) -> Tensor:
            with torch.inference_mode():
                return self.vae.decode((piece / inverse + mean)[None], return_dict=False)[0][0]

        return self.frames_by(coder, latents)

    def _statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and inverse deviation of the channels of latents, rounded as the published code does."""
        mean, deviation = (torch.tensor(v) for v in (self.vae.config.latents_mean, self.vae.config.latents_std))
        mean, inverse = (values[:, None, None, None].to(self.device, self.dtype) for values in (mean, 1 / deviation))
        return mean, inverse

    def condition(
        self,
        frames: Float[Tensor, "t 3 h w"],
        trimasks: Sequence[UInt8[np.ndarray, "t h w"]],
        text: Float[Tensor, "tokens d"],
        image: Float[Tensor, "image_tokens e"] | None,
        noise: NoiseSource,
    ) -> Condition:
        return self._told(self.encode(frames), trimasks, text, image)

    def training_condition(
        self,
        frames: Float[Tensor, "t 3 h w"],
        trimask: UInt8[np.ndarray, "t h w"],
        text: Float[Tensor, "tokens d"],
        image: Float[Tensor, "image_tokens e"] | None,
        noise: NoiseSource,
    ) -> Condition:
        return self._told(self.encode(frames, noise), [trimask], text, image)

    def _told(
        self, video: Tensor, trimasks: Sequence[UInt8[np.ndarray, "t h w"]], text: Tensor, image: Tensor | None
    ) -> Condition:
        blind = torch.zeros(IMAGE_TOKENS, self.transformer.config.image_dim)
        return Condition(
            mask=stacked_in_time(trimasks, self.geometry).to(self.device, self.dtype),
            video=video,
            text=padded_text(text, UMT5_TOKENS).to(self.device, self.dtype),
            image=(blind if image is None else image).to(self.device, self.dtype),
        )

    def answer(self, latents: Float[Tensor, "n c t h w"], level: Level, condition: Condition) -> Tensor:
        items = len(latents)
        video = repeat(condition.video, "c t h w -> n c t h w", n=items)
        with self.tuning.attention():
            return self.network(
                hidden_states=torch.cat([latents.to(self.device, self.dtype), condition.mask, video], dim=1),
                timestep=torch.full((items,), level.timestep, device=self.device),
                encoder_hidden_states=repeat(condition.text, "k d -> n k d", n=items),
                encoder_hidden_states_image=repeat(condition.image, "k d -> n k d", n=items),
                return_dict=False,
            )[0]
