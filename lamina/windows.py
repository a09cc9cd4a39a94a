"""Cutting long clips into overlapping windows, and sizes onto a grid, each with the way back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped


@dataclass(frozen=True)
class Window:
    """Frames `start` to `stop - 1` of a clip."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def plan_windows(frames: int, size: int, overlap: int) -> tuple[Window, ...]:
    """Windows of `size` frames that cover 0 to `frames - 1`, each sharing at least `overlap` frames with the next.

    The last window is moved back so that it is full too; only a clip shorter than `size` gives a shorter window.

    >>> plan_windows(10, size=4, overlap=1)
    (Window(start=0, stop=4), Window(start=3, stop=7), Window(start=6, stop=10))
    """
    if frames < 1 or size < 1 or not 0 <= overlap < size:
        raise ValueError(f"Expected frames >= 1 and 0 <= overlap < size, got {frames = }, {size = }, {overlap = }.")
    last = max(frames - size, 0)
    starts = [*range(0, last, size - overlap), last]
    return tuple(Window(start, min(start + size, frames)) for start in starts)


def blend_weights(windows: Sequence[Window]) -> list[Float[np.ndarray, " frames"]]:
    """One weight per frame and window, rising from a window's edge inwards; at every frame they add up to one.

    The first frame of the first window and the last of the last are full: there is nothing to blend with.
    """
    first, end = min(w.start for w in windows), max(w.stop for w in windows)
    raw = [_ramp(window, first, end) for window in windows]
    total = np.zeros(end - first)
    for window, weight in zip(windows, raw, strict=True):
        total[window.start - first : window.stop - first] += weight
    return [weight / total[w.start - first : w.stop - first] for w, weight in zip(windows, raw, strict=True)]


def _ramp(window: Window, first: int, end: int) -> Float[np.ndarray, " frames"]:
    """Distance in frames to the nearest edge that has a neighbour, counted from 1."""
    place = np.arange(len(window), dtype=np.float64) + 1
    rise = place if window.start > first else np.full_like(place, np.inf)
    fall = place[::-1] if window.stop < end else np.full_like(place, np.inf)
    return np.minimum(np.minimum(rise, fall), len(window))


@dataclass(frozen=True)
class GridFit:
    """How pictures of one size are made to fit a grid, and how to get the exact size back.

    >>> fit = GridFit(height=17, width=33, multiple=16)
    >>> fit.padded
    (32, 48)
    """

    height: int
    width: int
    multiple: int

    def __post_init__(self):
        if min(self.height, self.width, self.multiple) < 1:
            raise ValueError(f"Expected sizes of at least 1, got {self}.")

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width of the padded picture: the next multiples."""
        return self._next_multiple(self.height), self._next_multiple(self.width)

    def _next_multiple(self, size: int) -> int:
        return -(-size // self.multiple) * self.multiple

    def apply(self, picture: Shaped[np.ndarray, "h w *c"]) -> Shaped[np.ndarray, "grid_h grid_w *c"]:
        """Continue the picture to the right and below by mirroring it."""
        self._check(picture, (self.height, self.width))
        below, right = self.padded[0] - self.height, self.padded[1] - self.width
        return np.pad(picture, [(0, below), (0, right)] + [(0, 0)] * (picture.ndim - 2), mode="reflect")

    def undo(self, picture: Shaped[np.ndarray, "grid_h grid_w *c"]) -> Shaped[np.ndarray, "h w *c"]:
        """Cut off what `apply` added."""
        self._check(picture, self.padded)
        return picture[: self.height, : self.width]

    def _check(self, picture: np.ndarray, wanted: tuple[int, int]) -> None:
        if picture.shape[:2] != wanted:
            raise ValueError(f"Expected a picture of {wanted} pixels, got {picture.shape[:2]}.")
