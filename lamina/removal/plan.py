"""Which removals a clip needs, what each of them is told to remove and to keep, and which are denoised together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8

from lamina.backbones.interface import Geometry
from lamina.backbones.memory import MODES, Storage
from lamina.backbones.plan import Machine, Model, Run, choose_mode, in_words, plan_run
from lamina.backbones.timing import Timing
from lamina.errors import InputError
from lamina.masks.published import keeping_trimask
from lamina.masks.trimask import KEEP, UNKNOWN

PLATE = "plate"
Marking = Literal["trimask", "binary"]
LONG_SECONDS = 30 * 60
"""A run on the CPU that takes longer than this is not begun unasked."""


@dataclass(frozen=True)
class Removal:
    """One answer of the model: what is left when all objects but the kept ones are gone."""

    name: str
    """`plate`, or the object that stays."""
    keep: tuple[int, ...]
    """Numbers of the objects that stay."""


def needed_removals(names: Sequence[str]) -> tuple[Removal, ...]:
    """The plate and, with several objects, a solo of each; a single object's solo is the clip itself.

    >>> [removal.name for removal in needed_removals(["dog", "cat"])]
    ['plate', 'dog', 'cat']
    """
    solos = [Removal(name, (k,)) for k, name in enumerate(names)]
    return (Removal(PLATE, ()), *(solos if len(names) > 1 else []))


def trimask_of(
    removal: Removal,
    grown: Sequence[Bool[np.ndarray, "*t h w"]],
    preserve: Bool[np.ndarray, "*t h w"] | None,
    marking: Marking = "trimask",
) -> UInt8[np.ndarray, "*t h w"]:
    """What a removal is told: `Region` values.

    grown: the objects' masks as `grown_mask` makes them. preserve: what must stay but where something is removed.
    marking: with `binary` nothing is unknown: what is not removed is to be kept, effects too.
    """
    trimask = keeping_trimask(grown, removal.keep, preserve)
    return np.where(trimask == UNKNOWN, np.uint8(KEEP), trimask) if marking == "binary" else trimask


def batches(removals: Sequence[Removal], most: int) -> list[tuple[Removal, ...]]:
    """Removals in groups of at most `most`, as even as can be, in order."""
    count = -(-len(removals) // most)
    edges = [k * len(removals) // count for k in range(count + 1)]
    return [tuple(removals[a:b]) for a, b in zip(edges, edges[1:], strict=False)]


@dataclass(frozen=True)
class Ahead:
    """What a model has before it on one clip."""

    geometry: Geometry
    timing: Timing
    size: tuple[int, int]
    """Height and width of its pictures."""
    steps: int
    coded_frames: int | None = None
    """Frames that are coded together at most; None is all of them."""

    def run(self, items: int) -> Run:
        """As far as memory and time depend on it."""
        return Run.of(self.timing, self.size, items, self.steps, self.coded_frames)


@dataclass(frozen=True)
class Way:
    """How it is done: kept for a resumed run, whose memory may be another."""

    mode: str
    batch: int
    seconds: float
    tuning: str = "plain"
    operations: float = 0.0
    device_bytes: int = 0
    """At most."""

    def __str__(self) -> str:
        """One line for people.

        >>> print(Way("full", 2, 125.0, "fused", 1e15, 20 * 10**9))
        2 removals at once, memory full, tuning fused: up to 20.0 GB on the device, about 2 min
        """
        many = "1 removal at a time" if self.batch == 1 else f"{self.batch} removals at once"
        return (
            f"{many}, memory {self.mode}, tuning {self.tuning}: "
            f"up to {self.device_bytes / 1e9:.1f} GB on the device, about {in_words(self.seconds)}"
        )


def choose_way(
    model: Model, ahead: Ahead, removals: int, machine: Machine, storage: Storage, mode: str, batch: int
) -> Way:
    """The memory mode and how many removals at once: the fastest that fits.

    All at once is best, fewer at once cost little, and only then is anything given up for memory.

    mode: one of `MODES`, or `auto`. batch: removals at once, or 0 for as many as fit.

    Raises:
        InputError: nothing fits; the plan of what would need least is told.
    """
    first = next(iter(MODES)) if mode == "auto" else mode
    for items in [batch] if batch else range(removals, 0, -1):
        plan = plan_run(model, ahead.run(items), machine, storage, first)
        if plan.peak_device_bytes <= machine.device_bytes and plan.host_bytes <= machine.host_bytes:
            break
    else:
        items = batch or 1
        plan = choose_mode(model, ahead.run(items), machine, storage)
        if mode != "auto":
            raise InputError(
                f"--memory {mode}",
                got=f"{machine.device_bytes / 1e9:.1f} GB on the device",
                wanted=f"{plan_run(model, ahead.run(items), machine, storage, mode)}",
                do=f"Take --memory {plan.mode}, which fits.",
            )
    whole = plan_run(model, ahead.run(removals), machine, storage, plan.mode)
    return Way(plan.mode, items, whole.seconds, operations=whole.operations, device_bytes=plan.peak_device_bytes)


def check_patience(name: str, seconds: float, device: str, yes: bool) -> None:
    """Raise InputError when a CPU would be busy for long and nobody said that this is meant."""
    if device == "cpu" and seconds > LONG_SECONDS and not yes:
        raise InputError(
            f"{name} on the CPU",
            got=f"a run of about {in_words(seconds)}",
            wanted="an accelerator, or --yes for going on all the same",
            do="A smaller --size, fewer --steps, or the engine `propagate` are faster.",
        )
