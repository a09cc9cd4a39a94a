"""Schedules and steps are those of diffusers' schedulers; what a denoiser knows arrives."""

import diffusers
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_backbones import SCHEDULER

from lamina.errors import InputError
from lamina.sampling import sample, seeded, start_noise, step, windowed
from lamina.schedule import CLEAN, DdimSchedule, FlowSchedule, Level, Move
from lamina.windows import WindowRule

SCHEDULES = {"ddim": DdimSchedule(), "flow": FlowSchedule()}


def latents_of(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("spacing", ["trailing", "linspace", "leading"])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 30, 50])
def test_ddim_is_that_of_diffusers(spacing: str, steps: int):
    """Also where the steps do not divide 1000: the network is asked at one level and the step goes to another."""
    config = {k: v for k, v in SCHEDULER.items() if not k.startswith("_") and k != "snr_shift_scale"}
    config |= {"timestep_spacing": spacing, "rescale_betas_zero_snr": spacing == "trailing"}
    theirs = diffusers.DDIMScheduler(**config)
    theirs.set_timesteps(steps)
    ours = DdimSchedule.from_config(config)
    assert [move.start.timestep for move in ours.moves(steps)] == theirs.timesteps.tolist()
    x = mine = latents_of(0, 1, 4, 3, 2, 2)
    for timestep, move in zip(theirs.timesteps, ours.moves(steps), strict=True):
        answer = latents_of(int(timestep) + 1, 1, 4, 3, 2, 2)
        x = theirs.step(answer, timestep, x, eta=0.0).prev_sample
        mine = step(mine, ours.clean(mine, answer, move.start), move)
        torch.testing.assert_close(mine, x, rtol=0, atol=2e-5)


@pytest.mark.parametrize("steps", [1, 2, 4, 7, 50])
def test_flow_is_that_of_diffusers_given_its_sigmas(steps: int):
    """diffusers shifts once; what the published sampler sees as its range has been shifted before."""
    ours = FlowSchedule()
    theirs = diffusers.FlowMatchEulerDiscreteScheduler(shift=ours.shift)
    least = ours.shift * 1e-3 / (1 + (ours.shift - 1) * 1e-3)
    theirs.set_timesteps(sigmas=np.linspace(1.0, least, steps))
    np.testing.assert_allclose(ours.sigmas(steps), theirs.sigmas.numpy(), atol=1e-6)
    x = mine = latents_of(0, 1, 4, 3, 2, 2)
    for number, (timestep, move) in enumerate(zip(theirs.timesteps, ours.moves(steps), strict=True)):
        assert move.start.timestep == pytest.approx(timestep.item(), abs=1e-3)
        answer = latents_of(number, 1, 4, 3, 2, 2)
        x = theirs.step(answer, timestep, x).prev_sample
        mine = step(mine, ours.clean(mine, answer, move.start), move)
        torch.testing.assert_close(mine, x, rtol=0, atol=1e-5)


def test_published_numbers():
    """Of the specification: noise that is left, where the network is asked."""
    alphas = DdimSchedule().alphas_cumprod()
    np.testing.assert_allclose(alphas[[999, 979, 499, 19, 0]], [0, 8.58e-5, 0.2424, 0.9810, 0.99915], rtol=1e-3)
    asked = [move.start.timestep for move in FlowSchedule().moves(50)]
    np.testing.assert_allclose(asked[:4] + asked[-3:], [1000, 995.87, 991.6, 987.19, 192.8, 114.82, 24.41], atol=0.01)


@pytest.mark.parametrize("kind", SCHEDULES)
@given(steps=st.integers(1, 60), seed=st.integers(0, 9))
def test_a_denoiser_that_knows_the_clip_arrives_there(kind: str, steps: int, seed: int):
    schedule, clean = SCHEDULES[kind], latents_of(seed, 2, 4, 3, 2, 2)
    moves = schedule.moves(steps)
    *_, last = sample(lambda latents, level: clean, latents_of(seed + 1, 2, 4, 3, 2, 2), moves)
    assert torch.equal(last.clean, clean)
    if kind == "flow" or 1000 % steps == 0:
        assert moves[-1].stop[:2] == CLEAN[:2]
        torch.testing.assert_close(last.latents, clean, rtol=0, atol=1e-5)
    assert (last.done, last.total) == (steps, steps)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_moves_go_from_noise_to_nothing(kind: str):
    moves = SCHEDULES[kind].moves(20)
    assert moves[0].start.signal == pytest.approx(0, abs=1e-9) and moves[-1].stop[:2] == CLEAN[:2]
    noise = [move.start.noise for move in moves]
    assert noise == sorted(noise, reverse=True)


