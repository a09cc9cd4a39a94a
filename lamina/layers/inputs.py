"""Opening what the user gave, and checking that it fits together, before anything is written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from lamina.clip import check_layer_names
from lamina.errors import InputError
from lamina.media.clip_info import ClipInfo, FrameSource
from lamina.media.mask_source import MaskSource, check_mask, open_labels, open_mask
from lamina.media.preview import PreviewSource
from lamina.media.sequence import SequenceSource
from lamina.media.source import open_source
from lamina.media.still import held
from lamina.removal.shot import Shot


@runtime_checkable
class Marked(Protocol):
    """What of a task's configuration says which clip and which objects."""

    @property
    def input(self) -> Path: ...
    @property
    def mask(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> Path | None: ...
    @property
    def frames(self) -> str | None: ...


@runtime_checkable
class Given(Marked, Protocol):
    """And with what removal is helped."""

    @property
    def preserve(self) -> Path | None: ...
    @property
    def plate(self) -> Path | None: ...
    @property
    def preview(self) -> bool: ...


@runtime_checkable
class Painted(Protocol):
    """What may be painted by hand."""

    @property
    def preserve(self) -> Path | None: ...
    @property
    def trimask(self) -> Path | None: ...


@dataclass(frozen=True)
class Opened:
    """Clip, masks and extras, ready to read."""

    clip: FrameSource
    masks: Sequence[MaskSource]
    preserve: MaskSource | None
    plate: FrameSource | None

    def shot(self, work: Path, workers: int) -> Shot:
        return Shot(self.clip, self.masks, self.preserve, self.plate, work, workers)


def open_inputs(given: Given) -> Opened:
    """Open everything and check it.

    Raises:
        InputError, MediaError: what is wrong, before the output folder is touched.
    """
    clip = open_clip(given)
    if given.preview:
        clip = PreviewSource(clip)
    masks = open_masks(given, clip)
    preserve = open_mask("preserve", given.preserve, clip.info) if given.preserve else None
    return Opened(clip, masks, preserve, _open_plate(given.plate, clip, given.preview))


def open_clip(given: Marked) -> FrameSource:
    """The clip's frames that were asked for."""
    return open_source(given.input, _frame_range(given.frames))


def open_masks(given: Marked, clip: FrameSource) -> list[MaskSource]:
    """The objects' masks, each looked through once."""
    masks = _mask_sources(given, clip)
    for mask in masks:
        check_mask(mask)
    return masks


def _mask_sources(given: Marked, clip: FrameSource) -> list[MaskSource]:
    if bool(given.mask) == bool(given.labels):
        raise InputError(
            "masks",
            got="both --mask and --labels" if given.mask else "neither --mask nor --labels",
            wanted="one of them",
            do="Give --mask NAME=PATH once per object, or --labels FOLDER.",
        )
    if given.labels:
        return list(open_labels(given.labels, clip.info))
    pairs = [name_and_path("--mask", entry) for entry in given.mask]
    check_layer_names([name for name, _ in pairs])
    taken = [name for name, _ in pairs if name.lower() == "plate"]
    if taken:
        raise InputError(
            f"layer name {taken[0]!r}",
            got="the plate's own name",
            wanted="another name",
            do="Rename the object, exports would overwrite one with the other.",
        )
    check_once("--mask", pairs)
    return [open_mask(name, path, clip.info) for name, path in pairs]


def check_once(flag: str, pairs: Sequence[tuple[str, str]]) -> None:
    """Raise InputError when two objects are given the same file: every pixel would be split between them."""
    owner: dict[Path, str] = {}
    for name, path in pairs:
        first = owner.setdefault(Path(path).resolve(), name)
        if first is not name:
            raise InputError(
                f"{flag} {name}={path}",
                got=f"the file of {first}",
                wanted="a file of its own",
                do="Give every object its own.",
            )


def name_and_path(flag: str, entry: str) -> tuple[str, str]:
    """The two halves of NAME=PATH."""
    name, equals, path = entry.partition("=")
    if not equals or not name or not path:
        raise InputError(
            f"{flag} {entry}", got=repr(entry), wanted="NAME=PATH", do=f"Write for instance {flag} dog=dog.mp4."
        )
    return name, path


def _frame_range(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, dash, last = text.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise InputError(
            f"--frames {text}", got=repr(text), wanted="A-B with A not after B", do="Write for instance 1001-1048."
        )
    return int(first), int(last)


def _open_plate(path: Path | None, clip: FrameSource, preview: bool) -> FrameSource | None:
    if path is None:
        return None
    plate = open_alike(path, clip.info)
    if preview:
        plate = PreviewSource(plate)
    info, wanted = plate.info, clip.info
    if (info.width, info.height) != (wanted.width, wanted.height):
        raise InputError(
            f"--plate {path}",
            got=f"{info.width} x {info.height}",
            wanted=f"{wanted.width} x {wanted.height}, the clip's size",
            do="Resize the plate to the clip.",
        )
    if info.frames not in (1, wanted.frames):
        raise InputError(
            f"--plate {path}",
            got=f"{info.frames} frames",
            wanted=f"one still, or {wanted.frames} frames as the clip has",
            do="Trim the plate, or give one still.",
        )
    return held(plate, wanted)


def open_alike(path: Path, clip: ClipInfo) -> FrameSource:
    """A movie or images beside a clip: of the clip's own frames where it holds those of the whole source."""
    source = open_source(path)
    info = source.info
    if clip.source_frames == clip.frames or info.frames != clip.source_frames:
        return source
    first = info.first_number + clip.skipped_before
    return open_source(path, (first, first + clip.frames - 1))


def number_padding(clip: FrameSource) -> int:
    """Digits of the clip's frame numbers, 0 for a movie."""
    if isinstance(clip, PreviewSource):
        return number_padding(clip.full)
    if not isinstance(clip, SequenceSource):
        return 0
    digits = re.search(r"(\d+)$", clip.files[0].stem)
    return len(digits[1]) if digits else 0


def open_painted(given: Painted, opened: Opened) -> MaskSource | None:
    """The trimask that the user has painted.

    Raises:
        InputError: it would have to speak for several objects, or beside `preserve`; or as `open_mask` does.
        MediaError: it cannot be read.
    """
    if given.trimask is None:
        return None
    if len(opened.masks) > 1 or given.preserve is not None:
        raise InputError(
            "--trimask",
            got="--preserve too" if len(opened.masks) == 1 else f"{len(opened.masks)} objects",
            wanted="one object, and all that the model is told in the painting",
            do="Leave --trimask out, or paint what is to be kept white and run once per object.",
        )
    return open_mask("trimask", given.trimask, opened.clip.info)
