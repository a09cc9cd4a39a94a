"""Samples seen side by side: input, plate, first solo, and masks, one sample per column."""

import torch
from jaxtyping import UInt8
from torch import Tensor

from lamina.synth.sprites import Sample, to_levels

TINTS = ((0.95, 0.35, 0.3), (0.35, 0.8, 0.4), (0.35, 0.5, 0.95), (0.95, 0.8, 0.3), (0.8, 0.4, 0.9), (0.3, 0.85, 0.9))


def contact_sheet(samples: list[Sample], columns: int, frame: int) -> UInt8[Tensor, "height width 3"]:
    """A grid of samples; below each other in every cell: input, plate, first object's solo, visible masks in colour."""
    cells = [_cell(sample, frame) for sample in samples]
    cells += [torch.zeros_like(cells[0])] * (-len(cells) % columns)
    rows = [torch.cat(cells[at : at + columns], 2) for at in range(0, len(cells), columns)]
    return (torch.cat(rows, 1).clamp(0, 1) * 255 + 0.5).to(torch.uint8).permute(1, 2, 0).cpu()


def _cell(sample: Sample, frame: int) -> Tensor:
    masks = to_levels(sample.masks[0, :, frame]).cpu()
    tints = torch.tensor(TINTS)[: len(masks), :, None, None]
    pictures = [to_levels(part).cpu() for part in (sample.input[0, frame], sample.plate[0, frame])]
    pictures += [to_levels(sample.solos[0, 0, frame]).cpu(), (masks * tints).sum(0)]
    return torch.nn.functional.pad(torch.cat(pictures, 1), (2, 2, 4, 4), value=1.0)
