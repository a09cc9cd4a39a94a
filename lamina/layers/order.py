"""Which object is in front of which, from the masks alone.

Masks of visible pixels never overlap, so the evidence is who gets cut. Before two masks touch both are whole; moved on
as they were moving, one of them would cover pixels that the other one shows: that other one is in front. And while they
touch, the one behind has less to show than before. Where all this says little, the object that stands lower in the
picture is taken to be nearer. Objects that change places keep one order: the one for which there is more evidence.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import cv2
import numpy as np

SIDE_PX = 320  # masks are compared at this size: order needs no detail
TRACK_FRAMES = 4  # frames over which speed is measured
AHEAD_FRAMES = 10  # how far a silhouette is moved on
PRIOR = 0.02  # weight of the lower position, in shares of the smaller object's area


def order_back_to_front(masks: Mapping[str, Sequence[np.ndarray]]) -> list[str]:
    """Names of the objects, the farthest first.

    masks: per object one `uint8 h w` mask of its visible pixels per frame, all of the same size; small ones will do.
    """
    small = {name: np.stack([_shrink(m) for m in frames]) for name, frames in masks.items()}
    wins = dict.fromkeys(small, 0.0)
    for a, b in combinations(small, 2):
        margin = in_front(small[a], small[b])
        wins[a] += np.sign(margin) + 1e-3 * margin
        wins[b] -= np.sign(margin) + 1e-3 * margin
    return sorted(small, key=lambda name: wins[name])


def in_front(a: np.ndarray, b: np.ndarray) -> float:
    """How much speaks for `a`, `bool t h w`, being nearer than `b`: above 0 for it, below 0 against it."""
    scale = max(1.0, min(float(np.median(_areas(a))), float(np.median(_areas(b)))))
    touching = np.array([_touch(x, y) for x, y in zip(a, b, strict=True)])
    cut = (_cut_by(b, a, touching) - _cut_by(a, b, touching)) / scale
    return cut + _shrunk(b, touching) - _shrunk(a, touching) + PRIOR * _lower(a, b)


def _shrunk(mask: np.ndarray, touching: np.ndarray) -> float:
    """The mean share of its area that an object misses while it touches another one, against the nearest free frame."""
    edge = [bool(m[0].any() or m[-1].any() or m[:, 0].any() or m[:, -1].any()) for m in mask]
    areas = mask.sum((1, 2))
    free = [t for t in range(len(mask)) if not touching[t] and not edge[t] and areas[t] > 0]
    met = [t for t in range(len(mask)) if touching[t] and not edge[t]]
    if not free or not met:
        return 0.0
    whole = [areas[min(free, key=lambda u: abs(u - t))] for t in met]
    return float(np.mean([1 - areas[t] / before for t, before in zip(met, whole, strict=True)]))


def _areas(mask: np.ndarray) -> np.ndarray:
    areas = mask.sum((1, 2))
    return areas[areas > 0] if areas.any() else np.ones(1)


def _shrink(mask: np.ndarray) -> np.ndarray:
    scale = min(1.0, SIDE_PX / max(mask.shape))
    if scale < 1:
        mask = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return mask > 127


def _cut_by(cut: np.ndarray, cutter: np.ndarray, touching: np.ndarray) -> float:
    """Mean number of pixels that `cutter` shows where `cut`, moved on from before or after a contact, ought to be."""
    both_ways = [(cut, cutter, touching), (cut[::-1], cutter[::-1], touching[::-1])]
    lost = [n for way in both_ways for n in _lost_after_contact(*way)]
    return float(np.mean(lost)) if lost else 0.0


def _touch(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((cv2.dilate(a.astype(np.uint8), np.ones((5, 5), np.uint8)) * b).any())


def _lost_after_contact(cut: np.ndarray, cutter: np.ndarray, touching: np.ndarray) -> list[float]:
    """For each contact that begins within the clip: pixels lost per frame while it lasts."""
    lost = []
    for start in (np.flatnonzero(touching[1:] & ~touching[:-1]) + 1).tolist():
        path = _path(cut, touching, start)
        if path is None:
            continue
        for ahead in range(1, min(AHEAD_FRAMES, len(cut) - start) + 1):
            t = start - 1 + ahead
            if not touching[t] and cut[t].any():
                break
            moved = cv2.warpAffine(cut[start - 1].astype(np.uint8), _shift(path * ahead), cut.shape[:0:-1])
            lost.append(float((moved.astype(bool) & cutter[t]).sum()))
    return lost


def _path(mask: np.ndarray, touching: np.ndarray, start: int) -> np.ndarray | None:
    """Motion per frame, x and y, of the whole silhouette in the frames just before a contact."""
    before = [t for t in range(max(0, start - TRACK_FRAMES), start) if mask[t].any() and not touching[t]]
    if not before or before[-1] != start - 1:
        return None
    if len(before) == 1:
        return np.zeros(2)
    return (_center(mask[before[-1]]) - _center(mask[before[0]])) / (before[-1] - before[0])


def _center(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()])


def _shift(by: np.ndarray) -> np.ndarray:
    return np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float32)


def _lower(a: np.ndarray, b: np.ndarray) -> float:
    """How much lower `a` reaches than `b` where both are seen, in shares of the picture's height."""
    bottoms = [
        (np.flatnonzero(x.any(1))[-1] - np.flatnonzero(y.any(1))[-1]) / a.shape[1]
        for x, y in zip(a, b, strict=True)
        if x.any() and y.any()
    ]
    return float(np.mean(bottoms)) if bottoms else 0.0
