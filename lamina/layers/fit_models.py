"""What the optimiser turns into a layer: a network that paints it, a network with free colours, or free pixels."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lamina.errors import InputError
from lamina.layers.fit_clip import BATCHES, Grid, frames_of, guide_weight, resize_rgba
from lamina.layers.fit_config import FitConfig, OptimizerConfig, Stage
from lamina.layers.fit_losses import Batch, Neighbours
from lamina.layers.fit_network import GRID_PX, UNet, make_unet

LOGIT_LIMIT = 4.0
"""Free colours start no nearer to black or white than this."""
STRETCH = 1 / 64
"""How far beyond 0 and 1 the curve of free pixels reaches, so that they can be exactly 0 or 1."""
SETTLED = 1 / 1024
"""An opaque pixel whose colour is as near as this to the picture's has nothing left to be refined."""
LIKE = 0.03
"""Alphas of neighbours that differ by this much count a third in keeping them alike."""


LISTED = 2**16
"""Pixels to a list, about, on a processor; other devices take all at once."""


@dataclass(frozen=True)
class Solution:
    """What a stage leaves to the next."""

    rgba: Float[Tensor, "t 4 h w"]
    network: UNet | None = None


@dataclass(frozen=True)
class Part:
    """Some of a layer as painted, `t 4 h w`, what its loss is measured against, and its share of a step's loss."""

    rgba: Tensor
    batch: Batch
    share: float = 1.0


@runtime_checkable
class Model(Protocol):
    """A layer in the making."""

    frames: int
    """How many frames batches are drawn from; 0 when there is nothing to be fitted."""

    def groups(self, optimizer: OptimizerConfig) -> list[dict[str, Any]]:
        """Parameters with their name and learning rate, as torch's optimisers take them."""
        ...

    def parts(self, frames: range) -> Iterator[Part]:
        """These frames of the layer as it is being learned, all at once or bit by bit to save memory."""
        ...

    def solution(self, batch_frames: int) -> Solution:
        """The whole layer as it stands, at the stage's size."""
        ...


class RgbaNetwork:
    """A U-Net sees the picture and its difference from the plate, and paints colour and alpha, without limits."""

    def __init__(self, clip: Batch, stage: Stage, config: FitConfig, seed: int, before: Solution | None):
        _refuse(before, stage)
        _check_enough(clip, stage)
        self.frames = len(clip.picture)
        self.clip = clip
        self.grid = Grid.of(clip.picture, GRID_PX)
        self.network = make_unet(6, 4, config.width, seed).to(clip.picture.device)

    def groups(self, optimizer: OptimizerConfig) -> list[dict[str, Any]]:
        return [{"name": "network", "params": list(self.network.parameters()), "lr": optimizer.network_lr}]

    def parts(self, frames: range) -> Iterator[Part]:
        batch = frames_of(self.clip, frames)
        yield Part(_painted(self.network.train(), self.grid, batch), batch)

    def solution(self, batch_frames: int) -> Solution:
        return Solution(_evaluated(self.network, self.grid, self.clip, batch_frames), self.network)


class AlphaNetwork:
    """A U-Net sees the same and paints alpha only; the colours are free, pixel by pixel. All are kept within 0..1."""

    def __init__(self, clip: Batch, stage: Stage, config: FitConfig, seed: int, before: Solution | None):
        _check_enough(clip, stage)
        self.frames = len(clip.picture)
        self.grid = Grid.of(clip.picture, GRID_PX)
        if before is None:
            colors = clip.picture * clip.mask + 0.5 * (1 - clip.mask)
        else:
            known = resize_rgba(before.rgba, clip.picture.shape[2:])
            colors, alpha = known[:, :3], known[:, 3:].contiguous()
            clip = replace(clip, guide=alpha, guide_weight=guide_weight(alpha, stage.edge_px))
        self.clip = clip
        self.colors = nn.Parameter(torch.logit(colors).clamp(-LOGIT_LIMIT, LOGIT_LIMIT))
        network = None if before is None else before.network
        self.network = network or make_unet(6, 1, config.width, seed).to(clip.picture.device)

    def groups(self, optimizer: OptimizerConfig) -> list[dict[str, Any]]:
        return [
            {"name": "network", "params": list(self.network.parameters()), "lr": optimizer.network_lr},
            {"name": "colors", "params": [self.colors], "lr": optimizer.color_lr},
        ]

    def parts(self, frames: range) -> Iterator[Part]:
        batch = frames_of(self.clip, frames)
        alpha = _painted(self.network.train(), self.grid, batch)
        yield Part(torch.cat([self.colors[frames.start : frames.stop], alpha], 1).sigmoid(), batch)

    def solution(self, batch_frames: int) -> Solution:
        alpha = _evaluated(self.network, self.grid, self.clip, batch_frames)
        return Solution(torch.cat([self.colors.detach(), alpha], 1).sigmoid(), self.network)


