"""Movies through PyAV, as RGB numbers, with exact seeking and flat memory."""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal, cast

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from lamina.color import describe_codes
from lamina.errors import MediaError
from lamina.media.clip_info import ClipInfo, frame_range, part_of
from lamina.media.movie_index import (
    MovieIndex,
    build_index,
    decode_from,
    open_container,
    picture_stream,
    truncated,
)
from lamina.media.orientation import Orientation, orientation_of

FLOAT_RGB = ("gbrpf32le", "gbrpf32be")


@dataclass(frozen=True)
class MovieSource:
    """The frames of a movie file. Made by `open_movie`."""

    info: ClipInfo
    index: MovieIndex
    orientation: Orientation

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Frames start..stop-1 as `h w 3` RGB, uint8 or full-range uint16, upright; see `FrameSource.read`."""
        for frame in self.decode(start, stop):
            picture = self.orientation.upright(rgb_of(frame))
            wanted = (self.info.height, self.info.width, 3), self.info.dtype
            if (picture.shape, picture.dtype) != wanted:
                raise self._changes_shape(picture)
            yield picture

    def decode(self, start: int = 0, stop: int | None = None) -> Iterator[av.VideoFrame]:
        """The same frames as the codec gives them: own pixel format, not rotated."""
        wanted = frame_range(self.info, start, stop)
        if not wanted:
            return
        done = 0
        try:
            for frame in _decode_exactly(self.index, wanted):
                if frame.is_corrupt:
                    break
                yield frame
                done += 1
        except FFmpegError as error:
            raise truncated(self.info.path, wanted.start + done) from error
        if done < len(wanted):
            raise truncated(self.info.path, wanted.start + done)

    def _changes_shape(self, picture: np.ndarray) -> MediaError:
        return MediaError(
            f"movie {self.info.path}",
            got=f"a frame of {picture.shape[1]}x{picture.shape[0]} {picture.dtype}",
            wanted=f"{self.info.width}x{self.info.height} {self.info.dtype} as at the start",
            do="Cut the movie where its size or format changes.",
        )


def open_movie(path: Path, frames: tuple[int, int] | None = None) -> MovieSource:
    """Open a movie file; `frames` are the first and last one to use, counted from 0.

    Raises:
        InputError: no such file, or `frames` outside of it.
        MediaError: not a movie, no frames, cut short, or rotated by something other than quarter turns.
    """
    index = build_index(path)
    info, orientation = _describe(index)
    return MovieSource(info if frames is None else part_of(info, frames), index, orientation)


def _describe(index: MovieIndex) -> tuple[ClipInfo, Orientation]:
    with open_container(index.path) as container, closing(decode_from(index, None)) as frames:
        stream = picture_stream(container, index.path)
        frame = next(frames)
        orientation = orientation_of(frame, index.path)
        height, width = orientation.upright(np.empty((frame.height, frame.width, 0))).shape[:2]
        info = ClipInfo(
            path=index.path,
            kind="movie",
            frames=len(index.pts),
            width=width,
            height=height,
            dtype=_dtype_of(index.path, frame),
            depth_bits=_depth_bits(frame.format.name),
            pts=index.pts,
            time_base=index.time_base,
            rate=constant_rate(index, (stream.guessed_rate, stream.average_rate)),
            first_number=0,
            color=describe_codes(frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries),
            has_audio=bool(container.streams.audio),
        )
        return info, orientation


def _dtype_of(path: Path, frame: av.VideoFrame) -> Literal["uint8", "uint16", "float32"]:
    name = frame.format.name
    if name in FLOAT_RGB:
        return "float32"
    if "f16" in name or "f32" in name:  # FFmpeg converts these only with everything above 1 cut off
        raise MediaError(
            f"movie {path}", got=f"the pixel format {name}", wanted="whole numbers or gbrpf32", do="Hand in EXR images."
        )
    return "uint8" if _depth_bits(name) <= 8 else "uint16"


def constant_rate(index: MovieIndex, candidates: tuple[Fraction | None, ...]) -> Fraction | None:
    """The first rate that explains every time stamp to the rounding of the time base, or None.

    Tried are the candidates and the whole and NTSC (1000/1001) rates next to the mean.
    """
    span = (index.pts[-1] - index.pts[0]) * index.time_base
    mean = (len(index.pts) - 1) / span if span else Fraction(0)
    for rate in (*candidates, Fraction(round(mean)), Fraction(round(mean * 1001 / 1000) * 1000, 1001)):
        if rate and _is_even(index.pts, 1 / rate / index.time_base):
            return Fraction(rate)
    return None


def _is_even(pts: tuple[int, ...], step: Fraction) -> bool:
    # Where the step is a whole number of units nothing was rounded, and a unit off is a frame too late.
    slack = 0 if step.denominator == 1 else 1
    return all(abs(stamp - pts[0] - position * step) <= slack for position, stamp in enumerate(pts))


def _decode_exactly(index: MovieIndex, wanted: range) -> Iterator[av.VideoFrame]:
    """The frames at these positions; from the nearest key frame if that works out exactly, else from the start."""
    position = bisect_right(index.key_pts, index.pts[wanted.start])
    key = index.key_pts[position - 1] if position > 1 else None
    if key is None:
        yield from _at_positions(index, wanted)
        return
    with closing(decode_from(index, key)) as frames:
        target = index.pts[wanted.start]
        first = next((frame for frame in frames if frame.pts is not None and frame.pts >= target), None)
        if first is not None and first.pts == target and not first.is_corrupt:
            yield first
            yield from _in_step(index, range(wanted.start + 1, wanted.stop), frames)
            return
    yield from _at_positions(index, wanted)


def _at_positions(index: MovieIndex, wanted: range) -> Iterator[av.VideoFrame]:
    with closing(decode_from(index, None)) as frames:
        for position, frame in enumerate(frames):
            if position >= wanted.stop:
                return
            if position in wanted:
                yield frame


def _in_step(index: MovieIndex, wanted: range, frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    for position in wanted:
        frame = next(frames, None)
        if frame is None or frame.pts != index.pts[position]:
            yield from _at_positions(index, range(position, wanted.stop))
            return
        yield frame


def rgb_of(frame: av.VideoFrame) -> np.ndarray:
    """`h w 3` RGB with the frame's matrix and range applied, alpha dropped: uint8 of 8 bits, else uint16 over 0..65535.

    8 bit is what FFmpeg gives as rgb24. Its 16-bit RGB ends short of white when it comes from YUV or gray (255 * 256
    from limited, `(2**bits - 1) << (16 - bits)` from full range), so there it is stretched; what remains differs from
    exact arithmetic by 4 of 65535. Float RGB is handed on as it is.
    """
    if frame.format.name in FLOAT_RGB:
        return frame.to_ndarray(format="gbrpf32le")
    if _depth_bits(frame.format.name) <= 8:
        return frame.to_ndarray(format="rgb24")
    rgb = cast(NDArray[np.uint16], frame.to_ndarray(format="rgb48le"))
    white = _white_of_rgb48(frame)
    return rgb if white == 65535 else np.take(_stretch_table(white), rgb)


def _white_of_rgb48(frame: av.VideoFrame) -> int:
    name, bits = frame.format.name, _depth_bits(frame.format.name)
    if frame.format.is_rgb or name.startswith("xyz"):
        return 65535
    is_full = frame.color_range == ColorRange.JPEG or _is_gray(frame)
    return ((1 << bits) - 1) << (16 - bits) if is_full else 255 * 256


def _is_gray(frame: av.VideoFrame) -> bool:
    return frame.format.name.startswith(("gray", "ya"))


@cache
def _stretch_table(white: int) -> np.ndarray:
    stretched = np.rint(np.arange(65536) * (65535 / white))
    return np.minimum(stretched, 65535).astype(np.uint16)


@cache
def _depth_bits(pixel_format: str) -> int:
    # bgr8, rgb565 and the like have fewer than 8 bits per channel; palettes hold 8-bit colours.
    return max(8, *(component.bits for component in av.VideoFormat(pixel_format).components))


def alpha_of(frame: av.VideoFrame) -> np.ndarray | None:
    """`h w` uint8 alpha of a movie frame, not rotated; None if its format has none."""
    if frame.format.has_palette or not any(part.is_alpha for part in frame.format.components):
        return None
    return frame.to_ndarray(format="rgba")[..., 3]


def is_limited_gray(frame: av.VideoFrame) -> bool:
    """Gray that says of itself that black is 16 and white 235; FFmpeg hands its numbers on unscaled."""
    return _is_gray(frame) and frame.color_range == ColorRange.MPEG
