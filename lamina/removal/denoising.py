"""From noise to the latents of every removal, in groups, so that a stopped run goes on at the step and, within one that
takes long, at the window it was at.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lamina.backbones.interface import Backbone, Condition
from lamina.errors import WeightsError
from lamina.media.landing import whole_file
from lamina.removal.anchored import anchored
from lamina.removal.casper_job import CasperJob
from lamina.removal.plan import Removal
from lamina.report import Report
from lamina.sampling import Denoiser, Sampled, sample, windowed
from lamina.schedule import Level
from lamina.windows import Window

SAVE_SECONDS = 20.0
"""So much is lost at most when a run is stopped; a step of a small model takes less time than to write it down."""
LONG_SECONDS = 1.0
"""One of several windows that took longer is written down by itself, until its step is made."""


@dataclass(frozen=True)
class Told:
    """What some removals are denoised under; for each its own mask and share of what is known."""

    condition: Condition
    known: Float[Tensor, "c t h w"]
    share: Float[Tensor, "n 1 t h w"]


Tell = Callable[[Sequence[Removal]], Told]


@dataclass(frozen=True)
class Progress:
    """Of all groups together."""

    report: Report
    before: int
    total: int

    def tell(self, done: int) -> None:
        self.report("denoise", self.before + done, self.total)


def denoise_group(
    job: CasperJob,
    backbone: Backbone,
    group: Sequence[Removal],
    start: Float[Tensor, "n c t h w"],
    tell: Tell,
    progress: Progress,
) -> Float[Tensor, "n c t h w"]:
    """Denoise some removals together from their starting noise, or go on with it.

    Raises:
        WeightsError: the network's answers are not finite.
    """
    moves, file = backbone.schedule.moves(job.steps), job.steps_file(group)
    done, latents = read_steps(file, start)
    progress.tell(done)
    if done == len(moves):
        return latents
    told = tell(group)
    plan = job.timing.windows

    def part(window: Window) -> Denoiser:
        alone = backbone.denoiser(told.condition.window(window))
        return _kept(job, group, window, alone) if len(plan.windows) > 1 else alone

    denoise = windowed(part, plan)
    denoise = anchored(denoise, told.known, told.share)
    saved = time.monotonic()
    for step in sample(denoise, latents, moves, done):
        latents = step.latents
        check_finite(job, latents, f"step {step.done} of {step.total}")
        if step.done == step.total or time.monotonic() - saved >= SAVE_SECONDS:
            save_steps(file, step)
            saved = time.monotonic()
        progress.tell(step.done)
    for window in plan.windows:
        job.window_file(group, window.start).unlink(missing_ok=True)
    return latents


def _kept(job: CasperJob, group: Sequence[Removal], window: Window, denoise: Denoiser) -> Denoiser:
    """A window's denoiser that takes from disk what a stopped run had made of its last step."""
    file = job.window_file(group, window.start)

    def denoise_kept(latents: Tensor, level: Level) -> Tensor:
        if file.exists():
            with np.load(file) as made:
                if made["timestep"] == level.timestep:
                    return torch.from_numpy(made["clean"]).to(latents.device)
        started = time.monotonic()
        clean = denoise(latents, level).float()
        on_host = clean.cpu().numpy()  # waits for the device, so that the time is the window's
        if time.monotonic() - started >= LONG_SECONDS:
            with whole_file(file) as part, part.open("wb") as stream:
                np.savez(stream, timestep=level.timestep, clean=on_host)
        return clean

    return denoise_kept


def check_finite(job: CasperJob, made: Tensor, stage: str) -> None:
    """Raise WeightsError where a model has lost itself: one number that is none spoils all pictures."""
    if not torch.isfinite(made).all():
        raise WeightsError(
            f"{job.spec.name}, {stage}",
            got="NaN or infinity in what the model makes of the clip",
            wanted="finite numbers",
            do="Are its files those that were published? `lamina weights check` prints their hashes. "
            "If they are, try --storage fp32.",
        )


def read_steps(file: Path, start: Float[Tensor, "n c t h w"]) -> tuple[int, Float[Tensor, "n c t h w"]]:
    """How many steps are made, and what there is after them: the starting noise after none."""
    if not file.exists():
        return 0, start
    with np.load(file) as kept:
        return int(kept["done"]), torch.from_numpy(kept["latents"]).to(start)


def save_steps(file: Path, step: Sampled) -> None:
    with whole_file(file) as part, part.open("wb") as stream:
        np.savez(stream, done=step.done, latents=step.latents.float().cpu().numpy())
