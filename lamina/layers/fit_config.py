"""What a fit does, as values: stages of optimiser steps with their losses. Three recipes are in `PRESETS`.

`reference` is the public implementation of Generative Omnimatte, number for number. `paper` is what the paper (Lee et
al., CVPR 2025, appendix) describes. `fast` refines a solution that is already there.
"""

from dataclasses import dataclass, fields, replace
from typing import Literal

from lamina.errors import InputError

ALWAYS = 10**9
"""More frames than any clip has: a batch of this size is the whole clip."""


@dataclass(frozen=True)
class Schedule:
    """A loss's weight: multiplied by `factor` at each of the steps `at`, before the loss of that step is taken."""

    weight: float = 0.0
    factor: float = 1.0
    at: tuple[int, ...] = ()


@dataclass(frozen=True)
class LossConfig:
    """The terms of the loss in their order, then how they are measured. A weight of 0 is a term left out."""

    recon: Schedule = Schedule(1.0)
    """The layer over the plate is the picture."""
    sparsity_l0: Schedule = Schedule()
    """Few pixels have alpha."""
    sparsity_l1: Schedule = Schedule()
    """Alpha is small."""
    mask: Schedule = Schedule()
    """Alpha is the mask."""
    mask_inside: Schedule = Schedule()
    """Alpha is one inside the mask. Takes over when the weight of `mask` has reached 0."""
    smoothness: Schedule = Schedule()
    """Alpha does not vary from pixel to pixel."""
    guide: Schedule = Schedule()
    """Alpha is that of the stage before (or of the given start) away from its edges."""
    calm: Schedule = Schedule()
    """Alpha does not vary over pixels and frames between which neither the picture nor the start does."""

    recon_metric: Literal["l1", "l2"] = "l2"
    mask_metric: Literal["l1", "l2"] = "l2"
    l0_steepness: float = 5.0
    white: float = 1.0
    """What a difference between black and white counts in `recon`."""
    sparsity_scale: Literal["one", "mean mask"] = "one"
    """What both sparsity weights are multiplied by; the mean is that of the whole clip."""


