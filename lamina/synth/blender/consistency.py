"""Whether a scene's files agree with each other: how well its true layers give its input back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamina.levels import to_levels
from lamina.media.source import open_source
from lamina.synth.blender.truth import recompose, recompose_alone


@dataclass(frozen=True)
class Consistency:
    """Root mean square differences from the input over a whole scene, in levels of 255, the codec's included."""

    in_place: float
    """Of layers in their place: what an object and its effects change in the scene with all that lies behind it, also
    where its shadow falls on other objects."""
    alone: float
    """Of layers that know nothing of each other: all effects on the ground first, then the objects."""


def measure_consistency(folder: Path) -> Consistency:
    """Read a scene's files.

    Raises:
        MediaError: a file is missing or cannot be read.
    """
    scene = json.loads((folder / "scene.json").read_text(encoding="utf-8"))
    names, squares = scene["objects"], np.zeros(2)
    for order, frame in zip(scene["order"], _frames(folder, len(names)), strict=True):
        numbers = [names.index(name) for name in order]
        objects = [
            (frame[f"solo_{k:02}"], frame[f"effects_{k:02}"], frame[f"object_alpha_{k:02}"][..., 0])
            for k in range(len(names))
        ]
        stacked = [frame[f"solo_{numbers[0]:02}"]]
        stacked += [frame[f"stacked_{count:02}"] for count in range(2, len(names))]
        stacked += [frame["input"]] * (len(names) > 1)
        made = recompose(frame["background"], stacked), recompose_alone(frame["background"], objects, numbers)
        squares += [np.mean((picture - to_levels(frame["input"])).astype(np.float64) ** 2) for picture in made]
    in_place, alone = 255 * np.sqrt(squares / scene["frames"])
    return Consistency(float(in_place), float(alone))


def _frames(folder: Path, count: int) -> Iterator[dict[str, np.ndarray]]:
    """All pictures of a frame by name."""
    parts = ["solo", "effects", "object_alpha"]
    paths = {f"{part}_{k:02}": folder / f"{part}_{k:02}.mp4" for part in parts for k in range(count)}
    if count == 1:
        paths["solo_00"] = folder / "input.mp4"
    paths |= {f"stacked_{k:02}": folder / f"stacked_{k:02}.mp4" for k in range(2, count)}
    paths |= {name: folder / f"{name}.mp4" for name in ("input", "background")}
    for pictures in zip(*(open_source(path).read() for path in paths.values()), strict=True):
        yield dict(zip(paths, pictures, strict=True))
