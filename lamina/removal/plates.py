"""The last pass: which pixels each object changed, and the plate at source size."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lamina.levels import to_levels
from lamina.masks.binary import grow
from lamina.masks.trimask import UNKNOWN, make_trimask
from lamina.motion.anchor import Look, View, view_weights
from lamina.motion.coordinates import Box, in_place, resize_area
from lamina.motion.exposure import apply_tone
from lamina.removal.completed import Completed
from lamina.removal.confidence import seen_background
from lamina.removal.effects import LASTING_MOVING, LASTING_TRIPOD, attribute_effects
from lamina.removal.fill import fill_unseen
from lamina.removal.frames import FREE, REACH_FRAMES, Nearby, Small, shrink_frame
from lamina.removal.look import aligned_views, settle, tone_between, tripod_views
from lamina.removal.looking import SECOND_VOTES, TRIPOD_VOTES, small_plate
from lamina.removal.render import (
    Backdrop,
    at_source,
    box_at_source,
    change_weight,
    gather,
    lay_in,
    meet_surroundings,
    relight,
    source_maps,
)
from lamina.removal.scene import Scene
from lamina.removal.shot import untouchable

BOX_MARGIN_PX, LOOK_MARGIN_PX = 8, 24
"""At detection size, around all that is changed: what is replaced, and what is looked at to make that meet it."""


@dataclass(frozen=True)
class PlateWindow:
    """Consecutive frames of the result."""

    start: int
    plates: list[np.ndarray]
    """`h w 3` in the source's type; pixels that no object changed are the source's own."""
    effects: UInt8[np.ndarray, "t k d w"]
    """Per object, 255 where it changed the picture outside its mask, at detection size."""
    seen: UInt8[np.ndarray, "t r d w"]
    """255 where the plate, and each solo, shows background truly seen: `confidence.seen_background`."""


@dataclass(frozen=True)
class Target:
    """One frame to be cleaned: full size and small, its masks, and its objects' effects at detection size."""

    frame: np.ndarray
    small: Small
    mask: UInt8[np.ndarray, "h w"]
    """All objects, source size."""
    effects: Bool[np.ndarray, "k d v"]
    preserve: UInt8[np.ndarray, "h w"] | None
    """What must stay as it is outside the objects, source size."""

    @property
    def touched(self) -> Bool[np.ndarray, "d w"]:
        """Where any object has an effect."""
        return np.asarray(self.effects.any(0))

    @property
    def changed(self) -> Bool[np.ndarray, "d v"]:
        """Where objects are or may have changed the picture, with the doubt about the masks' edges."""
        return self.touched | (self.small.free == 0)


def make_plates(scene: Scene, todo: Sequence[range]) -> Iterator[PlateWindow]:
    """Plates for the given windows of the clip, in order."""
    if not todo:
        return
    make = _tripod_plates if scene.is_tripod else _moving_plates
    with ThreadPoolExecutor(scene.shot.workers) as pool:
        for window, held in zip(todo, _held(scene, todo), strict=True):
            targets = list(pool.map(partial(_target, scene, held), _read(scene, window)))
            made = make(scene, held, targets, pool) if held else _given_plates(scene, window, targets, pool)
            effects = np.stack([t.effects for t in targets]).astype(np.uint8) * 255
            seen = pool.map(lambda t, one: seen_background(scene, t.small, t.effects, one[1]), targets, made)
            yield PlateWindow(window.start, [plate for plate, _ in made], effects, np.stack(list(seen)))


@dataclass(frozen=True)
class _Held:
    """Frames at hand for others to look at: all small ones near a window, and full-size ones at the stride."""

    small: Mapping[int, Small]
    pictures: Mapping[int, np.ndarray]


def _held(scene: Scene, todo: Sequence[range]) -> Iterator[_Held | None]:
    """For each window all that its frames look at, and the frame after, of which a tripod's last background is.

    None when the user's clean plate is all that is looked at.
    """
    if scene.shot.plate is not None:
        yield from repeat(None, len(todo))
        return
    frames, first = scene.shot.frames, max(0, todo[0].start - REACH_FRAMES)
    near = Nearby(_both_sizes(scene, range(first, frames), scene.stride), frames, REACH_FRAMES, first)
    far = {i: next(_both_sizes(scene, range(i, i + 1))) for i in scene.distant}
    for held in near.around([range(window.start, window.stop + 1) for window in todo]):
        both = held | far
        pictures = {i: picture for i, (_, picture) in both.items() if picture is not None}
        yield _Held({i: small for i, (small, _) in both.items()}, pictures)


