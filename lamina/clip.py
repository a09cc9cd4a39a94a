"""The nouns of the public interface: Clip, Mask, Trimask, Layer, Stack. Shapes and ranges are checked here only.

Frames are `t c h w` float32 in 0..1, display-referred (sRGB) RGB, alpha straight, a stack listed back to front.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from lamina.color import ColorDescription
from lamina.errors import InputError

RGB_LIMIT = 128.0
"""Encoded values of high dynamic range pass 1 but not this: the largest half float encodes to 107. 0..255 does."""

LAYER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, eq=False, repr=False)
class Clip:
    """Frames over time."""

    frames: Float[Tensor, "t 3 h w"]
    pts_seconds: tuple[Fraction, ...]
    """When each frame is shown; strictly increasing, need not start at 0 nor be evenly spaced."""
    color: ColorDescription = ColorDescription()
    """How the source was tagged. The frames themselves are RGB whatever it says."""

    def __post_init__(self):
        _check_rgb("Clip", self.frames)
        if len(self.pts_seconds) != len(self.frames):
            raise ValueError(f"Clip: {len(self.frames)} frames, but {len(self.pts_seconds)} time stamps.")
        for position in range(1, len(self.pts_seconds)):
            before, now = self.pts_seconds[position - 1 : position + 1]
            if now <= before:
                raise ValueError(f"Clip: frame {position} is shown at {now} s, the one before it at {before} s.")

    def __repr__(self) -> str:
        return f"Clip({_shape(self.frames)}, {_seconds(self.pts_seconds)})"


@dataclass(frozen=True, eq=False, repr=False)
class Mask:
    """Where one named object is: 0 outside, 1 inside."""

    name: str
    alpha: Float[Tensor, "t 1 h w"]

    def __post_init__(self):
        check_layer_names([self.name])
        _check_alpha(f"Mask {self.name!r}", self.alpha)

    def __repr__(self) -> str:
        return f"Mask({self.name!r}, {_shape(self.alpha)})"


@dataclass(frozen=True, eq=False, repr=False)
class Trimask:
    """What is to be removed and what is to be kept; the rest is unknown and may hold effects."""

    remove: Bool[Tensor, "t 1 h w"]
    keep: Bool[Tensor, "t 1 h w"]

    def __post_init__(self):
        for name, region in (("remove", self.remove), ("keep", self.keep)):
            if region.dtype != torch.bool or region.ndim != 4 or region.shape[1] != 1:
                raise ValueError(f"Trimask: {name} must be bool 't 1 h w', got {_shape(region)} {region.dtype}.")
        if self.remove.shape != self.keep.shape:
            raise ValueError(f"Trimask: remove is {_shape(self.remove)}, keep is {_shape(self.keep)}.")
        if both := int((self.remove & self.keep).sum()):
            raise ValueError(f"Trimask: {both} pixels are both in remove and in keep. Take them out of keep.")

    @property
    def unknown(self) -> Bool[Tensor, "t 1 h w"]:
        """Neither to be removed nor to be kept for certain."""
        return ~(self.remove | self.keep)

    def __repr__(self) -> str:
        shares = {name: getattr(self, name).float().mean().item() for name in ("remove", "keep", "unknown")}
        return f"Trimask({_shape(self.remove)}, " + ", ".join(f"{n} {share:.0%}" for n, share in shares.items()) + ")"


@dataclass(frozen=True, eq=False, repr=False)
class Layer:
    """One object with its effects, as straight-alpha RGBA over time."""

    name: str
    rgb: Float[Tensor, "t 3 h w"]
    alpha: Float[Tensor, "t 1 h w"]

    def __post_init__(self):
        check_layer_names([self.name])
        _check_rgb(f"Layer {self.name!r}: rgb", self.rgb)
        _check_alpha(f"Layer {self.name!r}: alpha", self.alpha)
        if _extent(self.rgb) != _extent(self.alpha):
            raise ValueError(f"Layer {self.name!r}: rgb is {_shape(self.rgb)}, alpha is {_shape(self.alpha)}.")

    def __repr__(self) -> str:
        return f"Layer({self.name!r}, {_shape(self.rgb)})"


@dataclass(frozen=True, eq=False, repr=False)
class Stack:
    """A plate and the layers over it, listed back to front: `layers[-1]` is nearest the camera."""

    plate: Clip
    layers: tuple[Layer, ...]

    def __post_init__(self):
        check_layer_names([layer.name for layer in self.layers])
        for layer in self.layers:
            if _extent(layer.rgb) != _extent(self.plate.frames):
                raise ValueError(
                    f"Stack: layer {layer.name!r} is {_shape(layer.rgb)}, the plate is {_shape(self.plate.frames)}."
                )

    def __repr__(self) -> str:
        return f"Stack({self.plate!r}, back to front: {', '.join(layer.name for layer in self.layers) or 'no layers'})"


def check_layer_names(names: Sequence[str]) -> None:
    """Hold names to what Nuke can read as layers: a letter, then letters, digits and _; no two alike but for case.

    Raises:
        InputError: a name breaks the rule; the error proposes one that does not.
    """
    seen: dict[str, str] = {}
    for name in names:
        if not LAYER_NAME.fullmatch(name):
            raise InputError(
                "layer name",
                got=repr(name),
                wanted="a letter, then letters, digits and _ (Nuke's rule: [A-Za-z][A-Za-z0-9_]*)",
                do=f"Call it {_free_name(_legal_name(name), seen)!r}.",
            )
        if name.lower() in seen:
            raise InputError(
                "layer names",
                got=f"{seen[name.lower()]!r} and {name!r}",
                wanted="names that differ by more than upper and lower case",
                do=f"Call the second one {_free_name(name, seen)!r}.",
            )
        seen[name.lower()] = name


def _legal_name(name: str) -> str:
    legal = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
    return legal if LAYER_NAME.fullmatch(legal) else f"layer_{legal}".rstrip("_")


def _free_name(name: str, taken: dict[str, str]) -> str:
    number, free = 2, name
    while free.lower() in taken:
        number, free = number + 1, f"{name}_{number}"
    return free


def numpy_to_frames(pixels: np.ndarray) -> Float[Tensor, "t c h w"]:
    """`t h w c` uint8, uint16 or float32 as frames; whole numbers are divided by their largest value.

    Raises:
        ValueError: other number type, or not four dimensions.
    """
    if pixels.ndim != 4:
        raise ValueError(f"Pixels must be 't h w c', got the shape {pixels.shape}.")
    scale = _scale(pixels.dtype)
    return torch.from_numpy(np.ascontiguousarray(rearrange(pixels, "t h w c -> t c h w"), dtype=np.float32) / scale)


def frames_to_numpy(frames: Float[Tensor, "t c h w"], dtype: np.typing.DTypeLike = np.uint8) -> np.ndarray:
    """The inverse of `numpy_to_frames`, exact for what came from `dtype`; values are rounded, and limited to 0..1.

    float32 is handed on as it is.

    Raises:
        ValueError: `dtype` is not uint8, uint16 or float32.
    """
    scale = _scale(np.dtype(dtype))
    pixels = rearrange(frames.detach().cpu().float(), "t c h w -> t h w c")
    if np.dtype(dtype) != np.float32:
        pixels = (pixels.clamp(0, 1) * float(scale)).round()
    return np.ascontiguousarray(pixels.numpy().astype(dtype))


def _scale(dtype: np.dtype) -> np.float32:
    scales = {"uint8": 255, "uint16": 65535, "float32": 1}
    if dtype.name not in scales:
        raise ValueError(f"Pixels are uint8, uint16 or float32, got {dtype}.")
    return np.float32(scales[dtype.name])


def _check_rgb(what: str, rgb: Tensor) -> None:
    _check_frames(what, rgb, channels=3)
    if rgb.abs().max() > RGB_LIMIT:
        raise ValueError(f"{what}: a value of {float(rgb.abs().max()):g}; white is 1. Divide by 255 or 65535.")


def _check_alpha(what: str, alpha: Tensor) -> None:
    _check_frames(what, alpha, channels=1)
    if alpha.min() < 0 or alpha.max() > 1:
        raise ValueError(f"{what}: values {float(alpha.min()):g}..{float(alpha.max()):g}, alpha is within 0..1.")


def _check_frames(what: str, frames: Tensor, channels: int) -> None:
    if frames.ndim != 4 or frames.shape[1] != channels or 0 in frames.shape:
        raise ValueError(f"{what}: must be 't {channels} h w' with at least one pixel, got {tuple(frames.shape)}.")
    if frames.dtype != torch.float32:
        raise ValueError(f"{what}: must be float32, got {frames.dtype}. numpy_to_frames() converts.")
    if not torch.isfinite(frames).all():
        raise ValueError(f"{what}: holds values that are infinite or not a number.")


def _extent(frames: Tensor) -> tuple[int, int, int]:
    return frames.shape[0], frames.shape[2], frames.shape[3]


def _shape(frames: Tensor) -> str:
    return " ".join(f"{axis}={size}" for axis, size in zip("tchw", frames.shape, strict=False))


def _seconds(pts_seconds: tuple[Fraction, ...]) -> str:
    return f"{float(pts_seconds[0]):.3f}..{float(pts_seconds[-1]):.3f} s"
