"""The test-time fit: an optimiser makes a layer that, over the plate, gives the picture. Its state lies open.

    state = start_fit(PRESETS["reference"], picture, plate, mask, seed=43)
    for report in fit_steps(state):
        ...  # stop whenever you like
    rgba = finish(state)

Generative Omnimatte (Lee et al., CVPR 2025), stage 2. One object at a time; with several, `picture` is the video in
which only this object is left.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lamina.composite import over
from lamina.errors import InputError
from lamina.layers.fit_clip import BATCHES, check_fit_clip, erode, resize_rgba, to_short_side
from lamina.layers.fit_config import PRESETS, TERMS, FitConfig, OptimizerConfig, Stage
from lamina.layers.fit_losses import Batch, Weights, loss_terms, next_weights, start_weights, total_loss
from lamina.layers.fit_models import MODELS, Model, Solution
from lamina.report import Report, no_report

__all__ = ["PRESETS", "FitState", "Outcome", "StepReport", "finish", "fit", "fit_steps", "start_fit"]


@dataclass(frozen=True)
class StepReport:
    """One step, as it was before the parameters moved."""

    stage: str
    step: int
    """Counted from 0 within the stage."""
    steps: int
    total: float
    terms: dict[str, float]
    """Unweighted; 0 where a term was not needed."""
    weights: dict[str, float]
    lr: dict[str, float]
    """Per group of parameters."""


@dataclass(frozen=True)
class Outcome:
    """What `finish` gave back."""

    kept: Literal["fit", "start"]
    """start: the fit gave the picture less exactly than what it was given to refine, so that was kept."""
    error: float
    """Mean squared error of the layer over the plate; white is 1."""
    error_of_start: float | None


@dataclass
class FitState:
    """All of a fit between two steps. Every field may be read and replaced."""

    config: FitConfig
    clip: Batch
    """At the given size, on the fit's device, masks made smaller."""
    start: Float[Tensor, "t 4 h w"] | None
    seed: int
    stage_number: int
    step: int
    """The next step of the stage."""
    model: Model
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    weights: Weights
    """Those of the step before."""
    draws: Iterator[int]
    """Where each step's frames begin, before `BATCHES` limits it."""
    outcome: Outcome | None = None

    @property
    def stage(self) -> Stage:
        """The stage at work."""
        return self.config.stages[self.stage_number]


def start_fit(
    config: FitConfig,
    picture: Tensor,
    plate: Tensor,
    mask: Tensor,
    start: Tensor | None = None,
    device: str = "cpu",
    seed: int = 0,
) -> FitState:
    """Get ready; nothing is optimised yet.

    Args:
        config: what to do; one of `PRESETS`, or changed from one.
        picture: `t 3 h w` float32 0..1, the video with this object only.
        plate: `t 3 h w`, the same frames without it.
        mask: `t 1 h w`, 1 on the object without its effects.
        start: `t 4 h w` straight alpha, for configurations that refine.
        device: where to compute, as torch spells it.
        seed: of the network's start values and of the choice of frames. Same input and seed, same output.

    Raises:
        InputError: shapes, ranges or lengths do not fit, the device is not there, a start is missing or not wanted, or
            the frames are too few and too small for the network.
    """
    place = _device(device)
    with _threads(config.stages[0].threads):
        check_fit_clip(picture, plate, mask, start)
        clip = Batch(picture.to(place), plate.to(place), erode(mask.to(place), config.erode_px))
        start = None if start is None else start.to(place)
        before = None if start is None else Solution(start)
        return FitState(config, clip, start, seed, 0, 0, *_begin(config, 0, clip, seed, before))


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Let torch use so many threads of the processor for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _begin(config: FitConfig, number: int, clip: Batch, seed: int, before: Solution | None) -> tuple:
    """Model, optimiser, scheduler, weights and draws at the start of a stage."""
    stage = config.stages[number]
    sized = to_short_side(clip, stage.short_side_px)
    model = MODELS[stage.model](sized, stage, config, seed, before)
    optimizer, scheduler = make_optimizer(model.groups(stage.optimizer), stage.optimizer)
    return model, optimizer, scheduler, start_weights(stage.losses, sized.mask), _draws(seed, model.frames, stage)


