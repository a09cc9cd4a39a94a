"""The loop, on a learner of pixels: batches, rates, clipping, averages, checkpoints, what must not go on."""

import json
import math
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_training import pixel_state, pixel_step

from lamina.errors import InputError, MediaError, OutputError, TrainingError
from lamina.masks.trimask import REMOVE, UNKNOWN
from lamina.synth.mix import MixConfig
from lamina.train.checkpoints import KEPT, checkpoints, load_checkpoint, save_checkpoint
from lamina.train.ema import Ema
from lamina.train.journal import forget_after, read_entries, write_entry
from lamina.train.loop import TrainState, train_steps
from lamina.train.optimizers import clip_gradients, learning_rate, longest_gradient
from lamina.train.recipe import OptimizerConfig
from lamina.train.task import Example, Losses, chance_of
from lamina.train.validation import evaluated, validate

CPU = torch.device("cpu")
QUICK = OptimizerConfig(rate=0.05, warmup_steps=0, clip_norm=100.0)


def parameters(state: TrainState) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in state.parameters.items()}


def same(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_loss_falls():
    reports = list(train_steps(pixel_state(steps=60, optimizer=QUICK)))
    losses = [report.loss for report in reports]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:3])
    assert [report.step for report in reports] == list(range(1, 61)) and "brightness" in reports[0].figures


@pytest.mark.parametrize("at_once", [1, 2])
def test_groups_of_a_batch_make_no_difference(at_once: int):
    whole, parts = pixel_state(batch=4, at_once=4), pixel_state(batch=4, at_once=at_once)
    for first, second in zip(train_steps(whole), train_steps(parts), strict=True):
        assert math.isclose(first.loss, second.loss, rel_tol=1e-5)
        assert math.isclose(first.gradient_norm, second.gradient_norm, rel_tol=1e-5)
    for name, wanted in parameters(whole).items():
        torch.testing.assert_close(parameters(parts)[name], wanted, rtol=0, atol=1e-6)


def test_a_step_against_its_slow_twin():
    """One step of AdamW by hand: mean of the pairs' gradients, shortened, decayed, by the first rate of the warm-up."""
    config = OptimizerConfig(rate=0.01, warmup_steps=4, clip_norm=0.02, clip_start=5.0, weight_decay=0.1, eps=1e-8)
    state, twin = pixel_state(optimizer=config, batch=3), pixel_state(batch=3)
    before = parameters(state)
    report = next(train_steps(state))
    for place in range(3):
        example = Example(twin.mix.at(place), place, chance_of(0, place, CPU))
        pixel_step(twin.network, [example]).total.backward()
    gradients = {name: parameter.grad / 3 for name, parameter in twin.parameters.items()}
    norm = math.sqrt(sum(float(g.square().sum()) for g in gradients.values()))
    assert math.isclose(report.gradient_norm, norm, rel_tol=1e-5) and norm > 0.1
    for name, gradient in gradients.items():
        g = gradient * (0.02 * 5.0 / norm)
        moved = before[name] * (1 - 0.0025 * 0.1) - 0.0025 * g / (g.abs() + 1e-8)
        torch.testing.assert_close(parameters(state)[name], moved, rtol=0, atol=2e-6)
    assert report.rate == 0.0025


def test_chance_is_of_seed_and_place_alone():
    def drawn(seed: int, place: int) -> tuple[float, float]:
        chance = chance_of(seed, place, CPU)
        return float(chance.numbers.random()), float(chance.noise((3,)).sum())

    assert drawn(1, 2) == drawn(1, 2)
    assert len({drawn(seed, place) for seed in range(3) for place in range(3)}) == 9
    noise = chance_of(0, 0, CPU).noise((20_000,))
    assert noise.dtype == torch.float32 and abs(noise.mean()) < 0.03 and abs(noise.std() - 1) < 0.03


@given(st.integers(0, 5000))
def test_rates_and_limits(step: int):
    config = OptimizerConfig(rate=2e-5, warmup_steps=100, clip_norm=0.05)
    assert math.isclose(learning_rate(config, step), 2e-5 * min(1, (step + 1) / 100))
    assert math.isclose(longest_gradient(config, step), 0.25 - 0.2 * min(step, 1000) / 1000)
    plain = OptimizerConfig(warmup_steps=0, clip_norm=0.3, clip_settled_step=0)
    assert (learning_rate(plain, step), longest_gradient(plain, step)) == (plain.rate, 0.3)
    falling = replace(config, fall_steps=(1000, 3000))
    share = 1 if step < 1000 else (3000 - step) / 2000 if step < 3000 else 0
    assert math.isclose(learning_rate(falling, step), learning_rate(config, step) * share)


