"""Masks from movies, image runs, stills and label images: gray 0..255 at the clip's size, one per frame of the clip.

What a pixel's mask value is: the alpha channel, if the file has one that is not opaque everywhere; else its gray value.
16-bit and float masks are scaled to 0..255, EXR mattes are taken as they are (a matte is not light, so no curve).
Coloured masks are refused: how much of a mask a red pixel is, the file does not say.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lamina.errors import InputError
from lamina.media.clip_info import ClipInfo, part_of
from lamina.media.image_file import png_palette, read_image
from lamina.media.sequence import SequenceSource
from lamina.media.source import open_source
from lamina.media.video import MovieSource, alpha_of, is_limited_gray, rgb_of

MAX_COLOUR_SPREAD = 48
"""Largest difference between a gray pixel's channels, of 255; lossy codecs stay far below."""

MAX_LABELS = 64
"""More distinct values than this in label images are taken for a soft mask."""

EMPTY_BELOW, FULL_ABOVE = 13, 242
"""Mask values under 5 % and over 95 %: nothing, and everything, as far as codec noise lets one tell."""


@dataclass(frozen=True)
class MaskSource:
    """The mask of one object, frame by frame. Made by `open_mask` and `open_labels`."""

    name: str
    path: Path
    like: ClipInfo
    """The clip it belongs to, which gives its size and number of frames."""
    read_stored: Callable[[int, int], Iterator[np.ndarray]] = field(repr=False)
    """Frames start..stop-1 at the size of the file."""

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Masks of frames start..stop-1 as `h w` uint8, 0 outside and 255 inside, at the clip's size.

        Raises:
            InputError: a frame is coloured.
            MediaError: a frame cannot be read.
            ValueError: the clip does not have these frames.
        """
        stop = self.like.frames if stop is None else stop
        if not 0 <= start <= stop <= self.like.frames:
            raise ValueError(f"mask {self.name!r} has frames 0..{self.like.frames - 1}, asked for {start}..{stop - 1}.")
        size = self.like.width, self.like.height
        return (_resize(mask, size) for mask in self.read_stored(start, stop))


def open_mask(name: str, path: str | Path, like: ClipInfo) -> MaskSource:
    """Open the mask of one object.

    Args:
        name: the object's name, as it will appear in the stack.
        path: a movie, a folder or pattern of images, or one image, which then holds for the whole clip.
        like: the clip. Its frame count must be the mask's; for a part of a clip, a mask of the whole clip serves too
            and the same part of it is used. Its size must be the mask's, or the same shape scaled.

    Raises:
        InputError: nothing at `path`, counts or shapes differ.
        MediaError: the file cannot be read.
    """
    path = Path(path)
    if path.is_file() and isinstance(still := open_source(path), SequenceSource):
        _check_shape(f"mask {name!r}", still.info, like)
        return MaskSource(name, path, like, partial(_read_still, still, name))
    opened = open_source(path)
    source = replace(opened, info=_same_part(f"mask {name!r}", opened.info, like))
    _check_shape(f"mask {name!r}", source.info, like)
    if isinstance(source, MovieSource):
        return MaskSource(name, path, like, partial(_read_movie, source, name, _is_matte(_movie_alphas(source))))
    return MaskSource(name, path, like, partial(_read_images, source, name, _is_matte(_image_alphas(source))))


def open_labels(folder: str | Path, like: ClipInfo) -> list[MaskSource]:
    """Open images in which every object has a gray value or a colour of its own (DAVIS style); black is none.

    All frames are read once to find the objects. They are named obj_01, obj_02, ... by gray value, by place in the
    palette of the first image that has one, and else by colour; so the names do not depend on who appears first.

    Raises:
        InputError: not images, no object in them, more than 64 (a soft mask?), counts or shapes unlike the clip's.
        MediaError: a file cannot be read.
    """
    source = open_source(folder)
    if not isinstance(source, SequenceSource):
        raise InputError("labels", got="a movie", wanted="a folder of label images", do="Hand a movie to --mask.")
    source = replace(source, info=_same_part("labels", source.info, like))
    _check_shape("labels", source.info, like)
    labels = _find_labels(source)
    digits = max(2, len(str(len(labels))))
    return [
        MaskSource(f"obj_{number:0{digits}}", Path(folder), like, partial(_read_label, source, label))
        for number, label in enumerate(labels, 1)
    ]


def _find_labels(source: SequenceSource) -> list[int]:
    present = np.zeros(1 << 24, bool)
    for path in source.paths():
        present[_label_codes(path)] = True
        found = np.count_nonzero(present[1:])
        if found > MAX_LABELS:
            raise _not_labels(f"more than {MAX_LABELS} values in {path.name}", "Hand a soft mask to --mask NAME=PATH.")
    if not present[1:].any():
        raise _not_labels("only black in all frames", "Check that it is the right folder.")
    palette = next(filter(None, map(png_palette, source.paths())), [])
    place = {_code_of(*colour): index for index, colour in reversed(list(enumerate(palette)))}
    codes = [int(code) for code in np.flatnonzero(present) if code]
    return sorted(codes, key=lambda code: (place.get(code, len(place)), code))


def _not_labels(got: str, do: str) -> InputError:
    return InputError("labels", got=got, wanted=f"1 to {MAX_LABELS} gray values or colours, one per object", do=do)


def _label_codes(path: Path) -> np.ndarray:
    """One whole number per pixel: the gray value, or the colour as 0xRRGGBB; 0 is background."""
    image = read_image(path)
    if image.shape[2] == 1 and image.dtype != np.float32:
        return image[..., 0].astype(np.int32)
    if image.dtype != np.uint8:
        raise _not_labels(f"{image.dtype} colours in {path.name}", "Save label images with 8 bits.")
    red, green, blue = (image[..., channel].astype(np.int32) for channel in range(3))
    return _code_of(red, green, blue)


def _code_of(red: Any, green: Any, blue: Any) -> Any:
    return (red << 16) | (green << 8) | blue


def _read_label(source: SequenceSource, label: int, start: int, stop: int) -> Iterator[np.ndarray]:
    for path in source.paths(start, stop):
        yield np.where(_label_codes(path) == label, np.uint8(255), np.uint8(0))


def _same_part(what: str, info: ClipInfo, like: ClipInfo) -> ClipInfo:
    """The part of a mask that belongs to the clip, which may be a part itself."""
    if info.frames == like.frames:
        return info
    if info.frames == like.source_frames:
        first = info.first_number + like.skipped_before
        return part_of(info, (first, first + like.frames - 1))
    whole = f" (or {like.source_frames}, as the whole clip)" if like.source_frames != like.frames else ""
    raise InputError(
        what,
        got=f"{info.frames} frame{'s' if info.frames != 1 else ''}",
        wanted=f"{like.frames}, as many as the clip{whole}",
        do="Trim the clip or the mask; to hold one image for the whole clip, name the image file itself.",
    )


def _check_shape(what: str, mask: ClipInfo, like: ClipInfo) -> None:
    """Same shape: one scale takes the clip's size to the mask's to within a pixel's rounding."""
    by_width = abs(mask.height - like.height * mask.width / like.width) <= 1
    by_height = abs(mask.width - like.width * mask.height / like.height) <= 1
    if not (by_width or by_height):
        raise InputError(
            what,
            got=f"{mask.width}x{mask.height}",
            wanted=f"{like.width}x{like.height} as the clip, or the same shape scaled",
            do="Render the mask at the clip's size.",
        )


