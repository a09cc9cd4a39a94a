"""How a movie's stored picture is to be turned and mirrored to be seen."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideData, Type

from lamina.errors import MediaError


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a rectangle on itself: first transposed or not, then mirrored per axis."""

    transposed: bool = False
    down: int = 1
    """1, or -1 where rows come in opposite order; `right` says the same of columns."""
    right: int = 1

    def upright(self, picture: np.ndarray) -> np.ndarray:
        """The stored picture `h w c` as it is to be seen, contiguous."""
        turned = picture.swapaxes(0, 1) if self.transposed else picture
        return np.ascontiguousarray(turned[:: self.down, :: self.right])


def orientation_of(frame: av.VideoFrame, path: Path) -> Orientation:
    """What the display matrix of this frame of the movie at `path` asks for.

    To be called once per file: a look at `side_data` ties a frame into a reference cycle, and its memory then stays
    until the garbage collector comes by.

    Raises:
        MediaError: it asks for something other than quarter turns and mirrors.
    """
    side_data = cast(Iterable[SideData], frame.side_data)  # PyAV's stubs take it for a mapping
    matrix = next((bytes(data) for data in side_data if data.type == Type.DISPLAYMATRIX), None)
    if matrix is None:
        return Orientation()
    # Row vectors: x' = a x + c y, y' = b x + d y, with y pointing down.
    a, b, _, c, d = (int(sign) for sign in np.sign(np.frombuffer(matrix, np.int32)[:5]))
    if a and d and not (b or c):
        return Orientation(transposed=False, down=d, right=a)
    if b and c and not (a or d):
        return Orientation(transposed=True, down=b, right=c)
    raise MediaError(
        f"movie {path}",
        got=f"a picture to be shown turned by {frame.rotation} degrees",
        wanted="quarter turns",
        do="Render it upright first.",
    )
