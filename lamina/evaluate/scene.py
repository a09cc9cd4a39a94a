"""Scenes whose every part is known: rendered ones, and clips that were shot with their empty background."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamina.errors import InputError
from lamina.evaluate.folders import find_clip
from lamina.evaluate.reading import check_fits, open_beside
from lamina.media.clip_info import ClipInfo, FrameSource
from lamina.media.source import open_source

INPUTS = ("input", "frames")
TRUTHS = ("background", "bg_gt")
"""Names of clips: movies of any ending, or folders of images; the first that is there counts."""


@dataclass(frozen=True)
class Scene:
    """A scene with truth: rendered, or a clip that was shot with its empty background."""

    clip: FrameSource
    truth: FrameSource
    names: tuple[str, ...]
    masks: tuple[Path, ...]
    solos: tuple[FrameSource, ...]
    """One per object, or none where they are not known."""
    shot: bool
    """Truth carries noise, masks are rough."""
    extras: Mapping[str, tuple[Path, ...]]
    """Truth that only some scenes have, one file per object: "effect_alpha", "object_alpha", "transplant"."""
    other_ground: FrameSource | None
    """The empty background of `transplant`."""


EXTRAS = ("effect_alpha", "object_alpha", "transplant")


def open_scene(folder: Path) -> Scene:
    """Open a scene folder; see the page about evaluation for its files.

    Raises:
        InputError: a file is missing, or does not fit the others.
        MediaError: a file cannot be read.
    """
    clip = open_source(_one_of(folder, INPUTS))
    truth = open_beside("truth", _one_of(folder, TRUTHS), clip.info, still=True)
    masks = scene_masks(folder)
    if not masks:
        raise missing_part(folder, "no mask_00", "mask_00.mp4 (or a folder mask_00) and so on, one per object")
    shot, names = _names(folder, len(masks))
    solos = tuple(open_beside("solo", path, clip.info) for path in _numbered(folder, "solo"))
    if not solos and len(masks) == 1:
        solos = (clip,)
    if solos and len(solos) != len(masks):
        raise missing_part(folder, f"{len(solos)} solos", f"{len(masks)}, as many as masks")
    extras = {name: _extra(folder, name, len(masks), clip.info) for name in EXTRAS}
    grounds = _clips(folder, ("transplant_background",))
    other = open_beside("background", grounds[0], clip.info, still=True) if grounds else None
    return Scene(clip, truth, names, masks, solos, shot, {k: v for k, v in extras.items() if v}, other)


def _extra(folder: Path, name: str, count: int, like: ClipInfo) -> tuple[Path, ...]:
    """Files of optional truth: none at all, or one for each object."""
    paths = tuple(_numbered(folder, name))
    if paths and len(paths) != count:
        raise missing_part(folder, f"{len(paths)} files {name}_NN", f"{count}, as many as masks")
    for path in paths:
        check_fits(name, path, open_source(path).info, like)
    return paths


def scene_masks(folder: Path) -> tuple[Path, ...]:
    """The masks of a scene, one per object."""
    return tuple(_numbered(folder, "mask"))


def is_scene(folder: Path) -> bool:
    """Whether a folder holds a clip and its empty background."""
    return bool(_clips(folder, INPUTS) and _clips(folder, TRUTHS))


def _names(folder: Path, count: int) -> tuple[bool, tuple[str, ...]]:
    """Whether the clip was shot, and its objects' names."""
    path = folder / "scene.json"
    if not path.exists():
        return True, tuple(f"obj_{k:02d}" for k in range(count))
    names = tuple(json.loads(path.read_text(encoding="utf-8")).get("objects", ()))
    if len(names) != count:
        raise missing_part(folder, f"{len(names)} names of objects in scene.json", f"{count}, as many as masks")
    return False, names


def _one_of(folder: Path, names: Sequence[str]) -> Path:
    found = _clips(folder, names)
    if not found:
        raise missing_part(folder, f"no clip {' or '.join(names)}", "a movie or a folder of images")
    return found[0]


def _clips(folder: Path, names: Sequence[str]) -> list[Path]:
    """The clips of these names that are there; a still counts too."""
    found = [find_clip(folder, name) or folder / f"{name}.png" for name in names]
    return [path for path in found if path.exists()]


def _numbered(folder: Path, name: str) -> Iterator[Path]:
    """NAME_00, NAME_01 and so on, movies or folders of images."""
    return (path for path in sorted(folder.glob(f"{name}_[0-9][0-9]*")) if path.is_dir() or path.suffix)


def missing_part(folder: Path, got: str, wanted: str) -> InputError:
    return InputError(f"scene {folder}", got=got, wanted=wanted, do="The page about evaluation lists a scene's files.")
