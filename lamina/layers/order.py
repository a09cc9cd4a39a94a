"""Which object is in front of which, frame by frame.

Every two objects are compared where they meet (`contact.py`); elsewhere they keep the order of their nearest contact.
Objects that never meet are told apart by a depth model where there is one, else the one that stands lower in the
picture is taken to be nearer. From all pairs follows the order of the whole stack: the one that contradicts least of
what was seen, where every change of order has its price, so that weak evidence never makes layers flicker.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np

from lamina.errors import InputError
from lamina.layers.contact import Contact, Pair, Through, contacts_of, hint_over
from lamina.media.stack import OrderRun

SIDE_PX = 320  # masks are compared at this size: order needs no detail
PRIOR = 0.02  # weight of the lower position, in shares of the smaller object's area like all evidence
DEPTH, DEPTH_STEP = 0.05, 0.05  # weight of the depth model; the share of the depth range at which it is sure
CHANGE = 0.1  # evidence that a change of order must have for it
UNITS = 1e9  # steps in which evidence is added up
QUIET = CHANGE / 4  # weight of all relations of objects that do not touch: they decide nothing but when to change


@dataclass(frozen=True)
class Relation:
    """Two objects over the samples of a clip, each array one value per sample."""

    margin: np.ndarray
    """What speaks for the first one being nearer, above 0 for it, taken from the nearest contact."""
    weight: np.ndarray
    """What it costs to have them the other way round."""
    touching: np.ndarray


Relations = Mapping[tuple[int, int], Relation]


def order_per_frame(
    masks: Mapping[str, Sequence[np.ndarray]],
    times: Sequence[int] | None = None,
    solos: Mapping[str, Sequence[np.ndarray]] | None = None,
    plate: Sequence[np.ndarray] | None = None,
    depth: Mapping[str, Sequence[float]] | None = None,
) -> list[OrderRun]:
    """The objects back to front over a clip, as runs of frames; at most one run more than there are contacts.

    masks: per object one `uint8 h w` mask of its visible pixels per sample, all of one size; small ones will do.
    times: the frame number of each sample, counted from 0 and rising; all frames when left out.
    solos, plate: per sample `h w 3` in any number type, of the masks' size: what each object alone makes of the
        plate. Where a solo shows its object behind another one's mask, that one is in front.
    depth: per object and sample how near it is, about 0..1, nan where it is not seen, as `depth.nearness_of` gives it.
        It counts for more than the position in the picture, and for less than a clear sight of who covers whom.

    Two objects change places only while they do not touch; where they never part, when they touch least. The result
    depends on what is seen, not on the objects' names, nor on the direction of time.

    Raises ValueError when the arguments do not fit each other.
    """
    _check(masks, times, solos, plate, depth)
    small = {name: np.stack([_shrink(m) for m in frames]) for name, frames in masks.items()}
    names = sorted(small, key=lambda name: (*_place(small[name]), name))
    if len(names) < 2:
        return [OrderRun(0, tuple(names))]
    count = len(small[names[0]])
    pairs = list(combinations(range(len(names)), 2))
    relations = {}
    for i, j in pairs:
        a, b = names[i], names[j]
        near = None if depth is None else (np.asarray(depth[a], float), np.asarray(depth[b], float))
        pair = Pair(small[a], small[b], _hints(small[a], small[b], near))
        through = _through(solos, plate, (a, b), small[a].shape[1:]) if solos and plate is not None else None
        relations[i, j] = _relation(pair, contacts_of(pair, through), QUIET / len(pairs))
    orders = _candidates(relations, len(names), count)
    chosen = _cheapest(_costs(relations, orders, count))
    return _runs(chosen, orders, relations, names, range(count) if times is None else times)


def usual_order(runs: Sequence[OrderRun], frames: int) -> tuple[str, ...]:
    """The order that holds for most frames of a clip; the earliest of those where several do."""
    held: dict[tuple[str, ...], int] = {}
    for run, stop in zip(runs, [*(run.first for run in runs[1:]), frames], strict=True):
        held[run.back_to_front] = held.get(run.back_to_front, 0) + stop - run.first
    return max(held, key=lambda order: held[order])


def given_order(text: str, names: Sequence[str]) -> tuple[str, ...]:
    """The order that a user wrote as "far,middle,near". Raises InputError unless each of `names` is in it once."""
    order = tuple(part.strip() for part in text.split(","))
    unknown = [name for name in order if name not in names]
    missing = [name for name in names if name not in order]
    twice = sorted({name for name in order if order.count(name) > 1 and name in names})
    wrong = [("unknown", unknown), ("no", missing), ("twice", twice)]
    found = [f"{kind} {', '.join(map(repr, these) if kind == 'unknown' else these)}" for kind, these in wrong if these]
    if found:
        raise InputError(
            f"--order {text}",
            got=" and ".join(found),
            wanted=f"each of {', '.join(names)} once, the farthest first",
            do="Write the names with commas between them.",
        )
    return order


def _check(masks: Mapping, times: Sequence[int] | None, solos: Mapping | None, plate: Sequence | None, depth) -> None:
    counts = {len(frames) for given in (masks, solos, depth) if given is not None for frames in given.values()}
    counts |= {len(given) for given in (times, plate) if given is not None}
    if len(counts) > 1 or 0 in counts:
        raise ValueError(f"Every object needs as many samples as there are times, and at least one; got {counts}.")
    if any(given is not None and set(given) != set(masks) for given in (solos, depth)):
        raise ValueError("Solos and depth are needed for the same objects as masks.")
    if (solos is None) != (plate is None):
        raise ValueError("Solos and plate are needed together.")
    if times is not None and (list(times) != sorted(set(times)) or times[0] < 0):
        raise ValueError("Times must rise.")


def _shrink(picture: np.ndarray) -> np.ndarray:
    return _small(picture) > 127


def _small(picture: np.ndarray) -> np.ndarray:
    scale = min(1.0, SIDE_PX / max(picture.shape[:2]))
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture


def _place(mask: np.ndarray) -> tuple[float, ...]:
    """What tells objects apart whatever they are called: where they are and how large, over the whole clip."""
    rows, columns = mask.sum((0, 2)), mask.sum((0, 1))
    area = max(1, int(rows.sum()))
    return (
        float(np.flatnonzero(rows)[-1]) if rows.any() else -1.0,
        float(rows @ np.arange(len(rows))) / area,
        float(columns @ np.arange(len(columns))) / area,
        float(area),
    )


def _through(
    solos: Mapping[str, Sequence[np.ndarray]],
    plate: Sequence[np.ndarray],
    names: tuple[str, str],
    size: tuple[int, ...],
) -> Through:
    small = [[_small(picture) for picture in pictures] for pictures in (solos[names[0]], solos[names[1]], plate)]
    if any(picture.shape[:2] != size for pictures in small for picture in pictures):
        raise ValueError("Solos and plate must have the masks' size.")
    return Through(*small)


def _hints(a: np.ndarray, b: np.ndarray, near: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    """How much speaks for `a` beside contacts: nearer, or lower in the picture where depth does not tell."""
    lower = PRIOR * np.array([_lower(x, y) for x, y in zip(a, b, strict=True)])
    if near is None:
        return lower
    sure = np.clip((near[0] - near[1]) / DEPTH_STEP, -1, 1)
    return np.where(np.isnan(sure), lower, DEPTH * sure + (1 - np.abs(sure)) * lower)


def _lower(a: np.ndarray, b: np.ndarray) -> float:
    """How much lower `a` reaches than `b`, in shares of the picture's height; nan where one is not seen."""
    if not (a.any() and b.any()):
        return float("nan")
    return float(np.flatnonzero(a.any(1))[-1] - np.flatnonzero(b.any(1))[-1]) / len(a)


