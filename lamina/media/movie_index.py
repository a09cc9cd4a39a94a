"""The exact time stamp of every frame of a movie, found without decoding it, and proof that the file is whole.

Demultiplexing packets is a hundred times faster than decoding them, and in nearly every file one packet is one frame at
the packet's own time. That is not taken on trust: the last group of pictures is decoded and must give exactly the
frames its packets promise. Where it does not, and where packets have no or equal time stamps (raw H.264, fields in
packets of their own), the whole file is decoded once and the frames themselves are counted. A stream without any table
(MPEG-TS, raw) that breaks off just between two frames cannot be told from a whole one.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from lamina.errors import InputError, MediaError


@dataclass(frozen=True)
class MovieIndex:
    """Where the frames of a movie are."""

    path: Path
    pts: tuple[int, ...]
    time_base: Fraction
    key_pts: tuple[int, ...]
    """Time stamps of the frames at which decoding can start; empty where seeking cannot be trusted."""


def open_container(path: Path) -> InputContainer:
    """Open a movie file.

    Raises:
        InputError: there is no such file.
        MediaError: FFmpeg does not recognise it.
    """
    if not path.is_file():
        raise InputError(f"movie {path}", got="no such file", wanted="a movie or images", do="Check the path.")
    try:
        # An absolute path, so that a name such as "take:2.mp4" is not read as a protocol.
        container = av.open(str(path.absolute()))
    except (FFmpegError, OSError) as error:
        raise _not_a_movie(path, f"{path.stat().st_size} bytes that FFmpeg cannot open") from error
    if container.format.name == "tty":  # FFmpeg renders any text file as a film of a terminal
        container.close()
        raise _not_a_movie(path, "a text file")
    return container


def _not_a_movie(path: Path, got: str) -> MediaError:
    return MediaError(
        f"movie {path}",
        got=got,
        wanted="a movie",
        do="Check that it plays elsewhere; if it is a copy that broke off, copy it again.",
    )


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first moving picture, which a cover image is not.

    Raises:
        MediaError: there is none.
    """
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            stream.thread_type = "AUTO"
            return stream
    raise MediaError(
        f"movie {path}", got="no video stream", wanted="a movie with pictures", do="Check that it is the right file."
    )


def build_index(path: Path) -> MovieIndex:
    """Time stamps of all frames in display order.

    Raises:
        InputError: there is no such file.
        MediaError: it is no movie, holds no frame, or is cut short; the error says how many frames are readable.
    """
    index, whole = _scan_packets(path)
    if not (whole and _ends_as_promised(index)):
        index = _index_from_frames(path, whole)
    if not index.pts:
        raise MediaError(f"movie {path}", got="no frame", wanted="at least one", do="Check that it plays elsewhere.")
    return index


def _scan_packets(path: Path) -> tuple[MovieIndex, bool]:
    """What the packets promise, and whether all packets are there that the file's own tables speak of."""
    with open_container(path) as container:
        stream = picture_stream(container, path)
        shown, count, stamped, corrupt = [], 0, True, False
        for packet in container.demux(stream):
            if packet.size:
                count, corrupt = count + 1, packet.is_corrupt
                stamped &= packet.pts is not None
                if stamped and not packet.is_discard:
                    shown.append((packet.pts, packet.is_keyframe))
        shown.sort()
        pts = tuple(stamp for stamp, _ in shown)
        usable = stamped and len(set(pts)) == len(pts)
        keys = tuple(stamp for stamp, is_key in shown if is_key) if usable else ()
        index = MovieIndex(path, pts, _time_base(stream), keys)
        return index, not corrupt and not _packets_missing(container, stream, index, count)


def _time_base(stream: VideoStream) -> Fraction:
    return cast(Fraction, stream.time_base)  # streams of an open file have one


