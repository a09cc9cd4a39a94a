"""The fit as a whole: what each recipe reaches on a small clip, stopping, repeating, and what it refuses."""

from dataclasses import replace
from itertools import islice

import pytest
import torch
from fit_clips import Known, disc_clip
from hypothesis import given
from hypothesis import strategies as st

from lamina.composite import over
from lamina.errors import InputError
from lamina.layers import fit as module
from lamina.layers.fit import PRESETS, finish, fit, fit_steps, start_fit
from lamina.layers.fit_clip import BATCHES, Grid, erode, guide_weight, published_batch, resize_rgba, to_short_side
from lamina.layers.fit_config import TERMS, FitConfig, Schedule, Stage, with_steps
from lamina.layers.fit_losses import Batch

SMALL = disc_clip()
FAST = PRESETS["fast"]


def small(name: str, *steps: int) -> FitConfig:
    """A recipe with a thin network and few steps."""
    return replace(with_steps(PRESETS[name], *steps), width=4)


def paper(*steps: int) -> FitConfig:
    config = small("paper", *steps)
    return replace(config, stages=(replace(config.stages[0], short_side_px=32), config.stages[1]))


def hasty(config: FitConfig, lr: float) -> FitConfig:
    """With learning rates for few steps."""
    rates = {"network_lr": lr, "color_lr": 5 * lr, "at": ()}
    stages = (replace(s, optimizer=replace(s.optimizer, **rates)) for s in config.stages)
    return replace(config, stages=tuple(stages))


def given_of(known: Known) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return known.picture, known.plate, known.mask


def error(rgba: torch.Tensor, known: Known) -> float:
    return (over(rgba[:, :3], rgba[:, 3:], known.plate) - known.picture).square().mean().item()


def rough(rgba: torch.Tensor) -> torch.Tensor:
    """A layer as a coarse solver may leave it: in few levels."""
    return (rgba * 31).round() / 31


# What the recipes reach


def test_reference_learns_the_layer():
    state = start_fit(hasty(small("reference", 50), 1e-2), *given_of(SMALL), seed=1)
    reports = list(fit_steps(state))
    assert reports[-1].total < 0.5 * reports[0].total
    rgba = finish(state)
    assert rgba.shape == (6, 4, 48, 64)
    alpha = rgba[:, 3:]
    assert alpha[SMALL.mask > 0.5].mean() > alpha[SMALL.mask < 0.5].mean() + 0.3


def test_reference_is_not_limited():
    state = start_fit(small("reference", 1), *given_of(SMALL))
    state.model.network.out_conv.conv.bias.data.fill_(5.0)
    assert finish(state).max() > 1


def test_reference_takes_the_eroded_mask():
    state = start_fit(PRESETS["reference"], *given_of(SMALL))
    assert torch.equal(state.clip.mask, erode(SMALL.mask, 5))
    assert state.clip.mask.sum() < SMALL.mask.sum()


def test_paper_finds_object_and_shadow():
    rgba, outcome = fit(hasty(paper(100, 50), 1e-2), *given_of(SMALL), seed=2)
    assert 0 <= rgba.min() and rgba.max() <= 1 and rgba.shape == (6, 4, 48, 64)
    assert outcome.kept == "fit" and outcome.error == pytest.approx(error(rgba, SMALL), rel=1e-4)
    assert outcome.error < 0.1 * (SMALL.picture - SMALL.plate).square().mean()
    alpha, truth = rgba[:, 3:], SMALL.rgba[:, 3:]
    assert alpha[truth == 1].mean() > 0.7 and alpha[truth == 0].mean() < 0.02
    assert alpha[(truth > 0.2) & (truth <= 0.4)].mean() == pytest.approx(0.4, abs=0.15)


def test_paper_goes_from_the_small_size_to_the_given_one():
    state = start_fit(paper(2, 2), *given_of(SMALL))
    assert state.model.clip.picture.shape[2:] == (32, 43)
    base = [report.stage for report in islice(fit_steps(state), 2)]
    small_layer = state.model.solution(20).rgba
    late = list(islice(fit_steps(state), 1))
    assert [*base, late[0].stage] == ["base", "base", "upsampled"]
    torch.testing.assert_close(state.model.clip.guide, resize_rgba(small_layer, (48, 64))[:, 3:])
    assert 0 < late[0].terms["guide"] < 0.1


