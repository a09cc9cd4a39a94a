"""A finished stack as files for editing and compositing programs."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from lamina.errors import InputError, OutputError
from lamina.levels import to_levels
from lamina.media.exr_write import linear_layer, linear_parts, premultiplied_linear, write_exr
from lamina.media.image_write import write_png
from lamina.media.landing import whole_file, whole_folder
from lamina.media.movie import PRORES_4444, VP9, MovieKind, Times, sound_between, write_movie, write_pictures
from lamina.media.sound import write_wav
from lamina.media.stack import PARTS, StackReader, open_stack, to_json
from lamina.media.stamps import rate_of
from lamina.report import Report, no_report

__all__ = ["FORMATS", "ExportConfig", "export", "write_movie"]

Stored = Mapping[str, tuple[np.ndarray, ...]]
"""Per layer its stored pictures in one frame: the layer, or the parts of it."""
SUFFIXES = {"object": "", "shadow": "_shadow", "light": "_light"}
"""What is added to a layer's name to name its parts."""


@dataclass(frozen=True)
class ExportConfig:
    """Which stack to export, as what, and where to."""

    stack: Path
    """Folder that `lamina decompose` wrote."""
    format: Literal["prores4444", "png", "exr", "exr-per-layer", "webm"]
    """prores4444: one .mov per layer, straight 16-bit alpha, 10-bit colour, and plate.mov with the source's sound. png:
    numbered images with straight alpha. exr: one half-float file per frame with all layers, linear light,
    premultiplied; exr-per-layer: the same with a file for each layer. webm: VP9 with alpha, for browsers."""
    out: Path
    """Folder to write. It must be new or empty."""
    split: bool = False
    """Write NAME without its effects, NAME_shadow to multiply what lies below with, and NAME_light to add to that. The
    stack must have been made with --split."""


@dataclass(frozen=True)
class _Job:
    stack: StackReader
    folder: Path
    split: bool
    report: Report

    @property
    def rate(self) -> Fraction:
        return rate_of(self.stack.manifest.pts, self.stack.manifest.time_base)


def export(config: ExportConfig, report: Report = no_report) -> list[Path]:
    """Write the files and return their paths; the folder appears when all of them are whole.

    Movies begin at 0 and keep every distance between time stamps; images continue the source's own numbers. The
    source's sound is copied into the plate's movie, or written as plate.wav beside images and where a movie of this
    format cannot hold it. Where the source is gone, the sound is missing and a warning says so. Where objects change
    places, order.json says in which frames which of them is in front; it is not written where one order holds.

    Raises InputError for an unknown format, a stack that cannot be split or names that clash, MediaError when the stack
    is damaged, OutputError when the folder is not empty, not writable or full.
    """
    write = FORMATS.get(config.format)
    if write is None:
        known = ", ".join(FORMATS)
        raise InputError("--format", got=repr(config.format), wanted=f"one of {known}", do="Choose one of these.")
    stack = open_stack(config.stack)
    out = Path(config.out)
    _check(stack, out, config.format)
    if config.split:
        _check_split(stack)
    with whole_folder(out) as part:
        write(_Job(stack, part, config.split, report))
        _write_order(stack, part)
        files = sorted(path.relative_to(part) for path in part.rglob("*") if path.is_file())
    return [out / file for file in files]


def _check(stack: StackReader, out: Path, format: str) -> None:
    if stack.folder.resolve() in (out.resolve(), *out.resolve().parents):
        raise OutputError(f"output {out}", got="a place inside the stack", wanted="another", do="Choose another name.")
    if "plate" in (name.lower() for name in stack.manifest.layer_names):
        raise InputError(
            "layer names", got="a layer called plate", wanted="another name", do="The background's files are called so."
        )
    if stack.manifest.dtype == "float32" and not format.startswith("exr"):
        warnings.warn(f"{format} ends at white: brighter values of this stack are cut. exr keeps them.", stacklevel=3)


def _check_split(stack: StackReader) -> None:
    layers = stack.manifest.layers
    whole = [layer.name for layer in layers if not layer.parts]
    if whole:
        raise InputError(
            "--split",
            got=f"a stack whose layer {whole[0]} is in one piece",
            wanted="a stack with object, shadow and light of every layer",
            do="Make it again with --split.",
        )
    taken = {name.lower(): name for name in ("plate", *stack.manifest.layer_names)}
    for name in (layer.name + suffix for layer in layers for suffix in SUFFIXES.values() if suffix):
        if name.lower() in taken:
            raise InputError(
                "layer names",
                got=f"an object called {taken[name.lower()]}, as a part of another one will be",
                wanted=f"names that do not end in {' or '.join(s for s in SUFFIXES.values() if s)}",
                do="Export without --split, or call the object something else.",
            )
        taken[name.lower()] = name


def _write_order(stack: StackReader, folder: Path) -> None:
    """Where objects change places: who is in front from which frame on."""
    manifest = stack.manifest
    if len(manifest.order) > 1:
        first = manifest.source.first_number
        runs = [
            {"first": run.first, "number": run.first + first, "back_to_front": list(run.back_to_front)}
            for run in manifest.order
        ]
        with whole_file(folder / "order.json") as part:
            part.write_text(to_json({"order": runs}), encoding="utf-8")


