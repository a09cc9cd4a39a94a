"""The sprite renderer's geometry one ray at a time: a camera as a matrix, a plane hit by a ray, a shadow found by
walking from the ground to the lamp, a picture read between four pixels, layers laid over each other one pixel at a
time."""

import math

import numpy as np


def rotation_slow(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """From the camera's right, up, ahead to the world's x, y, z: roll first, then pitch, then yaw."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    turn_roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    turn_pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    turn_yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return turn_yaw @ turn_pitch @ turn_roll


def ray_slow(angles: np.ndarray, focal: float, column: int, row: int, width: int, height: int) -> np.ndarray:
    """Direction `x y z` of the ray through the middle of a pixel; `focal` in picture widths."""
    right, up = (column + 0.5 - width / 2) / width / focal, (height / 2 - row - 0.5) / width / focal
    return rotation_slow(*angles) @ np.array([right, up, 1.0])


def hit_slow(start: np.ndarray, direction: np.ndarray, axis: int, level: float) -> np.ndarray | None:
    """Where a ray meets the plane on which coordinate `axis` is `level`; None if that is behind its start."""
    if direction[axis] == 0:
        return None
    way = (level - start[axis]) / direction[axis]
    return start + way * direction if way > 0 else None


def read_slow(picture: np.ndarray, u: float, v: float, wrap: bool) -> np.ndarray:
    """`c s s` read between its four nearest pixels at 0..1; beyond its edges it repeats or is empty."""
    size = picture.shape[-1]
    x, y = u * size - 0.5, v * size - 0.5
    left, top = math.floor(x), math.floor(y)
    total = np.zeros(picture.shape[0])
    for row, down in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, across in ((left, 1 - (x - left)), (left + 1, x - left)):
            if wrap:
                total += picture[:, row % size, column % size] * down * across
            elif 0 <= row < size and 0 <= column < size:
                total += picture[:, row, column] * down * across
    return total


def shadow_slow(
    point: np.ndarray, lamp: np.ndarray, foot: np.ndarray, side: float, alpha: np.ndarray, margin: float
) -> float:
    """How much of a lamp's light a card keeps from a point: the way to the lamp is followed up to the card's plane.

    `lamp` is `x y z w`, a direction (w 0) or a place (w 1); `alpha` is `s s`, the card with its margins.
    """
    towards = lamp[:3] - lamp[3] * point
    hit = hit_slow(point, towards, 2, foot[2])
    if hit is None or (lamp[3] and abs(hit[2] - point[2]) >= abs(towards[2])):
        return 0.0
    span = 1 + 2 * margin
    u, v = (hit[0] - foot[0]) / (side * span) + 0.5, (1 + margin - (hit[1] - foot[1]) / side) / span
    return float(read_slow(alpha[None], u, v, wrap=False)[0])


def flatten_slow(plate: np.ndarray, objects: list[dict[str, np.ndarray]]) -> np.ndarray:
    """One frame `3 h w`: first what all objects, back to front, do to the ground, then the objects over it."""
    picture = plate.copy()
    _, height, width = plate.shape
    for y in range(height):
        for x in range(width):
            for c in range(3):
                value = plate[c, y, x]
                for item in objects:
                    value = value * item["shadow"][c, y, x] + item["light"][c, y, x]
                for item in objects:
                    alpha, veil = item["alpha"][0, y, x], item["veil"][3, y, x]
                    value = item["colour"][c, y, x] * alpha + value * (1 - alpha)
                    value = item["veil"][c, y, x] * veil + value * (1 - veil)
                picture[c, y, x] = value
    return picture
