"""A method's plate and layers: a stack of ours, or the least of one that another program can write."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamina.errors import InputError
from lamina.evaluate.reading import check_fits, open_beside, read_stored
from lamina.media.clip_info import ClipInfo
from lamina.media.source import open_source
from lamina.media.stack import PLATE, open_stack

LEAST = 'stack.json with {"layers": [{"name": .., "file": ..}, ..]} from back to front, plate.mkv, and the files named'


@dataclass(frozen=True)
class StackFolder:
    """What a method made of one scene."""

    names: tuple[str, ...]
    """Layers back to front."""
    read_plate: Callable[[], Iterator[np.ndarray]]
    """Frames `h w 3`."""
    read_layer: Callable[[str], Iterator[np.ndarray]]
    """Frames `h w 4`, straight alpha."""
    order_at: Callable[[int], tuple[str, ...]]
    """Names back to front in one frame."""


def open_stack_folder(folder: Path, like: ClipInfo) -> StackFolder:
    """Open a stack that belongs to a clip.

    Besides what `lamina decompose` writes, a stack.json that only lists layers will do; their files are then movies
    with alpha or folders of RGBA images.

    Raises:
        InputError: no stack.json, nothing in it that names layers, another size or number of frames than the clip.
        MediaError: a file cannot be read.
    """
    data = _read_json(folder)
    if "version" in data:
        return _own(folder, like)
    return _foreign(folder, data, like)


def _read_json(folder: Path) -> dict:
    path = folder / "stack.json"
    if not path.is_file():
        do = "Give the folder that holds one stack per scene."
        raise InputError(f"stack {folder}", got="no stack.json", wanted=LEAST, do=do)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _no_layers(path, "text that is not JSON") from error
    layers = data.get("layers") if isinstance(data, dict) else None
    if not isinstance(layers, list) or not all(isinstance(e, dict) and {"name", "file"} <= set(e) for e in layers):
        raise _no_layers(path, "no list of layers with name and file")
    return data


def _no_layers(path: Path, got: str) -> InputError:
    return InputError(f"{path}", got=got, wanted=LEAST, do="Write it as the page about evaluation says.")


def _own(folder: Path, like: ClipInfo) -> StackFolder:
    stack = open_stack(folder)
    check_fits("plate", folder / PLATE, open_source(folder / PLATE).info, like)
    names = stack.manifest.layer_names
    return StackFolder(names, stack.read_plate, stack.read_layer, stack.manifest.order_at)


def _foreign(folder: Path, data: dict, like: ClipInfo) -> StackFolder:
    plate = open_beside("plate", folder / PLATE, like)
    files = {str(layer["name"]): folder / str(layer["file"]) for layer in data["layers"]}
    for name, path in files.items():
        check_fits(f"layer {name!r}", path, open_source(path).info, like)
    names = tuple(files)
    return StackFolder(names, plate.read, lambda name: read_rgba(files[name]), lambda frame: names)


def read_rgba(path: Path) -> Iterator[np.ndarray]:
    """Frames `h w 4` of a movie with alpha or a run of RGBA images.

    Raises:
        InputError: there is no alpha.
        MediaError: a frame cannot be read.
    """
    for frame in read_stored(open_source(path)):
        if frame.shape[2] != 4:
            do = "Write RGBA, alpha straight."
            raise InputError(f"layer {path}", got=f"{frame.shape[2]} channels", wanted="RGBA", do=do)
        yield frame
