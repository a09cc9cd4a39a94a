"""The closed form one pixel at a time, as one would explain it at a blackboard."""

import numpy as np


def closed_form_slow(picture: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colour `h w 3` and smallest alpha `h w` with which the layer over `below` gives `picture`; all values 0..1."""
    height, width, _ = picture.shape
    color, alpha = np.zeros((height, width, 3)), np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            color[y, x], alpha[y, x] = _solve_pixel([float(v) for v in picture[y, x]], [float(v) for v in below[y, x]])
    return color, alpha


def _solve_pixel(picture: list[float], below: list[float]) -> tuple[list[float], float]:
    alpha = 0.0
    for p, b in zip(picture, below, strict=True):
        if p > b:
            alpha = max(alpha, (p - b) / (1 - b))
        if p < b:
            alpha = max(alpha, (b - p) / b)
    if alpha == 0:
        return below, 0.0
    return [b + (p - b) / alpha for p, b in zip(picture, below, strict=True)], alpha
