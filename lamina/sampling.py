"""From noise to clean latents. A denoiser is a function; windows are a function from denoisers to a denoiser.

Latents are `n c t h w`: n items that are sampled together, channels, latent frames, height, width.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lamina.schedule import Level, Move
from lamina.windows import Window, WindowPlan

Denoiser = Callable[[Tensor, Level], Tensor]
"""From noisy latents at a level to what it takes for the clean ones, float32; both `n c t h w`."""

NoiseSource = Callable[[Sequence[int]], Tensor]
"""From a shape to float32 numbers of a unit normal distribution. `torch.randn` is one: the global random state."""


class Sampled(NamedTuple):
    """What there is after a step."""

    done: int
    total: int
    latents: Float[Tensor, "n c t h w"]
    """Where sampling stands; with `done` all that is needed to go on."""
    clean: Float[Tensor, "n c t h w"]
    """What the step took for the clean latents."""


def seeded(seed: int) -> NoiseSource:
    """Noise that depends on the seed alone: drawn on the CPU, and the global random state is left as it is."""
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(tuple(shape), generator=generator)


def start_noise(noise: NoiseSource, shape: Sequence[int], items: int) -> Float[Tensor, "n c t h w"]:
    """Pure noise of `c t h w`, the same for all items: what differs in their results is what they were asked for."""
    return noise(tuple(shape))[None].expand(items, *shape).clone()


def sample(
    denoise: Denoiser, latents: Float[Tensor, "n c t h w"], moves: Sequence[Move], done: int = 0
) -> Iterator[Sampled]:
    """Sample step by step, giving what there is after each: stop asking to cancel, pass `done` on to resume.

    Args:
        denoise: what is asked at every level.
        latents: noise at the level where the first move starts; when `done` is not 0, what was there after that step.
            Results are in its number type, steps are computed in float32.
        moves: all moves of a schedule.
        done: how many of them were made before.
    """
    for number in range(done, len(moves)):
        with torch.inference_mode():
            clean = denoise(latents, moves[number].start)
            latents = step(latents, clean, moves[number])
        yield Sampled(number + 1, len(moves), latents, clean)


def step(latents: Tensor, clean: Tensor, move: Move) -> Tensor:
    """Keep the noise that `clean` leaves in the latents, at another level.

    noisy = a clean + s gauss  ->  a' clean + s' gauss = (s'/s) noisy + (a' - a s'/s) clean

    For eta 0 this is DDIM (Song et al. 2021, equation 12), for a flow it is Euler's step.
    """
    start, stop = move
    kept = stop.noise / start.noise
    return (kept * latents.float() + (stop.signal - start.signal * kept) * clean.float()).to(latents.dtype)


def windowed(part: Callable[[Window], Denoiser], plan: WindowPlan) -> Denoiser:
    """Denoise window by window and cross-fade (MultiDiffusion, Bar-Tal et al. 2023, over time).

    part: gives the denoiser of one window, which sees the latents of that window alone.

    The published samplers cross-fade the latents after the step instead. With weights that add up to one that is the
    same, for `step` is linear: sum_i w_i (k noisy + m clean_i) = k noisy + m sum_i w_i clean_i.
    """
    if len(plan.windows) == 1:
        return part(plan.windows[0])
    parts = [part(window) for window in plan.windows]

    def denoise(latents: Tensor, level: Level) -> Tensor:
        blended = torch.zeros_like(latents, dtype=torch.float32)
        for window, weights, denoise_part in zip(plan.windows, plan.weights, parts, strict=True):
            at = slice(window.start, window.stop)
            weight = torch.from_numpy(weights).to(blended)[:, None, None]
            blended[:, :, at] += weight * denoise_part(latents[:, :, at], level).float()
        return blended

    return denoise
