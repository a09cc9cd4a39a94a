"""What a fit is given: checked, masks made smaller, brought to a stage's size, guided by what is already known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lamina.errors import InputError
from lamina.layers.fit_losses import Batch
from lamina.windows import GridFit

EDGE_LEAST = 0.1
"""A difference of alpha that makes an edge."""


def check_fit_clip(picture: Tensor, plate: Tensor, mask: Tensor, start: Tensor | None) -> None:
    """Hold what a fit is given to its shapes and ranges: `t 3 h w`, `t 3 h w`, `t 1 h w`, `t 4 h w`, float32, 0..1.

    Raises:
        InputError: another type, shape or range, values that are not finite, or lengths and sizes that differ.
    """
    given = {"picture": (picture, 3), "plate": (plate, 3), "mask": (mask, 1)}
    for name, (frames, channels) in (given | ({"start": (start, 4)} if start is not None else {})).items():
        _check_frames(name, frames, channels)
        if len(frames) != len(picture):
            raise InputError(
                f"fit: {name}",
                got=f"{len(frames)} frames",
                wanted=f"{len(picture)}, as many as the picture",
                do="Give the same frames of all.",
            )
        if frames.shape[2:] != picture.shape[2:]:
            raise InputError(
                f"fit: {name}", got=_size(frames), wanted=f"{_size(picture)}, as the picture", do="Resize it."
            )


def _check_frames(name: str, frames: Tensor, channels: int) -> None:
    what = f"fit: {name}"
    if frames.ndim != 4 or frames.shape[1] != channels or 0 in frames.shape:
        shape = " ".join(str(size) for size in frames.shape)
        raise InputError(what, got=f"the shape '{shape}'", wanted=f"'t {channels} h w'", do="Bring the axes in order.")
    if frames.dtype != torch.float32:
        raise InputError(what, got=str(frames.dtype), wanted="torch.float32", do="numpy_to_frames() converts.")
    low, high = (value.item() for value in torch.aminmax(frames))  # not a number anywhere is so in both
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(
            what, got="values that are infinite or not a number", wanted="finite values", do="Look for their source."
        )
    if low < 0 or high > 1:
        got = f"values {low:g}..{high:g}"
        raise InputError(what, got=got, wanted="0..1", do="Divide by white and limit what is beyond.")


def _size(frames: Tensor) -> str:
    return f"{frames.shape[3]}x{frames.shape[2]} pixels"


def erode(mask: Float[Tensor, "t 1 h w"], side_px: int) -> Float[Tensor, "t 1 h w"]:
    """The least value within a square around each pixel. Beyond the picture's border everything counts as inside."""
    return -F.max_pool2d(-mask, side_px, 1, side_px // 2)


def to_short_side(clip: Batch, short_side_px: int | None) -> Batch:
    """The clip with its shorter side this long, shrunk by averaging; never enlarged. None leaves it as it is."""
    height, width = clip.picture.shape[2:]
    scale = 1.0 if short_side_px is None else min(1.0, short_side_px / min(height, width))
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    if size == [height, width]:
        return clip
    picture, plate, mask = (
        F.interpolate(frames, size, mode="area") for frames in (clip.picture, clip.plate, clip.mask)
    )
    return Batch(picture, plate, mask)


def resize_rgba(rgba: Float[Tensor, "t 4 h w"], size: Sequence[int]) -> Float[Tensor, "t 4 h2 w2"]:
    """A layer at another (height, width), bilinear; itself where it has that size."""
    if list(rgba.shape[2:]) == list(size):
        return rgba
    return F.interpolate(rgba, list(size), mode="bilinear", align_corners=False)


def guide_weight(alpha: Float[Tensor, "t 1 h w"], edge_px: int) -> Float[Tensor, "t 1 h w"]:
    """How far an alpha can guide another one: not at all within `edge_px` of its edges, else fully."""
    spread = _highest(alpha, edge_px) + _highest(-alpha, edge_px)
    return (spread < EDGE_LEAST).to(alpha.dtype)


def _highest(alpha: Float[Tensor, "t 1 h w"], radius_px: int) -> Float[Tensor, "t 1 h w"]:
    """The highest value in a square around each pixel; across and down in turn, which is the same and quicker."""
    side = 2 * radius_px + 1
    across = F.max_pool2d(alpha, (1, side), 1, (0, radius_px))
    return F.max_pool2d(across, (side, 1), 1, (radius_px, 0))


def frames_of(clip: Batch, frames: range) -> Batch:
    """Some consecutive frames of a clip."""
    here = slice(frames.start, frames.stop)
    guide = None if clip.guide is None else clip.guide[here]
    weight = None if clip.guide_weight is None else clip.guide_weight[here]
    return Batch(clip.picture[here], clip.plate[here], clip.mask[here], guide, weight)


def published_batch(draw: int, frames: int, size: int) -> range:
    """The public implementation's choice: the first and the last frames come more often than any others.

    With fewer frames than `size` its limits cross: then only the last `size - frames` of them, or all if there are no
    more than `size / 2`, are ever seen.
    """
    start = min(max(draw, 0), frames - size)
    return range(frames)[start : start + size]


def inside_batch(draw: int, frames: int, size: int) -> range:
    """The same, but a clip shorter than `size` is seen whole."""
    start = max(min(max(draw, 0), frames - size), 0)
    return range(frames)[start : start + size]


BATCHES: dict[str, Callable[[int, int, int], range]] = {"published": published_batch, "inside": inside_batch}


@dataclass(frozen=True)
class Grid:
    """Pictures mirrored on to multiples of a number of pixels, and back. Pictures that fit stay untouched."""

    fit: GridFit
    source: Tensor
    """Which pixel is shown at each place of the padded picture."""

    @classmethod
    def of(cls, frames: Tensor, multiple: int) -> "Grid":
        height, width = frames.shape[2:]
        fit = GridFit(height, width, multiple)
        pixels = np.arange(height * width).reshape(height, width)
        return cls(fit, torch.from_numpy(fit.apply(pixels)).to(frames.device))

    def apply(self, frames: Float[Tensor, "t c h w"]) -> Float[Tensor, "t c h2 w2"]:
        if self.fit.padded == tuple(frames.shape[2:]):
            return frames
        return frames.flatten(2)[:, :, self.source]

    def undo(self, frames: Float[Tensor, "t c h2 w2"]) -> Float[Tensor, "t c h w"]:
        return frames[:, :, : self.fit.height, : self.fit.width]
