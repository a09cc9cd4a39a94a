"""The stack on disk: what stack.json says, and reading plate and layers back."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from lamina.color import ColorDescription
from lamina.errors import InputError, MediaError
from lamina.media.ffv1 import count_frames, read_ffv1
from lamina.media.landing import whole_file

VERSION = 2
"""What is written. Version 1, without parts and with one order for all frames, is read as well."""
PLATE = "plate.mkv"
PARTS = {"object": 4, "shadow": 3, "light": 3}
"""The parts a layer may be split into, and how many channels each has."""


@dataclass(frozen=True)
class SourceRecord:
    """Which frames of which clip a stack was made from."""

    path: str
    hash: str
    """What `source_fingerprint` gave."""
    start: int
    """Frames `start` .. `stop - 1` of the source were used, counted from 0."""
    stop: int
    first_number: int = 0
    """The number of frame `start` in the source's own numbering, such as 1001; exports continue it."""
    padding: int = 0
    """Digits of the source's frame numbers, 0 for a movie."""


@dataclass(frozen=True)
class LayerRecord:
    """One layer of a stack: its name, its file inside the stack's folder, and the run's figures about it."""

    name: str
    file: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    """Files of the split layer by part, all of `PARTS` or none. object is straight RGBA without effects, shadow is RGB
    to multiply with (white outside), light is RGB to add (black outside), all in display values:
    over(object, plate * shadow + light) is what the object alone makes of the plate."""

    def __post_init__(self):
        if self.parts and set(self.parts) != set(PARTS):
            raise ValueError(f"parts of {self.name}: {', '.join(self.parts)} instead of {', '.join(PARTS)}")


@dataclass(frozen=True)
class OrderRun:
    """From frame `first` of the stack on, counted from 0, the layers lie in this order."""

    first: int
    back_to_front: tuple[str, ...]


@dataclass(frozen=True)
class StackManifest:
    """Everything stack.json says. `config` and all `figures` hold JSON values only.

    Layers are listed back to front, in the order that holds for most frames where objects change places.
    """

    source: SourceRecord
    width: int
    height: int
    dtype: str
    """The number type of plate and layers: "uint8", "uint16" or "float32"."""
    pts: tuple[int, ...]
    """One exact time stamp per frame in units of `time_base` seconds, as in the source."""
    time_base: Fraction
    color: ColorDescription
    engine: str
    config: Mapping[str, Any]
    layers: tuple[LayerRecord, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)
    order: tuple[OrderRun, ...] = ()
    """Which layer is in front, frame by frame: runs of frames, each lasting until the next one begins. Left out, the
    order of `layers` holds throughout."""

    def __post_init__(self):
        if not self.order:
            object.__setattr__(self, "order", (OrderRun(0, self.layer_names),))
        _check_order(self.order, self.layer_names, len(self.pts))

    @property
    def run(self) -> dict[str, Any]:
        """What distinguishes this run from any other: source, engine and its full configuration."""
        return run_record(self.source, self.engine, self.config)

    @property
    def layer_names(self) -> tuple[str, ...]:
        return tuple(layer.name for layer in self.layers)

    def order_at(self, frame: int) -> tuple[str, ...]:
        """Names of all layers back to front in one frame of the stack, counted from 0."""
        if not 0 <= frame < max(1, len(self.pts)):
            raise IndexError(f"frame {frame} of a stack of {len(self.pts)}")
        return order_at(self.order, frame)


def order_at(order: Sequence[OrderRun], frame: int) -> tuple[str, ...]:
    """Names back to front in one frame."""
    return next(run.back_to_front for run in reversed(order) if run.first <= frame)


