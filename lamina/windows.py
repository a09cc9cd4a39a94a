"""Cutting long clips into overlapping windows, and sizes onto a grid, each with the way back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

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


def plan_short_last(frames: int, size: int, overlap: int) -> tuple[Window, ...]:
    """Like `plan_windows`, but the last window stays where it is and holds what is left.

    >>> plan_short_last(9, size=4, overlap=1)
    (Window(start=0, stop=4), Window(start=3, stop=7), Window(start=6, stop=9))
    """
    full = plan_windows(frames, size, overlap)
    return tuple(Window(k * (size - overlap), window.stop) for k, window in enumerate(full))


def plan_balanced(frames: int, size: int, overlap: int, multiple: int = 1) -> tuple[Window, ...]:
    """As few windows of at most `size` frames as will do, all of one length, spread evenly.

    Starts, lengths and therefore overlaps are multiples of `multiple`, and overlaps are at least `overlap`.

    >>> plan_balanced(22, size=21, overlap=4)
    (Window(start=0, stop=13), Window(start=9, stop=22))
    """
    if multiple < 1 or any(number % multiple for number in (frames, size, overlap)):
        raise ValueError(f"Expected multiples of {multiple}, got {frames = }, {size = }, {overlap = }.")
    if frames <= size:
        return (Window(0, frames),)
    count = -(-(frames - overlap) // (size - overlap))
    length = -(-(frames + (count - 1) * overlap) // (count * multiple)) * multiple
    places = (frames - length) // multiple
    starts = (k * places // (count - 1) * multiple for k in range(count))
    return tuple(Window(start, start + length) for start in starts)


def blend_weights(windows: Sequence[Window]) -> list[Float[np.ndarray, " frames"]]:
    """One weight per frame and window, rising from a window's edge inwards; at every frame they add up to one.

    The first frame of the first window and the last of the last are full: there is nothing to blend with.
    """
    first, end = min(w.start for w in windows), max(w.stop for w in windows)
    return _normalised(windows, [_ramp(window, first, end) for window in windows])


def _normalised(windows: Sequence[Window], raw: Sequence[np.ndarray]) -> list[Float[np.ndarray, " frames"]]:
    first, end = min(w.start for w in windows), max(w.stop for w in windows)
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


def ramp_weights(windows: Sequence[Window], ramp: int) -> list[Float[np.ndarray, " frames"]]:
    """Like `blend_weights`, with full weight but for a ramp of `ramp` frames at edges that have a neighbour.

    The ramp is k / (ramp + 1); where both ramps of a window meet, the falling one counts. That is how the published
    Casper samplers weigh windows, also where these overlap by more than the ramp.
    """
    first, end = min(w.start for w in windows), max(w.stop for w in windows)
    rise = np.arange(1, ramp + 1) / (ramp + 1)
    raw = []
    for window in windows:
        weight = np.ones(len(window))
        if window.start > first:
            weight[:ramp] = rise[: len(window)]
        if window.stop < end:
            weight[-ramp:] = rise[::-1][-len(window) :]
        raw.append(weight)
    return _normalised(windows, raw)


@dataclass(frozen=True)
class WindowPlan:
    """Windows and what each weighs at its frames; at every frame the weights add up to one."""

    windows: tuple[Window, ...]
    weights: tuple[Float[np.ndarray, " _"], ...]


@dataclass(frozen=True)
class WindowRule:
    """How a long clip is cut into windows."""

    size: int
    """Frames of the largest window."""
    overlap: int
    """Frames that neighbours share at least."""
    last: Literal["moved", "short", "balanced"] = "balanced"
    """The last window is full and moved back, or as short as it comes; or all windows are of one length."""
    blend: Literal["whole", "ramp"] = "whole"
    """Cross-fade over all that two windows share, or over `overlap` frames at their edges."""
    multiple: int = 1
    """Windows of one length start at multiples of this, and are as long as one."""

    def plan(self, frames: int) -> WindowPlan:
        """Windows over 0 to `frames - 1`; what fits into one window is one, however much windows were to overlap."""
        if frames <= self.size:
            return WindowPlan((Window(0, frames),), (np.ones(frames),))
        windows = _PLANS[self.last](frames, self)
        weights = ramp_weights(windows, self.overlap) if self.blend == "ramp" else blend_weights(windows)
        return WindowPlan(windows, tuple(weights))


_PLANS: dict[str, Callable[[int, WindowRule], tuple[Window, ...]]] = {
    "moved": lambda frames, rule: plan_windows(frames, rule.size, rule.overlap),
    "short": lambda frames, rule: plan_short_last(frames, rule.size, rule.overlap),
    "balanced": lambda frames, rule: plan_balanced(frames, rule.size, rule.overlap, rule.multiple),
}


def ping_pong(frames: int, length: int) -> tuple[int, ...]:
    """Which frame is shown at each place when a clip runs forth and back, its ends twice, until `length` is reached.

    >>> ping_pong(3, 8)
    (0, 1, 2, 2, 1, 0, 0, 1)
    """
    if frames < 1 or length < 1:
        raise ValueError(f"Expected frames >= 1 and length >= 1, got {frames = }, {length = }.")
    places = (k % (2 * frames) for k in range(length))
    return tuple(k if k < frames else 2 * frames - 1 - k for k in places)


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
