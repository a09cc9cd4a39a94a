"""Arithmetic on hard masks: arrays `h w` or `t h w`, bool or uint8 where anything but 0 is inside. Results are bool."""

from functools import cache

import cv2
import numpy as np

DISC_PX = 10
"""Below this radius stamping a disc on every pixel is many times faster than measuring distances."""
ROUNDING = 1e-4
"""Distances are float32."""


def grow(mask: np.ndarray, radius_px: int | float) -> np.ndarray:
    """Every pixel within `radius_px` of the mask, frame by frame; exact Euclidean distance between pixel centres.

    >>> grow(np.array([[0, 0, 1, 0, 0]]), 1).astype(int)
    array([[0, 1, 1, 1, 0]])

    Raises:
        ValueError: the radius is negative.
    """
    if radius_px < 0:
        raise ValueError(f"radius_px must not be negative, got {radius_px}. Use the opposite operation.")
    inside = as_bool(mask)
    if inside.ndim == 2:
        return _grow_frame(inside, radius_px)
    grown = np.empty_like(inside)
    for frame, out in zip(inside, grown, strict=True):
        out[...] = _grow_frame(frame, radius_px)
    return grown


def grow_square(mask: np.ndarray, side_px: int) -> np.ndarray:
    """Every pixel whose square of `side_px` pixels around it touches the mask, frame by frame.

    >>> grow_square(np.array([[0, 0, 0, 1, 0]]), 3).astype(int)
    array([[0, 0, 1, 1, 1]])

    Raises:
        ValueError: the square has no pixel.
    """
    if side_px < 1:
        raise ValueError(f"side_px must be at least 1, got {side_px}.")
    inside, square = as_bool(mask), np.ones((side_px, side_px), np.uint8)
    frames = inside.reshape(-1, *inside.shape[-2:])
    return np.stack([cv2.dilate(frame.view(np.uint8), square) for frame in frames]).reshape(inside.shape).view(bool)


def shrink(mask: np.ndarray, radius_px: int | float) -> np.ndarray:
    """What is further than `radius_px` from every pixel outside the mask. The picture's border is not an outside.

    Raises:
        ValueError: the radius is negative.
    """
    return ~grow(~as_bool(mask), radius_px)


def union(*masks: np.ndarray) -> np.ndarray:
    """Inside any of the masks."""
    return np.logical_or.reduce([as_bool(mask) for mask in masks])


def intersect(*masks: np.ndarray) -> np.ndarray:
    """Inside all of the masks."""
    return np.logical_and.reduce([as_bool(mask) for mask in masks])


def difference(mask: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Inside the first mask and none of the others."""
    return as_bool(mask) & ~union(*others) if others else as_bool(mask)


def as_bool(mask: np.ndarray) -> np.ndarray:
    """A mask as bool; soft masks are to be thresholded first.

    Raises:
        ValueError: the numbers are floats, whose threshold only the caller knows.
    """
    if mask.dtype.kind not in "bui":
        raise ValueError(f"A hard mask is bool or whole numbers, got {mask.dtype}. Compare with a threshold first.")
    return mask != 0


def _grow_frame(inside: np.ndarray, radius_px: int | float) -> np.ndarray:
    if not inside.any():
        return inside.copy()
    if radius_px < DISC_PX:
        return cv2.dilate(inside.view(np.uint8), _disc(radius_px)).view(bool)
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance <= radius_px + ROUNDING


@cache
def _disc(radius_px: int | float) -> np.ndarray:
    y, x = np.mgrid[-int(radius_px) : int(radius_px) + 1, -int(radius_px) : int(radius_px) + 1]
    return (np.hypot(x, y) <= radius_px + ROUNDING).astype(np.uint8)
