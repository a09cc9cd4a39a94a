"""What anybody can do in a minute, as outputs that `lamina evaluate layerbench` scores: floors for real methods.

    python -m benchmarks.layerbench.baselines LAYERBENCH --out FOLDER [--only inpaint median]

Writes FOLDER/BASELINE/SCENE, a stack each. Plates are

- `inpaint`: each frame by itself, the masks grown by 4 pixels and filled by OpenCV's inpainting (Telea 2004, radius 5).
  What lies outside the grown masks stays as it is, effects included.
- `median`: one picture for the whole clip: for each pixel and channel the median over the frames that show it outside
  the grown masks. A moving camera is not followed. Pixels that are masked in every frame are inpainted in this picture.

Both have the same layers: an object cut out along its mask, without its effects. The truth is not looked at. A scene's
frames are all in memory.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import tyro

from lamina.evaluate.layerbench import read_scenes
from lamina.evaluate.regions import INSIDE
from lamina.evaluate.scene import Scene, open_scene
from lamina.masks.binary import grow, intersect, union
from lamina.media.ffv1 import write_segment
from lamina.media.landing import whole_folder
from lamina.media.mask_source import open_mask
from lamina.media.stack import PLATE, to_json

GROW_PX = 4
TELEA_PX = 5


def inpaint(frames: np.ndarray, masks: np.ndarray) -> Iterator[np.ndarray]:
    """Plates `h w 3` of frames uint8 `t h w 3` and grown masks bool `t h w`, each frame by itself."""
    return (_filled(frame, mask) for frame, mask in zip(frames, masks, strict=True))


def median(frames: np.ndarray, masks: np.ndarray) -> Iterator[np.ndarray]:
    """The same: one picture for all frames, the median over the frames that show a pixel unmasked."""
    seen = np.stack([_middle(values, masks) for values in np.moveaxis(frames, -1, 0)], -1)
    return repeat(_filled(seen, intersect(*masks)), len(frames))


BASELINES: dict[str, Callable[[np.ndarray, np.ndarray], Iterator[np.ndarray]]] = {"inpaint": inpaint, "median": median}


def _filled(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return cv2.inpaint(np.ascontiguousarray(picture), mask.astype(np.uint8), TELEA_PX, cv2.INPAINT_TELEA)


def _middle(values: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Median over time of `t h w` where it is not masked: masked values are sorted behind all others."""
    ordered = np.sort(np.where(masks, 256, values.astype(np.int16)), axis=0)
    count = np.maximum(1, (~masks).sum(0))[None]
    low, high = (np.take_along_axis(ordered, place, 0)[0] for place in ((count - 1) // 2, count // 2))
    return np.rint((low + high) / 2).clip(0, 255).astype(np.uint8)


def write_baseline(name: str, folder: Path, out: Path) -> None:
    """Write one baseline's stack of one scene; the folder appears when it is whole."""
    scene = open_scene(folder)
    frames = np.stack(list(scene.clip.read()))
    masks = {name: np.stack(list(_read_mask(scene, k))) for k, name in enumerate(scene.names)}
    grown = grow(union(*(mask > INSIDE for mask in masks.values())), GROW_PX)
    with whole_folder(out) as part:
        _write(part / PLATE, BASELINES[name](frames, grown), scene)
        for layer, mask in masks.items():
            _write(part / "layers" / f"{layer}.mkv", _cut_out(frames, mask), scene)
        listed = [{"name": layer, "file": f"layers/{layer}.mkv"} for layer in masks]
        (part / "stack.json").write_text(to_json({"layers": listed}))


def _read_mask(scene: Scene, k: int) -> Iterator[np.ndarray]:
    return open_mask(scene.names[k], scene.masks[k], scene.clip.info).read()


def _cut_out(frames: np.ndarray, mask: np.ndarray) -> Iterator[np.ndarray]:
    """Straight RGBA; black where the alpha is 0, which is stored in next to nothing."""
    for picture, alpha in zip(frames, mask, strict=True):
        yield np.dstack([np.where(alpha[..., None] > 0, picture, 0), alpha])


def _write(path: Path, frames: Iterator[np.ndarray], scene: Scene) -> None:
    write_segment(path, frames, scene.clip.info.pts, scene.clip.info.time_base)


@dataclass(frozen=True)
class BaselinesConfig:
    """Which baselines to write, and where."""

    folder: Annotated[Path, tyro.conf.Positional]
    """LayerBench, or a part of it."""
    out: Path
    """One folder per baseline is made here; scenes that are there already stay."""
    only: tuple[str, ...] = tuple(BASELINES)
    """Names of baselines."""


def main(arguments: Sequence[str] | None = None) -> None:
    config = tyro.cli(BaselinesConfig, args=arguments)
    for name in config.only:
        for scene in read_scenes(config.folder):
            place = config.out / name / scene.name
            if not place.exists():
                write_baseline(name, config.folder / scene.name, place)
            print(place, flush=True)


if __name__ == "__main__":
    main()
