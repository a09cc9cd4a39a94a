"""Procedural surfaces: noise in several sizes, bricks, tiles, planks, stripes, checks, grass, skies with hills.

Every surface is one recipe with other numbers (`Surface`), so that a batch of different ones is made in one go.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

OCTAVES = (4, 8, 16, 32, 64)
"""Cells of the noise lattices over one tile."""


@dataclass(frozen=True, eq=False)
class Surface:
    """What one square tile of a surface looks like. Colours are display-referred RGB, 0..1."""

    colours: np.ndarray
    """`4 3`: base, second, joint, speck."""
    cells: tuple[float, float, float]
    """Columns, rows, and by how much of a cell each row is shifted."""
    joint: float
    """Width of the joints, as a share of a cell; 0 has none."""
    weights: tuple[float, float, float, float, float]
    """How strongly cells differ; checks; stripes; noise; fibres, which are noise drawn out along the rows."""
    roughness: float
    """0 large clouds only .. 1 as much fine as coarse."""
    noise: tuple[np.ndarray, ...]
    """One lattice `n n` of numbers -1..1 for each of `OCTAVES`, and one `32 32` for cells."""
    picture: np.ndarray | None = None
    """`3 s s` float32 from the user, taken instead of all of the above."""


@dataclass(frozen=True, eq=False)
class Sky:
    """A view over hills: the upper part of a backdrop, from the ground (bottom row) to overhead (top row)."""

    colours: np.ndarray
    """`5 3`: horizon, zenith, cloud, far hills, near hills."""
    hills: np.ndarray
    """`2 64`: heights of two ridges around the tile, as shares of it."""
    clouds: float
    """0 none .. 1 overcast."""
    noise: tuple[np.ndarray, ...]


def lattices(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Random numbers for a surface."""
    return tuple(rng.uniform(-1, 1, (n, n)).astype(np.float32) for n in (*OCTAVES, 32))


def noise_tile(
    noise: Float[Tensor, "f n n"], size: int, across: int = 1, down: int = 1
) -> Float[Tensor, "f {size} {size}"]:
    """A lattice as a smooth tile without a seam; `across` and `down` squeeze it a whole number of times."""
    pad = 3
    around = F.pad(noise.tile(1, down, across)[:, None], (pad, pad, pad, pad), mode="circular")
    cells = noise.shape[-1]
    y = (torch.arange(size, device=noise.device) + 0.5) * (cells * down / size) + pad
    x = (torch.arange(size, device=noise.device) + 0.5) * (cells * across / size) + pad
    wide, high = cells * across + 2 * pad, cells * down + 2 * pad
    grid = torch.stack(torch.meshgrid(x * 2 / wide - 1, y * 2 / high - 1, indexing="xy"), -1)
    grid = grid.expand(len(noise), -1, -1, -1)
    return F.grid_sample(around, grid, mode="bicubic", padding_mode="border", align_corners=False)[:, 0]


def paint_surfaces(surfaces: list[Surface], size: int, device: torch.device) -> Float[Tensor, "f 3 {size} {size}"]:
    """Tiles of many surfaces, display-referred RGB 0..1."""
    cells = _stack([np.asarray([*s.cells, s.joint, *s.weights, s.roughness]) for s in surfaces], device)
    columns, rows, shift, joint, vary, checks, stripes, rough, fibres, detail = cells.T[:, :, None, None]
    colours = _stack([s.colours for s in surfaces], device)[..., None, None]
    grain, threads = _noises(surfaces, size, detail, device)
    at = (torch.arange(size, device=device) + 0.5) / size
    row = at[:, None] * rows
    column = at[None, :] * columns + shift * row.floor()
    own = _cell_numbers(surfaces, row, column, columns, rows, device)
    check = ((row.floor() + column.floor()) % 2) * 2 - 1
    stripe = torch.sin(column * (2 * np.pi)).mul(4).clamp(-1, 1)
    blend = vary * own + checks * check + stripes * stripe + rough * grain + fibres * threads
    tile = torch.lerp(colours[:, 0], colours[:, 1], (0.5 + 0.5 * blend).clamp(0, 1)[:, None])
    speck = (grain - 0.55).clamp(0, 0.2)[:, None] * 2.5
    tile = torch.lerp(tile, colours[:, 3], (speck * rough[:, None]).expand_as(tile))
    tile = torch.lerp(tile, colours[:, 2], (_joints(row, column, joint, columns, rows, size) * 0.9).expand_as(tile))
    return _with_pictures(tile.clamp(0, 1), surfaces)


