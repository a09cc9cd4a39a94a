"""The pairs that Casper-S is trained on, from nothing but seeds and, where there are any, tripod clips.

    python recipes/casper_s_pairs.py PAIRS --sprites 120 --seeds 1000 1016 --short 2001 2013 --clips CLIPS

Writes PAIRS/sprites, PAIRS/rendered, PAIRS/rendered_short, PAIRS/tripod and PAIRS/validation: shards of pairs that say
what other frames show. Goes on where it was stopped. Scenes need the extra `render`; a scene takes about half a minute
of one core, the anchor of a pair one to seven seconds.

Short scenes are for variety: what stands shows its shadow as well in a few frames as in many, and they are larger, so
objects and shadows are seen at more sizes.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import torch

from lamina.report import Report
from lamina.synth.blender.families import FAMILIES, DrawConfig, Family, draw_recipe
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
SHORT = DrawConfig(frames=12, width=320, height=180, fps=12, objects=(1, 2))
STANDING: tuple[Family, ...] = ("static-object", "reflection", "look-alikes", "moving-camera")
"""Every seed of short scenes has one of these; odd ones have one of each family, and of the first two another."""
ANOTHER = 100_000
FIRST_LAST = ("FIRST", "BEHIND_LAST")
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
    short: range
    """Of short ones."""
    clips: Path | None


def make_pairs(out: Path, wanted: Wanted, report: Callable[[str], Report]) -> None:
    """Make all that is not there yet."""
    sprites = SpriteSource(SpriteConfig(WIDTH, HEIGHT, SPRITE_FRAMES))
    _shards(sprites, out / "sprites", wanted.sprites, {"frames": SPRITE_FRAMES}, report("sprites"))
    for name, seeds, draw in (
        ("validation", VALIDATION_SEEDS, DRAW),
        ("rendered", wanted.seeds, DRAW),
        ("rendered_short", wanted.short, SHORT),
    ):
        scenes = _rendered(out / f"{name}_scenes", seeds, draw, report(name))
        told = {"seeds": [seeds.start, seeds.stop]}
        _shards(scenes, out / name, len(scenes), told, report(name))
    if wanted.clips is not None:
        config = TripodConfig(frames=DRAW.frames, short_px=HEIGHT)
        clips = TripodSource(tuple(find_clips(wanted.clips)), config)
        _shards(clips, out / "tripod", TRIPOD_PAIRS, {"clips": len(clips.clips)}, report("tripod"))


def _rendered(folder: Path, seeds: range, draw: DrawConfig, report: Report) -> EachAnswer:
    drawn = [one for seed in seeds for one in (_short_ones(seed) if draw is SHORT else _one_of_each(seed))]
    recipes = [draw_recipe(family, seed, _draw(draw, family)) for family, seed in drawn]
    render_scenes(recipes, folder, QUALITY, report=report)
    return EachAnswer(find_scenes(folder), RenderedConfig(frames=draw.frames, short_px=draw.height))


def _one_of_each(seed: int) -> list[tuple[Family, int]]:
    return [(family, seed) for family in FAMILIES]


def _short_ones(seed: int) -> list[tuple[Family, int]]:
    if seed % 2 == 0:
        return [(family, seed) for family in STANDING]
    return [*_one_of_each(seed), *((family, seed + ANOTHER) for family in STANDING[:2])]


def _draw(draw: DrawConfig, family: Family) -> DrawConfig:
    return replace(draw, objects=(1, 1)) if family == "static-object" else draw


def _shards(source: PairSource, folder: Path, count: int, told: dict, report: Report) -> None:
    make_shards(AnchoredSource(source), folder, count, told, report=report)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sprites", type=int, default=120)
    parser.add_argument("--seeds", type=int, nargs=2, default=(1000, 1016), metavar=FIRST_LAST)
    parser.add_argument("--short", type=int, nargs=2, default=(2001, 2013), metavar=FIRST_LAST)
    parser.add_argument("--clips", type=Path, help="tripod clips whose licence allows to ship what they trained")
    options = parser.parse_args(argv)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    wanted = Wanted(options.sprites, range(*options.seeds), range(*options.short), options.clips)
    make_pairs(options.out, wanted, _saying)


def _saying(name: str) -> Report:
    def say(stage: str, done: int, total: int) -> None:
        print(f"{name}: {stage} {done} of {total}", flush=True)

    return say


if __name__ == "__main__":
    main()
