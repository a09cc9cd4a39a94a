"""The pairs that Casper-S is trained on, from nothing but seeds and, where there are any, tripod clips.

    python recipes/casper_s_pairs.py PAIRS --sprites 120 --seeds 1000 1007 --clips CLIPS

Writes PAIRS/sprites, PAIRS/rendered, PAIRS/tripod and PAIRS/validation: shards of pairs that say what other frames
show. Goes on where it was stopped. Scenes need the extra `render`; a scene takes about half a minute of one core, the
anchor of a pair one to seven seconds.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import torch

from lamina.report import Report
from lamina.synth.blender.families import FAMILIES, DrawConfig, draw_recipe
from lamina.synth.blender.render import Quality, render_scenes
from lamina.synth.masked_clip import find_clips
from lamina.synth.pair import PairSource
from lamina.synth.rendered import EachAnswer, RenderedConfig, find_scenes
from lamina.synth.scene import SpriteConfig
from lamina.synth.shards import make_shards
from lamina.synth.sprite_pairs import SpriteSource
from lamina.synth.tripod import TripodConfig, TripodSource
from lamina.train.anchoring import AnchoredSource

HEIGHT, WIDTH = 144, 256
DRAW = DrawConfig(frames=32, width=WIDTH, height=HEIGHT, fps=16, objects=(1, 2))
QUALITY = Quality(samples=8, crf=4, depth=False, layers=False)
SPRITE_FRAMES = 24
TRIPOD_PAIRS = 24
VALIDATION_SEEDS = range(2000, 2001)
"""Of rendered scenes that are not trained on; LayerBench's are below 100."""


@dataclass(frozen=True)
class Wanted:
    """How many pairs of each kind."""

    sprites: int
    seeds: range
    """Of rendered scenes: one of each family for every seed."""
    clips: Path | None


def make_pairs(out: Path, wanted: Wanted, report: Callable[[str], Report]) -> None:
    """Make all that is not there yet."""
    sprites = SpriteSource(SpriteConfig(WIDTH, HEIGHT, SPRITE_FRAMES))
    _shards(sprites, out / "sprites", wanted.sprites, {"frames": SPRITE_FRAMES}, report("sprites"))
    for name, seeds in (("validation", VALIDATION_SEEDS), ("rendered", wanted.seeds)):
        scenes = _rendered(out / f"{name}_scenes", seeds, report(name))
        told = {"seeds": [seeds.start, seeds.stop]}
        _shards(scenes, out / name, len(scenes), told, report(name))
    if wanted.clips is not None:
        config = TripodConfig(frames=DRAW.frames, short_px=HEIGHT)
        clips = TripodSource(tuple(find_clips(wanted.clips)), config)
        _shards(clips, out / "tripod", TRIPOD_PAIRS, {"clips": len(clips.clips)}, report("tripod"))


def _rendered(folder: Path, seeds: range, report: Report) -> EachAnswer:
    recipes = [draw_recipe(family, seed, _draw(family)) for seed in seeds for family in FAMILIES]
    render_scenes(recipes, folder, QUALITY, report=report)
    return EachAnswer(find_scenes(folder), RenderedConfig(frames=DRAW.frames, short_px=HEIGHT))


def _draw(family: str) -> DrawConfig:
    return replace(DRAW, objects=(1, 1)) if family == "static-object" else DRAW


def _shards(source: PairSource, folder: Path, count: int, told: dict, report: Report) -> None:
    make_shards(AnchoredSource(source), folder, count, told, report=report)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sprites", type=int, default=120)
    parser.add_argument("--seeds", type=int, nargs=2, default=(1000, 1007), metavar=("FIRST", "BEHIND_LAST"))
    parser.add_argument("--clips", type=Path, help="tripod clips whose licence allows to ship what they trained")
    options = parser.parse_args(argv)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    make_pairs(options.out, Wanted(options.sprites, range(*options.seeds), options.clips), _saying)


def _saying(name: str) -> Report:
    def say(stage: str, done: int, total: int) -> None:
        print(f"{name}: {stage} {done} of {total}", flush=True)

    return say


if __name__ == "__main__":
    main()
