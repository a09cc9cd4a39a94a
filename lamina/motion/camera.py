"""Global motion: one homography per frame step, chained over the clip, and whether the camera moves at all."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from lamina.motion.coordinates import normalise

TRIPOD_PX = 0.3
"""A camera is on a tripod when the background moves less than this at analysis size, in 19 of 20 frames.

Measured against a key frame; compression noise alone moves tracked points by up to about 0.1 px."""
MIN_POINTS = 24
HOME_PX = 0.3


@dataclass(frozen=True)
class Step:
    """The background's motion from one frame to another."""

    homography: Float64[np.ndarray, "3 3"]
    """Takes normalised positions of the first frame to the second; the identity when too little could be tracked."""
    shift_px: float
    """Median motion of the tracked points at analysis size."""
    tracked: int


@dataclass(frozen=True)
class CameraPath:
    """Global camera motion of a clip."""

    from_first: Float64[np.ndarray, "t 3 3"]
    """Takes normalised positions of the first frame to each frame."""
    drift_px: Float64[np.ndarray, " t"]
    """Median distance of background points from where they were in the first frame, at analysis size."""

    @property
    def is_tripod(self) -> bool:
        return float(np.quantile(self.drift_px, 0.95)) < TRIPOD_PX

    def between(self, start: int, stop: int) -> Float64[np.ndarray, "3 3"]:
        """The homography from frame `start` to frame `stop`, in normalised positions."""
        homography = self.from_first[stop] @ np.linalg.inv(self.from_first[start])
        return homography / homography[2, 2]


def corners(gray: UInt8[np.ndarray, "h w"], free: UInt8[np.ndarray, "h w"], most: int) -> np.ndarray:
    """Up to `most` well-textured points (n, 2) where `free` is not zero, spread over the picture."""
    spacing = max(3.0, (gray.size / most) ** 0.5 * 0.4)
    points = cv2.goodFeaturesToTrack(gray, most, 0.002, spacing, mask=free)
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
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.01)
    options = dict(winSize=(11, 11), maxLevel=3, criteria=stop, flags=cv2.OPTFLOW_USE_INITIAL_FLOW)
    there, found, _ = cv2.calcOpticalFlowPyrLK(gray_from, gray_to, start, there, **options)
    home = start + (
        there - guess[:, None]
    )  # a start as wrong as the way there began, or coming home would prove nothing
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(gray_to, gray_from, there, home, **options)
    home = (np.abs(back - start).max((1, 2)) < HOME_PX) & (found[:, 0] > 0) & (found_back[:, 0] > 0)
    height, width = gray_to.shape
    there = there[:, 0]
    inside = (there > 1).all(1) & (there[:, 0] < width - 2) & (there[:, 1] < height - 2)
    return there, home & inside


def camera_step(
    gray_from: UInt8[np.ndarray, "h w"],
    gray_to: UInt8[np.ndarray, "h w"],
    free_from: UInt8[np.ndarray, "h w"],
    free_to: UInt8[np.ndarray, "h w"],
) -> Step:
    """Estimate the background's motion between two frames from points outside the objects (`free` not zero).

    Robust homography by MAGSAC (Barath et al. 2020) over tracked corners; OpenCV seeds it, so it is deterministic.
    """
    height, width = gray_from.shape
    points = corners(gray_from, free_from, 700)
    there, ok = track(gray_from, gray_to, points, points)
    pixel = there.round().astype(int).clip(0, (width - 1, height - 1))
    ok &= free_to[pixel[:, 1], pixel[:, 0]] > 0
    points, there = points[ok].astype(np.float64), there[ok].astype(np.float64)
    if len(points) < MIN_POINTS:
        return Step(np.eye(3), 0.0, len(points))
    shift_px = float(np.median(np.hypot(*(there - points).T)))
    start, stop = (normalise(p, width, height) for p in (points, there))
    homography, _ = cv2.findHomography(start, stop, cv2.USAC_MAGSAC, 1.4 / width, maxIters=2000, confidence=0.999)
    if homography is None or not np.isfinite(homography).all():
        return Step(np.eye(3), shift_px, len(points))
    return Step(homography / homography[2, 2], shift_px, len(points))


def chain(steps: list[Step]) -> Float64[np.ndarray, "t 3 3"]:
    """Homographies from the first frame to every frame, from the steps between neighbours (one fewer than frames)."""
    path = [np.eye(3)]
    for step in steps:
        homography = step.homography @ path[-1]
        path.append(homography / homography[2, 2])
    return np.stack(path)
