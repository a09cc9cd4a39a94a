"""Casper-S's file: tensors in bfloat16, and in the header how large the network is and where it comes from."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lamina.backbones.checkpoint import build_on_meta, load_strictly, open_checkpoint
from lamina.backbones.small_network import SmallNetwork, SmallSizes
from lamina.errors import WeightsError
from lamina.media.landing import whole_file

SMALL = "casper-s"
FILE = "casper-s.safetensors"
SHIPPED = Path(__file__).parents[1] / "weights"
"""Folder of the file that comes with Lamina."""


def open_small_network(folder: Path | None = None) -> SmallNetwork:
    """The network of a file in a folder, or the one that comes with Lamina; float32, on the CPU.

    Raises:
        WeightsError: the file is missing, or not what it should be.
    """
    path = (SHIPPED if folder is None else Path(folder)) / FILE
    sizes = _sizes(read_header(path), path)
    module = build_on_meta(lambda: SmallNetwork(sizes), f"{path}")
    loaded = load_strictly(module, open_checkpoint([path]), f"{path}", torch.float32)
    _check_finite(loaded, path)
    return loaded.to(memory_format=torch.channels_last)  # type: ignore[return-value]


def read_header(path: Path) -> dict[str, str]:
    """The words beside the tensors.

    Raises:
        WeightsError: there is no such file, or it is not whole.
    """
    try:
        with safe_open(path, framework="pt") as tensors:
            return tensors.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{path}", got=str(error) or "nothing", wanted="a file of Casper-S",
            do="Install Lamina anew, or leave --weights out for the file that comes with it.",
        ) from error  # fmt: skip


def write_small_network(
    folder: Path, tensors: Mapping[str, Tensor], sizes: SmallSizes, words: Mapping[str, str]
) -> Path:
    """Write the file into a folder."""
    held = {name: tensor.detach().to("cpu", torch.bfloat16).contiguous() for name, tensor in tensors.items()}
    path = folder / FILE
    with whole_file(path) as part:
        save_file(held, part, {"format": "pt", "model": SMALL, "sizes": json.dumps(asdict(sizes)), **words})
    return path


def _sizes(header: Mapping[str, str], path: Path) -> SmallSizes:
    try:
        told: dict[str, Any] = json.loads(header["sizes"])
        return SmallSizes(**{key: tuple(v) if isinstance(v, list) else v for key, v in told.items()})
    except (KeyError, ValueError, TypeError) as error:
        raise WeightsError(
            f"{path}", got=f"a header without the network's sizes ({error})", wanted="a file of Casper-S",
            do="Take the one that comes with Lamina, or one that `lamina train` has made.",
        ) from error  # fmt: skip


def _check_finite(module: SmallNetwork, path: Path) -> None:
    broken = [name for name, tensor in module.state_dict().items() if not torch.isfinite(tensor).all()]
    if broken:
        raise WeightsError(
            f"{path}", got=f"numbers that are not finite in {', '.join(broken[:3])}", wanted="finite numbers",
            do="Train again from an earlier checkpoint, or take the file that comes with Lamina.",
        )  # fmt: skip
