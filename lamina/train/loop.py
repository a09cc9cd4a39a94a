"""The loop: step after step of whatever is to be learned, its state in the open.

    state = start_training(learner, mix, recipe, accelerator)
    for report in train_steps(state):
        ...  # log, save, validate; stop whenever you like

A step's gradients are the mean over its batch, however many processes share it. All that is random depends on the seed
and on the place of a pair in the mix, so there is no random state to keep: step and place say where training stands.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from lamina.errors import TrainingError
from lamina.synth.mix import PairMix
from lamina.synth.pair import Pair
from lamina.train.data import stream
from lamina.train.ema import Ema
from lamina.train.optimizers import clip_gradients, learning_rate, longest_gradient, make_optimizer, set_rate
from lamina.train.parallel import in_precision, share_out, unshared
from lamina.train.recipe import Recipe
from lamina.train.task import Example, Learner, chance_of


@dataclass(frozen=True)
class StepReport:
    """One step; figures are means over its batch."""

    step: int
    """How many are done with it."""
    loss: float
    figures: Mapping[str, float]
    rate: float
    gradient_norm: float
    """Before it was shortened."""
    seconds: float


@dataclass
class TrainState:
    """All of a training between two steps."""

    learner: Learner
    recipe: Recipe
    accelerator: Any
    network: nn.Module
    """Shared out among processes; `learner.network` inside."""
    optimizer: torch.optim.Optimizer
    ema: Ema | None
    mix: PairMix
    step: int = 0
    """How many are done."""

    @property
    def backbone(self) -> Any:
        """Asks the network as it is now."""
        return self.learner.connect(in_precision(self.network, self.recipe, self.accelerator.device))

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """Those that are trained, by name."""
        named = self.learner.network.named_parameters()
        return {name: parameter for name, parameter in named if parameter.requires_grad}

    @property
    def place(self) -> int:
        """Of the pair in the mix that comes next."""
        return self.step * self.recipe.batch


def start_training(learner: Learner, mix: PairMix, recipe: Recipe, accelerator: Any) -> TrainState:
    """Get ready; nothing is trained yet."""
    network = share_out(learner, recipe, accelerator)
    trained = {name: p for name, p in learner.network.named_parameters() if p.requires_grad}
    optimizer = make_optimizer(trained.values(), recipe.optimizer)
    ema = None if recipe.ema is None else Ema(trained, recipe.ema)
    return TrainState(learner, recipe, accelerator, network, optimizer, ema, mix)


def train_steps(state: TrainState) -> Iterator[StepReport]:
    """Step by step to the end of the recipe.

    Raises:
        TrainingError: the loss or its gradients are no longer finite; the parameters are those before this step.
    """
    state.mix.start = state.place
    pairs, backbone = stream(state.mix, state.recipe.data.workers), state.backbone
    while state.step < state.recipe.steps:
        yield _step(state, backbone, pairs)


def _step(state: TrainState, backbone: Any, pairs: Iterator[Pair]) -> StepReport:
    started, config = time.perf_counter(), state.recipe.optimizer
    rate = learning_rate(config, state.step)
    set_rate(state.optimizer, rate)
    figures = _accumulate(state, backbone, pairs)
    _check_finite("loss", figures["loss"], state.step)
    norm = clip_gradients(state.parameters.values(), longest_gradient(config, state.step)).item()
    _check_finite("gradients' norm", norm, state.step)
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    if state.ema:
        state.ema.update(state.parameters, state.step)
    state.step += 1
    loss = figures.pop("loss")
    return StepReport(state.step, loss, figures, rate, norm, time.perf_counter() - started)


def _accumulate(state: TrainState, backbone: Any, pairs: Iterator[Pair]) -> dict[str, float]:
    """Gradients of a whole batch, group by group; the means of the losses over all processes."""
    recipe, accelerator = state.recipe, state.accelerator
    groups = recipe.batch // accelerator.num_processes // recipe.at_once
    sums: dict[str, Tensor] = {}
    for number in range(groups):
        examples = _examples(state, list(islice(pairs, recipe.at_once)), number * recipe.at_once)
        with unshared(state.network) if number + 1 < groups else nullcontext():
            losses = state.learner.step(backbone, examples)
            (losses.total / groups).backward()
        for name, figure in {"loss": losses.total.detach(), **losses.figures}.items():
            sums[name] = sums.get(name, 0) + figure.to(accelerator.device, torch.float32) / groups
    means = accelerator.reduce(torch.stack(list(sums.values())), "mean")
    return dict(zip(sums, means.tolist(), strict=True))


def _examples(state: TrainState, pairs: list[Pair], first: int) -> list[Example]:
    """Pairs of this process with their places; `first` of this step's went before them."""
    at, device = state.accelerator, state.accelerator.device
    places = [state.place + (first + k) * at.num_processes + at.process_index for k in range(len(pairs))]
    chances = [chance_of(state.recipe.seed, place, device) for place in places]
    return [Example(*parts) for parts in zip(pairs, places, chances, strict=True)]


def _check_finite(what: str, value: float, step: int) -> None:
    if not math.isfinite(value):
        raise TrainingError(
            f"{what} of step {step + 1}",
            got=f"{value}",
            wanted="a finite number",
            do="What was saved is kept. Lower the rate or clip_norm, with another --out, or look at the pairs.",
        )
