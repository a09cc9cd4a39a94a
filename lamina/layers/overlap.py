"""Where objects and their effects lie over each other: whose change is whose, told from the frames that show it alone.

Changes are kept as log(frame / plate): effects over each other multiply, so their logarithms add up.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np

from lamina.layers.bleed import bleed
from lamina.layers.follow import Motion, Sight, box_of, chain, shifted, step_between
from lamina.levels import to_levels

MARGIN_PX = 24
DARKEST = np.float32(2 / 255)
FRAMES_USED = 8
NEWS_LEAST = 0.01  # share of the open pixels that a frame must show to be worth reading
CACHED_FRAMES = 24
CACHED_SIGHTS = 4

Run = Callable[..., Iterable]

Box = tuple[slice, slice]


@dataclass(frozen=True)
class LayerInputs:
    """One window of a clip. All lists have one entry per frame, the halo included.

    frames, plates: `h w 3`, uint8, uint16 or float32 (white at 1). Where no object has influence they are the same.
    masks, influence: per object `uint8 h w`, 0..255. Masks show what is visible of the object and may be a few pixels
    wrong; influence contains the mask and all that the object changes, with a soft border.
    order: all objects' names back to front, one entry per frame. halo: how many frames at the start and at the end are
    only context.
    solos: per object `h w 3` of the clip with it alone, where they are known; else they are told from the frames.
    start: the first frame's number. tracked: per object and number the motion to the next frame; what is found here is
    added, so that windows that share frames may share it.
    """

    frames: list[np.ndarray]
    plates: list[np.ndarray]
    masks: dict[str, list[np.ndarray]]
    influence: dict[str, list[np.ndarray]]
    order: Sequence[tuple[str, ...]]
    halo: tuple[int, int]
    solos: dict[str, list[np.ndarray]] = field(default_factory=dict)
    start: int = 0
    tracked: dict[tuple[str, int], np.ndarray | None] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return list(self.masks)


@dataclass(frozen=True)
class Alone:
    """What is known of one object's change in one frame: a crop at `y`, `x`, `h w 3`, and where it is known at all."""

    y: int
    x: int
    change: np.ndarray
    known: np.ndarray  # uint8 0 or 1


@dataclass(frozen=True)
class Overlaps:
    """A window's objects with all that is needed where they meet. Made by `find_overlaps`."""

    inputs: LayerInputs
    edge_px: int
    reach_frames: int
    boxes: dict[str, list[Box | None]]  # of the masks of the objects that come near another one, with a margin
    motions: dict[str, Motion]  # of those among them that can be followed
    alone: Callable[[str, int], Alone | None]

    def fronts(self, name: str, t: int) -> list[str]:
        """The objects in front of one in a frame."""
        order = self.inputs.order[t]
        return list(order[order.index(name) + 1 :])

    def cover(self, names: Sequence[str], t: int, box: Box) -> np.ndarray:
        """Where any of these objects may be, `bool h w`: their masks, as much larger as they may be wrong."""
        grown = [grow(self.inputs.masks[o][t][box], self.edge_px) & self.reach(o, t, box) for o in names]
        return np.any(grown, 0) if grown else np.zeros(self.inputs.frames[t][box].shape[:2], bool)

    def reach(self, name: str, t: int, box: Box) -> np.ndarray:
        """Where an object has influence at all, `bool h w`."""
        return self.inputs.influence[name][t][box] > 0

    def motion(self, name: str, source: int, target: int) -> np.ndarray:
        """The object's motion between two frames, 3x3."""
        return self.motions[name].between(source, target) if source != target else np.eye(3)

    def sources(self, name: str, t: int) -> list[int]:
        """The frames to which the object can be followed from frame `t`, the nearest first."""
        if name not in self.motions:
            return []
        near = (u for u in range(len(self.inputs.frames)) if 0 < abs(u - t) <= self.reach_frames)
        return sorted(near, key=lambda u: (abs(u - t), u))


def grow(mask: np.ndarray, radius_px: int) -> np.ndarray:
    """Where a mask, `uint8 h w`, or a pixel near it, is set.

    Not the exact `masks.binary.grow`: that takes several times as long, and this runs often per object and frame.
    """
    side = 2 * radius_px + 1
    return cv2.dilate((mask > 127).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))) > 0


def find_overlaps(inputs: LayerInputs, edge_px: int, reach_frames: int, run: Run = map) -> Overlaps:
    """Follow all objects that come near another one in this window.

    run: like `map`; by it the steps are tracked side by side.
    """
    alone = lru_cache(CACHED_FRAMES)(lambda name, t: _alone(draft, name, t))
    draft = Overlaps(inputs, edge_px, reach_frames, {}, {}, alone)
    times = range(len(inputs.frames))
    for name in inputs.names:
        if any(_meets_another(inputs, name, t) for t in times):
            draft.boxes[name] = [box_of(mask > 127, MARGIN_PX) for mask in inputs.masks[name]]
            motion = _follow(draft, name, run)
            if motion is not None:
                draft.motions[name] = motion
    return draft


