"""What may be asked of the engines `casper-*`."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import torch

from lamina.backbones.specs import ModelSpec
from lamina.errors import InputError
from lamina.removal.plan import Marking

PROMPT = "empty scene"
"""The paper (Lee et al. 2025, section 3.2) finds that a plain one will do."""
MOST_STEPS = 1000
"""Levels of noise that the models were trained with."""
MOST_GROWN = 1000
"""Pixels of the model's picture: more is wider than any."""
MOST_SMALL_PIXELS = 2**20
"""Of a frame that Casper-S is shown: it has never seen larger ones, and they would take many gigabytes."""
SEEDS = range(-(2**63), 2**63)
"""That torch's generators take."""
OF_SMALL = ("weights", "steps", "seed", "size", "anchor", "grow", "storage", "device")
"""What Casper-S understands of all this."""
PASSING = ("weights", "yes")
"""Where files are and what a person agreed to are no part of a run's identity; what the files hold is."""


@dataclass(frozen=True, kw_only=True)
class CasperOptions:
    """Flags of the engines that run a video diffusion model."""

    weights: Path | None = None
    """Folder with the model's files, as docs/weights.md says. Left out, it is $LAMINA_WEIGHTS, or lamina/weights in the
    user's cache; for casper-s the file that comes with Lamina."""
    prompt: str = PROMPT
    """What is to be seen once the objects are gone. Plain words do; wrong ones do harm."""
    steps: int | None = None
    """Denoising steps, 1..1000. Time grows in proportion: 4 for a quick look. Left out, what the model was made for:
    50, casper-s 1."""
    seed: int = 43
    """Of the noise that plate and solos all start from."""
    size: str | None = None
    """HxW, multiples of 16: the picture is made to fit into this, in its own shape. Left out, it gets as many pixels as
    the model was made for."""
    anchor: bool = True
    """Background that other frames truly show is taken from there, and only the rest is made up. With --no-anchor the
    model makes up all of it."""
    trimask: Path | None = None
    """What the model is told, painted by hand, instead of what follows from the mask: black is removed, white is kept,
    gray may hold effects. For clips with one object; nothing is anchored then, the painting decides."""
    preset: Literal["ours", "reference"] = "ours"
    """reference does as the published code does: pictures squeezed to the model's size, its padding in time, its
    windows, its noise; no anchor, and nothing put back that the model's codec lost."""
    grow: int | None = None
    """Side of the square that masks grow by, in pixels of the model's picture; 0 leaves masks as they are. Left out, 11
    as published, casper-s 5."""
    inside: Literal["kept", "zeroed"] = "kept"
    """What the model sees of objects that it is to remove: the picture, or black. For comparison: it was trained with
    the first."""
    marking: Marking = "trimask"
    """How regions are marked: with places that may hold effects, or just as removed and kept. For comparison too."""
    batch: int = 0
    """Plate and solos denoised at once; 0 is as many as fit into memory. The result is the same but for rounding."""
    memory: Literal["auto", "full", "tiled", "offload"] = "auto"
    """What is given up for memory: nothing; whole pictures in the codec; and weights that stay on the device. auto is
    the first that fits."""
    storage: Literal["bf16", "fp8", "fp32"] | None = None
    """How the transformer's weights are held. fp8 needs half the memory and costs some quality. Left out, bf16, and
    casper-s fp32; with bf16 that one only computes in it."""
    tuning: Literal["auto", "plain", "fused", "compiled"] = "auto"
    """What of an accelerator's own is used: nothing; attention's fused kernels and the codec's layout; and compiled
    blocks, which take half a minute beforehand. auto is nothing on a CPU, and compiled blocks for long runs only. The
    result is the same but for rounding."""
    device: str | None = None
    """Where it is computed, in torch's words. Left out, on the accelerator where there is one."""
    yes: bool = False
    """Go on where a run on the CPU will take long."""

    @property
    def is_reference(self) -> bool:
        return self.preset == "reference"

    @property
    def is_anchored(self) -> bool:
        return self.anchor and not self.is_reference and self.trimask is None


NAMES = tuple(field.name for field in fields(CasperOptions))


def check_unused(options: CasperOptions, engine: str, understood: Sequence[str] = ()) -> None:
    """Raise InputError when an engine is given what only others understand: those that run a model, or a large one."""
    plain = CasperOptions()
    for name in NAMES:
        if name not in understood and getattr(options, name) != getattr(plain, name):
            raise InputError(
                f"--{name}" if getattr(plain, name) is not True else f"--no-{name}",
                got=f"--engine {engine}, which has no {name}" if understood else f"--engine {engine}",
                wanted="a published model, such as --engine casper-wan-1.3b"
                if understood
                else "an engine that runs a model: --engine casper-...",
                do="Leave it out, or choose such an engine.",
            )


