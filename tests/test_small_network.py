"""Casper-S's network and its file: shapes, what it mixes, what may see what, and files that are none."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from toy_casper import chance
from toy_small import SIZES, small_folder, toy_network

from lamina.backbones.attention import blocks_of, patch_of
from lamina.backbones.interface import Backbone, Trainable
from lamina.backbones.small import GEOMETRY, SMALL_SPEC, Anchor, Small, continued, open_small
from lamina.backbones.small_files import FILE, open_small_network, read_header
from lamina.backbones.small_network import (
    GIVEN,
    MOST_CERTAIN,
    MOST_LIGHT,
    SIDE,
    SmallNetwork,
    SmallSizes,
    _with_neighbours,
    held,
    level_waves,
    mixture,
    rotations,
    turned,
)
from lamina.backbones.specs import ModelSpec
from lamina.errors import WeightsError
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.schedule import Level


@given(st.integers(1, 2), st.integers(1, 5), st.integers(1, 3), st.integers(1, 3))
def test_any_number_of_items_frames_and_tokens(items: int, frames: int, rows: int, columns: int):
    answer = toy_network()(chance(items, GIVEN, frames, rows * SIDE, columns * SIDE), torch.ones(items))
    assert answer.shape == (items, 3, frames, rows * SIDE, columns * SIDE) and torch.isfinite(answer).all()


def test_a_new_network_answers_with_the_same_mixture_everywhere():
    """Before anything is learned the last layers say nothing of the place: only their biases speak."""
    given_frames = torch.zeros(1, GIVEN, 2, 32, 32)
    with torch.no_grad():
        answer = toy_network(disturbed=0.0)(given_frames, torch.ones(1))
    assert float(answer.std()) < 1 and answer.shape == (1, 3, 2, 32, 32)


def test_items_do_not_see_each_other():
    network, given_frames = toy_network(), chance(2, GIVEN, 4, 32, 48)
    other = given_frames.clone()
    other[1] = chance(GIVEN, 4, 32, 48, seed=5)
    noise = torch.tensor([1.0, 0.3])
    first, second = network(given_frames, noise), network(other, noise)
    torch.testing.assert_close(first[0], second[0], rtol=0, atol=1e-5)
    assert (first[1] - second[1]).abs().max() > 1e-2
    torch.testing.assert_close(network(given_frames[:1], noise[:1])[0], first[0], rtol=0, atol=1e-5)


def test_frames_of_a_window_do():
    network, given_frames = toy_network(), chance(1, GIVEN, 6, 32, 48)
    other = given_frames.clone()
    other[:, :, 5] = 0
    difference = (network(given_frames, torch.ones(1)) - network(other, torch.ones(1))).abs().amax((0, 1, 3, 4))
    assert (difference > 1e-6).all()


def test_the_level_of_noise_is_told():
    network, given_frames = toy_network(), chance(1, GIVEN, 2, 16, 16)
    assert (network(given_frames, torch.ones(1)) - network(given_frames, torch.zeros(1))).abs().max() > 1e-4


def test_neighbours_in_time_against_their_slow_twin():
    x, weights = chance(6, 2, 3, 3), chance(2, 2, seed=1)
    found = _with_neighbours(x, weights, 3)
    for clip in (0, 3):
        for t in range(3):
            before, after = x[clip + max(0, t - 1)], x[clip + min(2, t + 1)]
            wanted = x[clip + t] + weights[0][:, None, None] * before + weights[1][:, None, None] * after
            torch.testing.assert_close(found[clip + t], wanted)


def shares(kind: int) -> torch.Tensor:
    """An answer that is sure of one kind, in the light there is: frame 0, known 1, paint 2."""
    answer = torch.zeros(1, 9, 4, 5)
    answer[:, 3:6] = 0.25
    answer[:, 6 + kind] = 1e6
    return answer


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_mixture_is_what_it_is_sure_of(kind: int):
    pictures = chance(1, GIVEN, 4, 5).clamp(-1, 1)
    found = mixture(shares(kind), pictures)
    wanted = (pictures[:, 3:6], pictures[:, 6:9], torch.full((1, 3, 4, 5), 0.25))[kind]
    most = 2 * 2 / (2 + np.exp(MOST_CERTAIN))  # what is left to the other two
    assert (found - wanted).abs().max() <= most


def test_light_is_a_factor_of_what_is_brighter_than_black():
    pictures = chance(1, GIVEN, 4, 5).clamp(-1, 1)
    answer = shares(0)
    brighter = answer.clone()
    brighter[:, :3] = 1.0
    factor = (mixture(brighter, pictures) + 1) / (mixture(answer, pictures) + 1)
    torch.testing.assert_close(factor, torch.full_like(factor, float(np.exp(1 / (1 + 1 / MOST_LIGHT)))))


@given(st.floats(-1e4, 1e4))
def test_what_is_held_stays_within_bounds_and_keeps_its_gradient(value: float):
    x = torch.tensor(value, requires_grad=True)
    found = held(x, 3.0)
    found.backward()
    assert abs(found.item()) <= 3 and np.sign(found.item()) == np.sign(x.item())
    assert x.grad is not None and 0 < float(x.grad) <= 1


def test_positions_are_relative():
    """Scores of a query and a key depend on how far they are apart only."""
    turns = rotations(3, 4, 5, 8)
    assert turns.shape == (2, 60, 4)
    query, key = chance(1, 1, 1, 8).expand(1, 1, 60, 8), chance(1, 1, 1, 8, seed=1).expand(1, 1, 60, 8)
    scores = (turned(query, turns) @ turned(key, turns).mT).reshape(3, 4, 5, 3, 4, 5)
    torch.testing.assert_close(scores[0, 1, 1, 1, 2, 3], scores[1, 2, 2, 2, 3, 4])
    assert (scores[0, 0, 0, 0, 0, 0] - scores[0, 0, 0, 1, 2, 3]).abs() > 1e-4
    torch.testing.assert_close(turned(query, turns).norm(dim=-1), query.norm(dim=-1))


def test_levels_are_told_apart():
    waves = level_waves(torch.linspace(0, 1, 41))
    distances = torch.cdist(waves, waves) + 10 * torch.eye(41)
    assert float(distances.min()) > 0.1 and float(waves.abs().max()) <= 1


@pytest.mark.parametrize("change", [{"widths": (8, 8, 12)}, {"widths": (0, 8, 16)}, {"blocks": -1}, {"sharp": 0}])
def test_sizes_that_make_no_sense(change: dict):
    with pytest.raises(ValueError, match="Expected (widths above 0, the last of three|three widths, blocks)"):
        replace(SIZES, **change)


def test_it_is_a_backbone_with_blocks_of_tokens():
    backbone = Small(toy_network())
    assert isinstance(backbone, Backbone) and isinstance(backbone, Trainable) and isinstance(SMALL_SPEC, ModelSpec)
    assert len(blocks_of(backbone.network)) == 1 and patch_of(backbone.network) == (1, SIDE, SIDE)
    assert GEOMETRY.latent_shape(5, 32, 48) == (3, 5, 32, 48)


def test_pixels_are_latents():
    backbone, frames = Small(toy_network()), chance(3, 3, 16, 16).abs().clamp(0, 1)
    torch.testing.assert_close(backbone.decode(backbone.encode(frames)), frames)
    assert backbone.embed_image(frames[0]) is None and backbone.embed_text("a").shape == (0, 1)


def test_what_it_is_told():
    backbone, frames = Small(toy_network()), chance(2, 3, 16, 16).abs().clamp(0, 1)
    trimask = np.full((2, 16, 16), UNKNOWN, np.uint8)
    trimask[:, :4], trimask[:, 8:12] = REMOVE, KEEP
    sure = np.zeros((2, 16, 16), bool)
    sure[:, 2:6] = True
    anchor = Anchor(torch.full((2, 3, 16, 16), 0.25), [sure, ~sure])
    told = backbone.told(frames, [trimask, np.full_like(trimask, UNKNOWN)], anchor)
    assert told.mask.shape == (2, 6, 2, 16, 16) and torch.equal(told.video, 2 * frames.transpose(0, 1) - 1)
    assert (told.mask[:, :3] == -0.5).all()
    for channel, where in ((3, sure), (4, trimask == REMOVE), (5, trimask == KEEP)):
        assert torch.equal(told.mask[0, channel].bool(), torch.from_numpy(where))
    assert torch.equal(told.mask[1, 3].bool(), torch.from_numpy(~sure)) and not told.mask[1, 4:].any()
    bare = backbone.condition(frames, [trimask], torch.zeros(0, 1), None, torch.randn)
    assert torch.equal(bare.mask[0, :3, :, 4:], bare.video[:, :, 4:]) and not bare.mask[0, 3].any()
    nothing = Anchor(None, [sure])
    assert torch.equal(backbone.told(frames, [trimask], nothing).mask[0, :3], bare.mask[0, :3])
    drawn = backbone.training_condition(frames, trimask, torch.zeros(0, 1), None, torch.randn)
    assert torch.equal(drawn.mask, bare.mask)


def test_what_is_hidden_is_continued_from_around_it_and_nothing_of_it_is_seen():
    y, x = torch.meshgrid(torch.linspace(-1, 1, 37), torch.linspace(-1, 1, 53), indexing="ij")
    ramp = torch.stack([x, y, x * y])[:, None].expand(3, 2, 37, 53)
    hidden = np.zeros((2, 37, 53), bool)
    hidden[:, 12:22, 20:33] = True
    found = continued(torch.where(torch.from_numpy(hidden), 9.0, ramp), hidden)
    assert torch.equal(found[:, ~hidden], ramp[:, ~hidden])
    assert (found - ramp).abs().max() < 0.3
    assert torch.isfinite(continued(ramp, np.ones_like(hidden))).all()


def test_an_answer_is_a_velocity():
    backbone, frames = Small(toy_network()), chance(2, 3, 16, 16).abs().clamp(0, 1)
    condition = backbone.told(frames, [np.full((2, 16, 16), UNKNOWN, np.uint8)], None)
    noisy, level = chance(1, 3, 2, 16, 16), Level(0.4, 0.6, 600.0)
    clean = backbone.clean(noisy, condition.video[None], condition.mask, torch.tensor([0.6]))
    torch.testing.assert_close(backbone.denoiser(condition)(noisy, level), clean, rtol=0, atol=1e-5)


def test_a_file_comes_back(tmp_path: Path):
    network = toy_network()
    folder = small_folder(tmp_path, network, steps="7")
    found = open_small_network(folder)
    assert found.config == SIZES and read_header(folder / FILE)["steps"] == "7"
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], tensor.bfloat16().float(), rtol=0, atol=0)
    assert {tensor.dtype for tensor in load_file(folder / FILE).values()} == {torch.bfloat16}
    given_frames = chance(1, GIVEN, 2, 16, 16)
    rounded = toy_network()
    rounded.load_state_dict(found.state_dict())
    torch.testing.assert_close(found(given_frames, torch.ones(1)), rounded(given_frames, torch.ones(1)))
    assert not any(p.requires_grad for p in found.parameters()) and not found.training


def test_a_result_says_which_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    record = open_small(small_folder(tmp_path), "cpu", "bf16").record
    assert record["model"] == "casper-s" and record["storage"] == "bf16" and len(record["sha256"][FILE]) == 64


def rewritten(folder: Path, tensors: dict | None = None, **words: str) -> Path:
    path = small_folder(folder) / FILE
    kept = load_file(path)
    save_file(kept | (tensors or {}), path, read_header(path) | words)
    return folder


def sized(**changes) -> str:
    return json.dumps(vars(SIZES) | changes)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"sizes": "{"}, "a header without the network's sizes"),
        ({"sizes": "[]"}, "a header without the network's sizes"),
        ({"sizes": sized(widths=[8, 16])}, "a header without the network's sizes"),
        ({"sizes": sized(heads=4.0)}, "a header without the network's sizes"),
        ({"sizes": sized(heads=-4)}, "a header without the network's sizes.*above 0"),
        ({"sizes": sized(patch_size=[1, 8, 8])}, "a header without the network's sizes.*patches of 1 frame and 16x16"),
        ({"sizes": sized(patch_size=[])}, "a header without the network's sizes"),
        ({"sizes": json.dumps(vars(replace(SIZES, blocks=2)))}, r"got no blocks.1.*, wanted the \d+ tensors"),
        ({"sizes": json.dumps(vars(replace(SIZES, widths=(8, 8, 32))))}, r"got .* of shape 16.*, wanted 32"),
        ({"tensors": {"more": torch.zeros(1)}}, "got more beside, wanted the"),
        ({"tensors": {"head.bias": torch.full((144,), torch.inf)}}, "got numbers that are not finite in head.bias"),
    ],
)
def test_files_that_are_none(tmp_path: Path, how: dict, said: str):
    with pytest.raises(WeightsError, match=f"{FILE}.*{said}"):
        open_small_network(rewritten(tmp_path, **how))


def test_the_same_network_is_the_same_file(tmp_path: Path):
    words = {name: "x" * count for count, name in enumerate(("steps", "recipe", "made_by", "more", "and_more"))}
    files = [small_folder(tmp_path / str(k), **words) / FILE for k in range(5)]
    assert len({file.read_bytes() for file in files}) == 1
    assert read_header(files[0]).items() >= words.items()


def test_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(WeightsError, match="got no such file, wanted the file of Casper-S. Leave --weights out"):
        open_small_network(tmp_path)
    monkeypatch.setattr("lamina.backbones.small_files.SHIPPED", tmp_path)
    with pytest.raises(WeightsError, match="got no such file.*Install Lamina anew"):
        open_small_network()
    with pytest.raises(WeightsError, match="got .*, wanted a whole file of Casper-S"):
        read_header(tmp_path / FILE)


def test_the_default_is_small_enough_to_ship():
    with torch.device("meta"):
        network = SmallNetwork(SmallSizes())
    assert 2 * sum(p.numel() for p in network.parameters()) < 15e6