def _follow(overlaps: Overlaps, name: str, run: Run) -> Motion | None:
    """An object's motion through the window; steps that an earlier window has tracked are taken from there."""
    inputs = overlaps.inputs
    whole = [_is_whole(overlaps, name, t) for t in range(len(inputs.frames))]

    @lru_cache(CACHED_SIGHTS)
    def sight(t: int) -> Sight:
        return Sight(inputs.frames[t], _shown(overlaps, name, t), whole[t])

    keys = [(name, inputs.start + t) for t in range(len(inputs.frames) - 1)]
    todo = [t for t, key in enumerate(keys) if key not in inputs.tracked]
    for t, step in zip(todo, run(lambda t: step_between(sight(t), sight(t + 1)), todo), strict=True):
        inputs.tracked[keys[t]] = step
    return chain([inputs.tracked[key] for key in keys], sight, whole)


def _meets_another(inputs: LayerInputs, name: str, t: int) -> bool:
    mine = inputs.influence[name][t]
    box = box_of(mine, MARGIN_PX)
    return box is not None and any(inputs.influence[o][t][box].any() for o in inputs.names if o != name)


def _shown(overlaps: Overlaps, name: str, t: int) -> np.ndarray:
    mask = overlaps.inputs.masks[name][t]
    return (mask > 127) & ~overlaps.cover(overlaps.fronts(name, t), t, np.s_[:, :])


def _is_whole(overlaps: Overlaps, name: str, t: int) -> bool:
    """Whether nothing stands in front of an object and the picture's border does not cut it."""
    box, mask = overlaps.boxes[name][t], overlaps.inputs.masks[name][t]
    if box is None or any(line.max() > 127 for line in (mask[0], mask[-1], mask[:, 0], mask[:, -1])):
        return False
    return not (grow(mask[box], 1) & overlaps.cover(overlaps.fronts(name, t), t, box)).any()


def _alone(overlaps: Overlaps, name: str, t: int) -> Alone | None:
    """An object's change where no other object has a part in it and no object stands in the way."""
    inputs = overlaps.inputs
    box = box_of(inputs.influence[name][t], MARGIN_PX)
    if box is None:
        return None
    others = [overlaps.reach(o, t, box) for o in inputs.names if o != name]
    known = ~np.any([*others, overlaps.cover(inputs.names, t, box)], 0)
    return Alone(box[0].start, box[1].start, log_change(inputs, t, box), known.astype(np.uint8))


def log_change(inputs: LayerInputs, t: int, box: Box) -> np.ndarray:
    """log(frame / plate) of a crop, `h w 3`, tamed near black."""
    frame, plate = to_levels(inputs.frames[t][box]), to_levels(inputs.plates[t][box])
    return np.log((np.maximum(frame, 0) + DARKEST) / (np.maximum(plate, 0) + DARKEST))


def guess_change(overlaps: Overlaps, name: str, t: int, box: Box) -> np.ndarray:
    """What an object alone would change on a crop, `h w 3`: as seen, else from other frames, else continued in space.

    An effect moves with its object, so other frames are brought along the object's motion.
    """
    change = np.zeros((*overlaps.inputs.masks[name][t][box].shape, 3), np.float32)
    open_ = np.ones(change.shape[:2], bool)
    own = overlaps.alone(name, t)
    used = -1 if own is None else _take(change, open_, own, np.eye(3), box) - 1
    for u in overlaps.sources(name, t):
        if used >= FRAMES_USED or not open_.any():
            break
        other = overlaps.alone(name, u)
        if other is not None:
            used += _take(change, open_, other, overlaps.motion(name, u, t), box)
    continued = bleed(change, (~open_).astype(np.float32)) * overlaps.reach(name, t, box)[..., None]
    return np.where(open_[..., None], continued, change)


def _take(change: np.ndarray, open_: np.ndarray, source: Alone, motion: np.ndarray, box: Box) -> int:
    """Write what a source frame shows into the open pixels; 1 when it showed something worth while, else 0."""
    matrix = shifted(motion, (source.y, source.x), (box[0].start, box[1].start))
    size = open_.shape[::-1]
    news = open_ & (cv2.warpAffine(source.known * np.uint8(255), matrix, size) > 252)
    if news.sum() <= NEWS_LEAST * open_.sum():
        return 0
    change[news] = cv2.warpAffine(source.change, matrix, size)[news]
    open_ &= ~news
    return 1


def share_change(whole: np.ndarray, guesses: dict[str, np.ndarray], name: str) -> np.ndarray:
    """The part of `whole`, `h w 3`, that `name` has caused, so that the parts of all objects add up to it.

    What the guesses leave over or claim too much is settled in proportion to how much each object changes at all.
    """
    size = {other: np.abs(guess).mean(-1, keepdims=True) + np.float32(1e-3) for other, guess in guesses.items()}
    return guesses[name] + size[name] / sum(size.values()) * (whole - sum(guesses.values()))
