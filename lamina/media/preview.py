"""A clip seen small, for a quick run."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from lamina.media.clip_info import ClipInfo, FrameSource

PREVIEW_PX = 416


@dataclass(frozen=True)
class PreviewSource:
    """The same frames with the longer side at most 416 pixels."""

    full: FrameSource

    @property
    def info(self) -> ClipInfo:
        info = self.full.info
        scale = min(1.0, PREVIEW_PX / max(info.width, info.height))
        return replace(info, width=max(1, round(info.width * scale)), height=max(1, round(info.height * scale)))

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        size = (self.info.width, self.info.height)
        for frame in self.full.read(start, stop):
            yield frame if frame.shape[1::-1] == size else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
