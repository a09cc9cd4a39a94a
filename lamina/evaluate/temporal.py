"""How steady a clip is from frame to frame: flicker against the truth, and warping error along its motion.

Pictures are uint8, uint16 or float in 0..1. All functions raise InputError for shapes that differ, NaN, and floats
outside 0..1, and work in float64.
"""

import math

import cv2
import numpy as np

from lamina.errors import InputError
from lamina.evaluate.levels64 import picture_levels, same_shape

LEAST_PX = 32
"""OpenCV's DIS reads beyond the ends of smaller pictures."""
AGREES_SHARE, AGREES_PX = 0.01, 0.5
"""How far forward and backward motion may miss each other: share of their squared lengths, plus so many squared px."""


def flicker(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean |frame-to-frame change of a clip - that of the truth|, `t h w 3` with t >= 2, in 8-bit levels (0..510)."""
    same_shape("clips to compare", found, truth)
    if found.ndim != 4 or len(found) < 2:
        raise InputError(
            "flicker", got=f"the shape {found.shape}", wanted="at least two frames, t h w 3", do="Hand in a clip."
        )
    a, b = picture_levels("clip", found), picture_levels("true clip", truth)
    return 255 * float(np.abs(np.diff(a, axis=0) - np.diff(b, axis=0)).mean())


def dense_motion(picture: np.ndarray, other: np.ndarray) -> np.ndarray:
    """For each pixel of `picture` (`h w 3`), how far away its like lies in `other`: `h w 2` float32, x then y, in px.

    DIS optical flow (Kroeger et al. 2016), OpenCV's preset "medium", on 8-bit gray.

    Raises:
        InputError: pictures of less than 32 pixels, which DIS cannot look at.
    """
    same_shape("pictures to compare", picture, other)
    if min(picture.shape[:2]) < LEAST_PX:
        raise InputError(
            "optical flow",
            got=f"a picture of {picture.shape[1]} x {picture.shape[0]}",
            wanted=f"at least {LEAST_PX} pixels each way",
            do="Leave the warping error out.",
        )
    levels = (picture_levels("picture", picture), picture_levels("other picture", other))
    gray, other_gray = (cv2.cvtColor(np.rint(v * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for v in levels)
    flow = np.zeros((*gray.shape, 2), np.float32)
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(gray, other_gray, flow)


def warping_error(now: np.ndarray, before: np.ndarray, back: np.ndarray, forth: np.ndarray) -> float:
    """How far a frame is from the one before it, fetched along the motion: mean squared difference x 1000.

    Over pixels and channels with levels 0..1, only where the motion is in the picture and not hidden (Lai et al. 2018,
    section 4.2: forward and backward motion meet again within 0.01 (|w|^2 + |w'|^2) + 0.5 squared px, their occlusion
    test after Ruder et al. 2016). The factor is ours; published figures use other flows and scales, so compare only
    figures of this function. NaN where no pixel can be followed.

    Args:
        now, before: frame t and t-1 of the clip that is judged, `h w 3`.
        back: `dense_motion` from t to t-1 of the reference clip, `h w 2`; `forth`: from t-1 to t.
    """
    same_shape("motion", back, forth)
    return followed_error(now, before, back, can_be_followed(back, forth))


def followed_error(now: np.ndarray, before: np.ndarray, back: np.ndarray, followed: np.ndarray) -> float:
    """The same where it is known already which pixels can be followed, bool `h w`."""
    same_shape("frames", now, before)
    a, b = picture_levels("frame", now), picture_levels("frame before", before)
    same_shape("frame and motion", a[..., :2], back)
    error = (np.square(a - fetch(b, back)) @ np.ones(3))[followed]
    return 1000 / 3 * float(error.mean()) if error.size else math.nan


def can_be_followed(back: np.ndarray, forth: np.ndarray) -> np.ndarray:
    """bool `h w`: the motion leads to a place in the picture from which the other one leads back again."""
    height, width = back.shape[:2]
    x, y = _targets(back)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    returned = fetch(forth.astype(np.float64), back)
    miss, gone, come = (np.square(motion) @ np.ones(2) for motion in (back + returned, back, returned))
    return inside & (miss <= AGREES_SHARE * (gone + come) + AGREES_PX)


def fetch(values: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Values `h w c` at the places that the motion points to, linear between pixels, in float64.

    Exact, unlike OpenCV's `remap`, which rounds places to 1/32 px; outside the picture the nearest edge counts.
    """
    height, width = motion.shape[:2]
    x, y = _targets(motion)
    x, y = x.clip(0, width - 1), y.clip(0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = (x - left)[..., None], (y - top)[..., None]
    flat = values.reshape(height * width, -1)
    upper = flat.take(top * width + left, 0) * (1 - across) + flat.take(top * width + right, 0) * across
    lower = flat.take(bottom * width + left, 0) * (1 - across) + flat.take(bottom * width + right, 0) * across
    return upper * (1 - down) + lower * down


def _targets(motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.indices(motion.shape[:2], dtype=np.float64)
    return columns + motion[..., 0], rows + motion[..., 1]
