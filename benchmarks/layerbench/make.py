"""Render LayerBench, or some of its scenes, from the seeds below.

    python -m benchmarks.layerbench.make LAYERBENCH                               # all 24 scenes
    python -m benchmarks.layerbench.make LAYERBENCH --only tripod-shadow-0006     # one of them

Goes on where it stopped. It needs Blender's Python module: Python 3.11 and ``pip install 'lamina[render]'``. All scenes
take about two hours of one core. `layerbench.json` is written when all that was asked for is there.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lamina.synth.blender.families import DrawConfig, Family, draw_recipe
from lamina.synth.blender.recipe import Recipe
from lamina.synth.blender.render import Quality, render_scenes

VERSION = 1
SEEDS: dict[Family, tuple[int, ...]] = {
    "tripod-shadow": (2, 4, 6, 7),
    "moving-camera": (1, 3, 5, 6),
    "reflection": (1, 3, 5, 7),
    "dynamic-background": (1, 3, 5, 8),
    "static-object": (2, 3, 5, 6),
    "look-alikes": (2, 3, 4, 7),
}
"""Chosen by eye among the first eight of each family: varied, and each object in view for most of the clip."""
SUBSET = ("tripod-shadow-0006", "reflection-0003", "static-object-0006", "look-alikes-0003")
"""Small enough for the repository, for tests."""
DRAW = DrawConfig(frames=48, width=480, height=272, fps=24, objects=(1, 2))
STATIC = replace(DRAW, objects=(1, 1))
QUALITY = Quality(samples=12, crf=4, depth=False)


def recipes() -> list[Recipe]:
    """The scenes, those of the subset first."""
    drawn = [
        draw_recipe(family, seed, STATIC if family == "static-object" else DRAW)
        for family, seeds in SEEDS.items()
        for seed in seeds
    ]
    return sorted(drawn, key=lambda recipe: recipe.name not in SUBSET)


def write_manifest(out: Path, scenes: dict) -> None:
    """`layerbench.json`: version, families, seeds and the SHA-256 of every file."""
    told = {"version": VERSION, "scenes": scenes}
    (out / "layerbench.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", nargs="+", help="names of scenes")
    parser.add_argument("--workers", type=int, help="processes at once; one per core if left out")
    options = parser.parse_args(argv)
    chosen = [recipe for recipe in recipes() if not options.only or recipe.name in options.only]
    manifest = render_scenes(chosen, options.out, QUALITY, options.workers, _say)
    write_manifest(options.out, manifest["scenes"])


def _say(stage: str, done: int, total: int) -> None:
    print(f"{stage}: {done} of {total}", flush=True)


if __name__ == "__main__":
    main()
