"""A stack, or some of its layers, over its plate or another background, as one movie."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np

from lamina.alpha import lay_over
from lamina.errors import InputError, OutputError
from lamina.levels import from_levels, to_levels
from lamina.media.movie import write_movie
from lamina.media.sequence import is_sequence
from lamina.media.source import FrameSource, open_source
from lamina.media.stack import StackManifest, StackReader, open_stack
from lamina.report import Report, no_report


@dataclass(frozen=True)
class ComposeConfig:
    """What to lay over what, and where to write it."""

    stack: Path
    """Folder that `lamina decompose` wrote."""
    out: Path
    """Movie to write, .mp4 for instance; it begins at 0. The sound of the source clip is copied into it, or written as
    .wav beside it where such a movie cannot hold it. An older file of this name is replaced."""
    without: tuple[str, ...] = ()
    """Name of a layer to leave out, with its shadow and reflection. May be given several times."""
    background: Path | None = None
    """Movie, images or one still to lay the layers over instead of the plate. It has the stack's size; a movie or a run
    of images has its number of frames too, a still holds for all of them."""


def compose(config: ComposeConfig, report: Report = no_report) -> Path:
    """Write the movie and return its path; one frame at a time is in memory.

    Raises:
        InputError: a name in `without` is no layer, or the background does not fit.
        MediaError: stack or background cannot be read.
        OutputError: the movie would replace what it is made from, or cannot be written.
    """
    config = ComposeConfig(Path(config.stack), Path(config.out), tuple(config.without), config.background)
    stack = open_stack(config.stack)
    names = _kept(stack.manifest, config.without)
    background = _open_background(config.background, stack.manifest)
    _protect(config, stack.manifest)
    frames = _counted(_composed(stack, names, background), len(stack.manifest.pts), report)
    manifest = stack.manifest
    write_movie(config.out, frames, manifest.pts, manifest.time_base, _sound_of(manifest), manifest.color)
    return config.out


def _kept(manifest: StackManifest, without: tuple[str, ...]) -> list[str]:
    unknown = [name for name in without if name not in manifest.layer_names]
    if unknown:
        raise InputError(
            "--without",
            got=", ".join(map(repr, unknown)),
            wanted=f"one of {', '.join(manifest.layer_names)}",
            do="Names are those of stack.json, in upper and lower case as there.",
        )
    return [name for name in manifest.layer_names if name not in without]


def _open_background(path: Path | None, manifest: StackManifest) -> FrameSource | None:
    if path is None:
        return None
    background = open_source(path)
    got, wanted = background.info, len(manifest.pts)
    if (got.width, got.height) != (manifest.width, manifest.height):
        raise InputError(
            f"background {path}",
            got=f"{got.width}x{got.height}",
            wanted=f"{manifest.width}x{manifest.height}, as the stack",
            do="Scale or crop it first.",
        )
    if got.frames not in (1, wanted):
        raise InputError(
            f"background {path}",
            got=f"{got.frames} frames",
            wanted=f"{wanted}, as the stack, or a single still",
            do="Trim it first.",
        )
    return background


def _protect(config: ComposeConfig, manifest: StackManifest) -> None:
    """Refuse to write over what is being read."""
    out, stack = config.out.resolve(), config.stack.resolve()
    read = {Path(manifest.source.path).resolve()} | (
        {Path(config.background).resolve()} if config.background else set()
    )
    if out in read or stack in out.parents or out == stack:
        raise OutputError(
            f"movie {config.out}",
            got="a file that the movie is made from, or one inside the stack",
            wanted="a place of its own",
            do="Choose another name with -o.",
        )


def _composed(stack: StackReader, names: list[str], background: FrameSource | None) -> Iterator[np.ndarray]:
    """Frames `h w 3` of the stack's number type."""
    below = stack.read_plate() if background is None else _held(background, len(stack.manifest.pts))
    layers = [stack.read_layer(name) for name in names]
    for t, (ground, *rgba) in enumerate(zip(below, *layers, strict=True)):
        picture, here = to_levels(ground), dict(zip(names, rgba, strict=True))
        for name in stack.manifest.order_at(t):
            if name in here:
                picture = lay_over(here[name], picture)
        yield from_levels(picture, np.dtype(stack.manifest.dtype))


def _held(background: FrameSource, frames: int) -> Iterator[np.ndarray]:
    """The background's frames; a still again and again."""
    return repeat(next(background.read()), frames) if background.info.frames == 1 else background.read()


def _counted(frames: Iterator[np.ndarray], total: int, report: Report) -> Iterator[np.ndarray]:
    report("compose", 0, total)
    for done, frame in enumerate(frames, 1):
        yield frame
        report("compose", done, total)


def _sound_of(manifest: StackManifest) -> Path | None:
    """The source movie; where it has gone away that is said, for its sound will be missing."""
    source = Path(manifest.source.path)
    if source.is_file() or is_sequence(source):
        return None if is_sequence(source) else source
    warnings.warn(f"The source clip {source} is no longer there: the movie will be without its sound.", stacklevel=3)
    return None