@pytest.mark.parametrize("most", [0.5, 100.0])
def test_gradients_are_shortened_together(most: float):
    found = [torch.nn.Parameter(torch.zeros(2)) for _ in range(3)]
    for parameter, values in zip(found, ([3.0, 0.0], [0.0, 4.0]), strict=False):
        parameter.grad = torch.tensor(values)
    assert clip_gradients(found, most).item() == 5.0
    factor = min(1.0, most / 5.0)
    torch.testing.assert_close(found[0].grad, torch.tensor([3.0, 0.0]) * factor)
    torch.testing.assert_close(found[1].grad, torch.tensor([0.0, 4.0]) * factor)


@given(st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=30), st.sampled_from([0.0, 0.5, 0.999]))
def test_the_average_against_its_slow_twin(values: list[float], decay: float):
    ema = Ema({"w": torch.tensor([1.0])}, decay)
    wanted = 1.0
    for step, value in enumerate(values):
        ema.update({"w": torch.tensor([value])}, step)
        d = min(decay, (1 + step) / (10 + step))
        wanted = d * wanted + (1 - d) * value
    assert math.isclose(ema.averages["w"].item(), wanted, abs_tol=1e-5)


def test_the_average_is_shown_and_taken_back():
    state = pixel_state(steps=3)
    list(train_steps(state))
    assert state.ema is not None
    held, averages = parameters(state), {name: value.clone() for name, value in state.ema.averages.items()}
    assert not same(held, averages)
    with pytest.raises(KeyError), evaluated(state):
        assert same(parameters(state), averages) and not state.network.training
        raise KeyError
    assert same(parameters(state), held) and state.network.training


@pytest.mark.parametrize("ema", [None, 0.9])
@pytest.mark.parametrize("kind", ["adamw", "adafactor"])
def test_resume_is_exact(tmp_path, kind, ema):
    changes = {"steps": 6, "ema": ema, "optimizer": replace(QUICK, kind=kind)}
    whole, begun, resumed = (pixel_state(**changes) for _ in range(3))
    wanted = [replace(report, seconds=0.0) for report in train_steps(whole)]
    for report in train_steps(begun):
        if report.step in (2, 3):
            save_checkpoint(tmp_path, begun)
        if report.step == 5:
            break  # a step that was made and not saved is made again
    load_checkpoint(checkpoints(tmp_path)[-1], resumed)
    assert (resumed.step, resumed.place) == (3, 6)
    assert [replace(report, seconds=0.0) for report in train_steps(resumed)] == wanted[3:]
    assert same(parameters(resumed), parameters(whole))
    assert whole.ema is None or resumed.ema is not None and same(resumed.ema.averages, whole.ema.averages)


def test_steps_go_on_where_they_were_left():
    whole, parts = pixel_state(steps=5), pixel_state(steps=5)
    wanted = [report.loss for report in train_steps(whole)]
    found = [report.loss for _, report in zip(range(2), train_steps(parts), strict=False)]
    assert parts.step == 2
    assert found + [report.loss for report in train_steps(parts)] == wanted


def test_saving_changes_nothing(tmp_path):
    whole, saved = pixel_state(steps=4), pixel_state(steps=4)
    wanted = [report.loss for report in train_steps(whole)]
    for report in train_steps(saved):
        assert report.loss == wanted[report.step - 1]
        save_checkpoint(tmp_path, saved)
    kept = checkpoints(tmp_path)
    assert [path.name for path in kept] == [f"{step:08}" for step in range(5 - KEPT, 5)]
    assert sorted(path.name for path in kept[0].iterdir()) == [
        "average.safetensors",
        "network.safetensors",
        "optimizer.safetensors",
        "state.json",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in kept]


