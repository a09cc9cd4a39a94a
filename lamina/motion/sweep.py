"""The relief of every pixel, by plane sweep: the depth at which the other frames agree about its colour.

Collins 1996 ("A space-sweep approach to true multi-image matching") with the projective cameras of `relief`. It also finds
what lies behind an object: there the target itself has no say, and the frames that look past the object decide.
"""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from lamina.motion.coordinates import homography_in_pixels
from lamina.motion.relief import Relief, spread_relief

LABELS = 40
BEYOND = 0.7
"""How far beyond the tracked points' relief to search, in their range: the nearest thing may never carry a free point."""
NOISE = 9.0
"""Variance of one channel in 8-bit levels below which agreement means nothing."""
UNSEEN_COST = 30.0
"""Cost in levels where fewer than two frames see a pixel: worse than any honest match, so that nobody hides there."""
PRIOR_COST = 0.8
"""Cost in levels of leaving the interpolated relief by the tracked points' whole range."""

View = tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"]]
"""A small picture and where its background is free to see (0 or 255)."""


def sweep_relief(relief: Relief, target: View, others: dict[int, View]) -> Float32[np.ndarray, "h w"]:
    """Choose the relief of every pixel of the (small) target picture. Zero where the relief is planar.

    The cost of a candidate is the spread of the frames' colours, averaged over a small window, plus a mild preference
    for the relief interpolated from tracked points; ties in flat regions are therefore decided by the surroundings.
    """
    height, width = target[1].shape
    if relief.is_planar:
        return np.zeros((height, width), np.float32)
    expected = spread_relief(relief.points, relief.values, (width, height))
    low, high = np.quantile(relief.values, [0.01, 0.99])
    reach = max(float(high - low), 1e-3)
    labels = np.linspace(low - BEYOND * reach, high + BEYOND * reach, LABELS).astype(np.float32)
    cost = np.stack(
        [_disagreement(relief, float(v), target, others) + PRIOR_COST / reach * np.abs(v - expected) for v in labels]
    )
    return cv2.medianBlur(_lowest(cost, labels), 5)


def _disagreement(relief: Relief, value: float, target: View, others: dict[int, View]) -> Float32[np.ndarray, "h w"]:
    """Spread of colours (levels) among the frames when the whole picture has one relief."""
    rgb, free = target
    height, width = free.shape
    count = (free > 0).astype(np.float32)
    total, squares = (np.zeros((height, width, 3), np.float32) for _ in range(2))
    cv2.accumulate(rgb, total, mask=free)
    cv2.accumulateSquare(rgb, squares, mask=free)
    for frame, camera in zip(relief.frames, relief.cameras, strict=True):
        plane = camera[:, :3] + value * np.outer(camera[:, 3], (0, 0, 1))
        matrix = homography_in_pixels(plane, (width, height), (width, height))
        other_rgb, other_free = others[frame]
        flags = cv2.WARP_INVERSE_MAP
        seen = cv2.warpPerspective(other_free, matrix, (width, height), flags=flags | cv2.INTER_NEAREST)
        warped = cv2.warpPerspective(other_rgb, matrix, (width, height), flags=flags | cv2.INTER_LINEAR)
        cv2.accumulate(warped, total, mask=seen)
        cv2.accumulateSquare(warped, squares, mask=seen)
        cv2.accumulate((seen > 0).astype(np.uint8), count)
    spread = (squares - total * total / np.maximum(count, 1)[..., None]).sum(-1)
    votes = cv2.boxFilter(np.maximum(count - 1, 0), -1, (5, 5))
    spread = cv2.boxFilter((np.maximum(spread, 0) + 3 * NOISE) * (count > 1), -1, (5, 5))
    return np.where(votes > 0.3, np.sqrt(spread / np.maximum(votes, 0.3)), np.float32(UNSEEN_COST))


def _lowest(cost: Float32[np.ndarray, "n h w"], labels: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, "h w"]:
    """The label of least cost, refined between labels by a parabola."""
    best = cost.argmin(0).clip(1, len(labels) - 2)
    rows, columns = np.indices(best.shape)
    before, at, after = (cost[best + k, rows, columns] for k in (-1, 0, 1))
    bend = before - 2 * at + after
    offset = np.where(bend > 1e-4, (before - after) / np.maximum(2 * bend, 1e-4), 0).clip(-0.5, 0.5)
    return (labels[best] + offset * (labels[1] - labels[0])).astype(np.float32)
