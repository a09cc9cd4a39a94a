"""What is seen without any object: ground, backdrop, what the ground mirrors of it, and where every pixel lies."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lamina.synth.atlas import look_up, look_up_level
from lamina.synth.stage import PATCH_PX, TILE_PX, Stage

SKY_LIMITS = (0.004, 0.996)
MIRROR_M = 14.0
"""Ripples bend a reflection no further than that of something this far behind the spot."""


@dataclass(frozen=True, eq=False)
class Ground:
    """The empty scene, taken apart. `matte * light + mirrored` is what is seen, `f`rames of it."""

    matte: Float[Tensor, "f 3 h w"]
    """Display-referred, under full light of all lamps."""
    mirrored: Float[Tensor, "f 3 h w"] | None
    """What the ground mirrors of the backdrop, its share of the picture multiplied in; None where nothing mirrors."""
    share: Float[Tensor, "f h w"] | None
    """How much of the picture is mirrored light."""
    x: Float[Tensor, "f h w"]
    y: Float[Tensor, "f h w"]
    z: Float[Tensor, "f h w"]
    cover: Float[Tensor, "f h w"]
    """1 on the ground, 0 on the backdrop."""
    bend: tuple[Float[Tensor, "f h w"], Float[Tensor, "f h w"]] | None
    """By how much ripples change the slope of a mirrored ray, right and up."""
    falls: tuple[Tensor, ...]
    """Per lamp, how strongly it lights the place, in units of its light in the middle of the scene."""


def lay_ground(stage: Stage) -> Ground:
    """Draw the ground and the backdrop."""
    rays, floor = stage.rays, stage.floor
    distance = stage.backdrop[:, 0] - rays.z()
    wall_x, wall_y = rays.x() + distance * rays.across, rays.y() + distance * rays.up
    cover = (0.5 - wall_y / (distance * rays.pixel)).clamp(0, 1)
    depth = torch.minimum(rays.y() / (-rays.up).clamp_min(1e-4), distance)
    below = wall_y < 0
    x, z = rays.x() + depth * rays.across, rays.z() + depth
    y = wall_y.clamp_min(0)
    patches = _patches(stage, x, z)
    view = _backdrop(stage, wall_x, wall_y)
    ground = _paint_ground(stage, x, z, depth, patches)
    matte = torch.lerp(view, ground, cover[:, None])
    falls = _falls(stage, x, y, z, below)
    light = stage.lamps.ambient[..., None, None] + sum(
        fall[:, None] * stage.lamps.colour[:, lamp, :, None, None] for lamp, fall in enumerate(falls)
    )
    sky = (stage.backdrop[:, 5] > 0)[:, None] & ~below[:, None]
    matte = matte * torch.where(sky, 1.0, light.clamp(0, 1.5).sqrt()) * stage.exposure
    mirrored = share = bend = None
    if bool((floor[:, 1] > 0).any()):
        bend = _ripples(stage, x, z, depth)
        share = _mirror_share(stage, patches) * cover
        mirrored = _mirrored_view(stage, (wall_x, wall_y), depth, bend) * share[:, None] * stage.exposure
        matte = matte * (1 - share[:, None])
    return Ground(matte, mirrored, share, x, y, z, cover, bend, falls)


def _paint_ground(stage: Stage, x: Tensor, z: Tensor, depth: Tensor, patches: Tensor) -> Tensor:
    tile, _, _, puddles, ripples, wind, water = stage.floor.unbind(1)
    if bool((wind > 0).any()):
        gust = torch.sin(1.1 * x + 0.8 * z - 3.0 * stage.seconds)
        gust = gust + 0.6 * torch.sin(2.7 * x - 1.9 * z - 5 * stage.seconds)
        x, z = x + wind * gust, z + 0.5 * wind * gust
    if bool((water > 0).any()):
        flow = 0.12 * water * stage.seconds
        x = x + flow + 0.05 * ripples * torch.sin(1.7 * z + 1.3 * stage.seconds) * water
        z = z + 0.05 * ripples * torch.sin(2.3 * x - 1.7 * stage.seconds) * water
    pixel = stage.rays.pixel
    # The footprint of a pixel on the ground is longer than wide; blur by more than its width, by less than its length.
    level = 1.5 * depth.clamp_min(0.1).log2() + (pixel * TILE_PX / tile / stage.rays.y().clamp_min(0.2).sqrt()).log2()
    ground = _by_sample(stage, stage.ground, TILE_PX, x / tile, z / tile, level)
    wet = 1 - 0.35 * (puddles > 0) * _puddle(puddles, patches)
    ground = ground * (wet * (1 + 0.1 * patches))[:, None]
    haze = stage.backdrop[:, 4] * (1 - torch.exp(-depth / 30))
    return torch.lerp(ground, stage.horizon.expand_as(ground), haze[:, None].expand_as(ground))


def _patches(stage: Stage, x: Tensor, z: Tensor) -> Tensor:
    return _by_sample(stage, stage.patches, PATCH_PX, x / 13.0, z / 13.0, None)[:, 0]


def _backdrop(stage: Stage, x: Tensor, y: Tensor) -> Tensor:
    """The backdrop's colours at places on its plane, antialiased."""
    distance, across, high, wind, _, sky = stage.backdrop.unbind(1)
    if bool((wind > 0).any()):
        x = x + wind * (torch.sin(1.3 * y + 2.1 * stage.seconds) + torch.sin(0.9 * x + 3.1 * stage.seconds))
    up = y / high
    # A mirrored sky is seen up to overhead; it comes ever closer to the top row and never past it.
    v = torch.where(sky > 0, torch.exp(-up.clamp_min(0)).clamp(*SKY_LIMITS), 1 - up)
    level = (distance * stage.rays.pixel * TILE_PX / torch.maximum(across, high)).log2() + 0.2 * (sky > 0)
    seen = _by_sample(stage, stage.view, TILE_PX, x / across, v, level)
    if stage.movie is None:
        return seen
    grid = torch.stack([x * 2 / across, 1 - 2 * up.clamp(0, 1)], -1)
    shown = torch.nn.functional.grid_sample(
        stage.movie, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return torch.where(stage.shows_movie, shown, seen)


def _by_sample(stage: Stage, atlas: Tensor, size: int, u: Tensor, v: Tensor, level: Tensor | None) -> Tensor:
    """Look up in atlases that all frames of a sample share: their frames are laid below each other for it."""
    samples, (frames, height, width) = stage.samples, u.shape
    tall = (samples, frames // samples * height, width)
    if level is None:
        found = look_up_level(atlas, size, u.reshape(tall), v.reshape(tall), 0, wrap=True)
    else:
        found = look_up(atlas, size, u.reshape(tall), v.reshape(tall), level.expand(u.shape).reshape(tall), wrap=True)
    found = found.view(samples, -1, frames // samples, height, width)
    return found.transpose(1, 2).reshape(frames, -1, height, width)


def _falls(stage: Stage, x: Tensor, y: Tensor, z: Tensor, below: Tensor) -> tuple[Tensor, ...]:
    """Light of each lamp on the ground or the backdrop: 1 everywhere on the ground for a sun."""
    found = []
    for lamp in range(stage.lamps.position.shape[1]):
        px, py, pz, near = (stage.lamps.position[:, lamp, axis, None, None] for axis in range(4))
        dx, dy, dz = px - near * x, py - near * y, pz - near * z
        square = dx * dx + dy * dy + dz * dz
        # The middle of the scene, (0, 0, 6), is lit with 1.
        middle = px * px + py * py + (pz - 6) ** 2
        facing = torch.where(below, dy, -dz) / py.clamp_min(0.1)
        spot = (middle / square).clamp_max(9) ** 1.5 * facing
        sun = torch.where(below, torch.ones_like(dz), (-dz / py.clamp_min(0.3)).clamp(0, 1.2))
        found.append(torch.where(near > 0, spot.clamp(0, 2.5), sun))
    return tuple(found)


def _puddle(puddles: Tensor, patches: Tensor) -> Tensor:
    return torch.where(puddles > 0, ((patches + 1.1 - 1.5 * puddles) * 3).clamp(0, 1), torch.ones_like(patches))


def _mirror_share(stage: Stage, patches: Tensor) -> Tensor:
    """Schlick's approximation (1994) of how much light is mirrored at the ray's angle."""
    _, reflects, _, puddles, _, _, _ = stage.floor.unbind(1)
    rays = stage.rays
    steep = -rays.up / (1 + rays.across**2 + rays.up**2).sqrt()
    grazing = (1 - steep.clamp(0, 1)) ** 3
    most = (reflects * 1.9).clamp_max(0.75)
    share = torch.lerp(reflects.expand_as(steep), most.expand_as(steep), grazing)
    return share * _puddle(puddles, patches) * (reflects > 0)


def _ripples(stage: Stage, x: Tensor, z: Tensor, depth: Tensor) -> tuple[Tensor, Tensor] | None:
    ripples = stage.floor[:, 4]
    if not bool((ripples > 0).any()):
        return None
    t = stage.seconds
    first = torch.cos(4.1 * z + 1.7 * x - 3.2 * t)
    second = torch.cos(7.3 * z - 3.1 * x - 4.6 * t + 2.0 * first)
    third = torch.cos(2.9 * x - 1.9 * z + 2.4 * t)
    length = depth * depth * stage.rays.pixel / stage.rays.y().clamp_min(0.2)
    # Waves that are smaller than a pixel are not seen one by one.
    strength = 0.022 * ripples / (1 + (length / 0.35) ** 2)
    return strength * (0.6 * third + 0.3 * second), strength * (first + 0.7 * second)


def _mirrored_view(stage: Stage, wall: tuple[Tensor, Tensor], depth: Tensor, bend: tuple | None) -> Tensor:
    wall_x, wall_y = wall
    if bend is not None:
        reach = (stage.backdrop[:, 0] - stage.rays.z() - depth).clamp(0, MIRROR_M)
        wall_x, wall_y = wall_x + bend[0] * reach, wall_y + bend[1] * reach
    return _backdrop(stage, wall_x, (-wall_y).clamp_min(0))