def _relation(pair: Pair, contacts: Sequence[Contact], quiet: float) -> Relation:
    count = len(pair.a)
    touching = np.zeros(count, bool)
    margin, weight = np.full(count, hint_over(pair)), np.zeros(count)
    if contacts:
        margin = np.array([_nearest_margin(contacts, t) for t in range(count)])
    weight[:] = np.minimum(np.abs(margin), quiet) / count
    for contact in contacts:
        here = slice(contact.samples.start, contact.samples.stop)
        touching[here] = True
        weight[here] = abs(contact.margin) / len(contact.samples)
    return Relation(margin, weight, touching)


def _nearest_margin(contacts: Sequence[Contact], t: int) -> float:
    """The margin of the contact at a sample or nearest to it; of both where two are equally near."""
    distance = [max(c.samples[0] - t, t - c.samples[-1], 0) for c in contacts]
    return sum(c.margin for c, d in zip(contacts, distance, strict=True) if d == min(distance))


def _candidates(relations: Relations, objects: int, count: int) -> list[tuple[int, ...]]:
    """The orders that what is seen at one time or another asks for; objects by number."""
    seen = [
        tuple((pair, float(r.margin[t]), bool(r.touching[t])) for pair, r in relations.items()) for t in range(count)
    ]
    return sorted({_ranked(relations_then, objects) for relations_then in set(seen)})