def _painted(network: UNet, grid: Grid, batch: Batch) -> Tensor:
    difference = (batch.picture - batch.plate).abs()
    return grid.undo(network(grid.apply(torch.cat([batch.picture, difference], 1))))


@torch.no_grad()
def _evaluated(network: UNet, grid: Grid, clip: Batch, batch_frames: int) -> Tensor:
    """All frames with the running statistics of the batch norms, batch after batch."""
    network.eval()
    frames = range(len(clip.picture))
    starts = frames[::batch_frames]
    return torch.cat([_painted(network, grid, frames_of(clip, frames[s : s + batch_frames])) for s in starts])


class Pixels:
    """Alpha and colour are free, pixel by pixel, where a given layer or the mask is; elsewhere the layer stays.

    The pixels are lists of a size that fits a processor's cache, so that work and memory grow with the object and not
    with the picture. A list is a band of rows in all frames: neighbours are together, but for those across two bands.
    """

    def __init__(self, clip: Batch, stage: Stage, config: FitConfig, seed: int, before: Solution | None):
        if before is None:
            raise InputError(
                f"fit: stage {stage.name!r}",
                got="no start",
                wanted="a layer to refine, 't 4 h w'",
                do="Solve the closed form first, or take another preset.",
            )
        self.rgba = before.rgba
        self.open = _open_pixels(clip, self.rgba)
        self.frames = 1 if self.open.any() else 0
        self.lists = [_pixel_list(clip, self.rgba, self.open, rows, stage.edge_px) for rows in _bands(self.open)]

    def groups(self, optimizer: OptimizerConfig) -> list[dict[str, Any]]:
        return [
            {"name": "colors", "params": [one.colors for one in self.lists], "lr": optimizer.color_lr},
            {"name": "alpha", "params": [one.alpha for one in self.lists], "lr": optimizer.alpha_lr},
        ]

    def parts(self, frames: range) -> Iterator[Part]:
        count = sum(one.alpha.numel() for one in self.lists)
        for one in self.lists:
            yield Part(one.rgba(), one.batch, one.alpha.numel() / count)

    @torch.no_grad()
    def solution(self, batch_frames: int) -> Solution:
        rgba = self.rgba.clone()
        for one in self.lists:
            # Rows before frames, as in `_pixel_list`.
            rgba[:, :, one.rows].permute(2, 0, 3, 1)[one.where] = one.rgba()[0, :, 0].T
        return Solution(rgba)


@dataclass(frozen=True)
class PixelList:
    """The open pixels of some rows of all frames, listed row by row and, within a row, frame by frame."""

    rows: slice
    where: Bool[Tensor, "h t w"]
    batch: Batch
    colors: nn.Parameter
    alpha: nn.Parameter

    def rgba(self) -> Float[Tensor, "1 4 1 n"]:
        return _squashed(torch.cat([self.colors, self.alpha], 1))


def _open_pixels(clip: Batch, rgba: Float[Tensor, "t 4 h w"]) -> Bool[Tensor, "t h w"]:
    """Where the layer or the mask is, except where an opaque pixel already has the picture's colour."""
    alpha = rgba[:, 3]
    settled = alpha == 1
    for channel in range(3):
        settled &= (rgba[:, channel] - clip.picture[:, channel]).abs() < SETTLED
    return ((alpha > 0) | (clip.mask[:, 0] > 0.5)) & ~settled


