"""The plate at source size: background looked up in full-size frames, laid in only where the picture was changed."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lamina.channels import peak, times
from lamina.levels import from_levels, to_levels
from lamina.masks.binary import grow
from lamina.motion.anchor import Look
from lamina.motion.coordinates import Box, warp_map
from lamina.motion.exposure import Tone, apply_tone
from lamina.removal.frames import FREE, MASK_DOUBT, Small
from lamina.removal.look import Alignment
from lamina.smooth import push_pull

KEEP_BELOW, REPLACE_ABOVE = 2.5 / 255, 6 / 255
"""Outside the mask, changes smaller than the first are left as they are, larger than the second are replaced."""
SEAM_LIMIT = 10 / 255
"""The most that a background is shifted to meet its surroundings."""
LIT_PX = 15
"""Across how many pixels at detection size lit ground is compared."""
RELIGHT_LIMIT = 1.4
"""Greatest logarithm of the factor by which a shadow is lifted where its ground was never seen without it."""


@dataclass(frozen=True)
class Backdrop:
    """Looked-up background of one frame, in a box of the source-size picture, levels 0..1."""

    box: Box
    rgb: Float32[np.ndarray, "h w 3"]


def box_at_source(area: Bool[np.ndarray, "h w"], margin_px: int, source: tuple[int, int]) -> Box | None:
    """The source-size box around an area found at detection size, with a margin in detection pixels."""
    rows, columns = np.nonzero(area.any(1))[0], np.nonzero(area.any(0))[0]
    if not len(rows):
        return None
    height, width = area.shape
    scale_x, scale_y = source[0] / width, source[1] / height
    left, right = max(0, columns[0] - margin_px), min(width, columns[-1] + 1 + margin_px)
    top, bottom = max(0, rows[0] - margin_px), min(height, rows[-1] + 1 + margin_px)
    return int(left * scale_x), int(top * scale_y), int(np.ceil(right * scale_x)), int(np.ceil(bottom * scale_y))


def at_source(
    values: Float32[np.ndarray, "h w *c"], box: Box, source: tuple[int, int]
) -> Float32[np.ndarray, "b v *c"]:
    """The box's part of a detection-size picture, enlarged to source size."""
    height, width = values.shape[:2]
    if (width, height) == source:
        return values[box[1] : box[3], box[0] : box[2]]
    x = ((np.arange(box[0], box[2]) + 0.5) * (width / source[0]) - 0.5).astype(np.float32)
    y = ((np.arange(box[1], box[3]) + 0.5) * (height / source[1]) - 0.5).astype(np.float32)
    columns, rows = np.meshgrid(x, y)
    return cv2.remap(np.ascontiguousarray(values), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def gather(
    plain: Float32[np.ndarray, "d w 3"],
    weights: Sequence[Float32[np.ndarray, "d w"]],
    pictures: Sequence[tuple[np.ndarray, Tone]],
    maps: Sequence[tuple[np.ndarray, np.ndarray] | None],
    box: Box,
    source: tuple[int, int],
) -> Backdrop:
    """Average full-size frames under the weights found at detection size.

    `pictures` are the frames and their exposures, `maps` where the box's pixels lie in them (None: at the same place).
    Where no frame has weight the `plain` picture is enlarged.
    """
    total: np.ndarray | None = None
    weight_sum = np.zeros((box[3] - box[1], box[2] - box[0]), np.float32)
    for weight, (picture, tone), place in zip(weights, pictures, maps, strict=True):
        wide = at_source(weight, box, source)
        if place is None:
            part = to_levels(picture[box[1] : box[3], box[0] : box[2]])
        else:
            part = to_levels(cv2.remap(picture, *place, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))
        part = times(apply_tone(part, tone), wide)
        total = part if total is None else total + part
        weight_sum += wide
    plain = at_source(plain, box, source)
    if total is None:
        return Backdrop(box, plain)
    known = weight_sum > 1e-7
    return Backdrop(box, np.where(known[..., None], total / np.maximum(weight_sum, 1e-9)[..., None], plain))


def relight(
    target: Small, look: Look, effect: Bool[np.ndarray, "h w"]
) -> tuple[Float32[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"]] | None:
    """Lift a shadow where its ground was never seen without it: by the factor found where it was.

    Returns the logarithm of the factor and where to use it (0..1) at detection size, or None where nothing is to do.
    The ground keeps its own texture, which no other frame could give, and gets no lighter than the lightest ground that
    was seen close by: where it only seemed to be in shadow, it must not glow.
    """
    unseen = effect & ~look.trusted & (target.free > 0)
    known = effect & look.trusted & (target.free > 0)
    if not unseen.any() or known.sum() < 30:
        return None
    lit = np.maximum(look.rgb, 0)  # what was resampled sharply may be a little below black
    ratio = np.log((lit + 0.02) / (target.rgb + 0.02)).clip(-RELIGHT_LIMIT, RELIGHT_LIMIT)
    factor = push_pull(np.where(known[..., None], ratio, 0), known.astype(np.float32))
    nearby = cv2.dilate(
        np.where(look.trusted[..., None], lit, 0).astype(np.float32), np.ones((LIT_PX, LIT_PX), np.uint8)
    )
    factor = np.minimum(factor, np.maximum(np.log((nearby + 0.02) / (target.rgb + 0.02)), 0))
    inside = cv2.GaussianBlur(effect.astype(np.float32), (0, 0), 1.5)
    return factor * inside[..., None], cv2.GaussianBlur(unseen.astype(np.float32), (0, 0), 1.0)


def meet_surroundings(target: Small, look: Look, changed: Bool[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w 3"]:
    """What to add to the looked-up background so that it meets the untouched picture around it (detection size).

    The difference just outside the changed area, carried smoothly inwards: exposure that differs across the picture.
    """
    outside = ~changed & look.trusted & (target.free == FREE)
    difference = (target.rgb - look.rgb).clip(-SEAM_LIMIT, SEAM_LIMIT)
    weight = outside.astype(np.float32)
    blurred = cv2.GaussianBlur(difference * weight[..., None], (0, 0), 4.0)
    near = cv2.GaussianBlur(weight, (0, 0), 4.0)
    mean = blurred / np.maximum(near, 1e-3)[..., None]
    return push_pull(mean, np.where(outside, np.minimum(near * 2, 1), 0).astype(np.float32))


def change_weight(
    frame: Float32[np.ndarray, "h w 3"],
    background: Float32[np.ndarray, "h w 3"],
    mask: UInt8[np.ndarray, "h w"],
    effect: Float32[np.ndarray, "h w"],
    picture_width: int,
) -> Float32[np.ndarray, "h w"]:
    """How much of the background replaces the picture (0..1): all of it in the mask, what differs in the effect.

    Around the mask, where it may fall short of its object, only visible differences are replaced.
    """
    blur_px = max(0.8, picture_width * 0.003)
    ring_px = max(2.0, picture_width * MASK_DOUBT)
    difference = peak(np.abs(cv2.GaussianBlur(frame - background, (0, 0), blur_px)))
    visible = ((difference - KEEP_BELOW) / (REPLACE_ABOVE - KEEP_BELOW)).clip(0, 1)
    visible = visible * visible * (3 - 2 * visible)
    near = cv2.GaussianBlur((grow(mask > 20, ring_px)).astype(np.float32), (0, 0), ring_px / 2)
    weight = np.maximum(np.maximum(effect, near) * visible, mask.astype(np.float32) * np.float32(1 / 255))
    return np.where(mask > 127, 1, weight).astype(np.float32)


def lay_in(frame: np.ndarray, backdrop: Backdrop, weight: Float32[np.ndarray, "h w"]) -> np.ndarray:
    """The frame with the background laid in; every pixel of no weight is the frame's own number."""
    left, top, right, bottom = backdrop.box
    plate = frame.copy()
    part = frame[top:bottom, left:right]
    levels = to_levels(part)
    mixed = from_levels(levels + (backdrop.rgb - levels) * weight[..., None], frame.dtype)
    plate[top:bottom, left:right] = np.where(weight[..., None] > 0, mixed, part)
    return plate


def source_maps(
    alignment: Alignment, box: Box, source: tuple[int, int]
) -> list[tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]]:
    """For each frame that the alignment knows, where the box's pixels of the target lie in it at source size."""
    depth = at_source(alignment.depth, box, source) if not alignment.relief.is_planar else 0.0
    return [warp_map(camera, depth, box, source) for camera in alignment.relief.cameras]