def test_paper_weights_are_the_quoted_ones():
    base, upsampled = PRESETS["paper"].stages
    ours = [
        [getattr(s.losses, n).weight for n in ("sparsity_l0", "sparsity_l1", "mask", "guide")]
        for s in (base, upsampled)
    ]
    assert ours == [[1, 10, 20, 0], [10, 100, 10, 20]]
    assert (base.losses.recon_metric, upsampled.losses.recon_metric) == ("l2", "l1")
    assert (base.steps, base.batch_frames, base.short_side_px) == (20_000, 20, 128)
    assert upsampled.losses.mask == Schedule(10.0, 0.0, (2000,))


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_fast_comes_nearer_to_the_picture(noise: float):
    known = disc_clip(noise=noise)
    start = rough(known.rgba)
    rgba, outcome = fit(FAST, *given_of(known), start=start)
    assert outcome.kept == "fit" and outcome.error < 0.7 * error(start, known)
    assert outcome.error_of_start == pytest.approx(error(start, known), rel=1e-4)
    assert outcome.error == pytest.approx(error(rgba, known), rel=1e-4)
    assert (rgba[:, 3:] - known.rgba[:, 3:]).abs().max() < 0.1


def test_fast_leaves_what_is_empty_or_right():
    start = rough(SMALL.rgba)
    start[:, :3, :, :8] = 0.123
    settled = SMALL.rgba[:, 3:] == 1
    start = torch.where(settled, SMALL.rgba, start)
    rgba, _ = fit(FAST, *given_of(SMALL), start=start)
    still = (settled | (start[:, 3:] == 0)).expand_as(rgba)
    assert torch.equal(rgba[still], start[still])
    assert not torch.equal(rgba, start)


def test_fast_keeps_the_start_when_it_cannot_do_better():
    harmful = replace(FAST.stages[0], losses=replace(FAST.stages[0].losses, sparsity_l1=Schedule(1e4)))
    rgba, outcome = fit(replace(FAST, stages=(harmful,)), *given_of(SMALL), start=SMALL.rgba)
    assert outcome.kept == "start" and outcome.error == outcome.error_of_start
    assert torch.equal(rgba, SMALL.rgba)


@given(st.integers(0, 10_000), st.sampled_from([3, 7, 31, 255]), st.sampled_from([1, 255]))
def test_fast_is_never_further_from_the_picture(seed: int, levels: int, white: int):
    chance = torch.Generator().manual_seed(seed)
    picture, plate = torch.rand(2, 2, 3, 6, 5, generator=chance)
    start = (torch.rand(2, 4, 6, 5, generator=chance) * levels).round() / levels
    known = Known(picture, plate, (start[:, 3:] > 0.8).float(), start)
    config = replace(with_steps(FAST, 4), stored_white=white)
    rgba, outcome = fit(config, *given_of(known), start=start)
    assert error(rgba, known) <= error(start, known) and 0 <= rgba.min() and rgba.max() <= 1
    if white > 1 and outcome.kept == "fit":
        torch.testing.assert_close(rgba * white, (rgba * white).round(), atol=1e-3, rtol=0)


def test_fast_of_an_object_that_is_not_there_is_the_start():
    nothing = torch.zeros_like(SMALL.rgba)
    state = start_fit(FAST, SMALL.plate, SMALL.plate, torch.zeros_like(SMALL.mask), nothing)
    assert not list(fit_steps(state)) and torch.equal(finish(state), nothing)


def test_threads_are_as_many_as_before(monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    list(fit_steps(start_fit(with_steps(FAST, 1), *given_of(SMALL), start=SMALL.rgba)))
    assert asked == [1, 7, 1, 7]
    with pytest.raises(InputError, match="stage 'refine': got threads=0, wanted at least 1, or None"):
        replace(FAST.stages[0], threads=0)


def test_bands_of_pixels_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch):
    alone = replace(FAST.stages[0], losses=replace(FAST.stages[0].losses, calm=Schedule()))
    config = with_steps(replace(FAST, stages=(alone,)), 2)
    whole, _ = fit(config, *given_of(SMALL), start=rough(SMALL.rgba))
    monkeypatch.setattr("lamina.layers.fit_models.LISTED", 200)
    state = start_fit(config, *given_of(SMALL), start=rough(SMALL.rgba))
    assert len(state.model.lists) > 5
    list(fit_steps(state))
    torch.testing.assert_close(finish(state), whole, atol=2e-3, rtol=0)


# Steps


@pytest.mark.parametrize("config", [small("reference", 3), paper(2, 2), with_steps(FAST, 3)], ids=list(PRESETS))
def test_the_same_seed_gives_the_same_layer(config: FitConfig):
    start = rough(SMALL.rgba) if config.stages[0].model == "pixels" else None
    first, again = (fit(config, *given_of(SMALL), start=start, seed=5)[0] for _ in range(2))
    assert torch.equal(first, again)


def test_another_seed_gives_another_layer():
    first, other = (fit(small("reference", 1), *given_of(SMALL), seed=seed)[0] for seed in (0, 1))
    assert not torch.equal(first, other)


