"""Background truly seen in other frames, put in the place of what a model would make up.

Where the background is known, the network's clean prediction is replaced by it at every level of noise, so that all it
predicts elsewhere is made to go with it. For the samplers here, in which nothing but the starting noise is by chance,
that is the same as replacing the noisy latents by the known ones noised to the level with that very noise (`step`, from
pure noise on: noisy = a known + s gauss stays so from level to level), as RePaint (Lugmayr et al. 2022, equation 8) and
SDEdit's mask do it.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from lamina.backbones.interface import Geometry
from lamina.sampling import Denoiser
from lamina.schedule import Level

RIM_LATENTS = 1
"""So many latents around an unknown one are not known either: a latent tells of more than its own pixels."""
RAMP_PX = 3
"""Across so many pixels at the rim of what is known, known and made up pictures are mixed."""


def anchored(denoise: Denoiser, known: Float[Tensor, "c t h w"], share: Float[Tensor, "n 1 t h w"]) -> Denoiser:
    """A denoiser whose answer is `known` where the share is 1, and its own where it is 0."""
    if not share.any():
        return denoise

    def denoise_anchored(latents: Tensor, level: Level) -> Tensor:
        clean = denoise(latents, level)
        mixed = clean + share.to(clean) * (known.to(clean) - clean)
        return torch.where(share.to(clean) >= 1, known.to(clean), mixed)

    return denoise_anchored


def latent_share(sure: Bool[np.ndarray, "t h w"], geometry: Geometry) -> Float[Tensor, "1 lt lh lw"]:
    """Which latents are known, 0 or 1, of frames of which it is known where they are sure.

    Every pixel of every frame of a latent must be sure, and those of the latents around it in space. The frames are all
    of a clip, 1 + k * temporal, or those of whole latents that follow.
    """
    pixels = torch.from_numpy(sure.astype(np.float32))
    latents = _least(pixels[None], geometry.spatial, geometry.spatial)[0]
    around = 2 * RIM_LATENTS + 1
    latents = _least(latents[None], around, 1)[0]
    first = len(latents) % geometry.temporal
    rest = rearrange(latents[first:], "(t k) h w -> t k h w", k=geometry.temporal).amin(1)
    return torch.cat([latents[:first], rest])[None]


def pixel_share(sure: Bool[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """How much of the known picture is shown: 0 where it is not sure, 1 a few pixels inside of where it is."""
    if sure.all():
        return np.ones(sure.shape, np.float32)
    distance = cv2.distanceTransform(sure.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.minimum(distance / np.float32(RAMP_PX), np.float32(1))


def shown(
    made_up: Float32[np.ndarray, "h w 3"], known: Float32[np.ndarray, "h w 3"], share: Float32[np.ndarray, "h w"]
) -> Float32[np.ndarray, "h w 3"]:
    """The known picture over the made up one; its very numbers where the share is 1."""
    weight = share[..., None]
    return np.where(weight >= 1, known, made_up + weight * (known - made_up))


def _least(values: Tensor, side: int, stride: int) -> Tensor:
    """The least of each square of values; what lies beyond the picture has no say."""
    return -F.max_pool2d(-values, side, stride, padding=side // 2 if stride == 1 else 0)
