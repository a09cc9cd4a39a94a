"""The task: follow a recipe from where it stands to a file that the engine reads."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from lamina.backbones.small_files import SMALL
from lamina.media.work import alone_in, claim, work_folder
from lamina.report import Report, no_report
from lamina.synth.pair import Pair
from lamina.train.casper import casper_learner
from lamina.train.checkpoints import checkpoints, load_checkpoint, save_checkpoint
from lamina.train.data import Share, open_mix, pairs_identity, validation_pairs
from lamina.train.journal import forget_after, read_entries, write_entry
from lamina.train.loop import StepReport, TrainState, start_training, train_steps
from lamina.train.parallel import processes, whole
from lamina.train.recipe import Recipe
from lamina.train.recipe_file import read_recipe
from lamina.train.small import small_learner
from lamina.train.start import open_start
from lamina.train.task import Learner
from lamina.train.validation import evaluated, validate
from lamina.version import VERSION


@dataclass(frozen=True)
class TrainConfig:
    """Which recipe, on what, and where to."""

    recipe: Path
    """A .toml file; recipes/ holds those of the published models."""
    out: Path
    """Folder for the trained model, log.jsonl and pictures. A run that was stopped goes on there."""
    data: Path = Path(".")
    """Folder in which the recipe's sources lie."""
    weights: Path | None = None
    """Folder with the model to start from, as for `lamina weights`."""
    device: Literal["auto", "cpu"] = "auto"
    """auto: an accelerator where there is one. Start several processes with torchrun to use several of them."""


@dataclass(frozen=True)
class Trained:
    """What came of it."""

    file: Path
    """What the engine reads."""
    steps: int
    loss: float
    """Of the last step."""
    figures: dict[str, float]
    """Of the last validation; nothing where there was none."""


def follow_recipe(config: TrainConfig, report: Report = no_report) -> Trained | None:
    """Train as a recipe says; go on from the last checkpoint where an earlier run was stopped.

    Of several processes the first one reports, writes, and says what came of it; the others give None.

    Raises:
        InputError: the recipe is wrong, or does not fit the model, the pairs or the number of processes.
        MediaError: pairs or a checkpoint cannot be read.
        WeightsError: files of the model are missing or those of another one.
        OutputError: the folder belongs to another run, or cannot be written.
        TrainingError: the loss or its gradients are no longer finite.
        MissingExtra: the extra `models` is not installed.
    """
    recipe = read_recipe(config.recipe)
    with processes(config.device) as accelerator:
        share = Share(accelerator.process_index, accelerator.num_processes)
        mix, pairs = open_mix(recipe, config.data, share), validation_pairs(recipe, config.data)
        learner = open_learner(recipe, config.weights, accelerator.device)
        state = start_training(learner, mix, recipe, accelerator)
        with alone_in(config.out) if accelerator.is_main_process else nullcontext():
            if accelerator.is_main_process:
                claim(config.out, run_identity(recipe, learner.record, pairs_identity(recipe, config.data)))
            accelerator.wait_for_everyone()
            return _trained(state, pairs, config.out, report)


def open_learner(recipe: Recipe, folder: Path | None, device: torch.device) -> Learner:
    """Get what the recipe trains ready.

    Raises what `casper_learner` and `open_start`, or `small_learner`, raise.
    """
    if recipe.model == SMALL:
        return small_learner(recipe, folder, device)
    return casper_learner(recipe, open_start(recipe, folder, device))


def run_identity(recipe: Recipe, record: Any, pairs: dict[str, str]) -> dict[str, Any]:
    """What must not change while a run is stopped; it may be given more steps."""
    wanted = asdict(recipe)
    for free in ("steps", "save_every", "validation", "sharding"):
        del wanted[free]
    del wanted["data"]["workers"]
    start = {key: record[key] for key in ("model", "sha256") if key in record}
    return json.loads(json.dumps({"recipe": wanted, "start": start, "pairs": pairs}, default=str))


def _trained(state: TrainState, pairs: Sequence[Pair], out: Path, report: Report) -> Trained | None:
    """All steps that are left, saved, validated and logged when it is time."""
    folder, writes = work_folder(out) / "checkpoints", state.accelerator.is_main_process
    if found := checkpoints(folder):
        load_checkpoint(found[-1], state)
    state.accelerator.wait_for_everyone()
    if writes:
        forget_after(out, state.step)
    file: Path | None = None
    for step in train_steps(state):
        if writes:
            report("train", step.step, state.recipe.steps)
            write_entry(out, _entry(step))
        if pairs and _due(step.step, state.recipe.validation.every, state.recipe.steps):
            figures = validate(state, pairs, out / "validation")
            if writes:
                write_entry(out, {"step": step.step, **figures})
        if _due(step.step, state.recipe.save_every, state.recipe.steps):
            save_checkpoint(folder, state)
            file = export_now(state, out)
    file = file or export_now(state, out)
    return _finished(state, file, out) if writes else None


def _due(step: int, every: int, steps: int) -> bool:
    return step % every == 0 or step == steps


def export_now(state: TrainState, out: Path) -> Path:
    """Write the averaged network, or the network itself where no average is kept; every process must call."""
    words = {"made_by": f"lamina {VERSION}", "steps": f"{state.step}", "recipe": f"{state.recipe}"}
    path = out
    with evaluated(state):
        tensors = {name: whole(tensor) for name, tensor in state.learner.network.state_dict().items()}
        if state.accelerator.is_main_process:
            path = state.learner.export(tensors, words, out)
    state.accelerator.wait_for_everyone()
    return path


def _entry(step: StepReport) -> dict[str, Any]:
    return {"step": step.step, "loss": step.loss, **step.figures, "rate": step.rate,
            "gradient_norm": step.gradient_norm, "seconds": round(step.seconds, 3)}  # fmt: skip


def _finished(state: TrainState, file: Path, out: Path) -> Trained:
    entries = read_entries(out)
    loss = [entry["loss"] for entry in entries if "loss" in entry][-1:]
    scored = [{key: entry[key] for key in entry if key.startswith("psnr")} for entry in entries if "psnr" in entry]
    return Trained(file, state.step, loss[0] if loss else 0.0, scored[-1] if scored else {})
