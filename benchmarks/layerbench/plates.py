"""Plates of several methods beside input and truth, in the middle of some scenes.

    python -m benchmarks.layerbench.plates LAYERBENCH STACKS --scenes static-object-0003 reflection-0001

STACKS as `benchmarks.layerbench.score --stacks` leaves it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

import lamina
from lamina.evaluate.scene import open_scene
from lamina.layers.sheet import captioned
from lamina.media.image_write import write_png


@dataclass(frozen=True)
class PlatesConfig:
    """Whose plates to show of which scenes."""

    folder: Annotated[Path, tyro.conf.Positional]
    """LayerBench, or a part of it."""
    stacks: Annotated[Path, tyro.conf.Positional]
    """Where stacks are, as METHOD/SCENE."""
    scenes: tuple[str, ...]
    methods: tuple[str, ...] = ("propagate", "casper-s")
    out: Path = Path("out/plates.png")
    width_px: int = 360
    """Of one picture."""


def make_sheet(config: PlatesConfig) -> np.ndarray:
    """`h w 3` uint8: a row for each scene."""
    return np.vstack([_row(config, name) for name in config.scenes])


def _row(config: PlatesConfig, name: str) -> np.ndarray:
    scene = open_scene(config.folder / name)
    assert scene.truth is not None
    frame = scene.clip.info.frames // 2
    shown = {name: next(scene.clip.read(frame, frame + 1)), "true plate": next(scene.truth.read(frame, frame + 1))}
    for method in config.methods:
        shown[method] = next(lamina.open_stack(config.stacks / method / name).read_plate(frame, frame + 1))
    return np.hstack([captioned(picture, title, config.width_px) for title, picture in shown.items()])


def main(arguments: Sequence[str] | None = None) -> None:
    config = tyro.cli(PlatesConfig, args=arguments)
    write_png(config.out, make_sheet(config))
    print(config.out)


if __name__ == "__main__":
    main()