def run_record(source: SourceRecord, engine: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of a run as JSON values; `work.claim` compares it."""
    return json.loads(json.dumps({"source": asdict(source), "engine": engine, "config": dict(config)}))


def write_manifest(folder: Path, manifest: StackManifest) -> None:
    """Write stack.json: it is there whole or not at all, and the same manifest gives the same bytes.

    Raises ValueError when a figure is not finite or `config` is not JSON, OutputError when it cannot be written.
    """
    text = to_json(_manifest_to_dict(manifest))
    with whole_file(Path(folder) / "stack.json") as part:
        part.write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> StackManifest:
    """Read and check stack.json, of this version or an older one.

    Raises MediaError when it is missing, of a later version, or holds unknown keys or files outside the folder.
    """
    path = Path(folder) / "stack.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error), "the manifest of a stack") from error
    version = data.get("version") if isinstance(data, dict) else None
    if version not in range(1, VERSION + 1) or isinstance(version, bool):
        raise _unreadable(path, f"version {version!r}", f"version 1 to {VERSION}")
    try:
        manifest = _manifest_from_dict(path, data)
        _check_files(path, manifest)
    except (TypeError, ValueError, KeyError, ZeroDivisionError) as error:
        raise _unreadable(path, str(error), "values of the right kind") from error
    return manifest


def to_json(data: Mapping[str, Any]) -> str:
    """Stable JSON a person can read: keys sorted, indented, a list of numbers on one line."""
    text = json.dumps(data, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    # A raw line break never occurs inside a JSON string, so only true lists match.
    numbers = r"\[\n\s*(-?[\d.eE+-]+(?:,\n\s*-?[\d.eE+-]+)*)\n\s*\]"
    return re.sub(numbers, lambda found: "[" + re.sub(r",\n\s*", ", ", found[1]) + "]", text) + "\n"


@dataclass(frozen=True)
class StackReader:
    """Plate and layers of a finished stack, read frame by frame.

    Raises MediaError on reading when a file is missing, truncated, or does not hold the manifest's frames.
    """

    folder: Path
    manifest: StackManifest

    def read_plate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Frames `start` .. `stop - 1` of the plate, `h w 3`."""
        return self._read(self.folder / PLATE, 3, start, stop)

    def read_layer(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Frames `start` .. `stop - 1` of one layer, `h w 4`, straight alpha."""
        return self._read(self.folder / self._layer(name).file, 4, start, stop)

    def read_part(self, name: str, part: str, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Frames `start` .. `stop - 1` of the "object" (`h w 4`), "shadow" or "light" (`h w 3`) of a split layer."""
        if part not in PARTS:
            raise InputError(f"part {part!r}", got="no such part", wanted=", ".join(PARTS), do="Choose one of these.")
        files = self._layer(name).parts
        if not files:
            raise InputError(
                f"layer {name!r}",
                got="a layer in one piece",
                wanted=f"one split into {', '.join(PARTS)}",
                do="Make the stack again with --split.",
            )
        return self._read(self.folder / files[part], PARTS[part], start, stop)

    def _layer(self, name: str) -> LayerRecord:
        layers = {layer.name: layer for layer in self.manifest.layers}
        if name not in layers:
            known = ", ".join(layers) or "none"
            raise InputError(f"layer {name!r}", got="no layer of this name", wanted=known, do="Choose one of these.")
        return layers[name]

    def _read(self, path: Path, channels: int, start: int, stop: int | None) -> Iterator[np.ndarray]:
        wanted = len(self.manifest.pts)
        if (count := count_frames(path)) != wanted:
            raise _unreadable(path, f"{count} frames", f"{wanted}, as stack.json says")
        shape = (self.manifest.height, self.manifest.width, channels)
        for frame in read_ffv1(path, start, stop):
            if frame.shape != shape or frame.dtype != self.manifest.dtype:
                raise _unreadable(path, f"{frame.dtype} {frame.shape}", f"{self.manifest.dtype} {shape}")
            yield frame


def open_stack(folder: Path) -> StackReader:
    """Open a finished stack. Raises MediaError when `folder` does not hold one."""
    return StackReader(Path(folder), read_manifest(folder))


def _manifest_to_dict(manifest: StackManifest) -> dict[str, Any]:
    return {
        "version": VERSION,
        "source": asdict(manifest.source),
        "size": {"width": manifest.width, "height": manifest.height},
        "dtype": manifest.dtype,
        "time": {"base": str(manifest.time_base), "pts": list(manifest.pts)},
        "color": asdict(manifest.color),
        "engine": manifest.engine,
        "config": dict(manifest.config),
        "layers": [asdict(layer) for layer in manifest.layers],
        "order": [{"first": run.first, "back_to_front": list(run.back_to_front)} for run in manifest.order],
        "figures": dict(manifest.figures),
    }


Record = TypeVar("Record", SourceRecord, LayerRecord, ColorDescription)
_KEYS = {"version", "source", "size", "dtype", "time", "color", "engine", "config", "layers", "order", "figures"}


def _manifest_from_dict(path: Path, data: dict[str, Any]) -> StackManifest:
    if data["version"] == 1:
        data = _as_version_2(path, data)
    _check_keys(path, "stack.json", data, _KEYS)
    _check_keys(path, "size", data["size"], {"width", "height"})
    _check_keys(path, "time", data["time"], {"base", "pts"})
    if not data["order"]:
        raise ValueError("an empty order")
    return StackManifest(
        source=_record(path, "source", SourceRecord, data["source"]),
        width=int(data["size"]["width"]),
        height=int(data["size"]["height"]),
        dtype=np.dtype(data["dtype"]).name,
        pts=tuple(int(stamp) for stamp in data["time"]["pts"]),
        time_base=Fraction(data["time"]["base"]),
        color=_record(path, "color", ColorDescription, data["color"]),
        engine=data["engine"],
        config=data["config"],
        layers=tuple(_record(path, "layers", LayerRecord, layer) for layer in data["layers"]),
        order=tuple(_order_run(path, run) for run in data["order"]),
        figures=data["figures"],
    )


def _as_version_2(path: Path, data: dict[str, Any]) -> dict[str, Any]:
    """A manifest of version 1 with what version 2 has beyond it: one order, and layers in one piece."""
    _check_keys(path, "stack.json", data, _KEYS - {"order"})
    for layer in data["layers"]:
        _check_keys(path, "layers", layer, {"name", "file", "figures"})
    order = [{"first": 0, "back_to_front": [layer["name"] for layer in data["layers"]]}]
    return data | {"order": order, "layers": [layer | {"parts": {}} for layer in data["layers"]]}


def _check_files(path: Path, manifest: StackManifest) -> None:
    for file in (file for layer in manifest.layers for file in (layer.file, *layer.parts.values())):
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            raise _unreadable(path, f"layer file {file!r}", "a file inside the stack's folder")


def _record(path: Path, where: str, kind: type[Record], data: dict[str, Any]) -> Record:
    _check_keys(path, where, data, {entry.name for entry in fields(kind)})
    return kind(**data)


def _order_run(path: Path, data: dict[str, Any]) -> OrderRun:
    _check_keys(path, "order", data, {"first", "back_to_front"})
    return OrderRun(int(data["first"]), tuple(data["back_to_front"]))


def _check_order(order: tuple[OrderRun, ...], names: tuple[str, ...], frames: int) -> None:
    starts = [run.first for run in order]
    if starts[0] != 0 or starts != sorted(set(starts)) or starts[-1] >= max(1, frames):
        raise ValueError(f"order that begins at frames {starts}, not at 0 and rising below {frames}")
    for run in order:
        if sorted(run.back_to_front) != sorted(names):
            raise ValueError(f"order {', '.join(run.back_to_front)} of the layers {', '.join(names)}")


def _check_keys(path: Path, where: str, data: dict[str, Any], wanted: set[str]) -> None:
    unknown, missing = sorted(set(data) - wanted), sorted(wanted - set(data))
    if unknown or missing:
        found = [f"unknown {', '.join(unknown)}"] * bool(unknown) + [f"no {', '.join(missing)}"] * bool(missing)
        raise _unreadable(path, f"{' and '.join(found)} in {where}", ", ".join(sorted(wanted)))


def _unreadable(path: Path, got: str, wanted: str) -> MediaError:
    return MediaError(f"{path}", got=got, wanted=wanted, do="Give the folder that `lamina decompose` wrote.")
