"""Global motion: one homography per frame step, chained over the clip, and whether the camera moves at all."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from lamina.motion.coordinates import inside_of, normalise

TRIPOD_PX = 0.5
"""A camera is on a tripod when nine of ten frames lie within this of the first one, at the size points are tracked at.

Compression and auto exposure alone move the fit by up to 0.3 px on real clips; hand-held cameras drift by pixels."""
STEADY_PX = 0.2
"""Below this even hard edges do not shift enough to be mistaken for a change."""
MIN_POINTS = 24
POINTS = 700
"""Points looked for in a frame."""
HOME_PX = 0.3
GRID = 6, 4


@dataclass(frozen=True)
class CameraPath:
    """Global camera motion of a clip."""

    from_first: Float64[np.ndarray, "t 3 3"]
    """Takes normalised positions of the first frame to each frame."""
    drift_px: Float64[np.ndarray, " t"]
    """How far each frame's picture lies from the first one's, in pixels of the tracking size; NaN where too little of
    the background can be tracked."""

    @property
    def is_tripod(self) -> bool:
        return float(np.nanquantile(self.drift_px, 0.9)) < TRIPOD_PX

    @property
    def is_rock_steady(self) -> bool:
        return float(np.nanquantile(self.drift_px, 0.9)) < STEADY_PX

    def between(self, start: int, stop: int) -> Float64[np.ndarray, "3 3"]:
        """The homography from frame `start` to frame `stop`, in normalised positions."""
        homography = self.from_first[stop] @ np.linalg.inv(self.from_first[start])
        return homography / homography[2, 2]


def corners(gray: UInt8[np.ndarray, "h w"], free: UInt8[np.ndarray, "h w"], most: int) -> Float32[np.ndarray, "n 2"]:
    """Up to about `most` well-textured points where `free` is not zero.

    Two thirds are the picture's best; for the others each cell of a grid gives its own best, so that a bare floor is
    not forgotten for the sake of a brick wall.
    """
    height, width = gray.shape
    spacing = max(3.0, (gray.size / most) ** 0.5 * 0.4)
    found = [_best(gray, free, 2 * most // 3, 0.002, spacing)]
    for top, bottom in pairwise(np.linspace(0, height, GRID[1] + 1).astype(int)):
        for left, right in pairwise(np.linspace(0, width, GRID[0] + 1).astype(int)):
            cell = slice(top, bottom), slice(left, right)
            own = _best(gray[cell], free[cell], most // 3 // (GRID[0] * GRID[1]), 0.02, 2 * spacing)
            found.append(own + np.array([left, top], np.float32))
    return np.unique(np.concatenate(found), axis=0)


def _best(gray: np.ndarray, free: np.ndarray, most: int, quality: float, spacing: float) -> Float32[np.ndarray, "n 2"]:
    if min(gray.shape) < 8 or not free.any():
        return np.empty((0, 2), np.float32)
    points = cv2.goodFeaturesToTrack(gray, most, quality, spacing, mask=free)
    return np.empty((0, 2), np.float32) if points is None else points.reshape(-1, 2)


def track(
    gray_from: UInt8[np.ndarray, "h w"],
    gray_to: UInt8[np.ndarray, "h w"],
    points: Float32[np.ndarray, "n 2"],
    guess: Float32[np.ndarray, "n 2"],
) -> tuple[Float32[np.ndarray, "n 2"], Bool[np.ndarray, " n"]]:
    """Follow points by pyramidal Lucas-Kanade there and back, starting from guessed positions.

    Returns the new positions and which of them are inside the picture and came home again within 0.3 px.
    """
    if len(points) == 0:
        return points, np.zeros(0, bool)
    start, there = points[:, None], guess[:, None].copy()
    there, found = _follow(gray_from, gray_to, start, there)
    home = start + (
        there - guess[:, None]
    )  # a start as wrong as the way there began, or coming home would prove nothing
    back, found_back = _follow(gray_to, gray_from, there, home)
    home = (np.abs(back - start).max((1, 2)) < HOME_PX) & (found[:, 0] > 0) & (found_back[:, 0] > 0)
    height, width = gray_to.shape
    there = there[:, 0]
    inside = (there > 1).all(1) & (there[:, 0] < width - 2) & (there[:, 1] < height - 2)
    return there, home & inside


def _follow(
    gray: np.ndarray, other: np.ndarray, points: np.ndarray, guess: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.02)
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        gray, other, points, guess, winSize=(11, 11), maxLevel=3, criteria=stop, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
    )
    return there, found


@dataclass(frozen=True)
class Frame:
    """A gray picture, and where it shows background (not zero)."""

    gray: UInt8[np.ndarray, "h w"]
    free: UInt8[np.ndarray, "h w"]

    @cached_property
    def points(self) -> Float32[np.ndarray, "n 2"]:
        """What can be tracked from here, in pixels."""
        return corners(self.gray, self.free, POINTS)


def matches(start: Frame, stop: Frame) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, "n 2"]]:
    """Background points found in both frames, in pixels."""
    points = start.points
    there, ok = track(start.gray, stop.gray, points, points)
    ok &= inside_of(stop.free, there)
    return points[ok].astype(np.float64), there[ok].astype(np.float64)


def camera_step(start: Frame, stop: Frame) -> Float64[np.ndarray, "3 3"]:
    """The background's motion between two frames as a normalised homography; the identity when too little was tracked.

    Robust fit by MAGSAC (Barath et al. 2020) over tracked corners; OpenCV seeds it, so it is deterministic.
    """
    height, width = start.gray.shape
    here, there = (normalise(points, width, height) for points in matches(start, stop))
    if len(here) < MIN_POINTS:
        return np.eye(3)
    homography, _ = cv2.findHomography(here, there, cv2.USAC_MAGSAC, 1.4 / width, maxIters=2000, confidence=0.999)
    if homography is None or not np.isfinite(homography).all():
        return np.eye(3)
    return homography / homography[2, 2]


def displacement_px(start: Frame, stop: Frame) -> float | None:
    """How far the background moved, as the mean motion of four points under a robust similarity; None if unknown.

    Single points jitter with compression; the fit over all of them does not.
    """
    here, there = matches(start, stop)
    if len(here) < MIN_POINTS:
        return None
    fit, _ = cv2.estimateAffinePartial2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=1.0)
    if fit is None:
        return None
    height, width = start.gray.shape
    probes = np.array([(x * width, y * height) for x in (0.15, 0.85) for y in (0.15, 0.85)])
    return float(np.hypot(*(probes @ fit[:, :2].T + fit[:, 2] - probes).T).mean())


def chain(steps: list[Float64[np.ndarray, "3 3"]]) -> Float64[np.ndarray, "t 3 3"]:
    """Homographies from the first frame to every frame, from the steps between neighbours (one fewer than frames)."""
    path = [np.eye(3)]
    for step in steps:
        homography = step @ path[-1]
        path.append(homography / homography[2, 2])
    return np.stack(path)