def _both_sizes(scene: Scene, frames: range, stride: int = 1) -> Iterator[tuple[Small, np.ndarray | None]]:
    """Frames small, without effects, and at the stride at full size."""
    for index, (frame, masks) in zip(frames, scene.shot.read(frames.start, frames.stop), strict=True):
        small = scene.without_effects(shrink_frame(index, frame, masks, scene.shot.sizes))
        yield small, frame if index % stride == 0 else None


Made = tuple[np.ndarray, Look | None]
"""A plate and what was looked up for it."""
Given = tuple[int, np.ndarray, list[np.ndarray], np.ndarray | None]
"""A frame's number, the frame, its masks and what of it must stay, at source size."""


def _read(scene: Scene, window: range) -> Iterator[Given]:
    shot = scene.shot
    kept = shot.preserve.read(window.start, window.stop) if shot.preserve else iter([None] * len(window))
    pairs = shot.read(window.start, window.stop)
    for index, (frame, masks), preserve in zip(window, pairs, kept, strict=True):
        yield index, frame, masks, preserve


def _target(scene: Scene, held: _Held | None, given: Given) -> Target:
    sizes, (index, frame, masks, preserve) = scene.shot.sizes, given
    small = held.small[index] if held else scene.without_effects(shrink_frame(index, frame, masks, sizes))
    maps = scene.persistences(scene.second, index)
    lasting = LASTING_TRIPOD if scene.is_still else LASTING_MOVING
    effects = attribute_effects(scene.second[index], maps, small.masks, scene.places(index), lasting)
    covered = small.masks.max(0) > 127
    kept = np.zeros_like(covered) if preserve is None else resize_area(preserve, sizes.detect) > 127
    trimask = make_trimask(covered, np.zeros_like(covered), kept)
    return Target(frame, small, np.max(masks, axis=0), effects & (trimask == UNKNOWN), preserve)


def _moving_plates(scene: Scene, held: _Held, targets: Sequence[Target], pool: ThreadPoolExecutor) -> list[Made]:
    small, pictures = held.small, held.pictures

    def one(target: Target) -> Made:
        source, detect = scene.shot.sizes.source, scene.shot.sizes.detect
        box = box_at_source(target.changed, BOX_MARGIN_PX, source)
        near = box_at_source(target.changed, LOOK_MARGIN_PX, detect)
        if box is None or near is None:
            return target.frame, None
        alignment = scene.alignments[target.small.index]
        others = {i: small[i] for i in alignment.relief.frames}
        views = aligned_views(target.small, others, alignment, near)
        look = settle(views, SECOND_VOTES)
        weights = [in_place(weight, near, detect) for weight in view_weights(views, look.rgb)]
        look = Look(*(in_place(v, near, detect) for v in (look.rgb, look.spread, look.unrest, look.trusted, look.seen)))
        full = [(pictures[f], v.tone) for f, v in zip(alignment.relief.frames, views, strict=True)]
        backdrop = gather(look.rgb, weights, full, source_maps(alignment, box, source), box, source)
        return _finish(target, look, backdrop), look

    return list(pool.map(one, targets))


