"""What the background looks like behind one frame, from the small copies of other frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float32

from lamina.motion.anchor import Look, View, nearest_median, view_weights, weighted_mean
from lamina.motion.camera import CameraPath
from lamina.motion.coordinates import Box, rows_and_columns, warp_map
from lamina.motion.exposure import Tone, apply_tone, fit_tone
from lamina.motion.relief import Relief, estimate_relief
from lamina.motion.sweep import sweep_relief
from lamina.removal.frames import FREE, Small

TONE_SAMPLES = 1000


@dataclass(frozen=True)
class Alignment:
    """How other frames are laid over one target frame."""

    relief: Relief
    depth: Float32[np.ndarray, "s v"]
    """Relief per pixel at sweep size."""


def align(target: Small, others: Mapping[int, Small], path: CameraPath) -> Alignment:
    """Cameras and relief of other frames for a target, from free background only."""
    homographies = {i: path.between(target.index, i) for i in others}
    pictures = {i: (o.gray, o.gray_free) for i, o in others.items()}
    relief = estimate_relief(target.gray, target.gray_free, pictures, homographies, target.index)
    return Alignment(relief, find_depth(relief, target, others))


def find_depth(relief: Relief, target: Small, others: Mapping[int, Small]) -> Float32[np.ndarray, "s v"]:
    """Relief per pixel, given the cameras; done again when more is known about what is free."""
    views = {i: (others[i].sweep_rgb, others[i].sweep_free) for i in relief.frames}
    return sweep_relief(relief, (target.sweep_rgb, target.sweep_free), views)


def aligned_views(
    target: Small, others: Mapping[int, Small], alignment: Alignment, box: Box | None = None
) -> list[View]:
    """Other frames laid over the target, or a box of it, at detection size, brought to its exposure."""
    size = target.free.shape[1::-1]
    depth = cv2.resize(alignment.depth, size, interpolation=cv2.INTER_LINEAR)
    sparse, step = _grid(size)
    grid = rows_and_columns(sparse, step)
    known, colors = target.free[grid] == FREE, target.rgb[grid]
    box = box or (0, 0, *size)
    depth_in_box, depth_on_grid = depth[rows_and_columns(box)], depth[grid]
    views = []
    for frame, camera in zip(alignment.relief.frames, alignment.relief.cameras, strict=True):
        rgb, free = _laid_over(others[frame], *warp_map(camera, depth_on_grid, sparse, size, step))
        shared = (free == FREE) & known
        tone = fit_tone(rgb[shared], colors[shared])
        rgb, free = _laid_over(others[frame], *warp_map(camera, depth_in_box, box, size))
        views.append(View(apply_tone(rgb, tone), free, abs(frame - target.index), tone))
    return views


def _laid_over(other: Small, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rgb = cv2.remap(other.rgb, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return rgb, cv2.remap(other.free, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)


def tone_between(source: np.ndarray, target: np.ndarray, shared: np.ndarray) -> Tone:
    """Exposure change between two aligned pictures, from some of their pixels."""
    grid = rows_and_columns(*_grid(shared.shape[1::-1]))
    chosen = shared[grid]
    return fit_tone(source[grid][chosen], target[grid][chosen])


def _grid(size: tuple[int, int]) -> tuple[Box, int]:
    """The box and the step of a grid of about `TONE_SAMPLES` pixels over a picture of (width, height)."""
    step = max(1, round((size[0] * size[1] / TONE_SAMPLES) ** 0.5))
    return (step // 2, step // 2, *size), step


def look_moving(target: Small, others: Mapping[int, Small], alignment: Alignment, votes: int) -> Look:
    """The background behind a frame of a moving camera."""
    return settle(aligned_views(target, others, alignment), votes)


def settle(views: Sequence[View], votes: int) -> Look:
    """One picture from many views: each pixel's nearest ones vote, and those that agree with the vote are averaged."""
    look = nearest_median(views, votes)
    mean, weight = weighted_mean([v.rgb for v in views], view_weights(views, look.rgb))
    return replace(look, rgb=np.where((weight > 1e-7)[..., None], mean, look.rgb))


def tripod_views(key: Small, others: Sequence[Small]) -> list[View]:
    """Other frames of a camera that stands still, in the exposure of one key frame."""
    views = []
    for other in others:
        tone = tone_between(other.rgb, key.rgb, (other.free == FREE) & (key.free == FREE))
        views.append(View(apply_tone(other.rgb, tone), other.free, abs(other.index - key.index), tone))
    return views


def look_through_time(target: Small, key: Look) -> Look:
    """A tripod look in the exposure of another frame."""
    tone = tone_between(key.rgb, target.rgb, key.trusted & (target.free == FREE))
    return replace(key, rgb=apply_tone(key.rgb, tone))
