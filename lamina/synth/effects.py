"""What cards do to the ground: cast shadows, contact shadows, mirrored images, glow."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lamina.synth.atlas import look_up
from lamina.synth.camera import Rays
from lamina.synth.ground import Ground
from lamina.synth.silhouettes import MARGIN, SPAN
from lamina.synth.stage import VEIL_PX, Cards, Lamps, Stage

CONTACTS = ((0.09, 0.02, 0.1, 0.75), (0.45, 0.08, 0.32, 0.45))
"""Up to which height a card counts, how far it is smoothed, depth on the ground, darkness: feet, then body."""
NEAREST_LAMP = 0.05


@dataclass(frozen=True, eq=False)
class Cast:
    """What one card does in `f` frames."""

    passes: tuple[Tensor, ...]
    """Per lamp, `f h w`: the share of its light that passes the card."""
    open_sky: Float[Tensor, "f h w"]
    """The share of ambient light that is left beside the card's feet."""
    image: Float[Tensor, "f 4 h w"] | None
    """Mirrored image as premultiplied RGBA, at full strength."""
    glow: Float[Tensor, "f 3 h w"] | None
    """Light that it sheds, to be multiplied with the ground's colour."""


def cast(stage: Stage, ground: Ground, cards: Cards, slot: int) -> Cast:
    """All that one card does to the ground and the backdrop."""
    return Cast(
        tuple(1 - occluded(stage.lamps, lamp, ground, cards, slot) for lamp in range(stage.lamps.position.shape[1])),
        1 - _contact(ground, cards, slot),
        None if ground.share is None else _image(stage, ground, cards, slot),
        _glow(ground, cards, slot),
    )


def occluded(lamps: Lamps, lamp: int, ground: Ground, cards: Cards, slot: int) -> Float[Tensor, "f h w"]:
    """How much of a lamp's light a card keeps from each place: its alpha where the way to the lamp meets its plane,
    blurred by the lamp's size times the distance from there."""
    px, py, pz, near = (lamps.position[:, lamp, axis, None, None] for axis in range(4))
    dz = pz - near * ground.z
    dz = torch.where(dz < 0, dz.clamp_max(-NEAREST_LAMP), dz.clamp_min(NEAREST_LAMP))
    across, up = (px - near * ground.x) / dz, (py - near * ground.y) / dz
    place, side = cards.place[:, slot, :, None, None], cards.side[:, slot, None, None]
    reach = place[:, 2] - ground.z
    # Behind the place seen from the lamp, or beyond the lamp, a card casts no shadow on it.
    between = (reach * dz > 0) & ((near == 0) | (reach.abs() < dz.abs()))
    u = _card_u(ground.x + reach * across, place, side)
    v = _card_v(ground.y + reach * up, place, side)
    soft = reach.abs() * (1 + across * across + up * up).sqrt() * lamps.softness[:, lamp, None, None]
    level = (1 + soft * (cards.size / SPAN / side)).log2()
    alpha = cards.atlas[slot][:, 3:]
    return look_up(alpha, cards.size, u, v, level, wrap=False)[:, 0] * between


