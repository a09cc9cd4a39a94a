"""Camera moves over pictures that stand still: a window that travels and zooms, the same for everything it shows."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Shaped, UInt8

from lamina.synth.regions import by_majority


@dataclass(frozen=True)
class View:
    """What the camera sees of a picture: centre as shares of its width and height, and size as a share of both."""

    x: float
    y: float
    size: float

    def __post_init__(self):
        half = self.size / 2
        if not (0 < self.size <= 1 and all(half - 1e-9 <= at <= 1 - half + 1e-9 for at in (self.x, self.y))):
            raise ValueError(f"{self} reaches beyond the picture.")


@dataclass(frozen=True)
class KenBurns:
    """A move from one view to another, linear in position and in size.

    ease: 0 moves evenly, 1 starts and stops gently (a cubic with no speed at its ends); between them, a mix.
    """

    start: View
    stop: View
    ease: float = 0.0

    def view_at(self, t: int, count: int) -> View:
        """What is seen in frame t of `count`."""
        even = t / max(1, count - 1)
        way = (1 - self.ease) * even + self.ease * (3 - 2 * even) * even**2
        between = [a + (b - a) * way for a, b in zip(_numbers(self.start), _numbers(self.stop), strict=True)]
        return View(*between)

    def source_of(
        self, t: int, count: int, inner: tuple[int, int], outer: tuple[int, int]
    ) -> tuple[float, float, float, float]:
        """x0, y0, dx, dy: pixel (x, y) of a result of size `outer` shows x0 + dx * x, y0 + dy * y of the picture.

        Both sizes are (width, height); positions are those of pixel centres, which are whole numbers.
        """
        view = self.view_at(t, count)
        steps = [view.size * size / room for size, room in zip(inner, outer, strict=True)]
        corners = [
            (at - view.size / 2) * size + step / 2 - 0.5
            for at, size, step in zip((view.x, view.y), inner, steps, strict=True)
        ]
        return corners[0], corners[1], steps[0], steps[1]


def draw_move(rng: np.random.Generator, smallest: float) -> KenBurns:
    """A random move whose views cover `smallest`..1 of the picture's width and height, and stay within it."""
    views = []
    for size in rng.uniform(smallest, 1, 2):
        x, y = rng.uniform(size / 2, 1 - size / 2, 2)
        views.append(View(float(x), float(y), float(size)))
    return KenBurns(views[0], views[1], float(rng.random()))


def film(pictures: Shaped[np.ndarray, "t h w *c"], move: KenBurns, size: tuple[int, int]) -> np.ndarray:
    """What the camera sees, `t H W c` at `size` (width, height), bilinear.

    There is no averaging: a view may have at most about one and a half pixels for one of the result.
    """
    filmed = np.empty((len(pictures), size[1], size[0], *pictures.shape[3:]), pictures.dtype)
    inner = pictures.shape[2], pictures.shape[1]
    for t, picture in enumerate(pictures):
        x, y, dx, dy = move.source_of(t, len(pictures), inner, size)
        matrix = np.array([[dx, 0, x], [0, dy, y]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        filmed[t] = cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return filmed


def film_trimask(
    trimask: UInt8[np.ndarray, "t h w"], move: KenBurns, size: tuple[int, int]
) -> UInt8[np.ndarray, "t H W"]:
    """The same for a trimask: every pixel is what most of it shows, REMOVE or KEEP rather than UNKNOWN in a tie."""
    return by_majority(trimask, lambda region: film(region, move, size))


def _numbers(view: View) -> tuple[float, float, float]:
    return view.x, view.y, view.size
