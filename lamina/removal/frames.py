"""The frames the engine looks at: small copies of every frame near the one being worked on, and which to look at."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lamina.levels import from_levels, to_levels
from lamina.masks.binary import grow
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
MASK_DOUBT = 0.006
"""How far a mask may fall short of its object, in picture widths: two to three pixels at 416, as hand-drawn ones do."""


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
    masks: UInt8[np.ndarray, "k d w"]
    """The objects' masks at detection size, in the order of their names."""


def shrink_frame(index: int, frame: np.ndarray, masks: Sequence[UInt8[np.ndarray, "h w"]], sizes: Sizes) -> Small:
    """Make the small copies of a frame and its objects' masks (source size, 0..255)."""
    geometry = resize_area(frame, sizes.geometry)
    if geometry.dtype != np.uint8:
        geometry = from_levels(to_levels(geometry).clip(0, 1), np.dtype(np.uint8))
    detect = to_levels(resize_area(frame, sizes.detect)).clip(0, 1)
    sweep = from_levels(resize_area(detect, sizes.sweep), np.dtype(np.uint8))
    covered = np.max(masks, axis=0)
    margin = max(2, round(MASK_DOUBT * sizes.detect[0]))
    hidden = grow(resize_area(covered, sizes.detect) > 20, margin).astype(np.uint8) * 255
    free = [_free_at(hidden, size) for size in (sizes.geometry, sizes.detect, sizes.sweep)]
    small_masks = np.stack([resize_area(mask, sizes.detect) for mask in masks])
    gray = cv2.cvtColor(geometry, cv2.COLOR_RGB2GRAY)
    return Small(index, gray, free[0], detect, free[1], sweep, free[2], small_masks)


def _free_at(covered: UInt8[np.ndarray, "h w"], size: tuple[int, int]) -> UInt8[np.ndarray, "g v"]:
    """Free only where nothing covered touches the pixel."""
    return np.where(resize_area(np.where(covered > 0, 255, 0).astype(np.uint8), size) > 0, 0, 255).astype(np.uint8)


def with_suspects(small: Small, suspect: Bool[np.ndarray, "d w"]) -> Small:
    """The same frame with places marked that may hold an effect; geometry and sweep leave them out."""
    marked = np.where(suspect & (small.free > 0), SUSPECT, small.free).astype(np.uint8)
    doubtful = suspect.astype(np.uint8) * 255
    gray_free, sweep_free = (
        np.minimum(free, _free_at(doubtful, free.shape[::-1])) for free in (small.gray_free, small.sweep_free)
    )
    return replace(small, free=marked, gray_free=gray_free, sweep_free=sweep_free)


class Nearby(Generic[T]):
    """A sliding window over a sequence of items, read once and in order.

    `advance(start, stop)` makes items start - reach .. stop - 1 + reach available and forgets earlier ones, so that
    memory does not grow with the clip. `first` is the index of the sequence's first item.
    """

    def __init__(self, items: Iterable[T], frames: int, reach: int, first: int = 0):
        self._items: Iterator[T] = iter(items)
        self._held: dict[int, T] = {}
        self._next = first
        self._frames, self._reach = frames, reach

    @property
    def held(self) -> dict[int, T]:
        """The items at hand, by index."""
        return dict(self._held)

    def around(self, windows: Sequence[range]) -> Iterator[dict[int, T]]:
        """The items at hand for each window, in order; those for the next one are read while a window is worked on.

        One thread of its own reads them all: what is held long, between what others hold shortly, would waste memory.
        """

        def held(window: range) -> dict[int, T]:
            self.advance(window.start, window.stop)
            return self.held

        with ThreadPoolExecutor(1) as reader:
            coming = [reader.submit(held, window) for window in windows[:1]]
            for place in range(len(windows)):
                ready = coming.pop().result()
                coming += [reader.submit(held, window) for window in windows[place + 1 : place + 2]]
                yield ready

    def advance(self, start: int, stop: int) -> None:
        while self._next < min(self._frames, stop + self._reach):
            self._held[self._next] = next(self._items)
            self._next += 1
        for index in [i for i in self._held if i < start - self._reach]:
            del self._held[index]


def neighbours(target: int, frames: int, stride: int, most: int, reach: int = REACH_FRAMES) -> list[int]:
    """Up to `most` frames to look at from a target: multiples of `stride`, dense near it and sparse far away.

    Distances grow with the power 1.4 of the rank, so that hops stay short enough to track along; at the clip's ends the
    one side gets what the other cannot use.
    """
    before = [i for i in range(0, target, stride) if target - i <= reach][::-1]
    after = [i for i in range((target // stride + 1) * stride, frames, stride) if i - target <= reach]
    half = most // 2
    sides = {
        True: min(len(before), max(half, most - len(after))),
        False: min(len(after), max(half, most - len(before))),
    }
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
