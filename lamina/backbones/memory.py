"""Ways to fit a model into memory: weights stored small, blocks fetched when needed, pictures coded in tiles."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lamina.windows import Window, blend_weights, plan_windows

Storage = Literal["fp32", "bf16", "fp8"]
COMPUTE = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp8": torch.bfloat16}
"""From how weights are stored to what is computed in; fp8 weights are widened layer by layer."""

TILE_LATENTS, TILE_OVERLAP_LATENTS = 32, 8
"""Side of a tile and what neighbours share: 256 and 64 pixels."""


@dataclass(frozen=True)
class MemoryMode:
    """What is given up for memory."""

    offload_blocks: bool
    """The transformer's blocks wait in the host's memory and are fetched one by one, the next while one computes."""
    tiles: bool
    """The VAE sees tiles that are cross-faded. Its means are those of tiles then, so levels may differ a little."""


MODES = {
    "full": MemoryMode(offload_blocks=False, tiles=False),
    "tiled": MemoryMode(offload_blocks=False, tiles=True),
    "offload": MemoryMode(offload_blocks=True, tiles=True),
}


def place_transformer(transformer: Any, device: torch.device, storage: Storage, mode: MemoryMode) -> nn.Module:
    """Store the weights as asked, and bring them to the device or have their blocks fetched."""
    if storage == "fp8":
        transformer.enable_layerwise_casting(torch.float8_e4m3fn, COMPUTE[storage])
    if not mode.offload_blocks:
        return transformer.to(device)
    transformer.enable_group_offload(
        onload_device=device,
        offload_device=torch.device("cpu"),
        offload_type="block_level",
        num_blocks_per_group=1,
        use_stream=device.type != "cpu",
    )
    return transformer


def coded(
    coder: Callable[[Tensor], Tensor], given: Float[Tensor, "c t h w"], scale: int | float, mode: MemoryMode
) -> Tensor:
    """What a VAE makes of a clip or of latents: at once, or tile by tile. `scale` as for `in_tiles`."""
    if not mode.tiles:
        return coder(given)
    unit = 1 if scale > 1 else round(1 / scale)
    return in_tiles(coder, given, TILE_LATENTS * unit, TILE_OVERLAP_LATENTS * unit, scale)


def in_tiles(
    coder: Callable[[Tensor], Tensor], given: Float[Tensor, "c t h w"], tile: int, overlap: int, scale: int | float
) -> Tensor:
    """Code a clip tile by tile and cross-fade what comes out.

    Args:
        coder: from `c t h w` to `c2 t2 h2 w2`, height and width by `scale` times larger.
        tile, overlap: side of a tile and what neighbours share at least, in pixels of `given`.
    """
    rows, columns = (plan_windows(size, tile, overlap) for size in given.shape[2:])
    if len(rows) == len(columns) == 1:
        return coder(given)
    made: Tensor | None = None
    for row, down in zip(rows, _scaled(rows, scale), strict=True):
        for column, right in zip(columns, _scaled(columns, scale), strict=True):
            piece = coder(given[:, :, row.start : row.stop, column.start : column.stop]).float()
            if made is None:
                made = piece.new_zeros(*piece.shape[:2], *(round(size * scale) for size in given.shape[2:]))
            weight = torch.outer(down[1], right[1]).to(piece)
            made[:, :, down[0], right[0]] += weight * piece
    assert made is not None
    return made.to(given.dtype)


def _scaled(windows: tuple[Window, ...], scale: int | float) -> list[tuple[slice, Tensor]]:
    """Where windows come to lie, and their weights there."""
    placed = [Window(round(w.start * scale), round(w.stop * scale)) for w in windows]
    return [
        (slice(w.start, w.stop), torch.from_numpy(weight))
        for w, weight in zip(placed, blend_weights(placed), strict=True)
    ]
