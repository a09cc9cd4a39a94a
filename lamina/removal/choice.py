"""Which engine a shot needs: whether other frames show all that its objects hide or change."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from lamina.motion.coordinates import resize_area
from lamina.removal.effects import place_of, reach_of
from lamina.removal.records import FrameArrays
from lamina.removal.shot import Shot

AROUND = 1.0
"""How far around an object its effects may be, in object sizes: beyond that they are seldom strong."""
UNSURE_MOST = 0.05
"""The share of a frame's places at and around objects that may be unsure: rims and passers-by always are."""
FRAMES_LEAST = 0.95
"""The share of frames in which no more than that may be."""


@dataclass(frozen=True)
class Choice:
    """An engine, and why."""

    engine: str
    why: str
    known_frames: float = 1.0
    """The share of frames in which the background at and around objects is surely known."""
    unsure: float = 0.0
    """The share of such places, over all frames, where it is not."""

    def __str__(self) -> str:
        """One line for people.

        >>> print(Choice("propagate", "a true clean plate is given"))
        propagate, for a true clean plate is given
        """
        return f"{self.engine}, for {self.why}"


def choose(shot: Shot, effects: FrameArrays, seen: FrameArrays) -> Choice:
    """`propagate` where it is sure to have seen nearly all in nearly all frames, else `casper-s`.

    effects, seen: what `propagate` has found, frame by frame.
    """
    counts = np.array([_unsure(shot, masks, effects[t], seen[t][0]) for t, masks in enumerate(_masks(shot))])
    unsure, places = counts[:, 0], np.maximum(counts[:, 1], 1)
    known = float((unsure <= UNSURE_MOST * places).mean())
    share = float(unsure.sum() / max(1, counts[:, 1].sum()))
    told = f"other frames surely show what objects hide and change in {known:.0%} of the frames"
    if known >= FRAMES_LEAST:
        return Choice("propagate", told, round(known, 4), round(share, 4))
    return Choice("casper-s", f"{told} only", round(known, 4), round(share, 4))


def _masks(shot: Shot):
    return zip(*(mask.read(0, shot.frames) for mask in shot.masks), strict=True)


def _unsure(shot: Shot, masks, effects: UInt8[np.ndarray, "k d w"], seen: UInt8[np.ndarray, "d w"]) -> tuple[int, int]:
    """How many places at and around objects are not sure, and how many there are, at detection size."""
    near = effects.any(0)
    for mask in masks:
        small = resize_area(mask, shot.sizes.detect)
        place = place_of(small)
        if place.area_px:
            near |= reach_of(small, place) < AROUND
    return int((near & (seen < 255)).sum()), int(near.sum())