def test_a_step_that_is_given_the_truth_keeps_the_noise():
    clean, gauss = latents_of(0, 1, 4, 2, 2, 2), latents_of(1, 1, 4, 2, 2, 2)
    start, stop = Level(0.6, 0.8, 0), Level(0.8, 0.6, 0)
    found = step(0.6 * clean + 0.8 * gauss, clean, Move(start, stop))
    torch.testing.assert_close(found, 0.8 * clean + 0.6 * gauss)


def test_small_numbers_stay_small():
    latents = latents_of(0, 1, 4, 2, 2, 2).bfloat16()
    found = [s.latents.dtype for s in sample(lambda x, level: x.float() / 2, latents, FlowSchedule().moves(3))]
    assert found == [torch.bfloat16] * 3


@pytest.mark.parametrize(
    "rule", [WindowRule(8, 3, "moved", "ramp"), WindowRule(8, 3, "short", "ramp"), WindowRule(8, 3)]
)
def test_windows_of_what_looks_at_single_latents_change_nothing(rule: WindowRule):
    def denoise(latents: torch.Tensor, level: Level) -> torch.Tensor:
        return latents.tanh() * level.signal

    latents, moves = latents_of(0, 2, 4, 23, 2, 2), DdimSchedule().moves(4)
    *_, wanted = sample(denoise, latents, moves)
    *_, found = sample(windowed(lambda window: denoise, rule.plan(23)), latents, moves)
    torch.testing.assert_close(found.latents, wanted.latents, rtol=0, atol=1e-5)


def test_blending_clean_latents_is_blending_after_the_step():
    """As the published sampler does it, window by window: weigh what each window's step leaves."""
    plan = WindowRule(8, 4, "short", "ramp").plan(14)
    latents = latents_of(0, 1, 4, 14, 2, 2)
    move = FlowSchedule().moves(5)[2]
    answers = [latents_of(k + 1, 1, 4, len(window), 2, 2) for k, window in enumerate(plan.windows)]
    total = torch.zeros_like(latents)
    for window, weights, answer in zip(plan.windows, plan.weights, answers, strict=True):
        at = slice(window.start, window.stop)
        left = step(latents[:, :, at], answer, move)
        total[:, :, at] += torch.from_numpy(weights).float()[:, None, None] * left
    by_start = {window.start: answer for window, answer in zip(plan.windows, answers, strict=True)}
    denoise = windowed(lambda window: lambda x, level: by_start[window.start], plan)
    torch.testing.assert_close(step(latents, denoise(latents, move.start), move), total, rtol=0, atol=1e-5)


def test_a_run_goes_on_where_it_was():
    def denoise(latents: torch.Tensor, level: Level) -> torch.Tensor:
        return latents.cos()

    latents, moves = latents_of(0, 1, 4, 3, 2, 2), FlowSchedule().moves(6)
    steps = list(sample(denoise, latents, moves))
    again = list(sample(denoise, steps[2].latents, moves, done=3))
    assert [s.done for s in again] == [4, 5, 6] and torch.equal(again[-1].latents, steps[-1].latents)


def test_noise_is_the_seeds_and_the_same_for_all_items():
    once, again, other = (start_noise(seeded(seed), (4, 3, 2, 2), 3) for seed in (1, 1, 2))
    assert torch.equal(once, again) and not torch.equal(once, other)
    assert torch.equal(once[0], once[1]) and once.shape == (3, 4, 3, 2, 2)
    assert abs(start_noise(seeded(0), (16, 20, 8, 8), 1).std() - 1) < 0.02


@pytest.mark.parametrize(("schedule", "steps"), [(DdimSchedule(), 0), (FlowSchedule(), 0), (FlowSchedule(), 1001)])
def test_a_number_of_steps_that_cannot_be(schedule: DdimSchedule | FlowSchedule, steps: int):
    with pytest.raises(InputError, match=f"steps: got {steps}, wanted 1..1000"):
        schedule.moves(steps)


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("prediction_type", "epsilon", "'v_prediction'"),
        ("beta_schedule", "linear", "'scaled_linear'"),
        ("clip_sample", True, "False"),
        ("timestep_spacing", "karras", "'trailing' or 'linspace' or 'leading'"),
    ],
)
def test_a_config_that_asks_for_something_else(key: str, value: object, wanted: str):
    with pytest.raises(InputError, match=f"{key}: got {value!r}, wanted {wanted}"):
        DdimSchedule.from_config(SCHEDULER | {key: value})