def test_stopping_and_going_on_is_as_not_stopping():
    config = small("reference", 4)
    whole, _ = fit(config, *given_of(SMALL))
    state = start_fit(config, *given_of(SMALL))
    assert [r.step for r in islice(fit_steps(state), 2)] == [0, 1]
    halfway = finish(state)
    assert [r.step for r in fit_steps(state)] == [2, 3]
    assert torch.equal(finish(state), whole) and not torch.equal(halfway, whole)


def test_a_layer_is_there_before_the_first_step_and_in_every_stage():
    state = start_fit(paper(2, 2), *given_of(SMALL))
    shapes = [finish(state).shape]
    for _ in fit_steps(state):
        shapes.append(finish(state).shape)
    assert set(shapes) == {(6, 4, 48, 64)} and len(shapes) == 5
    assert not list(fit_steps(state))


def test_reports_say_what_was_in_force():
    config = small("reference", 6)
    at = config.stages[0].losses.mask.at
    assert at == (1,) and config.stages[0].optimizer.at == (0, 1, 2)
    reports = list(fit_steps(start_fit(config, *given_of(SMALL))))
    assert [(r.stage, r.step, r.steps) for r in reports] == [("fit", n, 6) for n in range(6)]
    assert [r.weights["mask"] for r in reports] == [10, 0, 0, 0, 0, 0]
    assert [r.lr["network"] for r in reports] == pytest.approx([5e-4 * 0.1, 5e-6, 5e-7, 5e-7, 5e-7, 5e-7])
    for report in reports:
        assert report.total == pytest.approx(sum(report.terms[n] * report.weights[n] for n in TERMS), rel=1e-4)


def test_progress_is_told():
    told = []
    fit(paper(1, 2), *given_of(SMALL), report=lambda *args: told.append(args))
    assert told == [("base", 1, 1), ("upsampled", 1, 2), ("upsampled", 2, 2)]


# Which frames a step sees


@pytest.mark.parametrize(
    ("draw", "frames", "wanted"),
    [(-16, 85, range(0, 16)), (3, 85, range(3, 19)), (84, 85, range(69, 85)), (0, 16, range(16))]
    + [(5, 15, range(14, 15)), (5, 12, range(8, 12)), (0, 9, range(2, 9)), (0, 8, range(8)), (0, 5, range(5))],
)
def test_published_batches(draw: int, frames: int, wanted: range):
    assert published_batch(draw, frames, 16) == wanted


@given(st.integers(-50, 200), st.integers(1, 150), st.integers(1, 40))
def test_batches_inside_are_full_and_consecutive(draw: int, frames: int, size: int):
    found = BATCHES["inside"](draw, frames, size)
    assert len(found) == min(size, frames) and found.step == 1 and found[0] >= 0 and found[-1] < frames


def test_draws_reach_both_ends():
    state = start_fit(small("reference", 1), *given_of(SMALL))
    draws = list(islice(state.draws, 2000))
    assert (min(draws), max(draws)) == (-16, 5)


# Sizes


@given(st.integers(1, 70), st.integers(1, 70))
def test_the_grid_is_undone(height: int, width: int):
    frames = torch.arange(2.0 * height * width).reshape(1, 2, height, width)
    grid = Grid.of(frames, 32)
    padded = grid.apply(frames)
    assert padded.shape[2] % 32 == padded.shape[3] % 32 == 0
    assert torch.equal(grid.undo(padded), frames)


def test_pictures_that_fit_the_grid_are_not_touched():
    frames = torch.zeros(1, 3, 64, 32)
    assert Grid.of(frames, 32).apply(frames) is frames


def test_shrinking_is_averaging_and_nothing_is_enlarged():
    frames = torch.tensor([[0.0, 1.0, 0.5, 0.5], [1.0, 0.0, 0.5, 0.5]]).expand(1, 1, 2, 4)
    clip = Batch(frames.expand(1, 3, 2, 4), frames.expand(1, 3, 2, 4), frames)
    assert torch.equal(to_short_side(clip, 1).mask, torch.full((1, 1, 1, 2), 0.5))
    assert to_short_side(clip, 100) is clip and to_short_side(clip, None) is clip


def test_erosion_counts_what_is_beyond_the_border_as_inside():
    mask = torch.ones(1, 1, 7, 7)
    assert torch.equal(erode(mask, 5), mask) and torch.equal(erode(mask, 1), mask)
    mask[..., 3, 3] = 0
    assert erode(mask, 5).sum() == 7 * 7 - 5 * 5


