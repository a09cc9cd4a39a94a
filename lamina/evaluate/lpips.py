"""LPIPS, where its heads and the backbone's published weights are there; nothing is ever downloaded."""

import hashlib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lamina.errors import InputError, MissingExtra
from lamina.evaluate.levels64 import picture_levels, same_shape

WEIGHTS = "alexnet-owt-7be5be79.pth"
DIGEST = "7be5be79"
"""The published AlexNet of torchvision; its name ends in the first digits of its SHA-256."""
HEADS = Path("weights") / "v0.1" / "alex.pth"
"""Where the package `lpips` (BSD licence) keeps the trained weights of the channels."""
LAYERS = (("0", 4, 2), ("3", 1, 2), ("6", 1, 1), ("8", 1, 1), ("10", 1, 1))
"""AlexNet's convolutions: name in `features`, stride, padding; the first two are followed by pooling."""
POOLED = ("0", "3")
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Levels -1..1 are moved and scaled per channel to what the backbone was trained on."""
LEAST_PX = 64
"""Nothing is left of smaller pictures in the last layers."""
NOT_MEASURED = f"LPIPS was not measured: it needs AlexNet's published weights ({WEIGHTS}), given with --lpips."
TOO_SMALL = f"LPIPS was not measured: pictures of less than {LEAST_PX} pixels."

Distance = Callable[[np.ndarray, np.ndarray], float]
Weights = Mapping[str, Tensor]


def open_lpips(weights: Path) -> Distance:
    """LPIPS 0.1 with AlexNet (Zhang et al. 2018): the distance of two pictures `h w 3`, 0 for equal ones.

    Args:
        weights: torchvision's alexnet-owt-7be5be79.pth.

    Raises:
        MissingExtra: the package `lpips`, whose trained heads are needed, is not installed.
        InputError: no such file, or not the published backbone: random weights give figures that mean nothing.
    """
    _check_weights(Path(weights))
    heads, backbone = _load(_heads_file()), _load(Path(weights))
    return lambda found, truth: distance(backbone, heads, found, truth)


def distance(backbone: Weights, heads: Weights, found: np.ndarray, truth: np.ndarray) -> float:
    """Equation 1 of the paper: features of unit length per place, squared differences weighted by channel."""
    same_shape("pictures to compare", found, truth)
    with torch.no_grad():
        pairs = zip(*(_features(backbone, picture) for picture in (found, truth)), strict=True)
        return sum(_apart(heads[f"lin{k}.model.1.weight"], *pair) for k, pair in enumerate(pairs))


def _features(backbone: Weights, picture: np.ndarray) -> list[Tensor]:
    levels = torch.from_numpy(picture_levels("picture", picture)).float().movedim(-1, 0)[None]
    x = (levels * 2 - 1 - _per_channel(SHIFT)) / _per_channel(SCALE)
    found = []
    for name, stride, padding in LAYERS:
        weight, bias = backbone[f"features.{name}.weight"], backbone[f"features.{name}.bias"]
        x = F.relu(F.conv2d(x, weight, bias, stride, padding))
        found.append(x)
        x = F.max_pool2d(x, 3, 2) if name in POOLED else x
    return found


def _per_channel(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values).reshape(1, 3, 1, 1)


def _apart(head: Tensor, one: Tensor, other: Tensor) -> float:
    a, b = (x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10) for x in (one, other))
    return float((head * (a - b).square()).sum(1).mean())


def _load(path: Path) -> Weights:
    return torch.load(path, weights_only=True, map_location="cpu")


def _heads_file() -> Path:
    package = find_spec("lpips")
    if package is None or package.origin is None:
        raise MissingExtra(
            "LPIPS",
            got="no package 'lpips'",
            wanted="the extra `metrics`",
            do="Run: pip install 'lamina[metrics]', or leave --lpips out.",
        )
    return Path(package.origin).parent / HEADS


def _check_weights(weights: Path) -> None:
    if not weights.is_file():
        raise InputError(f"--lpips {weights}", got="no such file", wanted=WEIGHTS, do="Get it from torchvision once.")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if not digest.startswith(DIGEST):
        raise InputError(
            f"--lpips {weights}",
            got=f"a file with SHA-256 {digest[:8]}..",
            wanted=f"{WEIGHTS}, whose SHA-256 begins with {DIGEST}",
            do="Get it from torchvision again.",
        )
