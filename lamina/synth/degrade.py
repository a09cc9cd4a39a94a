"""What a recording adds to a picture: sensor noise, and the loss of a block codec."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 8
LUMA = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def noise_like(picture: Float[Tensor, "t 3 h w"], sigma: float, seed: int) -> Float[Tensor, "t 3 h w"]:
    """Noise with the standard deviation `sigma` at mid grey, more in bright parts (photon noise) than in dark ones.

    The numbers depend on the seed and the device, on nothing else.
    """
    draw = torch.Generator(picture.device).manual_seed(seed)
    noise = torch.randn(picture.shape, generator=draw, device=picture.device)
    return noise * (sigma * (0.4 + 1.2 * picture).sqrt())


def block_codec(pictures: Float[Tensor, "f 3 h w"], quality: float) -> Float[Tensor, "f 3 h w"]:
    """What a JPEG-like codec leaves of pictures: the cosine transform of 8 x 8 blocks of brightness and colour
    differences, rounded to steps that grow with frequency, and back. `quality` 1 is nearly lossless, 0 coarse."""
    height, width = pictures.shape[-2:]
    device = pictures.device
    padded = torch.nn.functional.pad(pictures, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    to_luma = torch.tensor(LUMA, device=device)
    parts = torch.einsum("ij,fjhw->fihw", to_luma, padded)
    basis = torch.from_numpy(_cosines()).to(device)
    blocks = parts.unfold(2, BLOCK, BLOCK).unfold(3, BLOCK, BLOCK)
    spectrum = basis @ blocks @ basis.T
    steps = _steps(quality, device)[:, None, None]
    blocks = basis.T @ ((spectrum / steps).round() * steps) @ basis
    joined = blocks.transpose(3, 4).reshape(padded.shape)
    decoded = torch.einsum("ij,fjhw->fihw", torch.linalg.inv(to_luma.cpu()).to(device), joined)
    return decoded[..., :height, :width].clamp(0, 1)


def _cosines() -> np.ndarray:
    k, n = np.arange(BLOCK)[:, None], np.arange(BLOCK)[None]
    basis = np.cos(np.pi * k * (2 * n + 1) / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    basis[0] /= np.sqrt(2)
    return basis.astype(np.float32)


def _steps(quality: float, device: torch.device) -> Tensor:
    """`3 8 8`: one step per frequency, twice as coarse for colour differences."""
    frequency = torch.arange(BLOCK, device=device)
    grow = 1 + 0.45 * (frequency[:, None] + frequency)
    base = 0.006 + 0.16 * (1 - quality) ** 1.5
    return base * grow * torch.tensor([1.0, 2.0, 2.0], device=device)[:, None, None]
