"""What one object alone did to one frame: the picture its layer must make, on what ground, and where that can be seen.

Objects are taken back to front. Each is solved against the plate with the layers behind it already laid over, so the
frontmost object at a pixel always meets the input itself and the whole stack adds up to it. Only where the effects of
two objects lie over each other must the change be shared out before.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from lamina.channels import peak
from lamina.layers.complete import Hidden
from lamina.layers.follow import box_of
from lamina.layers.overlap import DARKEST, MARGIN_PX, Box, Overlaps, guess_change, log_change, share_change
from lamina.levels import to_levels

PLAIN = np.float32(16 / 255)
"""A difference from the plate that no soft light makes."""
PRESENT = 0.5
"""From this alpha on other frames say that the object is behind another one."""
LACKING = np.float32(0.2)
"""How much of an object a solo may lack and still show it. Where it lacks more, other frames know the object better."""
TINT = np.float32(1.35)
"""How much more a shadow may darken one colour than another."""


@dataclass(frozen=True)
class Solo:
    """One object in one frame, cropped to its influence. Pictures float32 0..1 `h w 3`, the rest `h w`."""

    y: int
    x: int
    picture: np.ndarray  # what the layer over `below` must give; where hidden, without the object itself
    below: np.ndarray  # the plate with the layers behind
    influence: np.ndarray  # 0..1
    mask: np.ndarray  # uint8
    hidden: np.ndarray  # bool: an object in front covers this pixel


def solo(
    overlaps: Overlaps, name: str, t: int, hidden: Hidden | None, below: Callable[[np.ndarray, Box], np.ndarray]
) -> Solo | None:
    """The part of frame `t` that object `name` influences, shown or hidden; None where it has none.

    `below(plate_crop, box)` lays the layers behind over the plate's crop.
    """
    inputs = overlaps.inputs
    box = box_of(_extent(inputs.influence[name][t], hidden), MARGIN_PX)
    if box is None:
        return None
    if inputs.solos:
        return _known_solo(overlaps, name, t, box, hidden, below)
    fronts, reach = overlaps.fronts(name, t), overlaps.reach(name, t, box)
    ground = below(to_levels(inputs.plates[t][box]), box)
    picture = to_levels(inputs.frames[t][box])
    covered = overlaps.cover(fronts, t, box)
    behind = np.any([overlaps.reach(o, t, box) for o in fronts], 0) if fronts else np.zeros_like(reach)
    shared = reach & behind & ~overlaps.cover(inputs.names, t, box)
    if (shared | covered).any():
        picture = _shared_picture(overlaps, name, t, box, (picture, ground, shared, covered))
    influence = inputs.influence[name][t][box].astype(np.float32) / 255
    return Solo(box[0].start, box[1].start, picture, ground, influence, inputs.masks[name][t][box], covered)


def _extent(influence: np.ndarray, hidden: Hidden | None) -> np.ndarray:
    if hidden is None:
        return influence
    extent = influence.copy()
    height, width = hidden.alpha.shape
    extent[hidden.y : hidden.y + height, hidden.x : hidden.x + width] |= (hidden.alpha > 0).astype(np.uint8)
    return extent


def _shared_picture(
    overlaps: Overlaps, name: str, t: int, box: Box, parts: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
) -> np.ndarray:
    """The picture with only this object's part of the change where effects meet, and its guess where it is covered."""
    picture, ground, shared, covered = parts
    inputs = overlaps.inputs
    guesses = {
        other: guess_change(overlaps, other, t, box)
        * (overlaps.reach(other, t, box) | (covered & (other == name)))[..., None]
        for other in inputs.names
        if other == name or (overlaps.reach(other, t, box) & shared).any()
    }
    part = share_change(log_change(inputs, t, box), guesses, name)
    change = np.where(covered[..., None], guesses[name], part)
    changed = np.clip(ground * np.exp(change), 0, 1)
    return np.where((shared | covered)[..., None], changed, picture)


def _known_solo(
    overlaps: Overlaps,
    name: str,
    t: int,
    box: Box,
    hidden: Hidden | None,
    below: Callable[[np.ndarray, Box], np.ndarray],
) -> Solo:
    """A solo that somebody else has made: it may show what others hide of the object, and else other frames do.

    Solos of several objects, each made for itself, do not add up to the frame. So where the object is the frontmost of
    several it is told from the frame and what lies behind it, as without solos.
    """
    inputs = overlaps.inputs
    picture, ground = to_levels(inputs.solos[name][t][box]), to_levels(inputs.plates[t][box])
    mask, fronts = inputs.masks[name][t][box], overlaps.fronts(name, t)
    first = ~np.any([np.zeros(mask.shape, bool), *(overlaps.reach(front, t, box) for front in fronts)], axis=0)
    if len(inputs.names) > 1:
        picture = np.where(first[..., None], to_levels(inputs.frames[t][box]), picture)
        ground = np.where(first[..., None], below(ground, box), ground)
    covered, lost = overlaps.cover(fronts, t, box), np.zeros(mask.shape, bool)
    if covered.any():
        nothing = Hidden(box[0].start, box[1].start, ground, np.zeros(mask.shape, np.float32))
        part = (hidden or nothing).crop(box[0].start, box[1].start, mask.shape)
        lost = covered & (part.alpha > PRESENT) & ~_is_shown(picture, ground, part.color)
        shown = _behind_others(mask, picture, ground, covered, part.alpha)
        mask = np.maximum(mask, np.where(lost, 0, shown))
    influence = inputs.influence[name][t][box].astype(np.float32) / 255
    return Solo(box[0].start, box[1].start, picture, ground, influence, mask, lost)


def _is_shown(picture: np.ndarray, ground: np.ndarray, color: np.ndarray) -> np.ndarray:
    """Where a solo has come nearly all of the way from the ground to an object's own colour."""
    return peak(np.abs(picture - color)) < peak(np.abs(ground - color)) * LACKING


def _behind_others(
    mask: np.ndarray, picture: np.ndarray, ground: np.ndarray, covered: np.ndarray, expected: np.ndarray
) -> np.ndarray:
    """The mask's part behind other objects, `uint8 h w`, as the solo shows it.

    It is what differs from the ground and is either expected there, from frames that show it, or hangs together with
    what is seen of the object and is no shadow.
    """
    differs = covered & (peak(np.abs(picture - ground)) > PLAIN)
    bright = (picture + DARKEST) / (ground + DARKEST)
    shadow = (peak(bright) < 1) & (peak(bright) < TINT * -peak(-bright))
    _, labels = cv2.connectedComponents(((differs & ~shadow) | (mask > 127)).astype(np.uint8))
    found = differs & (np.isin(labels, np.unique(labels[mask > 127])) & (labels > 0) | (expected > PRESENT))
    closed = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return closed * covered * np.uint8(255)
