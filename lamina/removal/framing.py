"""How a clip's pictures lie in a model's, and the way back."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from lamina.area import resized_by_area
from lamina.levels import WHITE, to_levels
from lamina.motion.coordinates import resize_area
from lamina.windows import GridFit


@dataclass(frozen=True)
class Framing:
    """A clip's picture, made smaller or larger, and continued to the right and below up to the model's grid."""

    grid: GridFit
    """Of the picture in the model's size, without and with what is added."""
    squeezed: bool
    """The picture is given the model's shape, as the published loader does."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the model's pictures."""
        return self.grid.padded

    @property
    def picture(self) -> tuple[int, int]:
        """(height, width) of the clip's picture in them."""
        return self.grid.height, self.grid.width

    def small(self, frame: np.ndarray) -> Float32[np.ndarray, "h w 3"]:
        """A stored frame at the picture's size, as levels; float clips may leave 0..1."""
        if self.squeezed:
            return resized_by_area(frame[None], self.picture)[0] / np.float32(WHITE[frame.dtype.name])
        return to_levels(resize_area(frame, (self.grid.width, self.grid.height)))

    def padded(self, small: np.ndarray) -> np.ndarray:
        """A picture or mask continued by mirroring it."""
        return self.grid.apply(small)

    def cut(self, padded: np.ndarray) -> np.ndarray:
        """What of a model's picture, `h w *c`, is the clip's."""
        return self.grid.undo(padded)


def squeezing(size: tuple[int, int], multiple: int) -> Framing:
    """As the published loader does: one size for every clip, whatever its shape."""
    return Framing(GridFit(*size, multiple), squeezed=True)


def fitting(source: tuple[int, int], box: tuple[int, int], multiple: int) -> Framing:
    """The largest picture of the source's shape that fits into a box; all sizes are (height, width).

    >>> framing = fitting((1080, 1920), (384, 672), 16)
    >>> framing.picture, framing.size
    ((378, 672), (384, 672))
    """
    scale = min(box[0] / source[0], box[1] / source[1])
    height, width = (max(1, min(side, round(scale * given))) for side, given in zip(box, source, strict=True))
    return Framing(GridFit(height, width, multiple), squeezed=False)


def fitting_area(source: tuple[int, int], like: tuple[int, int], multiple: int) -> Framing:
    """The largest picture of the source's shape that fits into any box of no more pixels than `like`.

    >>> fitting_area((1080, 1920), (384, 672), 16).size, fitting_area((1920, 1080), (384, 672), 16).size
    ((384, 672), (672, 384))
    """
    pixels = like[0] * like[1]
    heights = range(multiple, pixels // multiple + 1, multiple)
    boxes = [(height, pixels // height // multiple * multiple) for height in heights]
    found = [fitting(source, box, multiple) for box in boxes if box[1]]
    return max(found, key=lambda framing: framing.grid.height * framing.grid.width)