def _noises(surfaces: list[Surface], size: int, detail: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cloudy noise, and noise in threads along the columns."""
    grain, total = torch.zeros(1, device=device), torch.zeros(1, device=device)
    for octave in range(len(OCTAVES)):
        weight = (0.45 + 0.5 * detail) ** octave
        grain = grain + weight * noise_tile(_stack([s.noise[octave] for s in surfaces], device), size)
        total = total + weight**2
    threads = noise_tile(_stack([s.noise[1] for s in surfaces], device), size, across=8)
    threads = threads + 0.6 * noise_tile(_stack([s.noise[2] for s in surfaces], device), size, across=8)
    return grain * (1.8 / total.sqrt()), threads


def _cell_numbers(
    surfaces: list[Surface], row: Tensor, column: Tensor, columns: Tensor, rows: Tensor, device: torch.device
) -> Tensor:
    """A number -1..1 for every cell, the same all over the cell and on both sides of the seam."""
    table = _stack([s.noise[-1] for s in surfaces], device)
    y, x = (row.floor() % rows).long() % 32, (column.floor() % columns).long() % 32
    return table.flatten(1).gather(1, (y * 32 + x).flatten(1)).view(column.shape)


def _joints(row: Tensor, column: Tensor, joint: Tensor, columns: Tensor, rows: Tensor, size: int) -> Tensor:
    """1 in joints, 0 elsewhere, softened over a pixel."""
    aspect = rows / columns
    y, x = (row - row.floor() - 0.5).abs(), (column - column.floor() - 0.5).abs()
    pixel = rows / size
    across = torch.maximum(y - 0.5 + joint / 2, (x - 0.5) * aspect + joint / 2)
    return ((across / pixel + 0.5).clamp(0, 1) * (joint > 0))[:, None]


def _with_pictures(tile: Tensor, surfaces: list[Surface]) -> Tensor:
    size = tile.shape[-1]
    for place, surface in enumerate(surfaces):
        if surface.picture is not None:
            given = torch.from_numpy(surface.picture).to(tile.device)[None]
            tile[place] = F.interpolate(given, (size, size), mode="bilinear", antialias=True)[0]
    return tile


def paint_skies(skies: list[Sky], size: int, device: torch.device) -> Float[Tensor, "f 3 {size} {size}"]:
    """Tiles of many skies: top row overhead, bottom row on the ground, left and right edges fit together."""
    colours = _stack([s.colours for s in skies], device)[..., None, None]
    grain, streaks = torch.zeros(1, device=device), torch.zeros(1, device=device)
    for octave in range(len(OCTAVES)):
        lattice = _stack([sky.noise[octave] for sky in skies], device)
        grain = grain + 0.55**octave * noise_tile(lattice, size)
        # Clouds are seen from below and far away: wider than high.
        streaks = streaks + 0.55**octave * noise_tile(lattice, size, down=3)
    up = (1 - (torch.arange(size, device=device) + 0.5) / size)[:, None]
    tile = torch.lerp(colours[:, 0], colours[:, 1], (up.clamp(0, 1) ** 0.6).expand(len(skies), 1, size, size))
    cover = _stack([np.asarray([s.clouds]) for s in skies], device)[:, :, None]
    cloud = ((streaks - 1.1 + 2 * cover) * 1.2).clamp(0, 1) * (up * 6).clamp(0, 1) * (2.2 * (1 - up)).clamp(0, 1)
    tile = torch.lerp(tile, colours[:, 2], cloud[:, None].expand_as(tile))
    ridges = _stack([s.hills for s in skies], device)
    for ridge in range(2):
        height = F.interpolate(F.pad(ridges[:, None, ridge], (2, 2), mode="circular"), size + size // 16, mode="linear")
        height = height[:, 0, size // 32 : size // 32 + size] + (0.006 + 0.012 * ridge) * grain[:, size // 2]
        inside = ((height[:, None] - up) * size + 0.5).clamp(0, 1)[:, None]
        shade = 1 + (0.04 + 0.1 * ridge) * grain[:, None]
        tile = torch.lerp(tile, colours[:, 3 + ridge] * shade, inside.expand_as(tile))
    return tile.clamp(0, 1)


def _stack(arrays: list[np.ndarray], device: torch.device) -> Tensor:
    return torch.from_numpy(np.stack(arrays).astype(np.float32)).to(device)