def make_optimizer(
    groups: list, config: OptimizerConfig
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW over groups of parameters that bring their own learning rates, and its schedule, stepped once per step."""
    optimizer = torch.optim.AdamW(groups, betas=config.betas, weight_decay=config.weight_decay, fused=True)
    return optimizer, torch.optim.lr_scheduler.MultiStepLR(optimizer, list(config.at), config.factor)


def _draws(seed: int, frames: int, stage: Stage) -> Iterator[int]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield int(torch.randint(-stage.batch_frames, max(frames, 1), (), generator=generator))


def fit_steps(state: FitState) -> Iterator[StepReport]:
    """Step by step through the stages that are left. Whoever stops taking steps stops the fit; a new call goes on."""
    while True:
        while state.model.frames and state.step < state.stage.steps:
            with _threads(state.stage.threads):
                report = _step(state)
            yield report
        if state.stage_number + 1 == len(state.config.stages):
            return
        before = state.model.solution(state.stage.batch_frames)
        state.stage_number, state.step = state.stage_number + 1, 0
        with _threads(state.stage.threads):
            begun = _begin(state.config, state.stage_number, state.clip, state.seed, before)
        state.model, state.optimizer, state.scheduler, state.weights, state.draws = begun


def _step(state: FitState) -> StepReport:
    stage = state.stage
    frames = BATCHES[stage.batches](next(state.draws), state.model.frames, stage.batch_frames)
    state.weights = next_weights(state.weights, stage.losses, state.step)
    state.optimizer.zero_grad()
    sums = torch.zeros(len(TERMS), device=state.clip.picture.device)
    for part in state.model.parts(frames):
        terms = loss_terms(part.rgba, part.batch, stage.losses, state.weights)
        (total_loss(terms, state.weights) * part.share).backward()
        sums += terms.detach() * part.share
    state.optimizer.step()
    report = StepReport(
        stage=stage.name,
        step=state.step,
        steps=stage.steps,
        total=total_loss(sums, state.weights).item(),
        terms=dict(zip(TERMS, sums.tolist(), strict=True)),
        weights=dict(zip(TERMS, state.weights, strict=True)),
        lr={group["name"]: group["lr"] for group in state.optimizer.param_groups},
    )
    state.scheduler.step()
    state.step += 1
    return report


@torch.no_grad()
def finish(state: FitState) -> Float[Tensor, "t 4 h w"]:
    """The layer as it stands, `t 4 h w` at the given size on the fit's device; may be called at any time.

    A refined layer that gives the picture less exactly than its start is dropped for the start; `state.outcome` says
    so. `reference` paints without limits: limit to 0..1 before storing, as its authors do.
    """
    with _threads(state.stage.threads):
        rgba = resize_rgba(state.model.solution(state.stage.batch_frames).rgba, state.clip.picture.shape[2:])
        if state.config.stored_white > 1:
            rgba = rgba.mul_(state.config.stored_white).round_().div_(state.config.stored_white)
        error = _error(rgba, state.clip)
        before = None if state.start is None else _error(state.start, state.clip)
    if state.start is None or before is None or error <= before:
        state.outcome = Outcome("fit", error, before)
        return rgba
    state.outcome = Outcome("start", before, before)
    return state.start.clone()


def _error(rgba: Float[Tensor, "t 4 h w"], clip: Batch) -> float:
    """Mean squared error of the layer over the plate, frame by frame to save memory."""
    frames = zip(rgba, clip.plate, clip.picture, strict=True)
    errors = [torch.square(over(f[:3], f[3:], plate) - picture).mean() for f, plate, picture in frames]
    return torch.stack(errors).double().mean().item()


def fit(
    config: FitConfig,
    picture: Tensor,
    plate: Tensor,
    mask: Tensor,
    start: Tensor | None = None,
    device: str = "cpu",
    seed: int = 0,
    report: Report = no_report,
) -> tuple[Float[Tensor, "t 4 h w"], Outcome]:
    """All steps at once: the layer, and what is to be said of it. Arguments and errors are those of `start_fit`."""
    state = start_fit(config, picture, plate, mask, start, device, seed)
    for step in fit_steps(state):
        report(step.stage, step.step + 1, step.steps)
    rgba = finish(state)
    assert state.outcome is not None
    return rgba, state.outcome


def _device(name: str) -> torch.device:
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            "device",
            got=f"{name!r}, which cannot be used here",
            wanted="a device that torch can compute on",
            do="'cpu' is always there.",
        ) from error
