"""The frames the engine looks at: small copies of every frame near the one being worked on, and which to look at."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lamina.levels import from_levels, to_levels
from lamina.motion.coordinates import fit_within, resize_area

T = TypeVar("T")

GEOMETRY_PX = 960
"""Longest side at which points are tracked: 0.1 px there is a fifth of a pixel at 1080p."""
DETECT_PX = 416
"""Longest side at which effects are looked for and views are weighed."""
SWEEP_PX = 224
"""Longest side at which the relief of hidden background is searched."""
REACH_FRAMES = 80
"""How far away another frame may be; further ones rarely still show the same place."""


FREE, SUSPECT = 255, 128


@dataclass(frozen=True)
class Sizes:
    """Working (width, height) of one clip."""

    source: tuple[int, int]
    geometry: tuple[int, int]
    detect: tuple[int, int]
    sweep: tuple[int, int]

    @classmethod
    def of(cls, width: int, height: int) -> "Sizes":
        return cls((width, height), *(fit_within(width, height, px) for px in (GEOMETRY_PX, DETECT_PX, SWEEP_PX)))


@dataclass(frozen=True)
class Small:
    """One frame at the working sizes, and where it shows background: `FREE`, `SUSPECT` (perhaps an effect) or 0."""

    index: int
    gray: UInt8[np.ndarray, "g h"]
    gray_free: UInt8[np.ndarray, "g h"]
    rgb: Float32[np.ndarray, "d w 3"]
    free: UInt8[np.ndarray, "d w"]
    sweep_rgb: UInt8[np.ndarray, "s v 3"]
    sweep_free: UInt8[np.ndarray, "s v"]


def shrink_frame(index: int, frame: np.ndarray, covered: UInt8[np.ndarray, "h w"], sizes: Sizes) -> Small:
    """Make the small copies. `covered` (any size) is not zero where an object hides the background."""
    geometry = resize_area(frame, sizes.geometry)
    if geometry.dtype != np.uint8:
        geometry = from_levels(to_levels(geometry), np.dtype(np.uint8))
    detect = to_levels(resize_area(frame, sizes.detect)).clip(0, 1)
    sweep = from_levels(resize_area(detect, sizes.sweep), np.dtype(np.uint8))
    open_ = [_free_at(covered, size) for size in (sizes.geometry, sizes.detect, sizes.sweep)]
    return Small(index, cv2.cvtColor(geometry, cv2.COLOR_RGB2GRAY), open_[0], detect, open_[1], sweep, open_[2])


def _free_at(covered: UInt8[np.ndarray, "h w"], size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """Free only where nothing covered touches the pixel."""
    return np.where(resize_area(np.where(covered > 0, 255, 0).astype(np.uint8), size) > 0, 0, 255).astype(np.uint8)


def with_suspects(small: Small, suspect: Bool[np.ndarray, "d w"]) -> Small:
    """The same frame, with places at detection size marked that may hold an effect; geometry and sweep leave them out."""
    marked = np.where(suspect & (small.free > 0), SUSPECT, small.free).astype(np.uint8)
    doubtful = suspect.astype(np.uint8) * 255
    gray_free, sweep_free = (
        np.minimum(free, _free_at(doubtful, free.shape[::-1])) for free in (small.gray_free, small.sweep_free)
    )
    return replace(small, free=marked, gray_free=gray_free, sweep_free=sweep_free)


class Nearby(Generic[T]):
    """A sliding window over a sequence of items, read once and in order.

    `advance(start, stop)` makes items start - reach .. stop - 1 + reach available and forgets earlier ones; items that
    `keep` refuses are read past and not held, so that memory does not grow with the clip.
    """

    def __init__(self, items: Iterable[T], frames: int, reach: int, stride: int = 1):
        self._items: Iterator[T] = iter(items)
        self._held: dict[int, T] = {}
        self._next = 0
        self._frames, self._reach, self._stride = frames, reach, stride

    def advance(self, start: int, stop: int) -> None:
        while self._next < min(self._frames, stop + self._reach):
            item = next(self._items)
            if self._next % self._stride == 0:
                self._held[self._next] = item
            self._next += 1
        for index in [i for i in self._held if i < start - self._reach]:
            del self._held[index]

    def __getitem__(self, index: int) -> T:
        return self._held[index]


def neighbours(target: int, frames: int, stride: int, most: int, reach: int = REACH_FRAMES) -> list[int]:
    """Up to `most` frames to look at from a target: multiples of `stride`, dense near it and sparse far away.

    Distances grow with the power 1.4 of the rank, so that hops stay short enough to track along; at the clip's ends the
    one side gets what the other cannot use.
    """
    before = [i for i in range(0, target, stride) if target - i <= reach][::-1]
    after = [i for i in range((target // stride + 1) * stride, frames, stride) if i - target <= reach]
    half = most // 2
    sides = {True: min(len(before), max(half, most - len(after))), False: min(len(after), max(half, most - len(before)))}
    return sorted(_spread(before, sides[True]) + _spread(after, sides[False]))


def _spread(side: list[int], count: int) -> list[int]:
    """`count` items of a list, the first and the last among them, with steps that grow."""
    if count >= len(side):
        return side
    if count <= 1:
        return side[:count]
    places = ((len(side) - 1) * (np.arange(count) / (count - 1)) ** 1.4).round().astype(int)
    for i in range(1, count):
        places[i] = max(places[i], places[i - 1] + 1)
    return [side[min(p, len(side) - 1 - (count - 1 - i))] for i, p in enumerate(places)]
