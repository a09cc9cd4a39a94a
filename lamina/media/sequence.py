"""Runs of numbered image files as clips."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, cast

import numpy as np

from lamina.color import SRGB
from lamina.errors import InputError
from lamina.media.clip_info import ClipInfo, frame_range, part_of
from lamina.media.image_file import IMAGE_SUFFIXES, image_size, picture_of

FILM_RATE = Fraction(24)
"""Frames per second of an image sequence unless the user says otherwise."""

_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<number>\d+)(?P<suffix>\.[^.\d][^.]*)")
_PLACEHOLDER = re.compile(r"%0?(?P<width>\d*)d|(?P<hashes>#+)")


@dataclass(frozen=True)
class SequenceSource:
    """The frames of a numbered run of images. Made by `open_sequence`."""

    info: ClipInfo
    files: tuple[Path, ...]

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Frames start..stop-1 as `h w 3` RGB; see `FrameSource.read`."""
        wanted = (self.info.height, self.info.width, 3), self.info.dtype
        for path in self.paths(start, stop):
            picture = picture_of(path)
            if (picture.shape, picture.dtype) != wanted:
                raise _mixed(path, f"{picture.shape[1]}x{picture.shape[0]} {picture.dtype}", self.info)
            yield picture

    def paths(self, start: int = 0, stop: int | None = None) -> Iterator[Path]:
        """The files of frames start..stop-1."""
        for position in frame_range(self.info, start, stop):
            yield self.files[position]


def is_sequence(path: Path) -> bool:
    """Whether `path` means images: a folder, an image file, or a pattern with a place for the number."""
    return path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES or (not path.exists() and _is_pattern(path))


def _is_pattern(path: Path) -> bool:
    return _PLACEHOLDER.search(path.name) is not None


def open_sequence(path: Path, frames: tuple[int, int] | None = None, rate: Fraction = FILM_RATE) -> SequenceSource:
    """Open a folder, pattern or single file of images; `frames` are the first and last number to use.

    All headers are read, so that a frame of another size is found before work begins.

    Raises:
        InputError: nothing there, several runs in one folder, numbers missing, sizes mixed, `frames` outside the run.
        MediaError: the first image, or the header of another one, cannot be read.
    """
    if rate <= 0:
        raise InputError("rate", got=str(rate), wanted="more than 0 frames per second", do="Give the sequence's rate.")
    numbered = _find_files(path)
    _check_no_gap(path, numbered)
    files = tuple(numbered[number] for number in sorted(numbered))
    info = _describe(path, files, min(numbered), Fraction(rate))
    _check_sizes(files, info)
    return SequenceSource(info if frames is None else part_of(info, frames), files)


def _find_files(path: Path) -> dict[int, Path]:
    if path.is_dir():
        return _one_run(path, (file for file in path.iterdir() if _is_image(file)))
    if path.is_file():
        return {_number_of(path): path}
    if _is_pattern(path) and path.parent.is_dir():
        shape = _pattern_shape(path.name)
        return _one_run(path, (file for file in path.parent.iterdir() if file.is_file() and shape.fullmatch(file.name)))
    raise InputError(f"images {path}", got="no such file or folder", wanted="a clip", do="Check the path.")


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".") and file.is_file()


def _pattern_shape(name: str) -> re.Pattern[str]:
    place = list(_PLACEHOLDER.finditer(name))[-1]
    width = len(place["hashes"]) if place["hashes"] else int(place["width"] or 1)
    before, after = re.escape(name[: place.start()]), re.escape(name[place.end() :])
    # Padding is a least width: shot.%04d.png goes on with shot.10000.png.
    return re.compile(f"{before}\\d{{{width},}}{after}")


def _one_run(path: Path, files: Iterable[Path]) -> dict[int, Path]:
    runs: dict[str, list[Path]] = {}
    for file in sorted(files):
        runs.setdefault(_run_name(file), []).append(file)
    if len(runs) > 1:
        found = ", ".join(f"{name} ({len(members)})" for name, members in list(runs.items())[:4])
        raise InputError(
            f"images {path}",
            got=f"{len(runs)} runs: {found}",
            wanted="one",
            do="Name one with a pattern such as shot.####.png.",
        )
    if not runs:
        raise InputError(
            f"images {path}",
            got="no matching image",
            wanted="files ending in " + " ".join(IMAGE_SUFFIXES),
            do="Check the path and the pattern.",
        )
    return _by_number(path, next(iter(runs.values())))


def _run_name(file: Path) -> str:
    match = _NUMBERED.fullmatch(file.name)
    return f"{match['prefix']}#{match['suffix'].lower()}" if match else file.name


def _by_number(path: Path, files: list[Path]) -> dict[int, Path]:
    numbered: dict[int, Path] = {}
    for file in files:
        twin = numbered.setdefault(_number_of(file), file)
        if twin is not file:
            raise InputError(
                f"images {path}",
                got=f"{twin.name} and {file.name}",
                wanted="each number once",
                do="Remove one of them.",
            )
    return numbered


def _number_of(file: Path) -> int:
    match = _NUMBERED.fullmatch(file.name)
    return int(match["number"]) if match else 0


def _check_no_gap(path: Path, numbered: dict[int, Path]) -> None:
    first, last = min(numbered), max(numbered)
    gone = last - first + 1 - len(numbered)
    if gone:
        shown = [str(number) for number in _first_missing(numbered, first, 5)]
        more = f" and {gone - len(shown)} more" if gone > len(shown) else ""
        raise InputError(
            f"images {path}",
            got=f"{first}-{last} without {', '.join(shown)}{more}",
            wanted="every number",
            do="Render the missing frames, or name a run without a gap.",
        )


def _first_missing(numbered: dict[int, Path], first: int, count: int) -> list[int]:
    missing: list[int] = []
    number = first
    while len(missing) < count and number < max(numbered):
        if number not in numbered:
            missing.append(number)
        number += 1
    return missing


def _describe(path: Path, files: tuple[Path, ...], first_number: int, rate: Fraction) -> ClipInfo:
    picture = picture_of(files[0])
    return ClipInfo(
        path=path,
        kind="sequence",
        frames=len(files),
        width=picture.shape[1],
        height=picture.shape[0],
        dtype=cast(Literal["uint8", "uint16", "float32"], picture.dtype.name),
        depth_bits=picture.dtype.itemsize * 8,
        pts=tuple(range(len(files))),
        time_base=1 / rate,
        rate=rate,
        first_number=first_number,
        color=SRGB,
        has_audio=False,
    )


def _check_sizes(files: tuple[Path, ...], info: ClipInfo) -> None:
    """Compare stored sizes with each other: a camera's JPEG may be stored lying and shown upright."""
    wanted = image_size(files[0])
    for file in files[1:]:
        size = image_size(file)
        if wanted and size and size != wanted:
            raise _mixed(file, f"{size[0]}x{size[1]}", info)


def _mixed(file: Path, got: str, info: ClipInfo) -> InputError:
    return InputError(
        f"image {file}",
        got=got,
        wanted=f"{info.width}x{info.height} {info.dtype} as the first frame",
        do="Render all frames at one size and depth.",
    )
