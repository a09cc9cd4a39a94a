"""Lossless FFV1 in Matroska: the stack's movies and the work segments they are joined from.

Every frame is a key frame, so that any frame can be read without the ones before it. The same frames give the same
bytes on every machine and on any number of cores: slices are fixed, and neither encoder nor muxer writes a date, a
random identifier or a version.

============== ======== ==========================================================================================
frame          channels stored as
============== ======== ==========================================================================================
uint8          3, 4     FFV1 version 3, bgr0 or bgra
uint16         3, 4     FFV1 version 3, gbrp16 or gbrap16
float32        3        FFV1 version 4, gbrpf32, every bit kept (also below 0, above 1, infinite); see `float_slices`
float32        4        the same with a second video stream, whose three planes all hold alpha: FFmpeg has no float
                        FFV1 with alpha. A reader that opens the first stream only sees the colour.
============== ======== ==========================================================================================

FFmpeg calls version 4 experimental: float files are bound to the FFmpeg that wrote them until it no longer does.

Matroska as FFmpeg writes it counts milliseconds. Time stamps are rounded to the nearest, and where several frames
share one, each goes at least 1 ms after the one before, so no frame is lost and the order holds at any rate. A clip
that begins before 0 is moved to begin at 0. The exact time stamps of a stack are in its stack.json.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from lamina.color import ColorDescription
from lamina.errors import InputError, MediaError
from lamina.media.landing import whole_file
from lamina.media.stamps import MILLISECOND, milliseconds, rate_of
from lamina.media.tags import color_options

_READING = {
    "indexmem": str(2**30),  # with less room FFmpeg thins the index out after 43,690 frames
    "probesize": str(2**31 - 1),  # one large float frame is more than FFmpeg's 5 MB, and hides the second stream
}


@dataclass(frozen=True)
class Layout:
    """How one kind of frame lies in a file."""

    pixels: str  # FFmpeg's name of what the codec is given
    array: str  # PyAV's name of the numpy frame
    level: int = 3
    streams: int = 1


LAYOUTS = {
    ("uint8", 3): Layout("bgr0", "rgb24"),
    ("uint8", 4): Layout("bgra", "rgba"),
    ("uint16", 3): Layout("gbrp16le", "gbrp16le"),
    ("uint16", 4): Layout("gbrap16le", "gbrap16le"),
    ("float32", 3): Layout("gbrpf32le", "gbrpf32le", level=4),
    ("float32", 4): Layout("gbrpf32le", "gbrpf32le", level=4, streams=2),
}


def write_segment(
    path: Path,
    frames: Iterable[np.ndarray],
    pts: Sequence[int],
    time_base: Fraction,
    color: ColorDescription | None = None,
) -> None:
    """Write frames losslessly; the file appears when it is whole, not before.

    frames: `h w 3` or `h w 4` in RGB(A) order, uint8, uint16 or float32, all of one kind, any size from 1x1 on; taken
    one at a time.
    pts: one time stamp per frame, strictly increasing, in units of `time_base` seconds.
    color: transfer and primaries are written as tags; matrix and range are always RGB and full, as the frames are.

    Raises InputError when frames and time stamps do not fit, OutputError when the place is not writable or full.
    """
    stamps = milliseconds(pts, time_base)
    durations = {stamp.pts: stamp.duration for stamp in stamps}
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise InputError(f"writing {path}", got="no frame", wanted="at least one", do="Check the frame range.")
    layout = _layout_of(path, first)
    with whole_file(Path(path)) as part, _create(part) as container:
        size = (first.shape[1], first.shape[0])
        streams = [_add_stream(container, layout, size, rate_of(pts, time_base), color) for _ in range(layout.streams)]
        reformat = VideoReformatter()
        count = 0
        for frame in chain([first], remaining):
            _check_alike(path, frame, first, count, len(stamps))
            for stream, plane in zip(streams, _planes(frame, layout), strict=True):
                picture = reformat.reformat(av.VideoFrame.from_ndarray(plane, layout.array), format=layout.pixels)
                picture.pts, picture.time_base = stamps[count].pts, MILLISECOND
                _mux(container, stream.encode(picture), durations)
            count += 1
        for stream in streams:
            _mux(container, stream.encode(), durations)
        if count != len(stamps):
            raise _count_error(path, f"{count} frames", len(stamps))


def join_segments(paths: Sequence[Path], out: Path, pts: Sequence[int], time_base: Fraction) -> None:
    """Put consecutive segments into one file without decoding; the bytes are those of writing all frames at once.

    pts: the time stamps of all frames of all segments, in units of `time_base` seconds. They replace the segments'
    own, so that rounding and the start are settled once for the whole clip.

    Raises MediaError when a segment is missing, damaged, unlike the first, or the frames do not add up to `pts`;
    OutputError when the place is not writable or full.
    """
    stamps = milliseconds(pts, time_base)
    with whole_file(Path(out)) as part, _create(part) as container:
        streams: list[VideoStream] = []
        counts: list[int] = []
        for path in paths:
            with _open(Path(path)) as segment:
                if not streams:
                    streams = [_add_like(container, like, rate_of(pts, time_base)) for like in segment.streams.video]
                    counts = [0] * len(streams)
                    container.start_encoding()
                _check_same_stream(Path(path), segment, streams)
                for packet in segment.demux():
                    if packet.size == 0:
                        continue
                    index = packet.stream.index
                    if counts[index] == len(stamps):
                        raise _count_error(out, "more frames in the segments", len(stamps))
                    stamp = stamps[counts[index]]
                    packet.pts = packet.dts = stamp.pts
                    packet.duration, packet.stream = stamp.duration, streams[index]
                    container.mux(packet)
                    counts[index] += 1
        if not counts or min(counts) != len(stamps):
            raise _count_error(out, f"{min(counts, default=0)} frames in the segments", len(stamps))


def read_ffv1(path: Path, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
    """Frames `start` .. `stop - 1` of a file that `write_segment` or `join_segments` wrote, in the type stored.

    Yields `h w 3` or `h w 4`, RGB(A). Seeks straight to `start`; each call is a decoder of its own.

    Raises MediaError when the file is missing, truncated, of another kind, or has fewer frames than asked for.
    """
    with _open(Path(path)) as container:
        stamps = _index(container)
        stop = len(stamps) if stop is None else stop
        if not 0 <= start <= stop <= len(stamps):
            raise MediaError(
                f"{path}",
                got=f"{len(stamps)} frames",
                wanted=f"frames {start} to {stop}",
                do="The file was replaced or cut; make the stack again.",
            )
        if start == stop:
            return
        streams = container.streams.video
        for stream in streams:
            stream.thread_type = "AUTO"
        container.seek(stamps[start], stream=streams[0])
        yield from _decode(Path(path), container, stamps[start:stop])


def count_frames(path: Path) -> int:
    """How many frames a file of ours holds, from its index, without decoding."""
    with _open(Path(path)) as container:
        return len(_index(container))


def _layout_of(path: Path, frame: np.ndarray) -> Layout:
    layout = LAYOUTS.get((str(frame.dtype), frame.shape[2])) if frame.ndim == 3 and frame.size else None
    if layout is None:
        raise InputError(
            f"writing {path}",
            got=f"a frame of {frame.dtype} {frame.shape}",
            wanted="uint8, uint16 or float32, height x width x 3 or 4",
            do="Convert the frames first.",
        )
    return layout


def _create(path: Path) -> OutputContainer:
    return av.open(str(path), "w", format="matroska", options={"fflags": "+bitexact"})


def _add_stream(
    container: OutputContainer,
    layout: Layout,
    size: tuple[int, int],
    rate: Fraction,
    color: ColorDescription | None = None,
) -> VideoStream:
    stream = container.add_stream("ffv1", rate=rate)
    stream.width, stream.height = size
    stream.pix_fmt = layout.pixels
    stream.time_base = MILLISECOND
    encoder = stream.codec_context
    encoder.time_base, encoder.gop_size, encoder.thread_type = MILLISECOND, 1, "SLICE"
    encoder.flags |= Flags.bitexact
    encoder.options = {"level": str(layout.level), "slices": str(_slices_across(size) ** 2), "slicecrc": "1"}
    if layout.level > 3:
        # FFmpeg 8.1's other coder loses slices in which a channel has one or two values beside others.
        encoder.options |= {"strict": "experimental", "coder": "range_tab"}
    if color is not None:
        tags = ColorDescription(matrix="rgb", range="pc", transfer=color.transfer, primaries=color.primaries)
        encoder.options |= color_options(tags)
    return stream


def _add_like(container: OutputContainer, like: VideoStream, rate: Fraction) -> VideoStream:
    """A stream with the header of a segment's. Its encoder only writes that header; it is given no frame."""
    layout = next(layout for layout in LAYOUTS.values() if layout.pixels == like.pix_fmt)
    stream = _add_stream(container, layout, (like.width, like.height), rate)
    encoder, segment = stream.codec_context, like.codec_context
    encoder.thread_count = 1
    encoder.colorspace, encoder.color_range = segment.colorspace, segment.color_range
    encoder.color_trc, encoder.color_primaries = segment.color_trc, segment.color_primaries
    return stream


