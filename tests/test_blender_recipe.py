"""Recipes of rendered scenes: drawn from a seed alone, plain data on disk; and the true layers' arithmetic."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import InputError
from lamina.synth.blender.families import FAMILIES, DrawConfig, draw_recipe
from lamina.synth.blender.recipe import Recipe, read_recipe, recipe_text
from lamina.synth.blender.render import Quality
from lamina.synth.blender.truth import back_to_front, effect_alpha, recompose, recompose_alone

SEEDS = st.integers(0, 10**6)


@settings(max_examples=40)
@given(family=st.sampled_from(FAMILIES), seed=SEEDS, most=st.integers(1, 6))
def test_a_scene_is_its_seed(family, seed: int, most: int):
    config = DrawConfig(objects=(1, most))
    recipe = draw_recipe(family, seed, config)
    assert recipe == draw_recipe(family, seed, config) != draw_recipe(family, seed + 1, config)
    names = [actor.name for actor in recipe.objects]
    assert 1 <= len(names) <= most and len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in names), "layers are called so"
    assert (recipe.frames, recipe.width, recipe.height) == (config.frames, config.width, config.height)


@settings(max_examples=40)
@given(family=st.sampled_from(FAMILIES), seed=SEEDS)
def test_grounds_differ_in_looks_and_not_in_gloss(family, seed: int):
    recipe = draw_recipe(family, seed)
    first, second = (dataclasses.asdict(ground) for ground in (recipe.ground, recipe.other_ground))
    shared = ("coat", "roughness", "ripples")
    assert all(first[name] == second[name] for name in shared) and first["seed"] != second["seed"]


@settings(max_examples=20)
@given(family=st.sampled_from(FAMILIES), seed=SEEDS)
def test_a_recipe_survives_its_file(tmp_path_factory, family, seed: int):
    path = tmp_path_factory.mktemp("recipe") / "recipe.json"
    recipe = draw_recipe(family, seed)
    path.write_text(recipe_text(recipe))
    assert read_recipe(path) == recipe


def test_families_are_what_they_are_called():
    def some(family) -> list[Recipe]:
        return [draw_recipe(family, seed) for seed in range(30)]

    assert all(recipe.still for recipe in some("tripod-shadow"))
    assert not any(recipe.camera.still for recipe in some("moving-camera"))
    assert all(recipe.ground.coat == 1 for recipe in some("reflection"))
    assert not any(recipe.still for recipe in some("dynamic-background"))
    assert all(actor.motion.way == "still" for recipe in some("static-object") for actor in recipe.objects)
    for recipe in some("look-alikes"):
        looks = {(actor.kind, actor.seed, actor.size) for actor in recipe.actors}
        assert len(looks) == 1 and len(recipe.actors) > len(recipe.objects), "others that look the same stay"


def test_assets_replace_look_alikes_alike():
    config = DrawConfig(assets=(Path("toy.glb"),))
    kinds = [{actor.kind for actor in draw_recipe("look-alikes", seed, config).actors} for seed in range(12)]
    assert all(len(found) == 1 for found in kinds) and {"toy.glb"} in kinds and {"toy.glb"} != set.union(*kinds)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "JSONDecodeError"),
     ('{"version": 9}', "version 9"), ('{"version": 1}', "TypeError"), ("[]", "AttributeError")],
)
def test_what_is_no_recipe(tmp_path: Path, text: str, said: str):
    path = tmp_path / "recipe.json"
    path.write_text(text)
    with pytest.raises(InputError, match=f"{said}.*wanted a recipe of version 1. Draw it anew"):
        read_recipe(path)


def test_settings_out_of_range():
    for wrong in (dict(frames=0), dict(objects=(2, 1)), dict(objects=(1, 7)), dict(fps=0)):
        with pytest.raises(ValueError, match="Expected 1 to 1000 frames"):
            DrawConfig(**wrong)
    with pytest.raises(ValueError, match="16 to 8192 pixels"):
        DrawConfig(width=8)
    for wrong in (dict(samples=0), dict(bounces=17), dict(crf=52)):
        with pytest.raises(ValueError, match="Expected 1 to 4096 samples"):
            Quality(**wrong)


def test_a_shadows_alpha_is_the_light_it_takes():
    plate = np.array([[[200, 100, 50], [40, 80, 120]]], np.uint8)
    assert effect_alpha((plate * 0.5).astype(np.uint8), plate).tolist() == [[128, 128]]
    assert effect_alpha(plate, plate).max() == 0


def test_layers_that_know_nothing_of_each_other_recompose_like_their_slow_twin():
    rng = np.random.default_rng(3)
    plate = rng.integers(30, 200, (6, 8, 3)).astype(np.uint8)
    objects = []
    for _ in range(2):
        shadow = rng.uniform(0.4, 1.0, (6, 8, 1))
        effects = np.rint(plate * shadow).astype(np.uint8)
        alpha = rng.integers(0, 256, (6, 8)).astype(np.uint8)
        share = alpha[..., None] / 255
        solo = np.rint(share * rng.integers(0, 256, (6, 8, 3)) + (1 - share) * effects).astype(np.uint8)
        objects.append((solo, effects, alpha))
    made = recompose_alone(plate, objects, [1, 0])
    for y in range(6):
        for x in range(8):
            below = plate[y, x] / 255
            for _, effects, _ in objects:
                below = _over_ground(plate[y, x], effects[y, x], below)
            for k in (1, 0):
                solo, effects, alpha = (part[y, x] / 255 for part in objects[k])
                below = np.clip(solo - (1 - alpha) * effects, 0, 1) + (1 - alpha) * below
            np.testing.assert_allclose(made[y, x], below, atol=1e-5)


def test_layers_in_their_place_give_any_picture_back():
    plate, first, second = np.random.default_rng(4).integers(0, 256, (3, 12, 9, 3)).astype(np.uint8)
    assert np.abs(255 * recompose(plate, [first, second]) - second).max() <= 1
    assert np.abs(255 * recompose(plate, [first]) - second).max() > 50


def _over_ground(plate: np.ndarray, effects: np.ndarray, below: np.ndarray) -> np.ndarray:
    """One effect as a layer of the least alpha, laid over what is there already."""
    ground, seen = plate / 255, effects / 255
    alpha = max(abs(s - g) / ((1 - g) if s > g else g) for s, g in zip(seen, ground, strict=True))
    color = ground + (seen - ground) / alpha if alpha > 0 else ground
    return np.clip(color, 0, 1) * alpha + below * (1 - alpha)


def test_what_is_far_comes_first():
    near, far, nothing = np.full((2, 2), 255, np.uint8), np.full((2, 2), 255, np.uint8), np.zeros((2, 2), np.uint8)
    depths = [np.full((2, 2), value, np.float32) for value in (3.0, 7.0, 1.0)]
    assert back_to_front(depths, [near, far, nothing]) == [2, 1, 0]


def test_the_quality_of_scenes_is_plain_data():
    assert Quality(**json.loads(json.dumps(dataclasses.asdict(Quality(samples=4))))) == Quality(samples=4)