def _ranked(relations: Iterable[tuple[tuple[int, int], float, bool]], objects: int) -> tuple[int, ...]:
    """Back to front from pairs: the surest first, and a pair that would close a circle is left out (ranked pairs)."""
    behind = np.eye(objects, dtype=bool)  # behind[a, b]: b is known to be in front of a, or is a
    for (i, j), margin, _ in sorted(relations, key=lambda r: (not r[2], -abs(r[1]), r[0])):
        # of two that nothing tells apart the later in number is nearer: it reaches lower
        far, near = (j, i) if margin > 0 else (i, j)
        if not behind[near, far]:
            behind |= np.outer(behind[:, far], behind[near])
    return tuple(sorted(range(objects), key=lambda k: -int(behind[k].sum())))


def _costs(relations: Relations, orders: Sequence[tuple[int, ...]], count: int) -> np.ndarray:
    """What each order contradicts in each sample, `t orders`, in whole units so that sums are exact."""
    costs = np.zeros((count, len(orders)))
    for k, order in enumerate(orders):
        for (i, j), relation in relations.items():
            nearer = 1 if order.index(i) > order.index(j) else -1
            costs[:, k] += np.where(nearer * relation.margin < 0, relation.weight, 0)
    return np.rint(costs * UNITS).astype(np.int64)


def _cheapest(costs: np.ndarray) -> list[int]:
    """For each sample the order to take, so that contradictions and changes together cost least (Viterbi 1967)."""
    change, total, came_from = round(CHANGE * UNITS), costs[0].copy(), []
    for cost in costs[1:]:
        best = int(np.argmin(total))
        changed = total[best] + change < total
        came_from.append(np.where(changed, best, np.arange(len(total))))
        total = np.where(changed, total[best] + change, total) + cost
    path = [int(np.argmin(total))]
    for origin in reversed(came_from):
        path.append(int(origin[path[-1]]))
    return path[::-1]


def _runs(
    chosen: Sequence[int],
    orders: Sequence[tuple[int, ...]],
    relations: Relations,
    names: Sequence[str],
    times: Sequence[int],
) -> list[OrderRun]:
    found = [OrderRun(0, tuple(names[k] for k in orders[chosen[0]]))]
    for t in range(1, len(chosen)):
        before, after = orders[chosen[t - 1]], orders[chosen[t]]
        if before != after:
            swapped = [
                r.touching
                for (i, j), r in relations.items()
                if (before.index(i) < before.index(j)) != (after.index(i) < after.index(j))
            ]
            touching = [any(flags[u] for flags in swapped) for u in (t - 1, t)]
            first = _moment(times[t - 1], times[t], touching, found[-1].first)
            found.append(OrderRun(first, tuple(names[k] for k in after)))
    return found


def _moment(before: int, after: int, touching: Sequence[bool], last: int) -> int:
    """The frame of a change between two samples: in the one where the objects do not touch, else in the middle.

    It is after `last`, the change before it.
    """
    if touching[0] == touching[1]:
        return (before + after + 1) // 2
    return after if touching[0] or before <= last else before