def _write_movies(job: _Job, kind: MovieKind, suffix: str) -> None:
    manifest = job.stack.manifest
    times = Times(manifest.pts, manifest.time_base)
    for name, frames in _all_streams(job):
        sound = sound_between(_source_of(job.stack), times) if name == "plate" else None
        write_pictures(job.folder / f"{name}{suffix}", kind, frames, times, manifest.color, sound)


def _write_png(job: _Job) -> None:
    for name, frames in _all_streams(job):
        for number, frame in zip(_numbers(job.stack), frames, strict=True):
            write_png(job.folder / name / f"{name}.{number}.png", frame)
    _write_wav_beside(job.stack, job.folder)


def _write_exr(job: _Job) -> None:
    for number, (plate, layers) in zip(_numbers(job.stack), _linear_frames(job), strict=True):
        write_exr(job.folder / f"stack.{number}.exr", plate, layers, job.rate, job.stack.manifest.color)
    _write_wav_beside(job.stack, job.folder)


def _write_exr_per_layer(job: _Job) -> None:
    for number, (plate, layers) in zip(_numbers(job.stack), _linear_frames(job), strict=True):
        for name, pixels in {"plate": plate, **layers}.items():
            path = job.folder / name / f"{name}.{number}.exr"
            write_exr(path, pixels, {}, job.rate, job.stack.manifest.color)
    _write_wav_beside(job.stack, job.folder)


FORMATS: dict[str, Callable[[_Job], None]] = {
    "prores4444": partial(_write_movies, kind=PRORES_4444, suffix=".mov"),
    "png": _write_png,
    "exr": _write_exr,
    "exr-per-layer": _write_exr_per_layer,
    "webm": partial(_write_movies, kind=VP9, suffix=".webm"),
}


def _all_streams(job: _Job) -> Iterator[tuple[str, Iterator[np.ndarray]]]:
    """Plate and layers, or the parts of layers, as stored."""
    stack = job.stack
    yield "plate", _counted(stack.read_plate(), stack, "export plate", job.report)
    for layer in stack.manifest.layer_names:
        for name, frames in _streams_of(stack, layer, job.split).items():
            yield name, _counted(frames, stack, f"export {name}", job.report)


def _streams_of(stack: StackReader, layer: str, split: bool) -> dict[str, Iterator[np.ndarray]]:
    if not split:
        return {layer: stack.read_layer(layer)}
    return {layer + SUFFIXES[part]: stack.read_part(layer, part) for part in PARTS}


def _linear_frames(job: _Job) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Per frame the plate and what lies over it, back to front, in linear light."""
    stack, names = job.stack, job.stack.manifest.layer_names
    streams = [zip(*_streams_of(stack, name, job.split).values(), strict=True) for name in names]
    plates = _counted(stack.read_plate(), stack, "export", job.report)
    for t, (plate, *stored) in enumerate(zip(plates, *streams, strict=True)):
        here = dict(zip(names, stored, strict=True))
        order = stack.manifest.order_at(t)
        layers = _linear_parts(plate, order, here) if job.split else _linear_layers(plate, order, here)
        yield premultiplied_linear(plate), layers


def _linear_parts(plate: np.ndarray, order: Sequence[str], stored: Stored) -> dict[str, np.ndarray]:
    parts = {name: linear_parts(plate, dict(zip(PARTS, stored[name], strict=True))) for name in order}
    return {name + SUFFIXES[part]: pixels for name in order for part, pixels in parts[name].items()}


def _linear_layers(plate: np.ndarray, order: Sequence[str], stored: Stored) -> dict[str, np.ndarray]:
    """Whole layers, each such that it is right over those behind it."""
    below, layers = to_levels(plate), {}
    for name in order:
        rgba = to_levels(stored[name][0])
        layers[name] = linear_layer(below, rgba)
        below = rgba[..., :3] * rgba[..., 3:] + below * (1 - rgba[..., 3:])
    return layers


def _counted(frames: Iterator[np.ndarray], stack: StackReader, stage: str, report: Report) -> Iterator[np.ndarray]:
    total = len(stack.manifest.pts)
    report(stage, 0, total)
    for done, frame in enumerate(frames, 1):
        yield frame
        report(stage, done, total)


def _numbers(stack: StackReader) -> list[str]:
    """The source's frame numbers with its padding; four digits where it has none."""
    source = stack.manifest.source
    numbers = range(source.first_number, source.first_number + len(stack.manifest.pts))
    return [f"{number:0{source.padding or 4}d}" for number in numbers]


def _write_wav_beside(stack: StackReader, folder: Path) -> None:
    sound = sound_between(_source_of(stack), Times(stack.manifest.pts, stack.manifest.time_base))
    if sound is not None:
        write_wav(folder / "plate.wav", sound)


def _source_of(stack: StackReader) -> Path | None:
    """The source clip, or None, said aloud, when it is gone."""
    source = Path(stack.manifest.source.path)
    if source.exists() or "%" in source.name or "#" in source.name:  # a pattern of images never exists, nor has sound
        return source
    warnings.warn(f"The source clip {source} is no longer there: the export is without its sound.", stacklevel=2)
    return None
