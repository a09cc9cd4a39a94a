"""The pairs that Casper-S is trained on, from nothing but seeds and, where there are any, tripod clips.

    python recipes/casper_s_pairs.py PAIRS --clips CLIPS
    python recipes/casper_s_pairs.py PAIRS --sprites 0 168 --seeds 1000 1016 --short 2001 2013 --brief 3001 3017

Writes PAIRS/sprites, PAIRS/rendered, PAIRS/rendered_short, PAIRS/rendered_brief, PAIRS/tripod, PAIRS/paste and
PAIRS/validation: shards of pairs that say what other frames show; seeds are the first and the one behind the last, and
a kind that has none is left out. Goes on where it was stopped. Scenes need the extra `render`; a scene takes a quarter
to half a minute of one core, the anchor of a pair one to seven seconds.

Short and brief scenes are for variety: what stands shows its shadow as well in a few frames as in many, and they are
larger, so objects and shadows are seen at more sizes.
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
from lamina.synth.paste import PasteConfig, PasteSource
from lamina.synth.rendered import EachAnswer, RenderedConfig, find_scenes
from lamina.synth.scene import SpriteConfig
from lamina.synth.shards import make_shards
from lamina.synth.sprite_pairs import SpriteSource
from lamina.synth.tripod import TripodConfig, TripodSource
from lamina.train.anchoring import AnchoredSource

HEIGHT, WIDTH = 144, 256
DRAW = DrawConfig(frames=32, width=WIDTH, height=HEIGHT, fps=16, objects=(1, 2))
SHORT = DrawConfig(frames=12, width=320, height=180, fps=12, objects=(1, 2))
BRIEF = DrawConfig(frames=10, width=288, height=160, fps=10, objects=(1, 2))
STANDING: tuple[Family, ...] = ("static-object", "reflection", "look-alikes", "moving-camera")
"""Every seed of short scenes has one of these; odd ones have one of each family, and of the first two another."""
BRIEF_ONES: tuple[Family, ...] = (*FAMILIES, "static-object", "reflection")
"""Families of every seed of brief scenes: twice those that other frames tell least of."""
ANOTHER = 100_000
DEFAULTS = {"sprites": (0, 168), "seeds": (1000, 1016), "short": (2001, 2013), "brief": (3001, 3017)}
FIRST_LAST = ("FIRST", "BEHIND_LAST")
QUALITY = Quality(samples=8, crf=4, depth=False, layers=False)
SPRITE_FRAMES = 24
TRIPOD_PAIRS, PASTE_PAIRS = 24, 24
VALIDATION_SEEDS = range(2000, 2001)
"""Of rendered scenes that are not trained on; LayerBench's are below 100."""


@dataclass(frozen=True)
class Wanted:
    """How many pairs of each kind."""

    sprites: range
    seeds: range
    """Of rendered scenes: one of each family for every seed."""
    short: range
    """Of short ones."""
    brief: range
    """Of brief ones."""
    clips: Path | None


def make_pairs(out: Path, wanted: Wanted, report: Callable[[str], Report]) -> None:
    """Make all that is not there yet."""
    for name, seeds, drawn, draw in (
        ("validation", VALIDATION_SEEDS, _one_of_each, DRAW),
        ("rendered", wanted.seeds, _one_of_each, DRAW),
        ("rendered_short", wanted.short, _short_ones, SHORT),
        ("rendered_brief", wanted.brief, _brief_ones, BRIEF),
    ):
        if seeds:
            chosen = [one for seed in seeds for one in drawn(seed)]
            scenes = _rendered(out / f"{name}_scenes", chosen, draw, report(name))
            told = {"seeds": [seeds.start, seeds.stop]}
            _shards(scenes, out / name, range(len(scenes)), told, report(name))
    if wanted.sprites:
        sprites = SpriteSource(SpriteConfig(WIDTH, HEIGHT, SPRITE_FRAMES))
        _shards(sprites, out / "sprites", wanted.sprites, {"frames": SPRITE_FRAMES}, report("sprites"))
    if wanted.clips is not None:
        clips = tuple(find_clips(wanted.clips))
        told = {"clips": len(clips)}
        tripod = TripodSource(clips, TripodConfig(frames=DRAW.frames, short_px=HEIGHT))
        _shards(tripod, out / "tripod", range(TRIPOD_PAIRS), told, report("tripod"))
        paste = PasteSource(clips, clips, PasteConfig(frames=DRAW.frames, short_px=HEIGHT))
        _shards(paste, out / "paste", range(PASTE_PAIRS), told, report("paste"))


def _rendered(folder: Path, drawn: Sequence[tuple[Family, int]], draw: DrawConfig, report: Report) -> EachAnswer:
    recipes = [draw_recipe(family, seed, _draw(draw, family)) for family, seed in drawn]
    render_scenes(recipes, folder, QUALITY, report=report)
    return EachAnswer(find_scenes(folder), RenderedConfig(frames=draw.frames, short_px=draw.height))


def _one_of_each(seed: int) -> list[tuple[Family, int]]:
    return [(family, seed) for family in FAMILIES]


def _short_ones(seed: int) -> list[tuple[Family, int]]:
    if seed % 2 == 0:
        return [(family, seed) for family in STANDING]
    return [*_one_of_each(seed), *((family, seed + ANOTHER) for family in STANDING[:2])]


def _brief_ones(seed: int) -> list[tuple[Family, int]]:
    return [(family, seed + ANOTHER * (family in BRIEF_ONES[:k])) for k, family in enumerate(BRIEF_ONES)]


def _draw(draw: DrawConfig, family: Family) -> DrawConfig:
    return replace(draw, objects=(1, 1)) if family == "static-object" else draw


def _shards(source: PairSource, folder: Path, seeds: range, told: dict, report: Report) -> None:
    make_shards(AnchoredSource(source), folder, len(seeds), told, first_seed=seeds.start, report=report)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    for name, seeds in DEFAULTS.items():
        parser.add_argument(f"--{name}", type=int, nargs=2, default=seeds, metavar=FIRST_LAST)
    parser.add_argument("--clips", type=Path, help="tripod clips whose licence allows to ship what they trained")
    options = parser.parse_args(argv)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    seeds = (range(*given) for given in (options.sprites, options.seeds, options.short, options.brief))
    wanted = Wanted(*seeds, options.clips)
    make_pairs(options.out, wanted, _saying)


def _saying(name: str) -> Report:
    def say(stage: str, done: int, total: int) -> None:
        print(f"{name}: {stage} {done} of {total}", flush=True)

    return say


if __name__ == "__main__":
    main()