def _contact(ground: Ground, cards: Cards, slot: int) -> Tensor:
    """Less sky is seen from beside something that stands there: darkest below its feet, a little all around it."""
    place, side = cards.place[:, slot, :, None, None], cards.side[:, slot, None, None]
    profiles = _profiles(cards.atlas[slot], cards.size)
    across = (ground.x - place[:, 0]) * (2 / SPAN / side)
    grid = torch.stack([across, torch.zeros_like(across)], -1)
    near = F.grid_sample(profiles, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    away = ((ground.z - place[:, 2]) / side).square()
    taken = torch.zeros_like(across)
    for part, (_, _, width, weight) in enumerate(CONTACTS):
        # Flying or bouncing, it takes less away, and soon nothing.
        air = weight * torch.exp(-place[:, 1].abs() / side / width)
        taken = taken + near[:, part] * torch.exp(away * (-1 / width**2)) * air
    return taken.clamp_max(0.9) * ground.cover


def _profiles(atlas: Tensor, size: int) -> Tensor:
    """How much of each column of a card is filled near the ground, smoothed along the columns: `f 2 1 size`."""
    alpha = atlas[:, 3, 1 : size + 1, 1 : size + 1]
    found = []
    for top, smooth, _, _ in CONTACTS:
        rows = slice(round((1 + MARGIN - top) / SPAN * size), round((1 + MARGIN) / SPAN * size))
        reach = round(smooth * size)
        filled = (alpha[:, rows].mean(1, keepdim=True) * 1.5).clamp_max(1)
        found.append(F.avg_pool1d(F.avg_pool1d(filled, 2 * reach + 1, 1, reach), 2 * reach + 1, 1, reach))
    return torch.cat(found, 1)[:, :, None]


def _image(stage: Stage, ground: Ground, cards: Cards, slot: int) -> Tensor:
    place, side = cards.place[:, slot, :, None, None], cards.side[:, slot, None, None]
    rays = stage.rays
    depth = place[:, 2] - rays.z()
    x, y = rays.x() + depth * rays.across, -(rays.y() + depth * rays.up)
    if ground.bend is not None:
        beyond = (place[:, 2] - ground.z).clamp_min(0)
        x, y = x + ground.bend[0] * beyond, y - ground.bend[1] * beyond
    texel = cards.size / SPAN / side
    # A rough floor blurs an image the more the higher the mirrored point is above it.
    rough = stage.floor[:, 2] * 0.35 * y.clamp(0, 3)
    level = (depth.clamp_min(0.1) * rays.pixel * texel).clamp_min(1).log2() + (1 + rough * texel).log2()
    image = look_up(cards.atlas[slot], cards.size, _card_u(x, place, side), _card_v(y, place, side), level, wrap=False)
    return image * stage.exposure


def _glow(ground: Ground, cards: Cards, slot: int) -> Tensor | None:
    glow = cards.glow[:, slot, :, None, None]
    if not bool((glow > 0).any()):
        return None
    place, side = cards.place[:, slot, :, None, None], cards.side[:, slot, None, None]
    far = (ground.x - place[:, 0]) ** 2 + (ground.z - place[:, 2]) ** 2 + (ground.y - place[:, 1]) ** 2
    return glow * torch.exp(-far / (1.1 * side) ** 2)[:, None]


def seen(rays: Rays, exposure: Tensor, cards: Cards, slot: int) -> Float[Tensor, "f 4 h w"]:
    """The card itself, premultiplied RGBA."""
    place, side = cards.place[:, slot, :, None, None], cards.side[:, slot, None, None]
    u, v, level = _facing(rays, place, side, cards.size)
    rgba = look_up(cards.atlas[slot], cards.size, u, v, level, wrap=False)
    return torch.cat([torch.minimum(rgba[:, :3] * exposure, rgba[:, 3:]), rgba[:, 3:]], 1)


def veil_seen(rays: Rays, cards: Cards, slot: int) -> Float[Tensor, "f 1 h w"] | None:
    """Alpha of its splash or dust, just in front of the card."""
    if not cards.puffs or not bool((cards.veil[:, slot, 0] > 0).any()):
        return None
    place, side = cards.place[:, slot, :, None, None], cards.side[:, slot, None, None]
    low = place * place.new_tensor([1.0, 0.0, 1.0])[:, None, None]
    u, v, level = _facing(rays, low, side, VEIL_PX)
    return look_up(cards.puffs[slot], VEIL_PX, u, v, level, wrap=False)


def _facing(rays: Rays, place: Tensor, side: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    depth = place[:, 2] - rays.z()
    u = _card_u(rays.x() + depth * rays.across, place, side)
    v = _card_v(rays.y() + depth * rays.up, place, side)
    level = (depth.clamp_min(0.1) * rays.pixel * (size / SPAN) / side).clamp_min(1).log2()
    return u, v, level


def _card_u(x: Tensor, place: Tensor, side: Tensor) -> Tensor:
    return (x - place[:, 0]) / (side * SPAN) + 0.5


def _card_v(y: Tensor, place: Tensor, side: Tensor) -> Tensor:
    return ((1 + MARGIN) - (y - place[:, 1]) / side) / SPAN
