"""What is known about a clip before any pixel is read, and the one interface every reader offers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from lamina.color import ColorDescription
from lamina.errors import InputError


@dataclass(frozen=True)
class ClipInfo:
    """Size, number type and exact times of a clip, or of the part of it that was asked for."""

    path: Path
    kind: Literal["movie", "sequence"]
    frames: int
    width: int
    """Pixels, after display rotation; so is `height`."""
    height: int
    dtype: Literal["uint8", "uint16", "float32"]
    """uint8 of an 8-bit source, uint16 over its full range of a 9 to 16-bit one, float32 of EXR and float TIFF."""
    depth_bits: int
    """Bits per channel in the file: 8, 10, 12, 16, or 32 for float."""
    pts: tuple[int, ...]
    """One time stamp per frame in units of `time_base` seconds, as in the file: the first need not be 0."""
    time_base: Fraction
    rate: Fraction | None
    """Frames per second if they are evenly spaced (to one unit of `time_base`), else None."""
    first_number: int
    """Number of the first frame in the source's own counting: 1001 for `shot.1001.exr`, from 0 for movies."""
    color: ColorDescription
    has_audio: bool
    skipped_before: int = 0
    """Frames of the source ahead of this part; `skipped_after` is how many follow it."""
    skipped_after: int = 0

    @property
    def pts_seconds(self) -> tuple[Fraction, ...]:
        return tuple(stamp * self.time_base for stamp in self.pts)

    @property
    def source_frames(self) -> int:
        """Frames of the whole source, of which this may be a part."""
        return self.skipped_before + self.frames + self.skipped_after


@runtime_checkable
class FrameSource(Protocol):
    """Anything that hands out the frames of a clip."""

    @property
    def info(self) -> ClipInfo: ...

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Frames start..stop-1 as `h w 3` RGB of `info.dtype`, in order.

        Counted from the first frame of this source, which is a sub-range's first frame. Every call decodes by itself,
        so several may run at once; only the frame at hand is in memory.
        """
        ...


def part_of(info: ClipInfo, frames: tuple[int, int]) -> ClipInfo:
    """Narrow `info` to frames first..last (both included), in the source's own numbering.

    Raises:
        InputError: the source does not have these frames.
    """
    first, last = frames
    end = info.first_number + info.frames - 1
    if not info.first_number <= first <= last <= end:
        raise InputError(
            f"frames of {info.path.name}",
            got=f"{first}-{last}",
            wanted=f"a range within {info.first_number}-{end}",
            do="Give the first and the last frame in the clip's own numbering.",
        )
    before, count = first - info.first_number, last - first + 1
    return replace(
        info,
        frames=count,
        pts=info.pts[before : before + count],
        first_number=first,
        skipped_before=info.skipped_before + before,
        skipped_after=info.skipped_after + end - last,
    )


def frame_range(info: ClipInfo, start: int, stop: int | None) -> range:
    """The positions in the whole source that `read(start, stop)` of this part means.

    Raises:
        ValueError: the range leaves the clip.
    """
    stop = info.frames if stop is None else stop
    if not 0 <= start <= stop <= info.frames:
        raise ValueError(f"{info.path.name} has frames 0..{info.frames - 1}, asked for {start}..{stop - 1}.")
    return range(info.skipped_before + start, info.skipped_before + stop)