def check_small(options: CasperOptions, engine: str, spec: ModelSpec) -> None:
    """Raise InputError when Casper-S is asked for what it does not have, or for what does not exist."""
    check_unused(options, engine, OF_SMALL)
    check_asked(options, spec)
    height, width = wanted_size(options, spec)
    if height * width > MOST_SMALL_PIXELS:
        wanted, do = f"at most {MOST_SMALL_PIXELS} pixels", "{}x{} is usual.".format(*spec.size)
        raise InputError(f"--size {options.size}", got=f"{height * width} pixels", wanted=wanted, do=do)
    if options.storage == "fp8":
        got, do = f"--engine {engine}", "Leave it out: such a small network needs no smaller numbers."
        raise InputError("--storage fp8", got=got, wanted="fp32 or bf16", do=do)


def check_asked(options: CasperOptions, spec: ModelSpec) -> None:
    """Raise InputError when something that was asked for does not exist."""
    wanted_size(options, spec)
    if options.steps is not None and not 1 <= options.steps <= MOST_STEPS:
        raise InputError("--steps", got=str(options.steps), wanted=f"1..{MOST_STEPS}", do=f"{spec.steps} is usual.")
    if options.seed not in SEEDS:
        wanted = f"{SEEDS.start}..{SEEDS.stop - 1}"
        raise InputError("--seed", got=str(options.seed), wanted=wanted, do="Any smaller number will do.")
    if options.batch < 0:
        raise InputError("--batch", got=str(options.batch), wanted="0 or more", do="0 is as many as fit.")
    if options.grow is not None and options.grow < 0:
        raise InputError("--grow", got=str(options.grow), wanted="0 or more", do=f"{spec.grow} is usual.")
    if options.grow is not None and options.grow > MOST_GROWN:
        raise InputError("--grow", got=str(options.grow), wanted=f"at most {MOST_GROWN}", do=f"{spec.grow} is usual.")
    if options.device is not None:
        _check_device(options.device)


def wanted_size(options: CasperOptions, spec: ModelSpec) -> tuple[int, int]:
    """Height and width that were asked for, or else the model's.

    Raises:
        InputError: they are no size for this model.
    """
    if options.size is None:
        return spec.size
    height, cross, width = options.size.lower().partition("x")
    multiple = spec.geometry.size_multiple
    numbers = [int(side) for side in (height, width) if cross and side.isascii() and side.isdecimal()]
    if len(numbers) != 2 or any(side < multiple or side % multiple for side in numbers):
        raise InputError(
            f"--size {options.size}",
            got=repr(options.size),
            wanted=f"HxW, both multiples of {multiple}",
            do=f"Write for instance --size {spec.size[0]}x{spec.size[1]}.",
        )
    return numbers[0], numbers[1]


def device_of(options: CasperOptions) -> str:
    """Where it is computed."""
    return usual_device() if options.device is None else options.device


def usual_device() -> str:
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return "cpu" if found is None else found.type


def _check_device(name: str) -> None:
    reason = "none such"
    try:
        place = torch.device(name)
        if (place.type == "cpu" and not place.index) or _present(place):
            return
    except RuntimeError as error:
        reason = str(error).partition("\n")[0].partition(":")[0]
    do = "Leave it out to have it chosen."
    raise InputError(f"--device {name}", got=reason, wanted="a device of this machine", do=do)


def _present(place: torch.device) -> bool:
    if not torch.accelerator.is_available():
        return False
    here = torch.accelerator.current_accelerator()
    return here is not None and here.type == place.type and (place.index or 0) < torch.accelerator.device_count()


def recorded(settings: dict[str, Any], understood: Sequence[str], spec: ModelSpec | None) -> dict[str, Any]:
    """A run's settings without what does not concern its result; what was left to the model is spelled out."""
    dropped = {*NAMES, *PASSING} - ({*understood} - {*PASSING})
    kept = {key: value for key, value in settings.items() if key not in dropped}
    usual: dict[str, Any] = {}
    if spec is not None:
        usual = {"steps": spec.steps, "grow": spec.grow, "storage": spec.dtype, "device": usual_device()}
    return kept | {key: value for key, value in usual.items() if kept[key] is None}
