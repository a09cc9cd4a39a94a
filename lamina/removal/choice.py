"""Which engine a shot needs: whether other frames show all that its objects hide or change."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from lamina.motion.coordinates import resize_area
from lamina.removal.confidence import ALIKE
from lamina.removal.records import FrameArrays
from lamina.removal.shot import Shot

UNSURE_MOST = 0.2
"""The share of all hidden and changed places that may be unsure. On LayerBench `casper-s` is better than `propagate` in
every scene where it is more; where it is less `casper-s` may lay faint changes into layers that were clean."""


@dataclass(frozen=True)
class Choice:
    """An engine, and why."""

    engine: str
    why: str
    unsure: float = 0.0
    """The share of what objects hide and change, over all frames, whose background no other frame shows for sure."""

    def __str__(self) -> str:
        """One line for people.

        >>> print(Choice("propagate", "a true clean plate is given"))
        propagate, for a true clean plate is given
        """
        return f"{self.engine}, for {self.why}"


def choose(shot: Shot, effects: FrameArrays, seen: FrameArrays) -> Choice:
    """`propagate` where it has seen most of what is to be shown, else `casper-s`.

    effects, seen: what `propagate` has found, frame by frame.
    """
    frames = zip(*(mask.read(0, shot.frames) for mask in shot.masks), strict=True)
    size = shot.sizes.detect
    counts = np.array([count_unsure(masks, effects[t], seen[t][0], size) for t, masks in enumerate(frames)])
    unsure, places = (int(count) for count in counts.sum(0))
    share = unsure / max(1, places)
    told = f"other frames surely show {1 - share:.0%} of what objects hide and change"
    if share <= UNSURE_MOST:
        return Choice("propagate", told, round(share, 4))
    return Choice("casper-s", f"{told} only", round(share, 4))


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
