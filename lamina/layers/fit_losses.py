"""The terms of a fit's loss, and their weights from step to step.

Generative Omnimatte, section "Omnimatte optimization", as its public implementation computes them: alpha is never
limited to 0..1, so that the L0 term of a negative alpha is negative.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lamina.composite import over
from lamina.layers.fit_config import TERMS, LossConfig

NOTHING = 1e-9
"""Keeps the mean over an empty mask finite."""


@dataclass(frozen=True)
class Neighbours:
    """Pairs of pixels of a list of pixels, and how alike their alphas should be, 0..1."""

    first: Int64[Tensor, " n"]
    second: Int64[Tensor, " n"]
    weight: Float[Tensor, " n"]


@dataclass(frozen=True)
class Batch:
    """What a step's loss is measured against. A list of pixels is one frame of one row."""

    picture: Float[Tensor, "t 3 h w"]
    plate: Float[Tensor, "t 3 h w"]
    mask: Float[Tensor, "t 1 h w"]
    guide: Float[Tensor, "t 1 h w"] | None = None
    """An alpha to stay near."""
    guide_weight: Float[Tensor, "t 1 h w"] | None = None
    """0 where the guide is not to be trusted, else 1."""
    neighbours: Sequence[Neighbours] = ()


METRICS: dict[str, Callable[[Tensor], Tensor]] = {"l1": torch.abs, "l2": torch.square}

SPARSITY_SCALES: dict[str, Callable[[Tensor], float]] = {
    "one": lambda clip_mask: 1.0,
    "mean mask": lambda clip_mask: clip_mask.mean().item(),
}

Weights = tuple[float, ...]
"""One per term, in the order of `TERMS`."""


def start_weights(config: LossConfig, clip_mask: Float[Tensor, "t 1 h w"]) -> Weights:
    """The weights before the first step; the clip's whole mask scales those of sparsity."""
    scale = SPARSITY_SCALES[config.sparsity_scale](clip_mask)
    scales = {"sparsity_l0": scale, "sparsity_l1": scale}
    return tuple(getattr(config, name).weight * scales.get(name, 1.0) for name in TERMS)


def next_weights(weights: Weights, config: LossConfig, step: int) -> Weights:
    """The weights in force at a step, from those before it: milestones act before the loss of their own step."""
    schedules = [getattr(config, name) for name in TERMS]
    return tuple(w * s.factor if step in s.at else w for w, s in zip(weights, schedules, strict=True))


def loss_terms(
    rgba: Float[Tensor, "t 4 h w"], batch: Batch, config: LossConfig, weights: Weights
) -> Float[Tensor, " terms"]:
    """The unweighted terms in the order of `TERMS`, 0 where one is not needed at these weights."""
    in_force = dict(zip(TERMS, weights, strict=True))
    rgb, alpha = rgba[:, :3], rgba[:, 3:]
    zero = rgba.new_zeros(())
    values = (_TERMS[name](rgb, alpha, batch, config) if _NEEDED[name](in_force) else zero for name in TERMS)
    return torch.stack(list(values))


def total_loss(terms: Float[Tensor, " terms"], weights: Weights) -> Float[Tensor, ""]:
    """The weighted sum."""
    return (terms * terms.new_tensor(weights)).sum()


def _recon(rgb: Tensor, alpha: Tensor, batch: Batch, config: LossConfig) -> Tensor:
    difference = batch.picture - over(rgb, alpha, batch.plate)
    return METRICS[config.recon_metric](difference * config.white).mean()


def _sparsity_l0(rgb: Tensor, alpha: Tensor, batch: Batch, config: LossConfig) -> Tensor:
    """A smooth stand-in for the share of pixels whose alpha is not 0 (Lu et al. 2021)."""
    return (2 * (torch.sigmoid(config.l0_steepness * alpha) - 0.5)).mean()


def _sparsity_l1(rgb: Tensor, alpha: Tensor, batch: Batch, config: LossConfig) -> Tensor:
    return alpha.abs().mean()


def _mask(rgb: Tensor, alpha: Tensor, batch: Batch, config: LossConfig) -> Tensor:
    """Inside and outside count the same, however large they are."""
    inside, outside = batch.mask, 1 - batch.mask
    error = METRICS[config.mask_metric](alpha - batch.mask)
    return (error * inside).sum() / (inside.sum() + NOTHING) + (error * outside).sum() / (outside.sum() + NOTHING)


def _mask_inside(rgb: Tensor, alpha: Tensor, batch: Batch, config: LossConfig) -> Tensor:
    error = METRICS[config.mask_metric](alpha - batch.mask)
    return (error * batch.mask).sum() / (batch.mask.sum() + NOTHING)


def _smoothness(rgb: Tensor, alpha: Tensor, batch: Batch, config: LossConfig) -> Tensor:
    across, down = alpha[..., 1:] - alpha[..., :-1], alpha[..., 1:, :] - alpha[..., :-1, :]
    return across.abs().mean() + down.abs().mean()


def _guide(rgb: Tensor, alpha: Tensor, batch: Batch, config: LossConfig) -> Tensor:
    if batch.guide is None or batch.guide_weight is None:
        return alpha.new_zeros(())
    return (torch.square(alpha - batch.guide) * batch.guide_weight).mean()


def _calm(rgb: Tensor, alpha: Tensor, batch: Batch, config: LossConfig) -> Tensor:
    flat = alpha.flatten()
    steps = [((flat[n.first] - flat[n.second]).abs() * n.weight).sum() for n in batch.neighbours]
    return torch.stack(steps).sum() / len(flat) if steps else alpha.new_zeros(())


_TERMS: dict[str, Callable[[Tensor, Tensor, Batch, LossConfig], Tensor]] = {
    "recon": _recon,
    "sparsity_l0": _sparsity_l0,
    "sparsity_l1": _sparsity_l1,
    "mask": _mask,
    "mask_inside": _mask_inside,
    "smoothness": _smoothness,
    "guide": _guide,
    "calm": _calm,
}


def _always(weights: dict[str, float]) -> bool:
    return True


_NEEDED: dict[str, Callable[[dict[str, float]], bool]] = {
    "recon": _always,
    "sparsity_l0": _always,
    "sparsity_l1": _always,
    "mask": lambda weights: weights["mask"] > 0,
    "mask_inside": lambda weights: weights["mask"] <= 0,
    "smoothness": lambda weights: weights["smoothness"] > 0,
    "guide": lambda weights: weights["guide"] > 0,
    "calm": lambda weights: weights["calm"] > 0,
}
"""When a term is computed at all: as the public implementation does where it has the term."""
