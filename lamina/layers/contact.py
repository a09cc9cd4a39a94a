"""When two objects meet, and which of them is in front while they do.

Masks of visible pixels never overlap, so the evidence is who gets cut. Before two masks touch both are whole; moved on
as they were moving, one of them would cover pixels that the other one shows: that other one is in front. And while they
touch, the one behind has less to show than before. Where a solo is known, it shows the object behind the other's mask.

Everything is counted in samples: the frames that were looked at, evenly spread. Reversing the clip changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lamina.layers.follow import center_of, shift_by
from lamina.levels import to_levels

TRACK_SAMPLES = 4  # samples over which speed is measured
AHEAD_SAMPLES = 10  # how far a silhouette is moved on
PART_AGAIN = 0.5  # a contact that gets this much smaller in between counts as two
SHORTEST = 3  # samples of a part of a contact
BRIEF = 2  # samples at which a contact's evidence counts half: masks are uncertain by a pixel or two
DIGITS = 6  # sums differ in the last digits with the order of their parts; ties must stay ties
SHOWN = 0.1  # difference between solo and plate, beyond a mere shadow, that is the object itself


@dataclass(frozen=True)
class Pair:
    """Two objects over the samples of a clip."""

    a: np.ndarray
    """Visible pixels, `bool t h w`; likewise `b`."""
    b: np.ndarray
    hint: np.ndarray
    """What speaks for `a` being nearer beside contacts, one number per sample, nan where unknown."""


@dataclass(frozen=True)
class Through:
    """What lies behind visible pixels: the two solos and the plate, one small picture `h w 3` per sample."""

    solo_a: Sequence[np.ndarray]
    solo_b: Sequence[np.ndarray]
    plate: Sequence[np.ndarray]


@dataclass(frozen=True)
class Contact:
    """Samples in which two objects touch, and how much then speaks for the first: above 0 for it, below against it."""

    samples: range
    margin: float


def contacts_of(pair: Pair, through: Through | None = None) -> list[Contact]:
    """All contacts of two objects, in the order of time."""
    close = np.array([_closeness(x, y) for x, y in zip(pair.a, pair.b, strict=True)])
    together = _hidden_too(close > 0, pair)
    close[together & (close == 0)] = close.max(initial=0)
    spans = [part for span in runs_of(together) for part in _parts(span, close)]
    inner = [span.start for span in spans if span.start > 0 and together[span.start - 1]]
    free = ~together
    if inner and not free.any():
        free = np.isin(np.arange(len(free)), inner)
    return [Contact(span, _margin(pair, span, free, through)) for span in spans]


def runs_of(flags: np.ndarray) -> list[range]:
    """Runs of True in a row of flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))).tolist()
    return [range(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def hint_over(pair: Pair, samples: range | None = None) -> float:
    """The mean hint over a contact; over the whole clip where a contact has none."""
    known = pair.hint[~np.isnan(pair.hint)]
    here = pair.hint[samples.start : samples.stop] if samples is not None else known
    here = here[~np.isnan(here)]
    return round(float(np.mean(here if len(here) else known)), DIGITS) if len(known) else 0.0


def _margin(pair: Pair, span: range, free: np.ndarray, through: Through | None) -> float:
    scale = max(1.0, min(_usual_area(pair.a), _usual_area(pair.b)))
    margin = (_cut_by(pair.b, pair.a, span, free) - _cut_by(pair.a, pair.b, span, free)) / scale
    margin += _shrunk(pair.b, span, free) - _shrunk(pair.a, span, free)
    if through is not None:
        seen = _shown_in(pair.a, through.solo_b, through.plate, span)
        margin += (seen - _shown_in(pair.b, through.solo_a, through.plate, span)) / scale
    margin = float(np.clip(margin, -1, 1)) * len(span) / (len(span) + BRIEF) + hint_over(pair, span)
    return round(margin, DIGITS)


def _closeness(a: np.ndarray, b: np.ndarray) -> float:
    """How much of the smaller mask's outline lies at the other mask, within two pixels; 0 where they do not touch."""
    if not (a.any() and b.any()):
        return 0.0
    small, large = sorted((a.astype(np.uint8), b.astype(np.uint8)), key=cv2.countNonZero)
    ring = cv2.dilate(small, np.ones((3, 3), np.uint8))
    near = cv2.countNonZero(cv2.min(ring, cv2.dilate(large, np.ones((3, 3), np.uint8))))
    return near / max(1, cv2.countNonZero(ring) - cv2.countNonZero(cv2.erode(small, np.ones((3, 3), np.uint8))))


def _hidden_too(touching: np.ndarray, pair: Pair) -> np.ndarray:
    """Contacts with the samples in which one of the two has vanished behind the other."""
    gone = np.logical_not([x.any() and y.any() for x, y in zip(pair.a, pair.b, strict=True)])
    joined = touching.copy()
    for run in runs_of(gone):
        before, after = run.start - 1, run.stop
        if (before >= 0 and touching[before]) or (after < len(touching) and touching[after]):
            joined[run.start : run.stop] = True
    return joined


def _parts(span: range, close: np.ndarray) -> list[range]:
    """A contact, or several where it gets small in between: there two objects may change places without parting."""
    here = close[span.start : span.stop]
    inner = here[SHORTEST : len(here) - SHORTEST]
    if len(inner) == 0:
        return [span]
    least = np.flatnonzero(inner == inner.min()) + SHORTEST
    at = int(least[len(least) // 2])
    if here[at] > PART_AGAIN * min(here[:at].max(), here[at + 1 :].max()):
        return [span]
    cut = span.start + at
    return [*_parts(range(span.start, cut), close), *_parts(range(cut, span.stop), close)]


def _usual_area(mask: np.ndarray) -> float:
    areas = mask.sum((1, 2))
    return float(np.median(areas[areas > 0])) if areas.any() else 1.0


def _shrunk(mask: np.ndarray, span: range, free: np.ndarray) -> float:
    """The mean share of its area that an object misses during a contact, against the nearest free samples."""
    edge = np.array([bool(m[0].any() or m[-1].any() or m[:, 0].any() or m[:, -1].any()) for m in mask])
    areas = mask.sum((1, 2))
    whole = np.flatnonzero(free & ~edge & (areas > 0))
    met = [t for t in span if not edge[t]]
    if len(whole) == 0 or not met:
        return 0.0
    return float(np.mean([1 - areas[t] / _nearest_area(areas, whole, t) for t in met]))


def _nearest_area(areas: np.ndarray, whole: np.ndarray, t: int) -> float:
    """The area in the free sample nearest to `t`; the mean of two that are equally near."""
    distance = np.abs(whole - t)
    return float(areas[whole[distance == distance.min()]].mean())


def _cut_by(cut: np.ndarray, cutter: np.ndarray, span: range, free: np.ndarray) -> float:
    """Mean number of pixels that `cutter` shows where `cut`, moved on from before or after a contact, ought to be."""
    last = len(cut) - 1
    lost = _lost(cut, cutter, span, free)
    lost += _lost(cut[::-1], cutter[::-1], range(last - span[-1], last - span[0] + 1), free[::-1])
    return float(np.mean(lost)) if lost else 0.0


def _lost(cut: np.ndarray, cutter: np.ndarray, span: range, free: np.ndarray) -> list[float]:
    """Pixels lost per sample in a contact that begins within the clip."""
    start = span.start
    path = _path(cut, free, start)
    if path is None:
        return []
    lost = []
    for t in span[:AHEAD_SAMPLES]:
        moved = cv2.warpAffine(
            cut[start - 1].astype(np.uint8),
            shift_by(path * (t - start + 1))[:2].astype(np.float32),
            (cut.shape[2], cut.shape[1]),
        )
        lost.append(float((moved.astype(bool) & cutter[t]).sum()))
    return lost


def _path(mask: np.ndarray, free: np.ndarray, start: int) -> np.ndarray | None:
    """Motion per sample, x and y, of the whole silhouette in the samples just before a contact."""
    before = [t for t in range(max(0, start - TRACK_SAMPLES), start) if mask[t].any() and free[t]]
    if not before or before[-1] != start - 1:
        return None
    if len(before) == 1:
        return np.zeros(2)
    return (center_of(mask[before[-1]]) - center_of(mask[before[0]])) / (before[-1] - before[0])


def _shown_in(mask: np.ndarray, solo: Sequence[np.ndarray], plate: Sequence[np.ndarray], span: range) -> float:
    """Mean number of pixels of a mask in which another object's solo shows that one."""
    return float(np.mean([(_object_in(solo[t], plate[t]) & mask[t]).sum() for t in span]))


def _object_in(solo: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """Where a solo shows its object, `bool h w`: another colour than the plate's, which no shadow explains."""
    picture, ground = to_levels(solo), to_levels(plate)
    light = (picture * ground).sum(-1) / np.maximum(np.square(ground).sum(-1), 1e-6)
    return np.abs(picture - np.clip(light, 0, 1)[..., None] * ground).max(-1) > SHOWN
