"""The background that `propagate` has truly seen, as the other engines are anchored on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lamina.media.ffv1 import read_ffv1
from lamina.removal.records import FrameArrays


@dataclass(frozen=True)
class Truth:
    """Plates with what is seen of the background, and where that is."""

    plates: Path
    """A movie of the clip's size and length."""
    seen: FrameArrays
    """Per frame `r d w` as `seen_background` gives it: for the plate and, with several objects, for each solo."""

    def read(self, start: int, stop: int) -> Iterator[tuple[np.ndarray, UInt8[np.ndarray, "r d w"]]]:
        """Plates, stored numbers `h w 3`, and where they are seen, at detection size."""
        for index, plate in enumerate(read_ffv1(self.plates, start, stop), start):
            yield plate, self.seen[index]
