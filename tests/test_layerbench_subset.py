"""The committed scenes of LayerBench: small, made from their seeds, and with a truth that adds up."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.layerbench.make import SEEDS, SUBSET, recipes
from lamina.evaluate.layerbench import check_files, read_scenes
from lamina.media.source import open_source
from lamina.synth.blender.consistency import measure_consistency
from lamina.synth.blender.recipe import recipe_text
from lamina.synth.rendered import RenderedConfig, RenderedSource, find_scenes

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "layerbench" / "subset"


def test_there_are_24_scenes_in_six_families():
    assert len(SEEDS) == 6 and all(len(seeds) == 4 for seeds in SEEDS.values())
    assert len({recipe.name for recipe in recipes()}) == 24
    assert {(recipe.frames, recipe.width, recipe.height) for recipe in recipes()} == {(48, 480, 272)}


def test_the_subset_is_small_and_whole():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 12e6
    records = read_scenes(FOLDER)
    assert sorted(record.name for record in records) == sorted(SUBSET)
    for record in records:
        check_files(FOLDER / record.name, record)


@pytest.mark.parametrize("name", SUBSET)
def test_a_scene_is_made_from_its_seed_and_adds_up(name: str):
    recipe = next(recipe for recipe in recipes() if recipe.name == name)
    assert (FOLDER / name / "recipe.json").read_text() == recipe_text(recipe)
    assert measure_consistency(FOLDER / name).in_place < 2


def test_pairs_come_from_it():
    pair = RenderedSource(find_scenes(FOLDER), RenderedConfig(frames=3, short_px=68)).pair(1)
    assert pair.input.shape == (3, 68, 120, 3) and not np.array_equal(pair.input, pair.target)


def test_effects_are_where_their_alpha_says():
    scene = FOLDER / SUBSET[0]
    picture, plate, effect, covered = (
        np.stack([frame for frame, _ in zip(open_source(scene / f"{name}.mp4").read(), range(24), strict=False)])
        for name in ("input", "background", "effect_alpha_00", "object_alpha_00")
    )
    outside = covered[..., 0] < 3
    shadow = (effect[..., 0] > 90) & outside
    assert shadow.sum() > 1000 and (picture[shadow].mean() < 0.75 * plate[shadow].mean())
    clear = (effect[..., 0] < 3) & outside
    assert np.abs(picture.astype(int) - plate)[clear].mean() < 0.6
