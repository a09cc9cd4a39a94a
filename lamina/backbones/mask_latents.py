"""Trimasks as channels of latents: which pixels and frames of a mask a latent is told of.

Both networks are told of the middle 2x2 of the 8x8 pixels of a latent. Of the frames of a latent one is told the mean
of the middle two, the other all four. The published code resizes, which comes to that; it is done the same way here.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float, UInt8
from torch import Tensor

from lamina.backbones.interface import Geometry
from lamina.masks.trimask import model_levels

Trimasks = Sequence[UInt8[np.ndarray, "t h w"]]


def merged_in_time(trimasks: Trimasks, geometry: Geometry) -> Float[Tensor, "n 1 lt lh lw"]:
    """One channel: the mean over a latent's frames."""
    return _resized(_levels(trimasks)[:, None], geometry, geometry.latent_frames(len(trimasks[0])))


def stacked_in_time(trimasks: Trimasks, geometry: Geometry) -> Float[Tensor, "n k lt lh lw"]:
    """As many channels as a latent has frames, one of each; the first latent's frame counts as all of its frames."""
    levels = _levels(trimasks)
    first = repeat(levels[:, :1], "n 1 h w -> n k 1 h w", k=geometry.temporal)
    rest = rearrange(levels[:, 1:], "n (t k) h w -> n k t h w", k=geometry.temporal)
    channels = torch.cat([first, rest], dim=2)
    return _resized(channels, geometry, channels.shape[2])


def _levels(trimasks: Trimasks) -> Tensor:
    return torch.from_numpy(np.stack([model_levels(trimask) for trimask in trimasks]))


def _resized(channels: Tensor, geometry: Geometry, latent_frames: int) -> Tensor:
    size = channels.shape[3] // geometry.spatial, channels.shape[4] // geometry.spatial
    parts = [F.interpolate(channels[:, :, :1], (1, *size), mode="trilinear", align_corners=False)]
    if latent_frames > 1:
        rest = (latent_frames - 1, *size)
        parts.append(F.interpolate(channels[:, :, 1:], rest, mode="trilinear", align_corners=False))
    return torch.cat(parts, dim=2)
