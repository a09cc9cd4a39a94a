"""How an object moves from frame to frame: a shift, turn and scale tracked on what is seen of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from lamina.levels import WHITE

MARGIN_PX = 32
TRACK_SIDE_PX = 480  # motion is tracked on a crop no larger than this: it is smooth
POINTS_LEAST = 6
POINTS_MOST = 200
OUTLINE_PRICE = 48  # grey levels
ASTRAY = 1.2  # how much worse a tracked way may fit than the straight one before it is given up


@dataclass(frozen=True)
class Motion:
    """An object's motion over a window: for each frame the 3x3 matrix to the next one, in the picture's pixels."""

    steps: list[np.ndarray]

    def between(self, source: int, target: int) -> np.ndarray:
        """The motion from one frame to another, through all frames between them."""
        total = np.eye(3)
        for t in range(min(source, target), max(source, target)):
            total = self.steps[t] @ total
        return total if source < target else np.linalg.inv(total)


@dataclass(frozen=True)
class Sight:
    """An object in one frame: the picture, where it shows (bool `h w`), and whether that is all of it."""

    image: np.ndarray
    seen: np.ndarray
    whole: bool


def chain(steps: Sequence[np.ndarray | None], sight: Callable[[int], Sight], whole: Sequence[bool]) -> Motion | None:
    """A motion of single steps, as `step_between` gives them; None when there is none at all.

    whole: whether a frame shows all of the object. Where a step could not be tracked, as behind something, the object
    goes on as in the nearest frames that can.
    """
    known = {t: step for t, step in enumerate(steps) if step is not None}
    if not known:
        return None
    motion = Motion([known[min(known, key=lambda u: (abs(u - t), u))] for t in range(len(steps))])
    for first, last in _gaps(whole):
        _bridge(motion, (first, last), sight(first), sight(last))
    return motion


def _gaps(whole: Sequence[bool]) -> list[tuple[int, int]]:
    """The frames right before and right after each time that an object is not whole."""
    sure = [t for t, is_whole in enumerate(whole) if is_whole]
    return [(a, b) for a, b in pairwise(sure) if b > a + 1]


def _bridge(motion: Motion, ends: tuple[int, int], before: Sight, after: Sight) -> None:
    """Where what was tracked of a half hidden object does not lead to where it comes out, take the straight way there.

    What is tracked beside an edge in front often is that edge.
    """
    pair = _Pair.of(before, after)
    direct = None if pair is None else pair.best(whole=True)
    if pair is None or direct is None:
        return
    if pair.misfit(motion.between(*ends)) > ASTRAY * pair.misfit(direct):
        count = ends[1] - ends[0]
        start = center_of(before.seen)
        motion.steps[slice(*ends)] = [_part(direct, start, k, count) for k in range(count)]


def _part(whole_way: np.ndarray, center: np.ndarray, k: int, count: int) -> np.ndarray:
    """Step `k` of `count` equal ones that lead an object at `center`, x and y, the whole way: a shift with a scale."""
    end = (whole_way @ [*center, 1])[:2]
    here = center + (end - center) * k / count
    scale = float(np.linalg.det(whole_way[:2, :2])) ** (0.5 / count)
    to_origin, back = shift_by(-here), shift_by(here + (end - center) / count)
    return back @ np.diag([scale, scale, 1]) @ to_origin


def shifted(motion: np.ndarray, source: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    """The 2x3 matrix of a motion between two crops whose corners sit at `y, x`."""
    into = np.array([[1, 0, source[1]], [0, 1, source[0]], [0, 0, 1]], np.float64)
    out = np.array([[1, 0, -target[1]], [0, 1, -target[0]], [0, 0, 1]], np.float64)
    return (out @ motion @ into)[:2]


def box_of(area: np.ndarray, margin_px: int) -> tuple[slice, slice] | None:
    """The rectangle around all that is set, with a margin; None when nothing is."""
    rows, columns = np.flatnonzero(area.any(1)), np.flatnonzero(area.any(0))
    if rows.size == 0:
        return None
    height, width = area.shape
    down = slice(max(0, int(rows[0]) - margin_px), min(height, int(rows[-1]) + 1 + margin_px))
    return down, slice(max(0, int(columns[0]) - margin_px), min(width, int(columns[-1]) + 1 + margin_px))


def gray_of(image: np.ndarray) -> np.ndarray:
    """An `h w 3` picture of any number type as `uint8 h w`."""
    if image.dtype != np.uint8:
        image = (np.clip(image / WHITE[image.dtype.name], 0, 1) * 255).astype(np.uint8)
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


@dataclass(frozen=True)
class _Pair:
    """An object in two frames, cropped alike and small enough to track in."""

    grays: tuple
    inside: tuple
    into: np.ndarray
    """From the frames' pixels to the crop's."""

    @classmethod
    def of(cls, before: Sight, after: Sight) -> "_Pair | None":
        box = box_of(before.seen | after.seen, MARGIN_PX)
        if box is None or not (before.seen.any() and after.seen.any()):
            return None
        scale = min(1.0, TRACK_SIDE_PX / max(s.stop - s.start for s in box))
        grays = tuple(_scaled(gray_of(v.image[box]), scale) for v in (before, after))
        inside = tuple(_scaled(v.seen[box].astype(np.uint8), scale) for v in (before, after))
        return cls(grays, inside, np.diag([scale, scale, 1]) @ shift_by(np.array([-box[1].start, -box[0].start])))

    def best(self, whole: bool) -> np.ndarray | None:
        """The simplest motion from the first frame to the second that brings the object onto itself."""
        candidates = _tracked(self.grays, self.inside)
        if whole:
            candidates.append(shift_by(center_of(self.inside[1]) - center_of(self.inside[0])))
        if not candidates:
            return None
        best = min(candidates, key=lambda matrix: _misfit(matrix, self.grays, self.inside))
        return np.linalg.inv(self.into) @ best @ self.into

    def misfit(self, motion: np.ndarray) -> float:
        return _misfit(self.into @ motion @ np.linalg.inv(self.into), self.grays, self.inside)


def step_between(before: Sight, after: Sight) -> np.ndarray | None:
    """An object's motion from one frame to another, 3x3 in the picture's pixels; None when nothing can be told."""
    pair = _Pair.of(before, after)
    return None if pair is None else pair.best(before.whole and after.whole)


def _tracked(grays: tuple, inside: tuple) -> list[np.ndarray]:
    """A shift and a similarity from points tracked on the object; none when too few agree."""
    area = cv2.erode(inside[0], np.ones((3, 3), np.uint8))
    points = cv2.goodFeaturesToTrack(grays[0], POINTS_MOST, 0.01, 3, mask=area)
    if points is None or len(points) < POINTS_LEAST:
        return []
    moved, state, _ = cv2.calcOpticalFlowPyrLK(
        grays[0], grays[1], points, np.empty_like(points), winSize=(15, 15), maxLevel=3
    )
    kept = (state[:, 0] == 1) & _inside(moved[:, 0], inside[1])
    if kept.sum() < POINTS_LEAST:
        return []
    candidates = [shift_by(np.median((moved - points)[kept, 0], 0))]
    matrix, inliers = cv2.estimateAffinePartial2D(points[kept], moved[kept], ransacReprojThreshold=2.0)
    if matrix is not None and inliers.sum() >= POINTS_LEAST:
        candidates.append(np.vstack([matrix, [0, 0, 1]]))
    return candidates


def _misfit(matrix: np.ndarray, grays: tuple, inside: tuple) -> float:
    """Mean difference over both silhouettes when the first is moved, with a fixed price where only one of them is."""
    size = grays[1].shape[::-1]
    gray, area = (cv2.warpAffine(v, matrix[:2], size) for v in (grays[0], inside[0]))
    both, either = (area & inside[1]) > 0, (area | inside[1]) > 0
    apart = cv2.absdiff(gray, grays[1])[both].sum() + OUTLINE_PRICE * (either.sum() - both.sum())
    return float(apart) / max(int(either.sum()), 1)


def shift_by(by: np.ndarray) -> np.ndarray:
    """A shift by x and y as a 3x3 matrix."""
    return np.array([[1, 0, by[0]], [0, 1, by[1]], [0, 0, 1]], np.float64)


def center_of(area: np.ndarray) -> np.ndarray:
    """The mean position, x and y, of all that is set."""
    rows, columns = np.nonzero(area)
    return np.array([columns.mean(), rows.mean()])


def _scaled(image: np.ndarray, scale: float) -> np.ndarray:
    return image if scale == 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _inside(points: np.ndarray, area: np.ndarray) -> np.ndarray:
    at = np.rint(points).astype(int)
    within = np.all((at >= 0) & (at < area.shape[::-1]), 1)
    at = np.where(within[:, None], at, 0)
    return within & (area[at[:, 1], at[:, 0]] > 0)
