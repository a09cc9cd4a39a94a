"""A small clip for the fits: a coloured disc with a shadow crosses a textured ground. All is known of it."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Known:
    picture: Tensor
    plate: Tensor
    mask: Tensor
    rgba: Tensor


def disc_clip(frames: int = 6, height: int = 48, width: int = 64, noise: float = 0.0) -> Known:
    """`t c h w`, 0..1. The disc's edge and the shadow's are soft; noise is laid over the picture where the layer is."""
    chance = torch.Generator().manual_seed(3)
    coarse = torch.rand(1, 3, height // 4, width // 4, generator=chance)
    plate = 0.25 + 0.5 * torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    plate = plate.expand(frames, 3, height, width).contiguous()
    disc, shade = (_disc(frames, height, width, drop) for drop in (0.0, 0.25))
    shadow = 0.4 * (2 - 2 * shade).clamp(0, 1)
    cover = (8 - 8 * disc).clamp(0, 1)
    alpha = cover + (1 - cover) * shadow
    color = torch.tensor([0.8, 0.3, 0.1]).view(1, 3, 1, 1) * cover / alpha.clamp_min(1e-6)
    picture = color * alpha + plate * (1 - alpha)
    grain = noise * torch.randn(picture.shape, generator=chance) * (alpha > 0)
    return Known((picture + grain).clamp(0, 1), plate, (cover > 0.5).float(), torch.cat([color, alpha], 1))


def _disc(frames: int, height: int, width: int, drop: float) -> Tensor:
    """Distance from a moving centre, in radii."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centers = [(height * (0.45 + drop), width * (0.3 + 0.4 * t / max(frames - 1, 1))) for t in range(frames)]
    return torch.stack([torch.hypot(y - cy, x - cx) for cy, cx in centers])[:, None] / (height / 4)
