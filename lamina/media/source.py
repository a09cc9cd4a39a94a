"""The door for pictures: a movie, a folder of images or a pattern becomes a `FrameSource`."""

from fractions import Fraction
from pathlib import Path

from lamina.media.clip_info import ClipInfo, FrameSource
from lamina.media.sequence import FILM_RATE, SequenceSource, is_sequence, open_sequence
from lamina.media.video import MovieSource, open_movie

__all__ = ["ClipInfo", "FrameSource", "open_source"]


def open_source(
    path: str | Path, frames: tuple[int, int] | None = None, *, rate: Fraction = FILM_RATE
) -> MovieSource | SequenceSource:
    """Open a clip for reading.

    Args:
        path: a movie file, an image file (a clip of one frame), a folder with one numbered run of images, or a pattern
            such as `shot.%04d.png` or `shot.####.exr`.
        frames: first and last frame to use, both included, in the source's own numbering (movies count from 0).
        rate: frames per second of an image sequence, which does not say it itself. Movies keep their own times.

    Raises:
        InputError: nothing at `path`, a frame number is missing, sizes are mixed, `frames` are outside the clip.
        MediaError: the file is not a movie, is cut short or holds no frame.
    """
    path = Path(path)
    return open_sequence(path, frames, rate) if is_sequence(path) else open_movie(path, frames)
