"""The source's sound: copied packet by packet into movies, written as WAV beside image sequences."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from lamina.errors import MediaError
from lamina.media.landing import whole_file


@dataclass(frozen=True)
class Sound:
    """The part of a movie's first sound track that belongs to a frame range, in seconds on the movie's own clock."""

    path: Path
    start: Fraction
    stop: Fraction


class SoundTrack:
    """Packets of a sound on their way into a movie, handed over in step with the pictures.

    They are bit for bit the source's; only their time stamps move, by the same amount as those of the pictures.
    The packet before the start goes along because decoders need it to begin cleanly; movies hide it by its time.
    """

    def __init__(self, source: InputContainer, sound: Sound, out: OutputContainer):
        like = source.streams.audio[0]
        assert like.time_base is not None
        self._time_base = like.time_base
        self._shift = round(sound.start / like.time_base)
        self._stream = out.add_stream_from_template(like)
        self._out = out
        self._packets = _packets_between(source, sound)
        self._next = next(self._packets, None)

    def mux_until(self, seconds: Fraction) -> None:
        """Hand over all packets that begin before `seconds` after the start."""
        while self._next is not None and (_pts(self._next) - self._shift) * self._time_base < seconds:
            packet, self._next = self._next, next(self._packets, None)
            packet.pts = packet.dts = _pts(packet) - self._shift
            packet.stream = self._stream
            self._out.mux(packet)


@contextmanager
def open_track(sound: Sound, out: OutputContainer) -> Iterator[SoundTrack]:
    """Add the sound to a movie that is about to be written; no header may be written yet."""
    with _open(sound.path) as source:
        yield SoundTrack(source, sound, out)


def can_copy(sound: Sound, container: str) -> bool:
    """Whether a container (FFmpeg's name) can hold the sound as it is."""
    with _open(sound.path) as source:
        codec = source.streams.audio[0].codec_context.codec.canonical_name
        if container == "mp4" and codec.startswith("pcm_"):  # allowed since 2017, played by almost nothing
            return False
        return codec in _codecs_of(container)


def has_sound(path: Path) -> bool:
    """Whether there is a movie with a sound track at `path`; False as well for anything that is not a movie."""
    try:
        with av.open(str(path)) as source:
            return bool(source.streams.audio)
    except (OSError, ValueError):
        return False


def write_wav(path: Path, sound: Sound) -> None:
    """Write the sound as 24-bit PCM, exact to the sample: silence where the source has none, cut at the end.

    Raises MediaError when it cannot be decoded, OutputError when the place is not writable or full.
    """
    with _open(sound.path) as source, whole_file(path) as part:
        rate = source.streams.audio[0].rate
        layout = source.streams.audio[0].layout.name
        with av.open(str(part), "w", format="wav", options={"fflags": "+bitexact"}) as out:
            stream = out.add_stream("pcm_s24le", rate=rate, layout=layout)
            written = 0
            for samples in _samples(source, sound, rate):
                frame = av.AudioFrame.from_ndarray(samples, format="s32", layout=layout)
                frame.sample_rate, frame.pts, frame.time_base = rate, written, Fraction(1, rate)
                written += frame.samples
                out.mux(stream.encode(frame))
            out.mux(stream.encode())


def _samples(source: InputContainer, sound: Sound, rate: int) -> Iterator[np.ndarray]:
    """Interleaved `1 (n channels)` int32 pieces that fill the time from start to stop without a gap."""
    resampler = av.AudioResampler(format="s32", rate=rate)
    length = round((sound.stop - sound.start) * rate)
    channels = source.streams.audio[0].channels
    done = 0
    for packet in _packets_between(source, sound):
        try:
            frames = packet.decode()
        except (OSError, ValueError) as error:
            raise _no_sound(sound.path, f"sound that cannot be decoded ({error})") from error
        for frame in frames:
            if frame.pts is None or frame.time_base is None:
                continue
            at = round((frame.pts * frame.time_base - sound.start) * rate)
            for piece in resampler.resample(frame):
                samples = piece.to_ndarray().reshape(-1, channels)
                if at > done:
                    yield np.zeros((1, (min(at, length) - done) * channels), np.int32)
                    done = min(at, length)
                samples = samples[max(done - at, 0) : max(length - at, 0)]
                if len(samples):
                    yield np.ascontiguousarray(samples).reshape(1, -1)
                    done += len(samples)
    if done < length:
        yield np.zeros((1, (length - done) * channels), np.int32)


def _packets_between(source: InputContainer, sound: Sound) -> Iterator[Packet]:
    """The packets that begin from start to stop, and the one before them."""
    stream = source.streams.audio[0]
    assert stream.time_base is not None
    # One second early: containers find sound by its picture or by byte rate, not to the packet.
    source.seek(int((sound.start - 1) / stream.time_base), stream=stream, backward=True)
    before: Packet | None = None
    for packet in source.demux(stream):
        if packet.pts is None or packet.size == 0:
            continue
        if packet.pts * stream.time_base < sound.start:
            before = packet
            continue
        if packet.pts * stream.time_base >= sound.stop:
            return
        if before is not None:
            yield before
            before = None
        yield packet


def _pts(packet: Packet) -> int:
    assert packet.pts is not None  # _packets_between leaves out those without
    return packet.pts


def _open(path: Path) -> InputContainer:
    try:
        source = av.open(str(path))
    except (OSError, ValueError) as error:
        raise _no_sound(path, getattr(error, "strerror", None) or str(error)) from error
    if not source.streams.audio:
        source.close()
        raise _no_sound(path, "no sound track")
    return source


def _codecs_of(container: str) -> set[str]:
    with av.open(BytesIO(), "w", format=container) as nowhere:
        return nowhere.supported_codecs


def _no_sound(path: Path, got: str) -> MediaError:
    return MediaError(f"sound of {path}", got=got, wanted="a movie with sound", do="Give another file, or none.")
