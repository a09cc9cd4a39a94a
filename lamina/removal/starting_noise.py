"""Where the noise of a run comes from: ours, that depends on the seed alone, and the published one."""

import hashlib
from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from lamina.sampling import NoiseSource, seeded, start_noise


def shared_noise(seed: int, shape: Sequence[int], removals: int) -> Float[Tensor, "n c t h w"]:
    """The same for plate and solos, so that they differ by what they were asked for only (the paper, section 3.3)."""
    return start_noise(seeded(seed), shape, removals)


def published_noise(
    seed: int, shape: Sequence[int], removals: int, device: torch.device, dtype: torch.dtype, *, frames_first: bool
) -> Float[Tensor, "n c t h w"]:
    """One stream for all, drawn on the device in what is computed in: first the plate's, then every solo's.

    Same numbers on the same kind of device only. frames_first: CogVideoX's latents lie `t c h w` while they are drawn.
    """
    generator = torch.Generator(device).manual_seed(seed)
    channels, frames, *size = shape
    drawn_shape = (1, frames, channels, *size) if frames_first else (1, *shape)
    drawn = [torch.randn(drawn_shape, generator=generator, device=device, dtype=dtype) for _ in range(removals)]
    return rearrange(torch.cat(drawn), "n t c h w -> n c t h w") if frames_first else torch.cat(drawn)


def frame_noise(seed: int, frames: range, shape: Sequence[int]) -> Float[Tensor, "c t h w"]:
    """Noise of `c h w` for each of a clip's frames, the same whichever window the frame is in."""
    drawn = [_seeded(f"frame {seed} {frame}")(shape) for frame in frames]
    return torch.stack(drawn, dim=1)


def piece_noise(seed: int, start: int) -> NoiseSource:
    """Noise for the pictures of one piece of a clip, apart from the starting noise and from that of other pieces.

    The published code takes it from a generator that nobody seeds, so nothing can repeat that.
    """
    return _seeded(f"pictures {seed} {start}")


def _seeded(words: str) -> NoiseSource:
    return seeded(int.from_bytes(hashlib.sha256(words.encode()).digest()[:7], "big"))
