"""The decoder of CogVideoX's VAE on the class of diffusers, with the rule of the published code."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

PAIR = 2
"""Latent frames that are decoded together, after the first."""


def decode_video(vae: Any, latents: Float[Tensor, "c lt lh lw"]) -> Float[Tensor, "3 t h w"]:
    """Decode the first latent frame to one frame, and then pairs to eight; 4 * latent frames - 3 in all.

    A single one that is left at the end gives four frames, for it is doubled in time by every up-sampler in time.
    diffusers' own rule begins with three where their number is odd, and gives other counts and other pictures.
    """
    cache, pieces = None, []
    starts = [0, *range(1, latents.shape[1], PAIR)]
    for start, stop in zip(starts, [*starts[1:], latents.shape[1]], strict=True):
        piece = latents[None, :, start:stop]
        with torch.inference_mode(), _doubling_single_frames(vae.decoder, start > 0):
            decoded, cache = vae.decoder(piece, conv_cache=cache)
        pieces.append(decoded[0])
    return torch.cat(pieces, dim=1)


@contextmanager
def _doubling_single_frames(decoder: Any, doubling: bool) -> Iterator[None]:
    """Let up-samplers in time double a clip of one frame too. Their convolution is by frames, so doubling may wait."""
    samplers = [sampler for block in decoder.up_blocks for sampler in block.upsamplers or [] if sampler.compress_time]
    handles = [sampler.register_forward_hook(_double_single_frame) for sampler in samplers if doubling]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _double_single_frame(module: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> Tensor:
    return made.repeat_interleave(2, dim=2) if given[0].shape[2] == 1 else made
