"""Toy runs of the engines `casper-*`: weights by chance, so what they make up is nonsense, but all around it holds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_backbones import cogvideox_folder, wan_folder
from toy_scenes import Toy, save

import lamina
from lamina.backbones import specs
from lamina.backbones.interface import Geometry
from lamina.report import Report, no_report

ENGINES = ("casper-wan-1.3b", "casper-cog-5b")
SMALL = {"steps": 2, "size": "48x64", "storage": "fp32"}


def model_folder(root: Path) -> Path:
    """Toy files of both models, and of the LoRA."""
    root.mkdir(exist_ok=True)
    return wan_folder(wan_folder(cogvideox_folder(root)), lora=True)


def config_of(toy: Toy, folder: Path, models: Path, engine: str, **more) -> lamina.DecomposeConfig:
    clip, masks = save(toy, folder)
    flags = {"input": clip, "mask": masks, "engine": engine, "weights": models, "out": folder / "out", **SMALL, **more}
    return lamina.DecomposeConfig(**flags)


def run(toy: Toy, folder: Path, models: Path, engine: str, report: Report = no_report, **more) -> lamina.StackReader:
    return lamina.open_stack(lamina.decompose(config_of(toy, folder, models, engine, **more), report))


def plates(stack: lamina.StackReader) -> np.ndarray:
    return np.stack(list(stack.read_plate()))


def bytes_of(folder: Path) -> dict[str, bytes]:
    """All pictures of a stack."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.mkv"))}


def short_windows(monkeypatch: pytest.MonkeyPatch, engine: str, frames: int, overlap: int) -> Geometry:
    """Have a model see fewer frames at once, so that a short clip takes several windows and pieces."""
    spec = specs.BACKBONES[engine]
    geometry = replace(spec.geometry, window_frames=frames, overlap_frames=overlap)
    monkeypatch.setitem(specs.BACKBONES, engine, replace(spec, geometry=geometry))
    return geometry


def chance(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