def _planes(frame: np.ndarray, layout: Layout) -> list[np.ndarray]:
    if layout.streams == 1:
        return [np.ascontiguousarray(frame)]
    return [frame[:, :, :3], np.repeat(frame[:, :, 3:], 3, axis=2)]


def _slices_across(size: tuple[int, int]) -> int:
    """Slices side by side. Their number is fixed by the size, never by the machine: it is part of the bytes."""
    return 4 if min(size) >= 64 else 2 if min(size) >= 2 else 1


def _mux(container: OutputContainer, packets: list[Packet], durations: dict[int, int]) -> None:
    for packet in packets:
        assert packet.pts is not None  # FFV1 hands out a frame's packet with the frame's own time
        packet.duration = durations[packet.pts]
        container.mux(packet)


def _check_alike(path: Path, frame: np.ndarray, first: np.ndarray, count: int, wanted: int) -> None:
    if count == wanted:
        raise _count_error(path, "more frames", wanted)
    if frame.shape != first.shape or frame.dtype != first.dtype:
        raise InputError(
            f"writing {path}, frame {count}",
            got=f"{frame.dtype} {frame.shape}",
            wanted=f"{first.dtype} {first.shape}, as the first frame",
            do="Frames of one file are all of one kind.",
        )


def _count_error(path: Path, got: str, wanted: int) -> InputError:
    return InputError(f"writing {path}", got=got, wanted=f"{wanted}, one per time stamp", do="Check the frame range.")


