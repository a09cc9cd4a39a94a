"""How parameters move: optimisers by name, and rate and clipping as functions of the step alone."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from lamina.train.recipe import OptimizerConfig


def make_optimizer(parameters: Iterable[nn.Parameter], config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimiser of a recipe; `set_rate` is to be called before every step."""
    return OPTIMIZERS[config.kind](list(parameters), config)


def _adamw(parameters: list[nn.Parameter], config: OptimizerConfig) -> torch.optim.Optimizer:
    """Loshchilov and Hutter 2019."""
    return torch.optim.AdamW(
        parameters, lr=config.rate, betas=config.betas, eps=config.eps, weight_decay=config.weight_decay
    )


def _adafactor(parameters: list[nn.Parameter], config: OptimizerConfig) -> torch.optim.Optimizer:
    """Shazeer and Stern 2018: second moments as rows and columns, no first ones."""
    return torch.optim.Adafactor(parameters, lr=config.rate, weight_decay=config.weight_decay)


OPTIMIZERS: dict[str, Callable[[list[nn.Parameter], OptimizerConfig], torch.optim.Optimizer]]
OPTIMIZERS = {"adamw": _adamw, "adafactor": _adafactor}


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def learning_rate(config: OptimizerConfig, step: int) -> float:
    """Of step 0, 1, ...: up in equal parts, then constant; at the end down to nothing, if the recipe says so.

    >>> [round(learning_rate(OptimizerConfig(rate=1.0, warmup_steps=4), step), 2) for step in (0, 1, 3, 4, 9)]
    [0.25, 0.5, 1.0, 1.0, 1.0]
    >>> falling = OptimizerConfig(rate=1.0, warmup_steps=0, fall_steps=(4, 8))
    >>> [round(learning_rate(falling, step), 2) for step in (0, 4, 5, 7, 8, 9)]
    [1.0, 1.0, 0.75, 0.25, 0.0, 0.0]
    """
    rate = config.rate * min(1.0, (step + 1) / max(config.warmup_steps, 1))
    if config.fall_steps is None:
        return rate
    first, last = config.fall_steps
    return rate * min(1.0, max(0.0, (last - step) / (last - first)))


def longest_gradient(config: OptimizerConfig, step: int) -> float:
    """The norm gradients are shortened to, of step 0, 1, ...: falls in equal parts until it is settled.

    >>> config = OptimizerConfig(clip_norm=0.05, clip_start=5.0, clip_settled_step=1000)
    >>> [round(longest_gradient(config, step), 3) for step in (0, 500, 1000, 2000)]
    [0.25, 0.15, 0.05, 0.05]
    """
    done = min(1.0, step / config.clip_settled_step) if config.clip_settled_step else 1.0
    return config.clip_norm * (config.clip_start + (1.0 - config.clip_start) * done)


def clip_gradients(parameters: Iterable[nn.Parameter], most: float) -> Tensor:
    """Shorten all gradients together to the norm `most` at the longest; how long they were."""
    moved = [parameter for parameter in parameters if parameter.grad is not None]
    norm: Any = torch.nn.utils.get_total_norm([parameter.grad for parameter in moved if parameter.grad is not None])
    torch.nn.utils.clip_grads_with_norm_(moved, most, norm)
    return norm.full_tensor() if hasattr(norm, "full_tensor") else norm