def test_a_guide_is_not_trusted_near_its_edges():
    alpha = torch.zeros(1, 1, 5, 12)
    alpha[..., 6:] = 1
    assert guide_weight(alpha, 2)[0, 0, 2].tolist() == [1] * 4 + [0] * 4 + [1] * 4


# What is refused


def changed(**parts: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"picture": SMALL.picture, "plate": SMALL.plate, "mask": SMALL.mask} | parts


def spoiled(frames: torch.Tensor, value: float) -> torch.Tensor:
    out = frames.clone()
    out[1, 0, 2, 3] = value
    return out


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"plate": SMALL.plate[:5]}, "fit: plate: got 5 frames, wanted 6, as many as the picture"),
        ({"mask": SMALL.mask[..., :60]}, "fit: mask: got 60x48 pixels, wanted 64x48 pixels, as the picture"),
        ({"mask": SMALL.picture}, "fit: mask: got the shape '6 3 48 64', wanted 't 1 h w'"),
        ({"picture": SMALL.picture[0]}, "fit: picture: got the shape '3 48 64', wanted 't 3 h w'"),
        ({"picture": SMALL.picture[:0]}, "fit: picture: got the shape '0 3 48 64'"),
        ({"plate": SMALL.plate.double()}, "fit: plate: got torch.float64, wanted torch.float32"),
        ({"plate": spoiled(SMALL.plate, float("nan"))}, "fit: plate: got values that are infinite or not a number"),
        ({"picture": spoiled(SMALL.picture, float("inf"))}, "fit: picture: got values that are infinite"),
        ({"picture": SMALL.picture * 255}, "fit: picture: got values 25.5..204, wanted 0..1. Divide by white"),
        ({"mask": spoiled(SMALL.mask, -0.5)}, "fit: mask: got values -0.5..1, wanted 0..1"),
        ({"start": SMALL.rgba[:, :3]}, "fit: start: got the shape '6 3 48 64', wanted 't 4 h w'"),
        ({"start": SMALL.rgba}, "fit: stage 'fit': got a start, wanted none: this network starts from chance"),
        ({"device": "nonsense"}, "device: got 'nonsense', which cannot be used here"),
    ],
)
def test_bad_input_is_refused(parts, message: str):
    with pytest.raises(InputError, match=message):
        start_fit(small("reference", 1), **changed(**parts))


def test_refining_needs_a_start():
    with pytest.raises(InputError, match="fit: stage 'refine': got no start, wanted a layer to refine"):
        start_fit(FAST, *given_of(SMALL))


def test_a_device_that_is_missing_is_not_replaced(monkeypatch: pytest.MonkeyPatch):
    def broken(*_, **__):
        raise AssertionError("not compiled with it")

    monkeypatch.setattr(module.torch, "empty", broken)
    with pytest.raises(InputError, match="device: got 'elsewhere', which cannot be used here"):
        module._device("elsewhere")


def test_norms_need_more_than_one_value():
    tiny = [frames[:, :, :32, :32] for frames in given_of(disc_clip(15))]
    with pytest.raises(InputError, match="stage 'fit': got 1 frame per step of 32x32 pixels, wanted two frames"):
        start_fit(small("reference", 1), *tiny)
    assert len(list(fit_steps(start_fit(small("reference", 1), *(frames[:8] for frames in tiny))))) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FitConfig(()), "fit: got no stages, wanted at least one"),
        (lambda: replace(FAST, erode_px=4), "fit: got width=32, erode_px=4, wanted width >= 1 and an odd erode_px"),
        (lambda: replace(FAST, width=0), "fit: got width=0"),
        (lambda: replace(FAST, stored_white=0), "fit: got stored_white=0, wanted at least 1"),
        (lambda: replace(FAST.stages[0], steps=-1), "stage 'refine': got .*wanted steps >= 0, batch_frames >= 1"),
        (lambda: replace(FAST.stages[0], batch_frames=0), "stage 'refine': got .*batch_frames=0"),
        (lambda: replace(FAST.stages[0], short_side_px=0), "stage 'refine': got short_side_px=0, wanted at least 1"),
        (lambda: with_steps(FAST, 1, 2), "steps: got 2 numbers, wanted 1, one per stage"),
        (lambda: with_steps(FAST, -1), "stage 'refine': got .*steps=-1"),
    ],
)
def test_bad_configurations_are_refused(make, message: str):
    with pytest.raises(InputError, match=message):
        make()


def test_a_preset_is_one_value_apart_from_another_recipe():
    """Presets are made of values only, so that any of them can be changed into any other."""
    for config in PRESETS.values():
        assert isinstance(config, FitConfig) and all(isinstance(stage, Stage) for stage in config.stages)
        assert replace(config) == config and hash(config) == hash(replace(config))