@contextmanager
def _open(path: Path) -> Iterator[InputContainer]:
    """Open a file of ours for reading; MediaError when it is missing, cut short or something else."""
    try:
        _check_length(path)
        container = av.open(str(path), format="matroska", options=_READING)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise _damaged(path, reason, "a Matroska file") from error
    with container:
        kinds = {(stream.codec_context.name, stream.pix_fmt) for stream in container.streams.video}
        if len(kinds) != 1 or not kinds & {("ffv1", layout.pixels) for layout in LAYOUTS.values()}:
            raise _damaged(path, f"{kinds}", "FFV1 as the stack stores it")
        yield container


def _check_length(path: Path) -> None:
    """A Matroska file says how long it is. FFmpeg reads a shorter one without a word, so we look."""
    with path.open("rb") as file:
        head = file.read(64)
    found = head.find(b"\x18\x53\x80\x67\x01")  # the segment, with an 8-byte length
    if head[:4] != b"\x1a\x45\xdf\xa3" or found < 0:
        raise ValueError("no Matroska header")
    whole = found + 12 + int.from_bytes(head[found + 5 : found + 12])
    if whole > path.stat().st_size:
        raise ValueError(f"{path.stat().st_size} of {whole} bytes")


def _damaged(path: Path, got: str, wanted: str) -> MediaError:
    return MediaError(f"{path}", got=got, wanted=wanted, do="The file was damaged or replaced; make the stack again.")


def _index(container: InputContainer) -> list[int]:
    """The time stamp of each frame. Matroska's index is read on the first seek; every frame of ours is in it."""
    container.seek(0)
    return [entry.timestamp for entry in container.streams.video[0].index_entries]


def _decode(path: Path, container: InputContainer, stamps: list[int]) -> Iterator[np.ndarray]:
    waiting: list[deque[np.ndarray]] = [deque() for _ in container.streams.video]
    array = next(layout.array for layout in LAYOUTS.values() if layout.pixels == container.streams.video[0].pix_fmt)
    reformat = VideoReformatter()
    remaining = len(stamps)
    for packet in container.demux(video=list(range(len(waiting)))):
        for picture in packet.decode():
            if picture.pts is not None and stamps[0] <= picture.pts <= stamps[-1]:
                waiting[packet.stream.index].append(reformat.reformat(picture, format=array).to_ndarray())
        while all(waiting) and remaining:
            yield _merge([queue.popleft() for queue in waiting])
            remaining -= 1
        if not remaining:
            return
    raise _damaged(path, f"{len(stamps) - remaining} readable frames", f"{len(stamps)}")


def _merge(planes: list[np.ndarray]) -> np.ndarray:
    return planes[0] if len(planes) == 1 else np.concatenate([planes[0], planes[1][:, :, :1]], axis=2)


def _check_same_stream(path: Path, segment: InputContainer, streams: list[VideoStream]) -> None:
    got = [_header(stream) for stream in segment.streams.video]
    wanted = [_header(stream) for stream in streams]
    if got != wanted:
        raise _damaged(path, f"streams {got}", f"{wanted}, as this version writes them")


def _header(stream: VideoStream) -> tuple[str | None, int, int, str]:
    return stream.pix_fmt, stream.width, stream.height, (stream.codec_context.extradata or b"").hex()
