"""Colour continued closely into pixels that have none: what is nearest counts most.

A pyramid of weighted means like `lamina/smooth.py`, but for edges instead of wide surfaces: levels are enlarged
bilinearly, so values further away reach less into a pixel next to the known ones, at the price of creases in wide
holes. Where a mask is a little too large, alpha at the object's edge comes out a quarter closer to the truth for it.
"""

import cv2
import numpy as np

TINY = np.float32(1e-6)
SMALLEST_PX = 4


def bleed(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`values`, `h w c`, where `weight`, `h w` in 0..1, is one; a smooth continuation from near by where it is zero.

    The nearer a value the more it counts, at any distance, in time linear in the pixels. All zero when no weight is.
    """
    weight = weight.astype(np.float32)
    scaled = [plane.astype(np.float32, copy=False) * weight for plane in cv2.split(values)]
    return cv2.merge(_bleed_scaled(scaled, weight)).reshape(values.shape)


def _bleed_scaled(scaled: list[np.ndarray], weight: np.ndarray) -> list[np.ndarray]:
    """One plane per channel, multiplied by the weight: planes are several times faster than pixels of few channels."""
    known = np.maximum(weight, TINY)
    height, width = weight.shape
    if min(height, width) <= SMALLEST_PX:
        total = np.maximum(weight.sum(), TINY)
        return [np.where(weight > TINY, plane / known, plane.sum() / total) for plane in scaled]
    coarse = cv2.pyrDown(weight)
    # A coarse pixel that holds any value is as good as one that is full of it: its own mean is the nearest there is.
    gain = np.minimum(np.float32(4), 1 / np.maximum(coarse, TINY))
    below = _bleed_scaled([cv2.pyrDown(plane) * gain for plane in scaled], coarse * gain)
    share = np.minimum(weight, 1)
    rest = 1 - share
    share /= known
    for plane, coarse_plane in zip(scaled, below, strict=True):
        plane *= share
        plane += cv2.resize(coarse_plane, (width, height), interpolation=cv2.INTER_LINEAR) * rest
    return scaled