def _tripod_plates(scene: Scene, held: _Held, targets: Sequence[Target], pool: ThreadPoolExecutor) -> list[Made]:
    """One background at each end of the window, cross-faded, so that slow changes pass smoothly."""
    source = scene.shot.sizes.source
    box = box_at_source(np.any([t.changed for t in targets], axis=0), BOX_MARGIN_PX, source)
    if box is None:
        return [(t.frame, None) for t in targets]
    first = targets[0].small.index
    last = min(first + len(targets), scene.shot.frames - 1)
    seen = list(pool.map(lambda key: _tripod_look(scene, held, key), (first, last)))
    whole = [Completed(scene.shot.work).complete(key, look) for key, (look, _) in zip((first, last), seen, strict=True)]
    ends = list(pool.map(lambda *end: _tripod_key(scene, held, box, *end), (first, last), whole, [v for _, v in seen]))

    def one(target: Target) -> Made:
        share = np.float32((target.small.index - first) / max(1, last - first))
        looks, backdrops = [], []
        for look, backdrop in ends:
            tone = tone_between(look.rgb, target.small.rgb, look.trusted & (target.small.free == FREE))
            looks.append(apply_tone(look.rgb, tone))
            backdrops.append(apply_tone(backdrop.rgb, tone))
        look = replace(ends[0][0], rgb=looks[0] * (1 - share) + looks[1] * share)
        plate = _finish(target, look, Backdrop(box, backdrops[0] * (1 - share) + backdrops[1] * share))
        return plate, _both(look, *(found for found, _ in ends))

    return list(pool.map(one, targets))


def _both(look: Look, first: Look, last: Look) -> Look:
    """A look between two, known where both are."""
    spread, unrest = (np.maximum(a, b) for a, b in ((first.spread, last.spread), (first.unrest, last.unrest)))
    return replace(look, spread=spread, unrest=unrest, trusted=first.trusted & last.trusted)


def _tripod_look(scene: Scene, held: _Held, key: int) -> tuple[Look, list[View]]:
    views = tripod_views(held.small[key], [held.small[i] for i in scene.others(key)])
    return settle(views, TRIPOD_VOTES), views


def _tripod_key(scene: Scene, held: _Held, box: Box, key: int, look: Look, views: list[View]) -> tuple[Look, Backdrop]:
    full = [(held.pictures[i], v.tone) for i, v in zip(scene.others(key), views, strict=True)]
    weights = view_weights(views, look.rgb)
    return look, gather(look.rgb, weights, full, [None] * len(full), box, scene.shot.sizes.source)


def _given_plates(scene: Scene, window: range, targets: Sequence[Target], pool: ThreadPoolExecutor) -> list[Made]:
    plates = scene.shot.clean(window.start, window.stop)
    return list(pool.map(lambda target, plate: (_from_given(scene, target, plate), None), targets, plates))


def _from_given(scene: Scene, target: Target, plate: np.ndarray) -> np.ndarray:
    source = scene.shot.sizes.source
    box = box_at_source(target.changed, BOX_MARGIN_PX, source)
    if box is None:
        return target.frame
    tone = tone_between(small_plate(plate, scene), target.small.rgb, target.small.free == FREE)
    backdrop = Backdrop(box, apply_tone(to_levels(plate[box[1] : box[3], box[0] : box[2]]), tone))
    return _lay(target, backdrop)


def _finish(target: Target, look: Look, backdrop: Backdrop) -> np.ndarray:
    """Make the looked-up background meet the picture, fill what nobody saw, lay it in."""
    source = target.frame.shape[1::-1]
    box = backdrop.box
    rgb = backdrop.rgb
    lifted = relight(target.small, look, target.touched)
    if lifted is not None:
        factor, share = (at_source(v, box, source) for v in lifted)
        own = to_levels(target.frame[box[1] : box[3], box[0] : box[2]])
        rgb = rgb + (((own + 0.02) * np.exp(factor) - 0.02).clip(0, 1) - rgb) * share[..., None]
    rgb = fill_unseen(rgb, at_source((look.seen).astype(np.float32), box, source))
    rgb = rgb + at_source(meet_surroundings(target.small, look, grow(target.changed, 2)), box, source)
    return _lay(target, Backdrop(box, rgb))


def _lay(target: Target, backdrop: Backdrop) -> np.ndarray:
    source = target.frame.shape[1::-1]
    left, top, right, bottom = backdrop.box
    region = cv2.GaussianBlur(grow(target.touched, 2).astype(np.float32), (0, 0), 1.0)
    effect: Float32[np.ndarray, "h w"] = at_source(region, backdrop.box, source)
    own, mask = to_levels(target.frame[top:bottom, left:right]), target.mask[top:bottom, left:right]
    weight = change_weight(own, backdrop.rgb, mask, effect, source[0])
    if target.preserve is not None:
        weight[untouchable(target.preserve[top:bottom, left:right], mask)] = 0
    return lay_in(target.frame, backdrop, weight)
