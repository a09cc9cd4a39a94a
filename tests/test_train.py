"""Whole runs of a recipe: the files, going on, several processes, what is refused."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from toy_backbones import RANK, cogvideox_folder, wan_folder
from toy_training import SIZE, toml_of, toy_recipe, toy_shards

from lamina import TrainConfig, follow_recipe
from lamina.backbones.open import Loading, open_backbone
from lamina.backbones.specs import BACKBONES
from lamina.backbones.weights import find_weights
from lamina.cli.main import main
from lamina.errors import InputError, MediaError, OutputError, TrainingError
from lamina.media.image_file import read_image
from lamina.train import train as task
from lamina.train.journal import read_entries
from lamina.train.recipe import LoraConfig, OptimizerConfig, Recipe, ValidationConfig
from lamina.train.task import Losses

ROOT = Path(__file__).parents[1]
CPU_NORMS = pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight:UserWarning")
LEARNING = OptimizerConfig(rate=5e-3, warmup_steps=0, clip_norm=1.0)
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    cogvideox_folder(root)
    wan_folder(root)
    return wan_folder(root, lora=True)


@pytest.fixture
def config(models: Path, tmp_path: Path) -> Callable[..., TrainConfig]:
    """Write a recipe, and say what it is followed with."""
    toy_shards(tmp_path)

    def write(recipe: Recipe, out: str = "out", **changes: Any) -> TrainConfig:
        path = tmp_path / f"{out}.toml"
        path.write_text(toml_of(recipe))
        return replace(TrainConfig(path, tmp_path / out, tmp_path, models, "cpu"), **changes)

    return write


def losses_of(out: Path) -> list[float]:
    return [entry["loss"] for entry in read_entries(out) if "loss" in entry]


def without_times(out: Path) -> list[dict]:
    return [{key: entry[key] for key in entry if key != "seconds"} for entry in read_entries(out)]


@pytest.mark.parametrize("name", ["casper-cog-5b", "casper-wan-1.3b"])
def test_from_a_recipe_to_a_file_that_the_engine_reads(config, models: Path, name: str):
    given = config(toy_recipe(name, steps=3))
    told: list[tuple] = []
    trained = follow_recipe(given, lambda *step: told.append(step))
    assert told == [("train", step, 3) for step in (1, 2, 3)]
    assert sorted(path.name for path in given.out.iterdir()) == [
        ".work",
        f"{name}.safetensors",
        "log.jsonl",
        "validation",
    ]
    assert sorted(path.name for path in (given.out / "validation").iterdir()) == ["00000002.png", "00000003.png"]
    assert read_image(given.out / "validation" / "00000003.png").shape == (SIZE[0], 3 * SIZE[1], 3)
    assert sorted(p.name for p in (given.out / ".work" / "checkpoints").iterdir()) == ["00000002", "00000003"]
    entries = read_entries(given.out)
    assert [entry["step"] for entry in entries] == [1, 2, 2, 3, 3]
    assert set(entries[0]) == {"step", "loss", "noise", "rate", "gradient_norm", "seconds"}
    assert trained.loss == entries[3]["loss"] and {"step": 3, **trained.figures} == entries[4]
    assert {"psnr", "psnr_object", "psnr_rest", "psnr_input"} <= set(trained.figures)
    average = load_file(given.out / ".work" / "checkpoints" / "00000003" / "average.safetensors")
    weights = replace(find_weights(BACKBONES[name], models), casper=(trained.file,))
    opened = dict(open_backbone(weights, Loading(storage="fp32")).network.named_parameters())
    assert opened.keys() == average.keys()
    assert all(torch.equal(opened[tensor], average[tensor]) for tensor in average)
    before = open_backbone(find_weights(BACKBONES[name], models), Loading(storage="fp32")).network.state_dict()
    assert any(not torch.equal(opened[tensor], before[tensor]) for tensor in average)


@pytest.mark.parametrize(("name", "method"), [("casper-cog-5b", "full"), ("casper-wan-1.3b", "lora")])
def test_the_loss_falls(config, name: str, method: str):
    lora = LoraConfig(RANK, 2.0 * RANK)
    recipe = toy_recipe(name, method=method, lora=lora, steps=40, save_every=40, optimizer=LEARNING)
    given = config(replace(recipe, validation=ValidationConfig(pairs=0)))
    follow_recipe(given)
    losses = losses_of(given.out)
    assert len(losses) == 40 and np.mean(losses[-8:]) < 0.8 * np.mean(losses[:4])


@pytest.mark.parametrize("method", ["full", "lora"])
def test_resume_is_exact_to_the_last_bit(config, method: str):
    recipe = toy_recipe(method=method, lora=LoraConfig(RANK, 2.0), steps=5)
    whole, stopped = config(recipe, "whole"), config(recipe, "stopped")
    follow_recipe(whole)

    def stop(stage: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow_recipe(stopped, stop)
    assert len(losses_of(stopped.out)) == 3  # the third step is made again
    steps: list[int] = []
    follow_recipe(stopped, lambda stage, done, total: steps.append(done))
    assert steps == [3, 4, 5]
    assert without_times(stopped.out) == without_times(whole.out)
    for path in sorted((whole.out / ".work").rglob("*.safetensors")) + sorted(whole.out.rglob("*.png")):
        assert path.read_bytes() == (stopped.out / path.relative_to(whole.out)).read_bytes(), path
    theirs, ours = (load_file(given.out / "casper-wan-1.3b.safetensors") for given in (whole, stopped))
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_more_steps_are_added_to_a_finished_run(config):
    whole, begun = config(toy_recipe(steps=4), "whole"), config(toy_recipe(steps=2), "begun")
    follow_recipe(whole)
    follow_recipe(begun)
    again = follow_recipe(begun)
    assert again.steps == 2 and len(losses_of(begun.out)) == 2
    follow_recipe(config(toy_recipe(steps=4), "begun"))
    assert without_times(begun.out) == without_times(whole.out)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "belongs to another run: got recipe.seed = 0, wanted recipe.seed = 1"),
        ({"batch": 4}, "got recipe.batch = 2, wanted recipe.batch = 4"),
        ({"method": "lora"}, 'got recipe.method = "full", wanted recipe.method = "lora"'),
        ({"optimizer": LEARNING}, "recipe.optimizer.rate = 0.001, recipe.optimizer.warmup_steps = 2"),
    ],
)
def test_the_folder_of_another_run(config, change: dict, message: str):
    follow_recipe(config(toy_recipe(steps=1)))
    with pytest.raises(OutputError, match=message):
        follow_recipe(config(toy_recipe(steps=1, **change)))


def test_other_pairs_under_the_same_name(config, tmp_path: Path):
    """A run that goes on with them would not be the one that was stopped."""
    given, elsewhere = config(toy_recipe(steps=1)), tmp_path / "elsewhere"
    follow_recipe(given)
    toy_shards(elsewhere, first_seed=50)
    with pytest.raises(OutputError, match="belongs to another run: got pairs.pairs = .*, wanted pairs.pairs = "):
        follow_recipe(replace(given, data=elsewhere))
    (tmp_path / "pairs").rename(tmp_path / "moved")
    toy_shards(tmp_path / "again")
    assert follow_recipe(replace(given, data=tmp_path / "again")).steps == 1


def test_the_folder_of_something_else(config, tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "holiday.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other files: got holiday.txt"):
        follow_recipe(config(toy_recipe()))


def test_missing_pairs(config, tmp_path: Path):
    with pytest.raises(MediaError, match="elsewhere/pairs/index.json: got No such file"):
        follow_recipe(config(toy_recipe(), data=tmp_path / "elsewhere"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_shard_is_named_whoever_reads_it(config, tmp_path: Path, workers: int):
    recipe = toy_recipe(validation=ValidationConfig(pairs=0))
    given = config(replace(recipe, data=replace(recipe.data, workers=workers)))
    (tmp_path / "pairs" / "00000.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(MediaError, match="^[^\n]*00000.safetensors: got [^\n]*, wanted a whole shard. Make the shards"):
        follow_recipe(given)


def test_a_batch_that_groups_cannot_make(config):
    with pytest.raises(InputError, match="recipe: batch: got 3, wanted a multiple of 1 processes times 2 at once"):
        follow_recipe(config(toy_recipe(batch=3, at_once=2)))


def test_a_loss_that_is_not_finite_keeps_the_last_checkpoint(config, monkeypatch: pytest.MonkeyPatch):
    original = task.casper_learner

    def failing(recipe, start):
        learner = original(recipe, start)

        def step(backbone, examples):
            losses = learner.step(backbone, examples)
            return Losses(losses.total * (float("nan") if examples[0].place >= 6 else 1.0), losses.figures)

        return replace(learner, step=step)

    given = config(toy_recipe(steps=6))
    monkeypatch.setattr(task, "casper_learner", failing)
    with pytest.raises(TrainingError, match="loss of step 4: got nan"):
        follow_recipe(given)
    assert [path.name for path in (given.out / ".work" / "checkpoints").iterdir()] == ["00000002"]
    monkeypatch.setattr(task, "casper_learner", original)
    whole = config(toy_recipe(steps=6), "whole")
    follow_recipe(given)
    follow_recipe(whole)
    assert without_times(given.out) == without_times(whole.out)


@pytest.mark.parametrize(
    "change", [{"precision": "bf16"}, {"optimizer": OptimizerConfig(kind="adafactor")}, {"ema": None}]
)
@CPU_NORMS
def test_other_ways_to_train(config, change: dict):
    given = config(toy_recipe(steps=2, **change))
    trained = follow_recipe(given)
    assert np.isfinite(trained.loss) and trained.file.is_file()


@CPU_NORMS
def test_bf16_is_near_fp32(config):
    exact, short = config(toy_recipe(steps=3), "exact"), config(toy_recipe(steps=3, precision="bf16"), "short")
    for given in (exact, short):
        follow_recipe(given)
    np.testing.assert_allclose(losses_of(short.out), losses_of(exact.out), rtol=0.03)
    assert losses_of(short.out) != losses_of(exact.out)


def test_validation_on_pairs_of_its_own(config, tmp_path: Path):
    toy_shards(tmp_path, "held_out", 2, first_seed=90)
    own = ValidationConfig(every=1, pairs=2, steps=1, path=Path("held_out"))
    given = config(toy_recipe(steps=1, validation=own))
    other = config(toy_recipe(steps=1, validation=replace(own, path=None)), "other")
    assert follow_recipe(given).figures["psnr_input"] != follow_recipe(other).figures["psnr_input"]
    assert read_image(given.out / "validation" / "00000001.png").shape == (2 * SIZE[0], 3 * SIZE[1], 3)


def test_the_command(config, capsys: pytest.CaptureFixture[str]):
    given = config(toy_recipe(steps=1))
    args = ["train", f"{given.recipe}", "-o", f"{given.out}", "--data", f"{given.data}", "--device", "cpu"]
    assert main([*args, "--weights", f"{given.weights}"]) == 0
    told = capsys.readouterr().out
    assert "1 steps, loss" in told and "psnr_input" in told and f"{given.out / 'casper-wan-1.3b.safetensors'}" in told
    given.recipe.write_text(given.recipe.read_text().replace("steps = 1", "stepps = 1", 1))
    assert main([*args, "--weights", f"{given.weights}"]) == 2
    assert "stepps: got an unknown key" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("sharding", ["ddp", "fsdp2"])
def test_two_processes_are_one_with_the_same_batch(config, sharding: str):
    """Each takes half of it; FSDP2 has half of the parameters in each. One process has begun, two go on."""
    recipe = toy_recipe(sharding=sharding)
    alone, begun = config(recipe, "alone"), config(replace(recipe, steps=2), "shared")
    follow_recipe(alone)
    follow_recipe(begun)
    shared = config(recipe, "shared")
    launched(shared)
    wanted, found = read_entries(alone.out), read_entries(shared.out)
    assert [entry["step"] for entry in found] == [entry["step"] for entry in wanted]
    for name in ("loss", "gradient_norm", "noise"):
        theirs, ours = ([entry[name] for entry in entries if name in entry] for entries in (wanted, found))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    for name in ("network", "average"):
        paths = [given.out / ".work" / "checkpoints" / "00000004" / f"{name}.safetensors" for given in (shared, alone)]
        ours, theirs = map(load_file, paths)
        assert ours.keys() == theirs.keys()
        for tensor in theirs:
            torch.testing.assert_close(ours[tensor], theirs[tensor], rtol=0, atol=2e-4)
    assert (shared.out / "casper-wan-1.3b.safetensors").is_file()


def launched(given: TrainConfig) -> None:
    """Two processes, as torchrun starts them."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "lamina"]
    command += ["train", f"{given.recipe}", "-o", f"{given.out}", "--data", f"{given.data}"]
    command += ["--weights", f"{given.weights}", "--device", "cpu"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": f"{ROOT}", "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
