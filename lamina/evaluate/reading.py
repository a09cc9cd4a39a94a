"""Opening what a case names: clips that must fit each other, masks, alphas."""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

import numpy as np
from av import VideoFrame

from lamina.errors import InputError
from lamina.evaluate.regions import INSIDE
from lamina.media.clip_info import ClipInfo, FrameSource
from lamina.media.image_file import read_image
from lamina.media.mask_source import open_mask
from lamina.media.sequence import SequenceSource
from lamina.media.source import open_source
from lamina.media.still import held
from lamina.media.video import MovieSource, rgb_of

GRAY_WITHIN = 8
"""Channels of a gray picture differ by no more, of 255: lossy codecs."""


def open_beside(what: str, path: Path, like: ClipInfo, *, still: bool = False) -> FrameSource:
    """A clip with the size and number of frames of another one; with `still`, one picture may stand for all frames.

    Raises:
        InputError: it does not fit.
        MediaError: it cannot be read.
    """
    source = open_source(path)
    check_fits(what, path, source.info, like, still=still)
    return held(source, like) if still else source


def check_fits(what: str, path: Path, info: ClipInfo, like: ClipInfo, *, still: bool = False) -> None:
    """Raises InputError for another size or number of frames."""
    if (info.width, info.height) != (like.width, like.height):
        raise InputError(
            f"{what} {path}",
            got=f"{info.width} x {info.height}",
            wanted=f"{like.width} x {like.height}, as {like.path}",
            do="Scale it to that size first, and say so where you report the figures.",
        )
    if info.frames != like.frames and not (still and info.frames == 1):
        raise InputError(
            f"{what} {path}",
            got=f"{info.frames} frames",
            wanted=f"{like.frames}, as {like.path}",
            do="Trim the longer one, so that frame for frame they show the same moment.",
        )


def open_inside(paths: Sequence[Path], like: ClipInfo) -> Iterator[list[np.ndarray]]:
    """Per frame, one bool `h w` for each mask: where its values are above the middle.

    Raises:
        InputError, MediaError: a mask does not fit the clip, or cannot be read.
    """
    masks = [open_mask(path.stem, path, like) for path in paths]
    return ([mask > INSIDE for mask in frame] for frame in zip(*(mask.read() for mask in masks), strict=True))


def read_labels(folder: Path, like: ClipInfo) -> Iterator[np.ndarray]:
    """bool `h w` per frame: where a run of label images shows any object, that is, is not black."""
    source = open_beside("labels", folder, like)
    assert isinstance(source, SequenceSource)
    return (np.asarray((read_image(path)[..., :3] > 0).any(-1)) for path in source.paths())


def read_stored(source: MovieSource | SequenceSource) -> Iterator[np.ndarray]:
    """Frames `h w c` as they are stored: gray (images only), RGB, or straight RGBA where there is an alpha channel."""
    if isinstance(source, SequenceSource):
        return map(read_image, source.paths())
    return (_with_alpha(frame, source) for frame in source.decode())


def _with_alpha(frame: VideoFrame, source: MovieSource) -> np.ndarray:
    if len(frame.format.components) < 4:
        return source.orientation.upright(rgb_of(frame))
    return source.orientation.upright(frame.to_ndarray(format="rgba" if source.info.dtype == "uint8" else "rgba64le"))


def read_alphas(path: Path) -> Iterator[np.ndarray]:
    """Alphas `h w` of a movie or a run of images: the alpha channel if it is not opaque everywhere, else the gray.

    Raises:
        InputError: a frame is coloured, so nothing says what its alpha is.
        MediaError: a frame cannot be read.
    """
    source = open_source(path)
    has_alpha = any(frame[..., 3].min() < white_of(frame) for frame in takewhile(_is_rgba, read_stored(source)))
    return (_alpha_of(frame, path, has_alpha) for frame in read_stored(source))


def _is_rgba(frame: np.ndarray) -> bool:
    return frame.shape[2] == 4


def white_of(frame: np.ndarray) -> float:
    """The stored number that means 1."""
    return 1.0 if frame.dtype.kind == "f" else float(np.iinfo(frame.dtype).max)


def _alpha_of(picture: np.ndarray, path: Path, has_alpha: bool) -> np.ndarray:
    if picture.shape[2] == 1 or (has_alpha and _is_rgba(picture)):
        return picture[..., -1]
    red, green, blue = np.moveaxis(picture[..., :3], -1, 0)
    most, least = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    spread = float((most - least).max()) / white_of(picture) * 255
    if spread > GRAY_WITHIN:
        raise InputError(
            f"alpha {path}",
            got=f"a coloured picture (channels {spread:.0f} of 255 apart)",
            wanted="gray, or images with an alpha channel",
            do="Hand in the alpha, not the foreground or the composite.",
        )
    return green
