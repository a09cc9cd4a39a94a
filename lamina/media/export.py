"""A finished stack as files for editing and compositing programs."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lamina.errors import InputError, OutputError
from lamina.media.exr_write import write_exr
from lamina.media.image_write import write_png
from lamina.media.landing import whole_folder
from lamina.media.movie import PRORES_4444, VP9, MovieKind, Times, sound_between, write_movie, write_pictures
from lamina.media.sound import write_wav
from lamina.media.stack import StackReader, open_stack
from lamina.media.stamps import rate_of
from lamina.report import Report, no_report

__all__ = ["FORMATS", "ExportConfig", "export", "write_movie"]

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


def export(config: ExportConfig, report: Report = no_report) -> list[Path]:
    """Write the files and return their paths; the folder appears when all of them are whole.

    Movies begin at 0 and keep every distance between time stamps; images continue the source's own numbers. The
    source's sound is copied into the plate's movie, or written as plate.wav beside images and where a movie of this
    format cannot hold it. Where the source is gone, the sound is missing and a warning says so.

    Raises InputError for an unknown format, MediaError when the stack is damaged, OutputError when the folder is not
    empty, not writable or full.
    """
    write = FORMATS.get(config.format)
    if write is None:
        known = ", ".join(FORMATS)
        raise InputError("--format", got=repr(config.format), wanted=f"one of {known}", do="Choose one of these.")
    stack = open_stack(config.stack)
    out = Path(config.out)
    _check(stack, out, config.format)
    with whole_folder(out) as part:
        write(stack, part, report)
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


def _write_movies(stack: StackReader, folder: Path, report: Report, kind: MovieKind, suffix: str) -> None:
    manifest = stack.manifest
    times = Times(manifest.pts, manifest.time_base)
    for name, frames in _all_streams(stack, report):
        sound = sound_between(_source_of(stack), times) if name == "plate" else None
        write_pictures(folder / f"{name}{suffix}", kind, frames, times, manifest.color, sound)


def _write_prores(stack: StackReader, folder: Path, report: Report) -> None:
    _write_movies(stack, folder, report, PRORES_4444, ".mov")


def _write_webm(stack: StackReader, folder: Path, report: Report) -> None:
    _write_movies(stack, folder, report, VP9, ".webm")


def _write_png(stack: StackReader, folder: Path, report: Report) -> None:
    for name, frames in _all_streams(stack, report):
        for number, frame in zip(_numbers(stack), frames, strict=True):
            write_png(folder / name / f"{name}.{number}.png", frame)
    _write_wav_beside(stack, folder)


def _write_exr(stack: StackReader, folder: Path, report: Report) -> None:
    manifest = stack.manifest
    rate = rate_of(manifest.pts, manifest.time_base)
    layers = [stack.read_layer(name) for name in manifest.layer_names]
    every = zip(_numbers(stack), _counted(stack.read_plate(), stack, "export", report), *layers, strict=True)
    for number, plate, *frames in every:
        named = dict(zip(manifest.layer_names, frames, strict=True))
        write_exr(folder / f"stack.{number}.exr", plate, named, rate, manifest.color)
    _write_wav_beside(stack, folder)


def _write_exr_per_layer(stack: StackReader, folder: Path, report: Report) -> None:
    rate = rate_of(stack.manifest.pts, stack.manifest.time_base)
    for name, frames in _all_streams(stack, report):
        for number, frame in zip(_numbers(stack), frames, strict=True):
            write_exr(folder / name / f"{name}.{number}.exr", frame, {}, rate, stack.manifest.color)
    _write_wav_beside(stack, folder)


FORMATS: dict[str, Callable[[StackReader, Path, Report], None]] = {
    "prores4444": _write_prores,
    "png": _write_png,
    "exr": _write_exr,
    "exr-per-layer": _write_exr_per_layer,
    "webm": _write_webm,
}


def _all_streams(stack: StackReader, report: Report) -> Iterator[tuple[str, Iterator[np.ndarray]]]:
    yield "plate", _counted(stack.read_plate(), stack, "export plate", report)
    for name in stack.manifest.layer_names:
        yield name, _counted(stack.read_layer(name), stack, f"export {name}", report)


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
