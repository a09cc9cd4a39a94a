"""Casper-S as a learner: what it is told, what its loss weighs, and a toy recipe from start to the engine's file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pair_makers import known_pair
from toy_small import SIZES, small_folder
from toy_training import toml_of, toy_recipe

from lamina import TrainConfig, follow_recipe
from lamina.backbones.small import Small
from lamina.backbones.small_files import FILE, open_small_network, read_header
from lamina.errors import InputError, WeightsError
from lamina.masks.binary import grow_square
from lamina.masks.trimask import REMOVE
from lamina.synth.pair import Pair
from lamina.synth.shards import make_shards
from lamina.train.conditioning import frames_of
from lamina.train.journal import read_entries
from lamina.train.recipe import ConditioningConfig, OptimizerConfig, Recipe, SmallConfig, ValidationConfig
from lamina.train.small import (
    EFFECT,
    draw_noise,
    grown,
    new_network,
    pair_told,
    remove_small,
    small_learner,
    small_step,
    weights_of,
)
from lamina.train.task import Example, chance_of

CPU = torch.device("cpu")
TOY = SmallConfig(widths=(8, 8, 16), blocks=1, sharp=8, most_grown_px=1)


def recipe_of(**changes) -> Recipe:
    optimizer = OptimizerConfig(rate=5e-3, warmup_steps=0, clip_norm=1.0)
    return toy_recipe("casper-s", **({"start": "base", "small": TOY, "at_once": 2, "optimizer": optimizer} | changes))


def pair_of(seed: int = 0, frames: int = 5) -> Pair:
    return known_pair(seed, frames, (48, 32))


def examples(count: int = 2) -> list[Example]:
    return [Example(pair_of(place), place, chance_of(0, place, CPU)) for place in range(count)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def test_what_it_is_told_with_and_without_an_anchor():
    pair, backbone = pair_of(), Small(new_network(recipe_of()))
    told, bare = (pair_told(backbone, pair, replace(TOY, anchor=anchor)) for anchor in (True, False))
    assert pair.known is not None and pair.sure is not None
    assert torch.equal(told.mask[0, :3], backbone.encode(frames_of(pair.known)))
    assert torch.equal(told.mask[0, 3], torch.from_numpy(pair.sure == 255).float())
    stays = pair.trimask != REMOVE
    assert torch.equal(bare.mask[0, :3, stays], bare.video[:, stays]) and not bare.mask[0, 3].any()
    assert not torch.equal(bare.mask[0, :3, ~stays], bare.video[:, ~stays])
    assert torch.equal(bare.mask[0, 4:], told.mask[0, 4:]) and torch.equal(bare.video, told.video)
    nobody_looked = pair_told(backbone, replace(pair, known=None, sure=None), TOY)
    assert torch.equal(nobody_looked.mask, bare.mask)


def test_weights_of_pixels():
    config = SmallConfig(effect_weight=4.0, hidden_weight=2.0, sure_weight=0.2)
    picture = np.zeros((1, 2, 3, 3), np.uint8)
    target = picture.copy()
    target[0, 0, 1:] = int(255 * EFFECT) + 1
    trimask = np.ones((1, 2, 3), np.uint8)
    trimask[0, :, 0] = REMOVE
    sure = np.zeros((1, 2, 3), np.uint8)
    sure[0, :, 2] = 255
    pair = Pair(picture, target, trimask, "toy", 0, known=target, sure=sure)
    assert weights_of(pair, config).tolist() == pytest.approx(np.array([[[3, 5, 0.2], [3, 1, 0.2]]]))
    free = weights_of(pair, replace(config, anchor=False))
    assert free.tolist() == pytest.approx(np.array([[[3, 5, 5], [3, 1, 1]]]))


def test_masks_grow_by_chance():
    pair = pair_of()
    found = [grown(pair, replace(TOY, most_grown_px=2), chance_of(0, place, CPU)) for place in range(60)]
    removed = pair.trimask == REMOVE
    sides = [next(s for s in (1, 3, 5) if np.array_equal(f.trimask == REMOVE, grow_square(removed, s))) for f in found]
    assert {side: sides.count(side) > 8 for side in (1, 3, 5)} == {1: True, 3: True, 5: True}


def test_levels_are_drawn_as_the_recipe_says():
    drawn = np.array([draw_noise(chance_of(0, place, CPU), TOY) for place in range(2000)])
    assert abs((drawn == 1).mean() - TOY.pure_noise) < 0.04 and drawn.min() >= 0.02
    assert abs(drawn[drawn < 1].mean() - 0.5) < 0.04


@pytest.mark.parametrize("below", [0.01, 0.2])
def test_the_loss_against_its_slow_twin(below: float):
    """Pair by pair and pixel by pixel, drawn in the same order."""
    recipe = recipe_of(small=replace(TOY, quadratic_below=below))
    network = new_network(recipe)
    found = small_step(recipe, Small(network), examples())
    total = weight_sum = 0.0
    for pair, _, chance in examples():
        pair = grown(pair, TOY, chance)
        noise = draw_noise(chance, TOY)
        clean = 2 * frames_of(pair.target).transpose(0, 1) - 1
        noisy = (1 - noise) * clean + noise * chance.noise(clean.shape)
        condition = pair_told(Small(network), pair, TOY)
        given = torch.cat([noisy, condition.video, condition.mask[0]])[None]
        difference = (network(given, torch.tensor([noise]))[0] - clean).detach().numpy() / 2
        weight = weights_of(pair, TOY)
        total += float(((np.sqrt(difference**2 + below**2) - below) * weight).sum())
        weight_sum += 3 * float(weight.sum())
    assert found.total.item() == pytest.approx(total / weight_sum, rel=1e-4)
    found.total.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_removal_shows_what_is_sure():
    recipe, pair = recipe_of(), pair_of()
    backbone = Small(new_network(recipe))
    found = remove_small(recipe, backbone, pair)
    assert pair.known is not None and pair.sure is not None and found.dtype == np.uint8
    sure = pair.sure == 255
    assert np.array_equal(found[sure], pair.known[sure]) and (found[~sure] != 0).any()
    free = remove_small(recipe_of(small=replace(TOY, anchor=False)), backbone, pair)
    assert not np.array_equal(free[sure], pair.known[sure])
    assert np.array_equal(found, remove_small(recipe, backbone, pair)), "the same noise whenever it is called"


class Anchored:
    name = "pairs"

    def pair(self, seed: int) -> Pair:
        return replace(known_pair(seed, 9, (56, 40)), source="pairs")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    make_shards(Anchored(), root / "pairs", 4, recipe={})
    return root


def follow(recipe: Recipe, data: Path, out: Path, weights: Path | None = None):
    out.parent.mkdir(exist_ok=True, parents=True)
    path = out.parent / f"{out.name}.toml"
    path.write_text(toml_of(recipe))
    return follow_recipe(TrainConfig(path, out, data, weights, "cpu"))


def losses(out: Path) -> list[float]:
    return [entry["loss"] for entry in read_entries(out) if "loss" in entry]


@pytest.mark.parametrize(("anchor", "least"), [(True, 0.9), (False, 0.96)])
def test_the_loss_falls_and_the_engine_reads_what_comes_out(anchor: bool, least: float, data: Path, tmp_path: Path):
    """Answers are by chance here: without an anchor little more than their mean can be learned."""
    recipe = recipe_of(steps=40, save_every=40, small=replace(TOY, anchor=anchor), ema=None)
    trained = follow(replace(recipe, validation=ValidationConfig(every=40, pairs=1, steps=1)), data, tmp_path / "out")
    found = losses(tmp_path / "out")
    assert trained is not None and np.mean(found[-8:]) < least * np.mean(found[:4])
    assert trained.file.name == FILE and read_header(trained.file)["steps"] == "40"
    assert open_small_network(trained.file.parent).config == SIZES


def test_a_stopped_run_goes_on_exactly(data: Path, tmp_path: Path):
    whole, parts = recipe_of(steps=6, save_every=3), recipe_of(steps=3, save_every=3)
    follow(whole, data, tmp_path / "whole")
    follow(parts, data, tmp_path / "parts")
    follow(whole, data, tmp_path / "parts")
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    found, wanted = (open_small_network(tmp_path / name).state_dict() for name in ("parts", "whole"))
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


def test_going_on_from_a_file(data: Path, tmp_path: Path):
    folder = small_folder(tmp_path / "models")
    learner = small_learner(recipe_of(start="casper"), folder, CPU)
    wanted = open_small_network(folder).state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in learner.network.state_dict().items())
    assert all(p.requires_grad for p in learner.network.parameters()) and learner.network.training
    assert len(learner.record["sha256"][FILE]) == 64 and learner.record["sizes"]["widths"] == (8, 8, 16)
    with pytest.raises(WeightsError, match="got no such file, wanted the file of Casper-S"):
        small_learner(recipe_of(start="casper"), tmp_path, CPU)


def test_new_networks_are_of_the_seed():
    first, same, other = (new_network(recipe_of(seed=seed)).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(tensor, same[name]) for name, tensor in first.items())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in first.items())


def test_pairs_that_it_cannot_take():
    recipe = recipe_of()
    with pytest.raises(InputError, match="recipe: data: got 5 frames of 40x32, wanted .*sides that 16 divides"):
        small_learner(replace(recipe, data=replace(recipe.data, width=40)), None, CPU)
    with pytest.raises(InputError, match="recipe: method of casper-s: got lora, wanted full"):
        small_learner(recipe_of(method="lora"), None, CPU)


@pytest.mark.parametrize(
    ("name", "value"),
    [("shorter", 0.5), ("masks", "binary"), ("removed", "zeroed"), ("strata", 3), ("most_difference", 5.0)],
)
def test_conditions_that_only_published_models_know(name: str, value):
    recipe = recipe_of(conditioning=ConditioningConfig(**{name: value}))
    with pytest.raises(InputError, match=rf"recipe: {name} under \[conditioning\] of casper-s: got {value}, wanted"):
        small_learner(recipe, None, CPU)


def test_going_on_from_a_network_of_other_sizes(tmp_path: Path):
    recipe = recipe_of(start="casper", small=replace(TOY, blocks=2))
    with pytest.raises(InputError, match="recipe: sizes of casper-s: got .*blocks=2.*, wanted those of the file"):
        small_learner(recipe, small_folder(tmp_path), CPU)


def test_weights_that_nothing_would_be_read_from(tmp_path: Path):
    with pytest.raises(InputError, match=r'--weights: got .*, wanted none: .*start = "casper" to go on from them\.'):
        small_learner(recipe_of(start="base"), small_folder(tmp_path), CPU)


def test_pairs_of_which_nothing_counts():
    recipe = recipe_of(small=replace(TOY, sure_weight=0.0))
    known = [one._replace(pair=replace(one.pair, sure=np.full_like(one.pair.sure, 255))) for one in examples()]
    losses = small_step(recipe, Small(new_network(recipe)), known)
    assert losses.total.item() == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"widths": (8, 8, 12)}, "a last width that 8, twice the heads, divides"),
        ({"blocks": -1}, "blocks and most_grown_px of at least 0"),
        ({"sure_weight": -1.0}, "weights of at least 0"),
        ({"pure_noise": 1.5}, r"pure_noise within 0\.\.1"),
        ({"quadratic_below": 0.0}, "quadratic_below above 0"),
    ],
)
def test_recipes_that_make_no_sense(change: dict, said: str):
    with pytest.raises(InputError, match=f"recipe: small: got .*, wanted .*{said}"):
        SmallConfig(**change)
