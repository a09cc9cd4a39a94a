"""The relief of every pixel, by plane sweep: the depth at which the other frames agree about its colour.

Collins 1996 ("A space-sweep approach to true multi-image matching") with the projective cameras of `relief`. It also
finds what lies behind an object: there the target itself has no say, and the frames that look past the object decide.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from lamina.motion.coordinates import pixel_matrix
from lamina.motion.relief import Relief, spread_relief

LABELS = 30
VIEWS = 10
"""Frames that are compared, spread over those at hand: more cost time and find no more."""
BEYOND = 0.7
"""How far beyond the tracked points' relief to search, in their range: the nearest thing may carry no free point."""
NOISE = 9.0
"""Variance of one channel in 8-bit levels below which agreement means nothing."""
UNSEEN_COST = 30.0
"""Cost in levels where fewer than two frames see a pixel: worse than any honest match, so that nobody hides there."""
PRIOR_COST = 0.8
"""Cost in levels of leaving the interpolated relief by the tracked points' whole range."""

OFF_PLANE_COST = 2.5
"""Cost in levels of lying on none of the scene's large planes."""
MOST_PLANES, PLANE_SHARE = 3, 0.12
PLANE_PX, PLANE_WIDTH_PX = 0.35, 416

View = tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"]]
"""A small picture and where its background is free to see (0 or 255)."""


def sweep_relief(relief: Relief, target: View, others: dict[int, View]) -> Float32[np.ndarray, "h w"]:
    """Choose the relief of every pixel of the (small) target picture. Zero where the relief is planar.

    Candidates are the large planes that the tracked points lie on, and fronto-parallel ones at all depths. The cost of
    a candidate is the spread of the frames' colours, averaged over a small window; fronto-parallel ones pay a little
    for not being a plane of the scene, and for leaving the relief interpolated from the points. So flat regions and the
    unseen parts of a plane follow the plane.
    """
    height, width = target[1].shape
    if relief.is_planar:
        return np.zeros((height, width), np.float32)
    compared = _some(len(relief.frames))
    seen, views = _joined(target), [_joined(others[relief.frames[i]]) for i in compared]
    moves = _moves(relief.cameras[compared], (width, height))
    x = ((2 * np.arange(width) + 1 - width) / width).astype(np.float32)[None, :]
    y = ((2 * np.arange(height) + 1 - height) / width).astype(np.float32)[:, None]
    planes = scene_planes(relief)
    expected = spread_relief(relief.points, relief.values, (width, height))
    low, high = np.quantile(relief.values, [0.01, 0.99])
    reach = max(float(high - low), 1e-3)
    levels = np.linspace(low - BEYOND * reach, high + BEYOND * reach, LABELS).astype(np.float32)
    steps = [
        _disagreement(seen, views, moves(np.array([0, 0, v]))) + PRIOR_COST / reach * np.abs(v - expected)
        for v in levels
    ]
    chosen, cost = _lowest(np.stack(steps), levels)
    chosen, cost = cv2.medianBlur(chosen, 5), cost + OFF_PLANE_COST
    for plane in planes:
        on_plane = _disagreement(seen, views, moves(plane))
        better = on_plane < cost
        chosen = np.where(better, np.float32(plane[0]) * x + np.float32(plane[1]) * y + np.float32(plane[2]), chosen)
        cost = np.where(better, on_plane, cost)
    return cv2.medianBlur(chosen.astype(np.float32), 5)