def _resize(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if mask.shape[::-1] == size:
        return mask
    shrinks = size[0] < mask.shape[1]
    return cv2.resize(mask, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _read_still(source: SequenceSource, name: str, start: int, stop: int) -> Iterator[np.ndarray]:
    mask = _mask_of_image(read_image(source.files[0]), _is_matte(_image_alphas(source)), name, "the image")
    for _ in range(start, stop):
        yield mask.copy()


def _read_images(source: SequenceSource, name: str, use_alpha: bool, start: int, stop: int) -> Iterator[np.ndarray]:
    for path in source.paths(start, stop):
        yield _mask_of_image(read_image(path), use_alpha, name, path.name)


def _mask_of_image(image: np.ndarray, use_alpha: bool, name: str, where: str) -> np.ndarray:
    if use_alpha and image.shape[2] == 4:
        return _to_bytes(image[..., 3])
    return _gray(_to_bytes(image[..., :3] if image.shape[2] >= 3 else image), name, where)


def _read_movie(source: MovieSource, name: str, use_alpha: bool, start: int, stop: int) -> Iterator[np.ndarray]:
    for number, frame in enumerate(source.decode(start, stop), start):
        alpha = alpha_of(frame) if use_alpha else None
        values = alpha[..., None] if alpha is not None else _to_bytes(rgb_of(frame))
        if alpha is None and is_limited_gray(frame):
            values = _EXPAND_LIMITED[values]
        yield _gray(source.orientation.upright(values), name, f"frame {number}")


_EXPAND_LIMITED = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)


def _to_bytes(values: np.ndarray) -> np.ndarray:
    if values.dtype == np.uint8:
        return values
    scale = 255 / 65535 if values.dtype == np.uint16 else 255
    return np.clip(np.rint(values * np.float32(scale)), 0, 255).astype(np.uint8)


def _gray(image: np.ndarray, name: str, where: str) -> np.ndarray:
    if image.shape[2] == 1:
        return np.ascontiguousarray(image[..., 0])
    if _colour_spread(image) > MAX_COLOUR_SPREAD:
        spread = image.max(axis=2) - image.min(axis=2)
        row, column = np.unravel_index(np.argmax(spread), spread.shape)
        colour = tuple(int(value) for value in image[row, column])
        raise InputError(
            f"mask {name!r}",
            got=f"the colour {colour} in {where} at x={column}, y={row}",
            wanted="white on black, or an alpha channel",
            do="Make it gray; a picture with one colour per object goes to --labels.",
        )
    return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)


