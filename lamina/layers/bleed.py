"""Filling pixels without a value from those that have one, smoothly: a pyramid of weighted means (push and pull)."""

import cv2
import numpy as np

TINY = np.float32(1e-6)
SMALLEST_PX = 4


def fill(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`values`, `h w c`, where `weight`, `h w` in 0..1, is one; a smooth continuation from near by where it is zero.

    The nearer a value the more it counts, at any distance, in time linear in the pixels. All zero when no weight is.
    """
    scaled = np.concatenate([values * weight[..., None], weight[..., None]], -1).astype(np.float32)
    return _fill_scaled(scaled)


def _fill_scaled(scaled: np.ndarray) -> np.ndarray:
    weight = scaled[..., -1:]
    value = scaled[..., :-1] / np.maximum(weight, TINY)
    height, width = weight.shape[:2]
    if min(height, width) <= SMALLEST_PX:
        total = scaled.sum((0, 1), keepdims=True)
        return np.where(weight > TINY, value, total[..., :-1] / np.maximum(total[..., -1:], TINY))
    coarse = cv2.pyrDown(scaled)
    # A coarse pixel that holds any value is as good as one that is full of it: its own mean is the nearest there is.
    gain = np.minimum(4.0, 1 / np.maximum(coarse[..., -1:], TINY))
    below = cv2.resize(_fill_scaled(coarse * gain), (width, height), interpolation=cv2.INTER_LINEAR)
    below = below.reshape(height, width, -1)
    share = np.minimum(weight, 1)
    return value * share + below * (1 - share)
