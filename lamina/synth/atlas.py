"""Pictures with all their smaller versions packed side by side, and smooth look-ups in them at any blur.

A look-up reads two neighbouring sizes bilinearly and blends them (Williams 1983, "Pyramidal parametrics"). The same
mechanism antialiases textures far away, gives a shadow its width, and a rough floor its blurred reflection.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SMALLEST_PX = 4
RIM = 0.5 / SMALLEST_PX + 1e-3
"""How far beyond its edges, as a share of its side, the most blurred version of a picture is not empty."""
FEW_FRAMES = 32
"""Up to so many at once a picture is worth looking for first; in many frames it is everywhere."""


def pack(tile: Float[Tensor, "f c s s"], wrap: bool) -> Float[Tensor, "f c height width"]:
    """A square picture and its halvings, each with a rim of one pixel: the other side (`wrap`), or empty.

    Returns `f c s+2 W`: the picture at the left, its halvings below each other at the right.
    """
    size = tile.shape[-1]
    levels = level_count(size)
    packed = tile.new_zeros((*tile.shape[:2], max(size + 2, size + 2 * levels), size + size // 2 + 4))
    mode = "circular" if wrap else "constant"
    x, y = 0, 0
    for level in range(levels):
        side = tile.shape[-1] + 2
        packed[:, :, y : y + side, x : x + side] = F.pad(tile, (1, 1, 1, 1), mode=mode)
        x, y = size + 2, (y + side if level else 0)
        tile = F.avg_pool2d(tile, 2) if level + 1 < levels else tile
    return packed


def level_count(size: int) -> int:
    """How many sizes a picture of `size` pixels has in its atlas: halved while even, and down to 4 pixels."""
    count = 1
    while size % 2 == 0 and size // 2 >= SMALLEST_PX:
        size, count = size // 2, count + 1
    return count


def look_up(
    packed: Float[Tensor, "f c height width"],
    size: int,
    u: Float[Tensor, "f h w"],
    v: Float[Tensor, "f h w"],
    level: Float[Tensor, "*fhw"],
    wrap: bool,
) -> Float[Tensor, "f c h w"]:
    """Values at `u` (right) and `v` (down), 0..1 over the picture, in a version blurred by 2**level of its pixels.

    Beyond 0..1 the picture repeats (`wrap`) or is empty.
    """
    if not wrap and len(u) <= FEW_FRAMES:
        return _in_box(packed, size, u, v, level)
    return _blended(packed, size, u, v, level, wrap)


def _in_box(packed: Tensor, size: int, u: Tensor, v: Tensor, level: Tensor) -> Tensor:
    """The same, reading only in the rectangle that holds all of the picture: elsewhere it is empty."""
    inside = (torch.maximum((u - 0.5).abs(), (v - 0.5).abs()) < 0.5 + RIM).any(0)
    rows, columns = inside.any(1).nonzero(), inside.any(0).nonzero()
    found = u.new_zeros((len(u), packed.shape[1], *u.shape[1:]))
    if len(rows):
        box = (slice(None), slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
        near = level if level.shape[-1] == 1 else level[box]
        found[box[0], :, box[1], box[2]] = _blended(packed, size, u[box], v[box], near, wrap=False)
    return found


def _blended(packed: Tensor, size: int, u: Tensor, v: Tensor, level: Tensor, wrap: bool) -> Tensor:
    level = level.clamp(0, level_count(size) - 1.001)
    lower = level.floor()
    share = (level - lower)[:, None]
    if wrap:
        u, v = u - u.floor(), v - v.floor()
    fine = _one_level(packed, size, u, v, lower, wrap)
    return torch.lerp(fine, _one_level(packed, size, u, v, lower + 1, wrap), share.expand_as(fine))


def look_up_level(
    packed: Float[Tensor, "f c height width"],
    size: int,
    u: Float[Tensor, "f h w"],
    v: Float[Tensor, "f h w"],
    level: int,
    wrap: bool,
) -> Float[Tensor, "f c h w"]:
    """`look_up` in one whole level: half the work where the blur is known beforehand."""
    if wrap:
        u, v = u - u.floor(), v - v.floor()
    return _one_level(packed, size, u, v, u.new_full((1, 1, 1), min(level, level_count(size) - 1)), wrap)


def _one_level(packed: Tensor, size: int, u: Tensor, v: Tensor, level: Tensor, wrap: bool) -> Tensor:
    side = size * torch.exp2(-level)
    below = (level > 0).to(u.dtype)
    height, width = packed.shape[-2:]
    # Levels 1, 2, ... take size/2 + 2, size/4 + 2, ... rows: a geometric sum.
    left = below * ((size + 2) * 2 / width) + (2 / width - 1)
    top = below * (size - 2 * side + 2 * (level - 1)) * (2 / height) + (2 / height - 1)
    # One grid filled in place: stacking two would copy both once more.
    grid = u.new_empty((*torch.broadcast_shapes(u.shape, v.shape), 2))
    for axis, (at, origin, extent) in enumerate(((u, left, width), (v, top, height))):
        reach = 2 / extent
        if wrap:
            torch.addcmul(origin, at, side * reach, out=grid[..., axis])
        else:
            side_reach = side * reach
            placed = torch.addcmul(origin, at, side_reach)
            origin = origin - 0.5 * reach
            torch.clamp(placed, origin, origin + (side_reach + reach), out=grid[..., axis])
    return F.grid_sample(packed, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
