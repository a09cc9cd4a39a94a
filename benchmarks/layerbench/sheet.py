"""All scenes at a glance: what each shows in its middle frame.

    python -m benchmarks.layerbench.sheet LAYERBENCH --out sheet.png [--columns 2]

For each scene, side by side: input, background, the first object alone, the alpha of its effect, and the object over
the other ground. What a scene does not have is left dark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from lamina.evaluate.layerbench import SceneRecord, read_scenes
from lamina.evaluate.scene import Scene, open_scene
from lamina.layers.sheet import captioned
from lamina.media.clip_info import FrameSource
from lamina.media.image_write import write_png
from lamina.media.source import open_source


@dataclass(frozen=True)
class SheetConfig:
    """Which scenes to show."""

    folder: Annotated[Path, tyro.conf.Positional]
    """LayerBench, or a part of it."""
    out: Path = Path("out/layerbench.png")
    columns: int = 2
    """Scenes side by side."""
    width_px: int = 240
    """Of one picture."""


def make_sheet(config: SheetConfig) -> np.ndarray:
    """`h w 3` uint8: scenes family by family, from left to right and then down."""
    strips = [_strip(config.folder / record.name, record, config.width_px) for record in read_scenes(config.folder)]
    strips += [np.zeros_like(strips[0])] * (-len(strips) % config.columns)
    rows = [np.hstack(strips[at : at + config.columns]) for at in range(0, len(strips), config.columns)]
    return np.vstack(rows)


def _strip(folder: Path, record: SceneRecord, width_px: int) -> np.ndarray:
    scene = open_scene(folder)
    frame = scene.clip.info.frames // 2
    shown = {
        f"{record.family} {record.name}": scene.clip,
        "background": scene.truth,
        f"solo {scene.names[0]}": scene.solos[0] if scene.solos else None,
        "effect alpha": _extra(scene, "effect_alpha"),
        "transplant": _extra(scene, "transplant"),
    }
    dark = np.zeros((scene.clip.info.height, scene.clip.info.width, 3), np.uint8)
    pictures = {title: dark if clip is None else next(clip.read(frame, frame + 1)) for title, clip in shown.items()}
    return np.hstack([captioned(picture, title, width_px) for title, picture in pictures.items()])


def _extra(scene: Scene, name: str) -> FrameSource | None:
    return open_source(scene.extras[name][0]) if name in scene.extras else None


def main(arguments: Sequence[str] | None = None) -> None:
    config = tyro.cli(SheetConfig, args=arguments)
    write_png(config.out, make_sheet(config))
    print(config.out)


if __name__ == "__main__":
    main()
