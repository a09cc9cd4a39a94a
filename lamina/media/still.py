"""A single picture that stands for a whole clip."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat

import numpy as np

from lamina.media.clip_info import ClipInfo, FrameSource


@dataclass(frozen=True)
class StillSource:
    """The one frame of a source, as often as `like` has frames; decoded once."""

    full: FrameSource
    like: ClipInfo

    @property
    def info(self) -> ClipInfo:
        return replace(self.full.info, frames=self.like.frames, pts=self.like.pts, time_base=self.like.time_base)

    @cached_property
    def picture(self) -> np.ndarray:
        return next(iter(self.full.read()))

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        return repeat(self.picture, max(0, min(stop or self.like.frames, self.like.frames) - start))


def held(source: FrameSource, like: ClipInfo) -> FrameSource:
    """The source, or, when it has one frame, that frame for every frame of a clip."""
    return StillSource(source, like) if source.info.frames == 1 else source
