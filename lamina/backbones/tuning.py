"""What an accelerator can do faster than torch does unasked. Answers are the same but for rounding."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from lamina.backbones.attention import blocks_of
from lamina.backbones.memory import MODES, Storage
from lamina.errors import InputError

KERNELS = ("CUDNN_ATTENTION", "FLASH_ATTENTION", "EFFICIENT_ATTENTION", "MATH")
"""Fused attention, the one that is expected to be fastest first; the last always goes."""
COMPILING_PAYS = 5e16
"""Operations of a run from which on compiling is expected to be made up for: two minutes at 400 TFLOP/s, of which it
should save more than the half minute it takes. Assumed, not measured. Operations and not seconds, so that the choice,
and with it the rounding, is the same each time."""
COMPILER = "inductor"


@dataclass(frozen=True)
class Tuning:
    """What is used of an accelerator."""

    kernels: tuple[str, ...] = ()
    """Names of `SDPBackend`: of these attention takes the first that can be had. Without any, torch chooses."""
    compiled: bool = False
    """The transformer's blocks are compiled: what lies between matrix products becomes a few kernels. All blocks share
    one compilation."""
    channels_last: bool = False
    """The VAE's convolutions hold channels together, as tensor cores want them."""

    @contextmanager
    def attention(self) -> Iterator[None]:
        """While this is entered, attention is computed by `kernels`."""
        if not self.kernels:
            yield
            return
        with sdpa_kernel([getattr(SDPBackend, name) for name in self.kernels], set_priority=True):
            yield


PLAIN = Tuning()
TUNINGS = {
    "plain": PLAIN,
    "fused": Tuning(KERNELS, compiled=False, channels_last=True),
    "compiled": Tuning(KERNELS, compiled=True, channels_last=True),
}


def choose_tuning(wanted: str, device: str, storage: Storage, mode: str, operations: float) -> str:
    """The name of a tuning, for a run of so many operations.

    wanted: one of `TUNINGS`, or `auto`: nothing on a CPU, compiled blocks where the run is long and they can be had,
    else what costs no time beforehand.

    Raises:
        InputError: compiled blocks were asked for and cannot be had.
    """
    hindrance = _hindrance(device, storage, mode)
    if wanted == "compiled" and hindrance is not None:
        raise InputError(
            "--tuning compiled",
            got=hindrance,
            wanted="weights that stay on the device as they are computed with, and a compiler for it",
            do="Take --tuning fused.",
        )
    if wanted != "auto":
        return wanted
    if torch.device(device).type == "cpu":
        return "plain"
    return "compiled" if operations >= COMPILING_PAYS and hindrance is None else "fused"


def _hindrance(device: str, storage: Storage, mode: str) -> str | None:
    """Why blocks cannot be compiled as a whole."""
    if storage == "fp8":
        return "--storage fp8, whose weights are widened layer by layer"
    if MODES[mode].offload_blocks:
        return f"memory mode {mode}, whose blocks are fetched one by one"
    if torch.device(device).type != "cpu" and find_spec("triton") is None:
        return "no package triton"
    return None


def tuned_transformer(transformer: Any, tuning: Tuning, compiler: str = COMPILER) -> Any:
    """A transformer that is in its place, its blocks to be compiled with the first latents.

    compiler: in torch's words. Shapes are compiled for as they are: a run has one or two.
    """
    if tuning.compiled:
        for block in blocks_of(transformer):
            block.compile(dynamic=False, backend=compiler)
    return transformer


def tuned_vae(vae: nn.Module, tuning: Tuning) -> nn.Module:
    """A VAE whose filters lie as the tuning says; what comes out of them then does too."""
    if tuning.channels_last:
        for parameter in vae.parameters():
            if parameter.ndim == 5:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)
    return vae