def test_what_a_stop_has_left_is_cleared_away(tmp_path):
    """Half written, and half removed: the step that is saved next is one of them."""
    state = saved_once(tmp_path)
    for name in (".00000001.part", "00000001", "00000003"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "network.safetensors").write_bytes(b"x")
    assert [path.name for path in checkpoints(tmp_path)] == ["00000002"]
    state.step = 3
    save_checkpoint(tmp_path, state)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000002", "00000003"]


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """As a disk that is full: the system refuses to write more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_keeps_the_checkpoints_before(tmp_path):
    state = saved_once(tmp_path)
    state.step = 3
    message = "writing .*00000003: got .*File too large.*, wanted a writable place with enough free space"
    with no_file_longer_than(50), pytest.raises(OutputError, match=message):
        save_checkpoint(tmp_path, state)
    assert [path.name for path in tmp_path.iterdir()] == ["00000002"]
    write_entry(tmp_path, {"step": 1})
    with no_file_longer_than(5), pytest.raises(OutputError, match="writing .*log.jsonl: got File too large"):
        write_entry(tmp_path, {"step": 2})


def saved_once(folder) -> TrainState:
    state = pixel_state(steps=2)
    list(train_steps(state))
    save_checkpoint(folder, state)
    return state


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("network.safetensors", b"x", "network.safetensors: got .*, wanted a checkpoint of this run. Remove 00000002"),
        ("state.json", b"{", "state.json: got JSONDecodeError"),
        ("state.json", b'{"version": 9}', "state.json: got version 9"),
        ("optimizer.safetensors", None, "optimizer.safetensors: got "),
    ],
)
def test_a_damaged_checkpoint_is_named(tmp_path, file, damage, message):
    saved_once(tmp_path)
    path = tmp_path / "00000002" / file
    path.write_bytes(damage) if damage else path.unlink()
    with pytest.raises(MediaError, match=message):
        load_checkpoint(path.parent, pixel_state(steps=2))


def test_a_checkpoint_of_something_else(tmp_path):
    saved_once(tmp_path)
    (tmp_path / "00000002" / "average.safetensors").rename(tmp_path / "00000002" / "network.safetensors")
    other = pixel_state(steps=2)
    other.mix.config = replace(other.mix.config, seed=5)
    with pytest.raises(InputError, match="state of a mix: got seed = 0, wanted seed = 5"):
        load_checkpoint(tmp_path / "00000002", other)
    smaller = pixel_state(steps=2)
    smaller.learner.network.register_parameter("extra", torch.nn.Parameter(torch.zeros(1)))
    with pytest.raises(MediaError, match="another set of tensors, first extra"):
        load_checkpoint(tmp_path / "00000002", smaller)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_it_harms(bad: float):
    def failing(network, examples):
        losses = pixel_step(network, examples)
        return Losses(losses.total * bad, losses.figures) if examples[0].place >= 4 else losses

    state = pixel_state(failing, steps=9)
    with pytest.raises(TrainingError, match=f"loss of step 3: got {bad}, wanted a finite number. What was saved"):
        for _ in train_steps(state):
            kept = parameters(state)
    assert state.step == 2 and same(parameters(state), kept)


def test_gradients_that_are_not_finite():
    def failing(network, examples):
        losses = pixel_step(network, examples)
        zero = losses.total - losses.total.detach()
        return Losses(losses.total + zero.abs().sqrt(), losses.figures)

    with pytest.raises(TrainingError, match="gradients' norm of step 1: got nan"):
        next(train_steps(pixel_state(failing)))


def test_validation_is_of_what_is_averaged_and_changes_nothing(tmp_path):
    state = pixel_state(steps=2, ema=0.5)
    list(train_steps(state))
    held, pairs = parameters(state), [state.mix.at(place) for place in (50, 51)]
    found = validate(state, pairs, tmp_path)
    assert validate(state, pairs, tmp_path) == found and same(parameters(state), held)
    assert [path.name for path in tmp_path.iterdir()] == ["00000002.png"]
    state.ema = None
    assert validate(state, pairs, tmp_path)["psnr"] != found["psnr"]
    assert found["psnr_input"] == validate(state, pairs, tmp_path)["psnr_input"] > 0


def test_validation_says_where_removal_fails(tmp_path):
    """One pair whose object, effect and rest each differ by another amount from the answer."""
    state = pixel_state(steps=1)
    pair = state.mix.at(50)
    target = np.full_like(pair.target, 100)
    given, trimask = target.copy(), np.full_like(pair.trimask, UNKNOWN)
    trimask[:, :4], given[:, :4] = REMOVE, 200
    given[:, 4:6] = 160
    answer = target.copy()
    answer[:, :4] += 51
    answer[:, 4:6] += 10
    answer[:, 6:] += 1
    state = replace(state, learner=replace(state.learner, remove=lambda *_: answer))
    found = validate(state, [replace(pair, input=given, target=target, trimask=trimask)], tmp_path)
    for name, levels in (("object", 51), ("effect", 10), ("rest", 1)):
        assert found[f"psnr_{name}"] == pytest.approx(-20 * np.log10(levels / 255), abs=1e-3)
    nothing = replace(pair, input=target, target=target, trimask=np.full_like(trimask, UNKNOWN))
    assert "psnr_object" not in validate(state, [nothing], tmp_path)


def test_the_journal_forgets_what_is_done_again(tmp_path):
    assert read_entries(tmp_path) == []
    for step in (1, 2, 3):
        write_entry(tmp_path, {"step": step, "loss": step / 10})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    forget_after(tmp_path, 2)
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [1, 2]


def test_ranks_take_their_own_places():
    state = pixel_state(batch=4)
    places = []
    for rank in range(2):
        state.mix.config = MixConfig(0, state.mix.config.augment, rank, 2)
        places += [pair.seed for pair, _ in zip(state.mix, range(2), strict=False)]
    state.mix.config = MixConfig(0, state.mix.config.augment)
    assert sorted(places) == sorted(pair.seed for pair, _ in zip(state.mix, range(4), strict=False))