def _colour_spread(image: np.ndarray) -> float:
    """The largest difference between the channels of a pixel; NumPy's maxima over three of them are far slower."""
    red, green, blue = cv2.split(image)
    return max(cv2.norm(a, b, cv2.NORM_INF) for a, b in ((red, green), (green, blue), (red, blue)))


def _is_matte(alphas: Iterator[np.ndarray]) -> bool:
    """Whether an alpha channel says anything, that is, whether it is anywhere other than opaque."""
    return any(int(alpha.min()) < 255 for alpha in alphas)


def _movie_alphas(source: MovieSource) -> Iterator[np.ndarray]:
    for frame in source.decode():
        alpha = alpha_of(frame)
        if alpha is None:
            return
        yield alpha


def _image_alphas(source: SequenceSource) -> Iterator[np.ndarray]:
    for path in source.paths():
        image = read_image(path)
        if image.shape[2] != 4:
            return
        yield _to_bytes(image[..., 3])


def check_mask(mask: MaskSource) -> None:
    """Read a mask until it is known to be of use: somewhere it shows an object, and somewhere it does not.

    Raises:
        InputError: it is empty in all frames, or covers every pixel of every frame.
    """
    shows, leaves = False, False
    for frame in mask.read():
        shows |= int(frame.max()) >= EMPTY_BELOW
        leaves |= int(frame.min()) <= FULL_ABOVE
        if shows and leaves:
            return
    raise InputError(
        f"mask {mask.name!r}",
        got="an empty mask in all frames" if not shows else "a mask that covers every pixel of every frame",
        wanted="white on the object and black around it",
        do="Check that it is the right file" + ("." if not shows else " and not inverted."),
    )