TERMS = tuple(field.name for field in fields(LossConfig) if field.type is Schedule)
"""Names of the loss terms in their order."""


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW, with learning rates multiplied by `factor` after each of the steps `at`."""

    network_lr: float = 5e-4
    color_lr: float = 5e-4
    alpha_lr: float = 5e-4
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.01
    factor: float = 0.1
    at: tuple[int, ...] = ()


@dataclass(frozen=True)
class Stage:
    """One run of the optimiser."""

    name: str
    model: Literal["rgba network", "alpha network", "pixels"]
    """rgba network: a U-Net paints everything, without limits. alpha network: a U-Net paints alpha, colours are free
    per pixel. pixels: alpha and colours are free per pixel, where the start has alpha at all."""
    steps: int
    losses: LossConfig
    optimizer: OptimizerConfig = OptimizerConfig()
    batch_frames: int = 16
    batches: Literal["published", "inside"] = "inside"
    """Which frames a step sees; see `lamina.layers.fit_clip.BATCHES`."""
    short_side_px: int | None = None
    """The picture's shorter side in this stage; None is the given size. Pictures are never enlarged."""
    edge_px: int = 3
    """How near an edge of the guiding alpha counts as at the edge."""
    threads: int | None = None
    """Threads that torch may use on the processor; None leaves that as it is."""

    def __post_init__(self):
        if self.steps < 0 or self.batch_frames < 1 or self.edge_px < 0:
            raise _bad(f"stage {self.name!r}", repr(self), "steps >= 0, batch_frames >= 1 and edge_px >= 0")
        for name in ("short_side_px", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise _bad(f"stage {self.name!r}", f"{name}={value}", "at least 1, or None")


@dataclass(frozen=True)
class FitConfig:
    """A whole fit."""

    stages: tuple[Stage, ...]
    width: int = 32
    """Channels of the network's first layer."""
    erode_px: int = 1
    """Side of the square by which masks are made smaller, odd; the picture's border does not count as an edge. 1 leaves
    them as they are."""
    stored_white: int = 1
    """The number that will store 1.0, 255 or 65535 for whole numbers: the result is rounded to it before it is judged
    against its start. 1 rounds nothing."""

    def __post_init__(self):
        if not self.stages:
            raise _bad("fit", "no stages", "at least one")
        if self.width < 1 or self.erode_px < 1 or self.erode_px % 2 == 0:
            raise _bad("fit", f"width={self.width}, erode_px={self.erode_px}", "width >= 1 and an odd erode_px")
        if self.stored_white < 1:
            raise _bad("fit", f"stored_white={self.stored_white}", "at least 1")


def _bad(what: str, got: str, wanted: str) -> InputError:
    return InputError(what, got=got, wanted=wanted, do="Start from one of PRESETS and replace single values.")


def with_steps(config: FitConfig, *steps: int) -> FitConfig:
    """The same recipe in fewer or more steps, one number per stage: all milestones move in proportion.

    Raises:
        InputError: not one number per stage, or a negative one.
    """
    if len(steps) != len(config.stages):
        raise _bad("steps", f"{len(steps)} numbers", f"{len(config.stages)}, one per stage")
    return replace(config, stages=tuple(_stretched(s, n) for s, n in zip(config.stages, steps, strict=True)))


def _stretched(stage: Stage, steps: int) -> Stage:
    ratio = steps / max(stage.steps, 1)
    schedules = {name: getattr(stage.losses, name) for name in TERMS}
    moved = {name: replace(s, at=_moved(s.at, ratio)) for name, s in schedules.items()}
    optimizer = replace(stage.optimizer, at=_moved(stage.optimizer.at, ratio))
    return replace(stage, steps=steps, losses=replace(stage.losses, **moved), optimizer=optimizer)


def _moved(steps: tuple[int, ...], ratio: float) -> tuple[int, ...]:
    return tuple(round(step * ratio) for step in steps)


_REFERENCE_LOSSES = LossConfig(
    recon=Schedule(1.0),
    sparsity_l0=Schedule(0.075),
    sparsity_l1=Schedule(0.75),
    mask=Schedule(10.0, factor=0.0, at=(1000,)),
    mask_inside=Schedule(0.1),
    sparsity_scale="mean mask",
)

# The paper gives weights but neither the range of its pictures nor how it averages. Differences summed over the three
# colours with white at 255 make its weights balance in both stages: on made clips shadows and objects come out with
# their true alpha. With white at 1, or with means over the colours, sparsity outweighs any gain, and alpha vanishes as
# soon as the mask's supervision has faded.
_PAPER_RECON = Schedule(3.0)
_PAPER_WHITE = 255.0
_PAPER_FADING = tuple(range(2000, 20_001, 2000))

_PAPER_BASE = Stage(
    name="base",
    model="alpha network",
    steps=20_000,
    losses=LossConfig(
        recon=_PAPER_RECON,
        sparsity_l0=Schedule(1.0),
        sparsity_l1=Schedule(10.0),
        mask=Schedule(20.0, factor=0.5, at=_PAPER_FADING),
        white=_PAPER_WHITE,
    ),
    optimizer=OptimizerConfig(network_lr=1e-3, color_lr=1e-2),
    batch_frames=20,
    short_side_px=128,
)

_PAPER_UPSAMPLED = Stage(
    name="upsampled",
    model="alpha network",
    steps=20_000,
    losses=LossConfig(
        recon=_PAPER_RECON,
        sparsity_l0=Schedule(10.0),
        sparsity_l1=Schedule(100.0),
        mask=Schedule(10.0, factor=0.0, at=(2000,)),
        guide=Schedule(20.0),
        recon_metric="l1",
        white=_PAPER_WHITE,
    ),
    optimizer=OptimizerConfig(network_lr=1e-3, color_lr=1e-2),
    batch_frames=20,
    edge_px=6,
)

_REFINE = Stage(
    name="refine",
    model="pixels",
    steps=16,
    losses=LossConfig(
        recon=Schedule(1.0),
        sparsity_l0=Schedule(0.02),
        sparsity_l1=Schedule(0.2),
        guide=Schedule(20.0),
        calm=Schedule(10.0),
        recon_metric="l1",
        white=255.0,
    ),
    optimizer=OptimizerConfig(color_lr=0.02, alpha_lr=0.02, weight_decay=0.0, factor=0.6, at=tuple(range(4, 16))),
    batch_frames=ALWAYS,
    threads=1,  # its lists of pixels are so short that handing them out costs more than it saves
)

PRESETS: dict[str, FitConfig] = {
    "reference": FitConfig(
        stages=(
            Stage(
                name="fit",
                model="rgba network",
                steps=6000,
                losses=_REFERENCE_LOSSES,
                optimizer=OptimizerConfig(at=(500, 1000, 2000)),
                batches="published",
            ),
        ),
        erode_px=5,
    ),
    "paper": FitConfig(stages=(_PAPER_BASE, _PAPER_UPSAMPLED)),
    "fast": FitConfig(stages=(_REFINE,)),
}
"""The recipes by name. `fast` needs a start."""
