"""What the engine is given, and its frames as small copies in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from lamina.media.clip_info import FrameSource
from lamina.media.mask_source import MaskSource
from lamina.removal.frames import Sizes, Small, shrink_frame

TOUCHED = 20
"""What a mask, 0..255, may say of a pixel that is still none of the object's, where regions are to be preserved."""


def untouchable(preserve: UInt8[np.ndarray, "h w"], mask: UInt8[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Where no removal may change anything: what is to be preserved, outside the objects."""
    return (preserve > 127) & (mask <= TOUCHED)


@dataclass(frozen=True)
class Shot:
    """A clip, its objects' masks, and where work files go."""

    clip: FrameSource
    masks: Sequence[MaskSource]
    preserve: MaskSource | None
    """Regions that no removal may touch outside the objects' masks."""
    plate: FrameSource | None
    """A clean plate from the user, as long as the clip."""
    work: Path
    workers: int
    """Threads. The result does not depend on it."""
    painted: MaskSource | None = None
    """A trimask that the user has painted, for engines that are told one."""

    @property
    def frames(self) -> int:
        return self.clip.info.frames

    @property
    def sizes(self) -> Sizes:
        return Sizes.of(self.clip.info.width, self.clip.info.height)

    def read(self, start: int, stop: int) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        """Frames and their masks (uint8, source size) from `start` to before `stop`."""
        masks = zip(*(mask.read(start, stop) for mask in self.masks), strict=True)
        for frame, covered in zip(self.clip.read(start, stop), masks, strict=True):
            yield frame, list(covered)

    def clean(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """The user's clean plate for the same frames."""
        assert self.plate is not None
        return self.plate.read(start, stop)

    def small(self, start: int, stop: int) -> Iterator[Small]:
        """Small copies of the same frames."""
        for index, (frame, masks) in enumerate(self.read(start, stop), start):
            yield shrink_frame(index, frame, masks, self.sizes)
