"""Real clips with masks on disk, read in the length and at the size that one pair needs."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from lamina.errors import InputError, MediaError
from lamina.levels import from_levels, to_levels
from lamina.media.clip_info import ClipInfo, FrameSource
from lamina.media.image_file import IMAGE_SUFFIXES
from lamina.media.mask_source import MaskSource, open_mask
from lamina.media.source import open_source

OBJECT_LEAST = 128
"""From this mask value on, of 255, a pixel is the object's."""
VIDEOS = ("input", "input_video", "frames")
_MASK = re.compile(r"mask_?(\d+)")


@dataclass(frozen=True)
class MaskedClip:
    """A clip and the masks of its objects. Files are opened when they are first needed.

    Raises on reading InputError when masks do not fit the clip, MediaError when a file cannot be read.
    """

    name: str
    video: Path
    masks: tuple[Path, ...] = ()
    """One per object; each a movie, a folder or pattern of images, or one image for the whole clip."""
    caption: str = ""
    """What the clip shows without its objects."""

    @cached_property
    def source(self) -> FrameSource:
        return open_source(self.video)

    @property
    def info(self) -> ClipInfo:
        return self.source.info

    @cached_property
    def mask_sources(self) -> tuple[MaskSource, ...]:
        return tuple(open_mask(f"{self.name}_{k:02}", path, self.info) for k, path in enumerate(self.masks))

    def read_masks(
        self, start: int, stop: int, size: tuple[int, int]
    ) -> Iterator[tuple[Bool[np.ndarray, "h w"], ...]]:
        """Per frame the mask of every object at `size` (width, height)."""
        for masks in zip(*(mask.read(start, stop) for mask in self.mask_sources), strict=True):
            yield tuple(resize(mask, size) >= OBJECT_LEAST for mask in masks)

    def objects(
        self, start: int, stop: int, size: tuple[int, int], only: int | None = None
    ) -> Bool[np.ndarray, "t h w"]:
        """All objects' masks as one, or the mask of number `only`, at `size` (width, height).

        Without masks there is no object anywhere.
        """
        united = np.zeros((stop - start, size[1], size[0]), bool)
        for number, source in enumerate(self.mask_sources):
            if only in (None, number):
                for out, mask in zip(united, source.read(start, stop), strict=True):
                    out |= resize(mask, size) >= OBJECT_LEAST
        return united


def read_small(frames: Iterable[np.ndarray], count: int, size: tuple[int, int]) -> UInt8[np.ndarray, "t h w 3"]:
    """`count` frames of any number type, each made `size` (width, height) and 8 bits as it comes."""
    small = np.empty((count, size[1], size[0], 3), np.uint8)
    for out, frame in zip(small, frames, strict=True):
        frame = resize(frame, size)
        out[...] = frame if frame.dtype == np.uint8 else from_levels(to_levels(frame).clip(0, 1), np.dtype(np.uint8))
    return small


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture or mask at `size` (width, height): box average when shrinking, bilinear when growing."""
    if picture.shape[1::-1] == size:
        return picture
    shrinks = size[0] <= picture.shape[1] and size[1] <= picture.shape[0]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def size_within(info: ClipInfo, short_px: int) -> tuple[int, int]:
    """(width, height) with the shorter side at most `short_px`, the shape kept; never larger than the clip."""
    scale = min(1.0, short_px / min(info.width, info.height))
    return max(1, round(info.width * scale)), max(1, round(info.height * scale))


def find_clips(folder: str | Path) -> tuple[MaskedClip, ...]:
    """Clips below `folder`, by name: each in a folder of its own (or `folder` itself is one).

    A clip's folder has `input.mp4`, `input_video.mp4` or any other movie of these names, or images in `input/` or
    `frames/`; masks as `mask_00.mp4`, `mask_01/` and so on; and may have `prompt.json` with the key `bg`, a caption.

    Raises:
        InputError: there is no such folder, or no clip in it.
        MediaError: a prompt.json cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"clips {folder}", got="no such folder", wanted="a folder of clips", do="Check the path.")
    places = [folder, *sorted(entry for entry in folder.iterdir() if entry.is_dir())]
    clips = tuple(clip for place in places if (clip := _clip_in(place)))
    if not clips:
        raise InputError(
            f"clips {folder}",
            got="no folder with a clip",
            wanted="NAME/input.mp4 (or NAME/frames/) beside NAME/mask_00.mp4 (or NAME/mask_00/)",
            do="Sort the clips like this.",
        )
    return clips


def find_masks(folder: Path) -> tuple[Path, ...]:
    """`mask_00.mp4`, `mask_01/` and so on in a folder, by number. Raises InputError when a number occurs twice."""
    numbered: dict[int, Path] = {}
    for entry in sorted(folder.iterdir()):
        if (match := _MASK.fullmatch(entry.stem if entry.is_file() else entry.name)) is None:
            continue
        twin = numbered.setdefault(int(match[1]), entry)
        if twin is not entry:
            got = f"{twin.name} and {entry.name}"
            raise InputError(f"masks in {folder}", got=got, wanted="each number once", do="Remove one of them.")
    return tuple(numbered[number] for number in sorted(numbered))


def read_caption(folder: Path) -> str:
    """What `prompt.json` says under "bg", "" without such a file. Raises MediaError when it cannot be read."""
    path = folder / "prompt.json"
    if not path.exists():
        return ""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["bg"]).strip()
    except (OSError, ValueError, KeyError, TypeError) as error:
        wanted = 'JSON with the key "bg"'
        raise MediaError(f"{path}", got=str(error) or "nothing", wanted=wanted, do="Mend or remove it.") from error


def check_any(clips: Sequence[MaskedClip], wanted: str, masks: bool = True) -> None:
    """Raise InputError unless there is a clip and, where `masks` are needed, each one has some."""
    without = [clip.name for clip in clips if masks and not clip.masks]
    if without or not clips:
        got = f"no mask of {', '.join(without[:3])}" if without else "no clip"
        raise InputError("clips", got=got, wanted=wanted, do="Give clips as find_clips() describes them.")


def _clip_in(folder: Path) -> MaskedClip | None:
    entries = [entry for entry in sorted(folder.iterdir()) if entry.stem in VIDEOS and not entry.name.startswith(".")]
    videos = [entry for entry in entries if entry.is_dir() or entry.suffix.lower() not in (*IMAGE_SUFFIXES, ".json")]
    if not videos:
        return None
    return MaskedClip(folder.name, videos[0], find_masks(folder), read_caption(folder))