def scene_planes(relief: Relief) -> list[Float64[np.ndarray, " 3"]]:
    """The large planes the tracked points lie on, largest first, as (a, b, c): relief = a x + b y + c.

    A plane of the scene is a plane in projective relief too, whatever the unknown calibration. Sequential RANSAC with a
    fixed seed; points count as on it within about a third of a pixel in the frame that sees most parallax.
    """
    random = np.random.default_rng(0)
    scene = np.hstack([relief.points, np.ones((len(relief.points), 1))])
    tolerance = PLANE_PX * 2 / PLANE_WIDTH_PX / max(float(np.abs(relief.cameras[:, :2, 3]).max()), 1e-6)
    left, values, planes = scene, relief.values, []
    while len(planes) < MOST_PLANES and len(left) >= PLANE_SHARE * len(scene) and len(left) >= 12:
        picks = random.integers(0, len(left), (300, 3))
        corners = left[picks]
        usable = np.abs(np.linalg.det(corners)) > 1e-3
        if not usable.any():
            break
        tried = np.linalg.solve(corners[usable], values[picks[usable]][..., None])[..., 0]
        inside = np.abs(left @ tried.T - values[:, None]) < tolerance
        best = inside[:, inside.sum(0).argmax()]
        if best.sum() < max(12, PLANE_SHARE * len(scene)):
            break
        planes.append(np.linalg.lstsq(left[best], values[best], rcond=None)[0])
        left, values = left[~best], values[~best]
    return planes


def _moves(
    cameras: Float64[np.ndarray, "n 3 4"], size: tuple[int, int]
) -> Callable[[Float64[np.ndarray, " 3"]], Float64[np.ndarray, "n 3 3"]]:
    """How the cameras move a plane of the relief: homographies between pixels of pictures of one (width, height)."""
    to_px, from_px = pixel_matrix(*size), np.linalg.inv(pixel_matrix(*size))
    flat, parallax = to_px @ cameras[:, :, :3] @ from_px, to_px @ cameras[:, :, 3:]
    return lambda plane: flat + parallax * (plane @ from_px)


def _joined(view: View) -> UInt8[np.ndarray, "h w 4"]:
    return cv2.merge([*cv2.split(view[0]), view[1]])


def _disagreement(
    target: UInt8[np.ndarray, "h w 4"],
    others: Sequence[UInt8[np.ndarray, "h w 4"]],
    homographies: Float64[np.ndarray, "n 3 3"],
) -> Float32[np.ndarray, "h w"]:
    """Spread of colours (levels) among the frames when the whole picture lies on one plane of the relief."""
    height, width = target.shape[:2]
    total, squares = (np.zeros((height, width, 4), np.float32) for _ in range(2))
    count = np.zeros((height, width), np.float32)
    _add(target, total, squares, count)
    for other, homography in zip(others, homographies, strict=True):
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
        _add(cv2.warpPerspective(other, homography, (width, height), flags=flags), total, squares, count)
    colors = np.array([[1, 1, 1, 0]], np.float32)
    spread = cv2.transform(squares, colors) - cv2.transform(total * total, colors) / np.maximum(count, 1)
    votes = cv2.boxFilter(np.maximum(count - 1, 0), -1, (5, 5))
    spread = cv2.boxFilter((np.maximum(spread, 0) + np.float32(3 * NOISE)) * (count > 1), -1, (5, 5))
    cost = cv2.sqrt(spread / np.maximum(votes, 0.3))
    cost[votes <= 0.3] = UNSEEN_COST
    return cost


def _some(frames: int) -> list[int]:
    return sorted(set(np.linspace(0, frames - 1, min(frames, VIEWS)).round().astype(int).tolist()))


def _add(view: UInt8[np.ndarray, "h w 4"], total: np.ndarray, squares: np.ndarray, count: np.ndarray) -> None:
    """Add a view's colours, their squares and one where it is free; nothing where it is not."""
    free = cv2.threshold(cv2.extractChannel(view, 3), 127, 1, cv2.THRESH_BINARY)[1]
    colors = cv2.copyTo(view, free, np.zeros_like(view))
    cv2.accumulate(colors, total)
    cv2.accumulateSquare(colors, squares)
    cv2.accumulate(free, count)


def _lowest(
    cost: Float32[np.ndarray, "n h w"], labels: Float32[np.ndarray, " n"]
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """The label of least cost, refined between labels by a parabola, and that cost."""
    best = cost.argmin(0).clip(1, len(labels) - 2)
    rows, columns = np.indices(best.shape)
    before, at, after = (cost[best + k, rows, columns] for k in (-1, 0, 1))
    bend = before - 2 * at + after
    offset = np.where(bend > 1e-4, (before - after) / np.maximum(2 * bend, 1e-4), 0).clip(-0.5, 0.5)
    return (labels[best] + offset * (labels[1] - labels[0])).astype(np.float32), at