def _bands(where: Bool[Tensor, "t h w"]) -> list[slice]:
    """The rows in bands of about `LISTED` open pixels each; none where there are no open pixels."""
    counts = where.sum((0, 2)).cpu()
    size = LISTED if where.device.type == "cpu" else where.numel()
    bands = counts.cumsum(0).sub(counts).div(size, rounding_mode="floor")
    edges = [0, *(torch.nonzero(bands.diff()).flatten() + 1).tolist(), len(counts)]
    slices = [slice(a, b) for a, b in zip(edges, edges[1:], strict=False)]
    return [rows for rows in slices if counts[rows].any()]


def _pixel_list(clip: Batch, rgba: Tensor, where: Tensor, rows: slice, edge_px: int) -> PixelList:
    """The list of a band, its guide taken with so many rows more that edges are seen where they are."""
    place = where[:, rows].transpose(0, 1).contiguous()
    wide = slice(max(rows.start - edge_px, 0), rows.stop + edge_px)
    trust = guide_weight(rgba[:, 3:, wide], edge_px)[:, :, rows.start - wide.start :][:, :, : rows.stop - rows.start]
    whole = (clip.picture[:, :, rows], clip.plate[:, :, rows], clip.mask[:, :, rows], rgba[:, :, rows], trust)
    picture, plate, mask, start, weight = (_listed(frames, place) for frames in whole)
    guide = start[:, 3:].contiguous()
    neighbours = _neighbours(place, guide.flatten(), weight.flatten())
    batch = Batch(picture, plate, mask, guide, weight, neighbours)
    colors, alpha = (nn.Parameter(_unsquashed(part)) for part in (start[:, :3], guide))
    return PixelList(rows, place, batch, colors, alpha)


def _listed(frames: Float[Tensor, "t c h w"], where: Bool[Tensor, "h t w"]) -> Float[Tensor, "1 c 1 n"]:
    return torch.stack([channel.transpose(0, 1)[where] for channel in frames.unbind(1)])[None, :, None]


def _neighbours(where: Bool[Tensor, "h t w"], alpha: Tensor, trust: Tensor) -> tuple[Neighbours, ...]:
    """Pairs down, in time and across. The more alike a pair's alphas are, the more alike they should stay."""
    place = torch.full(where.shape, -1, dtype=torch.int64, device=where.device)
    place[where] = torch.arange(len(alpha), device=where.device)
    found = []
    for axis in range(3):
        size = where.shape[axis]
        first, second = (place.narrow(axis, at, size - 1).flatten() for at in (0, 1))
        both = (first >= 0) & (second >= 0)
        first, second = first[both], second[both]
        likeness = torch.exp(-torch.square((alpha[first] - alpha[second]) / LIKE))
        found.append(Neighbours(first, second, likeness * trust[first] * trust[second]))
    return tuple(found)


def _squashed(free: Tensor) -> Tensor:
    """A sigmoid that reaches 0 and 1 (Louizos et al. 2018, "hard concrete")."""
    return (free.sigmoid() * (1 + 2 * STRETCH) - STRETCH).clamp(0, 1)


def _unsquashed(levels: Tensor) -> Tensor:
    return torch.logit((levels + STRETCH) / (1 + 2 * STRETCH))


def _refuse(before: Solution | None, stage: Stage) -> None:
    if before is not None:
        raise InputError(
            f"fit: stage {stage.name!r}",
            got="a start",
            wanted="none: this network starts from chance",
            do="Leave the start out, or take a preset that refines.",
        )


def _check_enough(clip: Batch, stage: Stage) -> None:
    """Batch norms need more than one value of a channel, and the network's innermost pictures are small."""
    frames, _, height, width = clip.picture.shape
    seen = len(BATCHES[stage.batches](0, frames, stage.batch_frames))
    if seen * -(-height // GRID_PX) * -(-width // GRID_PX) < 2:
        raise InputError(
            f"fit: stage {stage.name!r}",
            got=f"{seen} frame per step of {width}x{height} pixels",
            wanted=f"two frames, or more than {GRID_PX} pixels to a side",
            do="Give more frames or larger ones.",
        )


MODELS: dict[str, Callable[[Batch, Stage, FitConfig, int, Solution | None], Model]] = {
    "rgba network": RgbaNetwork,
    "alpha network": AlphaNetwork,
    "pixels": Pixels,
}