def _usual_step(stream: VideoStream) -> int:
    """How many units of the time base a frame lasts by FFmpeg's guess, at least one."""
    return max(1, round(1 / (stream.guessed_rate or Fraction(24)) / _time_base(stream)))


def _packets_missing(container: InputContainer, stream: VideoStream, index: MovieIndex, count: int) -> bool:
    if "mov" in container.format.name:  # edit lists have been applied to the index, not to `stream.frames`
        return count < len(stream.index_entries)
    if "matroska" in container.format.name:
        return _seconds_missing(stream, index) > 0
    return count < stream.frames


def _seconds_missing(stream: VideoStream, index: MovieIndex) -> Fraction:
    """Seconds between where the pictures of a Matroska file end and where its header says they do, beyond doubt."""
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    if not seconds or not index.pts:
        return Fraction(0)
    promised = 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)
    # The last frame's own duration is not known: allow for two of the longest kind.
    longest = max((b - a for a, b in pairwise(index.pts)), default=0)
    frame = max(longest, _usual_step(stream))
    return promised - (index.pts[-1] + 2 * frame) * index.time_base


def _ends_as_promised(index: MovieIndex) -> bool:
    """Decode the first frame and the last group of pictures and compare their times with the packets'."""
    if not index.key_pts:
        return False
    last_key = index.key_pts[-1]
    try:
        first = next(decode_from(index, None), None)
        tail = [(frame.pts, frame.is_corrupt) for frame in decode_from(index, last_key)]
    except FFmpegError:
        return False
    tail = [(pts, corrupt) for pts, corrupt in tail if pts is None or pts >= last_key]
    promised = [(pts, False) for pts in index.pts if pts >= last_key]
    return first is not None and first.pts == index.pts[0] and tail == promised


def _index_from_frames(path: Path, whole: bool) -> MovieIndex:
    """Decode everything once; a frame without a time of its own comes one frame's duration after the one before."""
    with open_container(path) as container:
        stream = picture_stream(container, path)
        stamps, decodes = _decoded_stamps(container, stream)
        step = _usual_step(stream)
        if not (whole and decodes):
            raise truncated(path, len(stamps))
        return MovieIndex(path, tuple(_increasing(stamps, step)), _time_base(stream), ())


def _decoded_stamps(container: InputContainer, stream: VideoStream) -> tuple[list[int | None], bool]:
    """Time stamps of the frames up to the first damaged one, and whether there was none."""
    stamps: list[int | None] = []
    sound = True
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except FFmpegError:
            sound, frames = False, stream.decode(None)  # what the decoder still holds is good
        for frame in frames:
            if frame.is_corrupt:
                return stamps, False
            stamps.append(frame.pts)
        if not sound:
            break
    return stamps, sound


def _increasing(stamps: list[int | None], step: int) -> Iterator[int]:
    last = None
    for stamp in stamps:
        if stamp is None or (last is not None and stamp <= last):
            stamp = 0 if last is None else last + step
        yield stamp
        last = stamp


def truncated(path: Path, readable: int) -> MediaError:
    """The error for a movie that ends, or breaks, before it should."""
    return MediaError(
        f"movie {path}",
        got=f"a truncated or damaged file, {readable} frames are readable",
        wanted="a whole one",
        do="Copy or render it again, or save the readable part as a new movie.",
    )


def decode_from(index: MovieIndex, key: int | None) -> Generator[av.VideoFrame]:
    """Decode from the key frame with this time stamp, or from the start of the file; frames in display order.

    Yields nothing if the file cannot be entered exactly at, or ahead of, that key frame.
    """
    with open_container(index.path) as container:
        stream = picture_stream(container, index.path)
        if key is not None:
            container.seek(key, stream=stream, backward=True)
        packets = container.demux(stream)
        if key is not None:
            head = next((packet for packet in packets if packet.size), None)
            if head is None or not head.is_keyframe or head.pts is None or head.pts > key:
                return
            yield from head.decode()
        for packet in packets:
            yield from packet.decode()
