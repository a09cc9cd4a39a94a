"""Casper-S's file: tensors in bfloat16, and in the header how large the network is and where it comes from."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from lamina.backbones.checkpoint import load_strictly, open_checkpoint, write_safetensors
from lamina.backbones.small_network import SmallNetwork, SmallSizes
from lamina.errors import WeightsError
from lamina.media.landing import whole_file

SMALL = "casper-s"
FILE = "casper-s.safetensors"
SHIPPED = Path(__file__).parents[1] / "weights"
"""Folder of the file that comes with Lamina."""
ANOTHER = "Leave --weights out for the file that comes with Lamina, or take one that `lamina train` has made."
"""What to do about a file that is none."""


def open_small_network(folder: Path | None = None) -> SmallNetwork:
    """The network of a file in a folder, or the one that comes with Lamina; float32, on the CPU.

    Raises:
        WeightsError: the file is missing, or not what it should be.
    """
    path = find_small(folder)
    module, tensors = _empty(path), open_checkpoint([path])
    try:
        loaded = load_strictly(module, tensors, f"{path}", torch.float32)
    except WeightsError as error:
        raise WeightsError(error.what, got=error.got, wanted=error.wanted, do=ANOTHER) from error
    _check_finite(loaded, path)
    return loaded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def find_small(folder: Path | None = None) -> Path:
    """Where the file is.

    Raises:
        WeightsError: it is not there.
    """
    path = (SHIPPED if folder is None else Path(folder)) / FILE
    if not path.is_file():
        do = "Install Lamina anew, or give a folder with --weights." if folder is None else ANOTHER
        raise WeightsError(f"{path}", got="no such file", wanted="the file of Casper-S", do=do)
    return path


def read_header(path: Path) -> dict[str, str]:
    """The words beside the tensors.

    Raises:
        WeightsError: there is no such file, or it is not whole.
    """
    try:
        with safe_open(path, framework="pt") as tensors:
            return tensors.metadata() or {}
    except (OSError, SafetensorError) as error:
        got = str(error).partition("\n")[0].rstrip(".") or "nothing"
        raise WeightsError(f"{path}", got=got, wanted="a whole file of Casper-S", do=ANOTHER) from error


def write_small_network(
    folder: Path, tensors: Mapping[str, Tensor], sizes: SmallSizes, words: Mapping[str, str]
) -> Path:
    """Write the file into a folder."""
    held = {name: tensor.detach().to("cpu", torch.bfloat16).contiguous() for name, tensor in tensors.items()}
    path = folder / FILE
    with whole_file(path) as part:
        write_safetensors(part, held, {"model": SMALL, "sizes": json.dumps(asdict(sizes)), **words})
    return path


def sizes_in(path: Path) -> SmallSizes:
    """How large the network of a file is.

    Raises:
        WeightsError: there is no such file, or it is none of Casper-S.
    """
    header = read_header(path)
    try:
        told = json.loads(header["sizes"])
        listed: dict[str, Any] = {key: tuple(told[key]) for key in ("widths", "patch_size")}
        return SmallSizes(**(told | listed))
    except (KeyError, ValueError, TypeError) as error:
        got = f"a header without the network's sizes ({error})"
        raise WeightsError(f"{path}", got=got, wanted="a file of Casper-S", do=ANOTHER) from error


def _empty(path: Path) -> SmallNetwork:
    """The network without memory for its weights."""
    sizes = sizes_in(path)
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            return SmallNetwork(sizes)
    except RuntimeError as error:
        raise WeightsError(f"{path}", got=f"sizes {sizes}", wanted="a file of Casper-S", do=ANOTHER) from error


def _check_finite(module: nn.Module, path: Path) -> None:
    broken = [name for name, tensor in module.state_dict().items() if not torch.isfinite(tensor).all()]
    if broken:
        got = f"numbers that are not finite in {', '.join(broken[:3])}"
        raise WeightsError(f"{path}", got=got, wanted="finite numbers", do=ANOTHER)
