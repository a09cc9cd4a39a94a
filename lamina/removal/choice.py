"""Which engine a shot needs: whether other frames show all that its objects hide or change."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from lamina.motion.coordinates import resize_area
from lamina.removal.confidence import ALIKE
from lamina.removal.records import FrameArrays
from lamina.removal.shot import Shot

UNSURE_MOST = 0.01
"""The share of a frame's hidden and changed places that may be unsure."""
FRAMES_LEAST = 0.95
"""The share of frames in which no more than that may be."""


@dataclass(frozen=True)
class Choice:
    """An engine, and why."""

    engine: str
    why: str
    known_frames: float = 1.0
    """The share of frames in which the background of what objects hide and change is surely known."""
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
    frames = zip(*(mask.read(0, shot.frames) for mask in shot.masks), strict=True)
    size = shot.sizes.detect
    counts = np.array([count_unsure(masks, effects[t], seen[t][0], size) for t, masks in enumerate(frames)])
    unsure, places = counts.T
    known = float((unsure <= UNSURE_MOST * places).mean())
    figures = round(known, 4), round(float(unsure.sum() / max(1, places.sum())), 4)
    told = f"other frames surely show what objects hide and change in {known:.0%} of the frames"
    if known >= FRAMES_LEAST:
        return Choice("propagate", told, *figures)
    return Choice("casper-s", f"{told} only", *figures)


def count_unsure(
    masks: Sequence[UInt8[np.ndarray, "h w"]],
    effects: UInt8[np.ndarray, "k d v"],
    seen: UInt8[np.ndarray, "d v"],
    size: tuple[int, int],
) -> tuple[int, int]:
    """How many of a frame's hidden and changed places are not sure, and how many there are, at (width, height)."""
    hidden = [resize_area(mask, size) > 127 for mask in masks]
    places = np.any(hidden, axis=0) | (effects > 0).any(0)
    return int((places & (seen < ALIKE)).sum()), int(places.sum())
