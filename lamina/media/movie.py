"""Writing movies for people: exact time stamps, colour tags, the source's sound, and nothing half-written."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from lamina.color import ColorDescription
from lamina.errors import InputError
from lamina.media.landing import whole_file
from lamina.media.sound import Sound, can_copy, has_sound, open_track, write_wav
from lamina.media.stamps import check_increasing, durations_of, rate_of
from lamina.media.tags import color_options, tag_picture
from lamina.media.yuv import tags_of, to_yuv420, to_yuv444


@dataclass(frozen=True)
class MovieKind:
    """A way to store a movie: FFmpeg's names of container and encoder, and the picture the encoder is given."""

    container: str
    encoder: str
    picture: Callable[[np.ndarray], av.VideoFrame]
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Times:
    """When each frame is shown: strictly increasing time stamps in units of `base` seconds."""

    pts: Sequence[int]
    base: Fraction

    @property
    def start(self) -> Fraction:
        return self.pts[0] * self.base

    @property
    def stop(self) -> Fraction:
        """The end of the last frame, which is shown as long as the one before it."""
        return self.pts[-1] * self.base + durations_of(self.pts, self.base)[-1] * self.base


def _even_420(frame: np.ndarray) -> av.VideoFrame:
    """8-bit 4:2:0, which plays everywhere; 4:4:4 for odd sizes, which 4:2:0 in H.264 cannot have."""
    height, width = frame.shape[:2]
    return to_yuv444(frame, bits=8) if height % 2 or width % 2 else to_yuv420(frame)


_H264 = {"crf": "12", "preset": "medium"}
# No visible loss, and alpha of moving objects within 2 of 255. Row threads do not change the bytes.
_GOOD_VP9 = {"crf": "8", "b": "0", "deadline": "good", "cpu-used": "3", "row-mt": "1"}
VP9 = MovieKind("webm", "libvpx-vp9", to_yuv420, _GOOD_VP9)
PRORES_4444 = MovieKind("mov", "prores_ks", to_yuv444, {"profile": "4444", "alpha_bits": "16", "vendor": "apl0"})

MOVIES = {
    ".mp4": MovieKind("mp4", "libx264", _even_420, _H264 | {"movflags": "+faststart"}),
    ".mov": MovieKind("mov", "libx264", _even_420, _H264 | {"movflags": "+faststart"}),
    ".mkv": MovieKind("matroska", "libx264", _even_420, _H264),
    ".webm": VP9,
}


def write_movie(
    path: Path,
    frames: Iterable[np.ndarray],
    pts: Sequence[int],
    time_base: Fraction,
    audio_from: Path | None = None,
    color: ColorDescription | None = None,
) -> None:
    """Write a movie to look at, of the kind its suffix names; an older file is replaced once the new one is whole.

    frames: `h w 3`, RGB, uint8, uint16 or float32 (cut to 0..1). H.264 with 4:2:0 chroma and visually without loss;
    for odd sizes 4:4:4, which some players do not show. The movie begins at 0 and keeps every distance between
    time stamps exactly in .mp4 and .mov, to the millisecond in .mkv and .webm.
    audio_from: a movie whose sound between the first and the end of the last frame is copied unchanged; written as
    WAV beside the movie where its container cannot hold it, with a warning. A file without sound is no error.

    Raises InputError for an unknown suffix or frames that do not fit `pts`, OutputError when the place is not writable.
    """
    path = Path(path)
    kind = MOVIES.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(MOVIES)
        raise InputError(f"movie {path}", got=f"suffix {path.suffix!r}", wanted=known, do="Give one of these names.")
    times = Times(pts, time_base)
    check_increasing(pts)
    write_pictures(path, kind, frames, times, color or ColorDescription(), sound_between(audio_from, times))


def sound_between(source: Path | None, times: Times) -> Sound | None:
    """The sound of `source` while the frames are shown; None when it has none."""
    return Sound(Path(source), times.start, times.stop) if source is not None and has_sound(source) else None


def write_pictures(
    path: Path,
    kind: MovieKind,
    frames: Iterable[np.ndarray],
    times: Times,
    color: ColorDescription,
    sound: Sound | None = None,
) -> None:
    """Encode frames of one shape as `kind`, with sound copied along. The errors are those of `write_movie`."""
    pictures = map(kind.picture, frames)
    first = next(pictures, None)
    if first is None:
        raise InputError(f"writing {path}", got="no frame", wanted="at least one", do="Check the frame range.")
    fits = sound is None or can_copy(sound, kind.container)
    with whole_file(path) as part, ExitStack() as closing:
        out = closing.enter_context(av.open(str(part), "w", format=kind.container, options=_muxing(kind)))
        stream = _add_video(out, kind, first, times, color)
        track = closing.enter_context(open_track(sound, out)) if sound and fits else None
        durations = dict(zip(times.pts, durations_of(times.pts, times.base), strict=True))
        count = 0
        for count, picture in enumerate(chain([first], pictures), 1):
            if count > len(times.pts):
                break
            picture.pts, picture.time_base = times.pts[count - 1] - times.pts[0], times.base
            tag_picture(picture, tags_of(color))
            if track:
                track.mux_until(picture.pts * times.base)
            _mux(out, stream.encode(picture), durations, times)
        _mux(out, stream.encode(), durations, times)
        if track:
            track.mux_until(times.stop - times.start)
        if count != len(times.pts):
            raise InputError(
                f"writing {path}",
                got="more frames" if count > len(times.pts) else f"{count} frames",
                wanted=f"{len(times.pts)}, one per time stamp",
                do="Check the frame range.",
            )
    if sound and not fits:
        beside = path.with_suffix(".wav")
        warnings.warn(f"{path.name} cannot hold the source's sound, it is in {beside.name} beside it", stacklevel=2)
        write_wav(beside, sound)


def _muxing(kind: MovieKind) -> dict[str, str]:
    muxer = {"movflags": kind.options["movflags"]} if "movflags" in kind.options else {}
    return muxer | {"fflags": "+bitexact"}


def _add_video(
    out: OutputContainer, kind: MovieKind, first: av.VideoFrame, times: Times, color: ColorDescription
) -> VideoStream:
    stream = cast(VideoStream, out.add_stream(kind.encoder, rate=rate_of(times.pts, times.base)))
    stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
    stream.time_base = times.base
    encoder = stream.codec_context
    encoder.time_base = times.base
    encoder.flags |= Flags.bitexact
    options = {name: value for name, value in kind.options.items() if name != "movflags"}
    encoder.options = options | color_options(tags_of(color))
    return stream


def _mux(out: OutputContainer, packets: list[Packet], durations: dict[int, int], times: Times) -> None:
    for packet in packets:
        assert packet.pts is not None  # video encoders hand out the time they were given
        packet.duration = durations[packet.pts + times.pts[0]]
        out.mux(packet)
