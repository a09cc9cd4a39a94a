"""What the background looks like behind one frame, from the small copies of other frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float32

from lamina.motion.anchor import Look, View, nearest_median, view_weights, weighted_mean
from lamina.motion.camera import CameraPath
from lamina.motion.coordinates import warp_map
from lamina.motion.exposure import Tone, apply_tone, fit_tone
from lamina.motion.relief import Relief, estimate_relief
from lamina.motion.sweep import sweep_relief
from lamina.removal.frames import FREE, Small

TONE_SAMPLES = 1500


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


def aligned_views(target: Small, others: Mapping[int, Small], alignment: Alignment) -> list[View]:
    """Other frames laid over the target at detection size, brought to its exposure."""
    height, width = target.free.shape
    depth = cv2.resize(alignment.depth, (width, height), interpolation=cv2.INTER_LINEAR)
    views = []
    for frame, camera in zip(alignment.relief.frames, alignment.relief.cameras, strict=True):
        other = others[frame]
        x, y = warp_map(camera, depth, (0, 0, width, height), (width, height))
        rgb = cv2.remap(other.rgb, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        free = cv2.remap(other.free, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        tone = tone_between(rgb, target.rgb, (free == FREE) & (target.free == FREE))
        views.append(View(apply_tone(rgb, tone), free, abs(frame - target.index), tone))
    return views


def tone_between(source: np.ndarray, target: np.ndarray, shared: np.ndarray) -> Tone:
    """Exposure change between two aligned pictures, from a grid of about 1,500 of their pixels."""
    step = max(1, round((shared.size / TONE_SAMPLES) ** 0.5))
    grid = slice(step // 2, None, step), slice(step // 2, None, step)
    chosen = shared[grid]
    return fit_tone(source[grid][chosen], target[grid][chosen])


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
