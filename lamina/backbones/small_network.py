"""The network of Casper-S: convolutions over pixels, and at the bottom blocks of a video transformer.

It answers with the clean frames, as a mixture of three in another light: the frame itself, what other frames show, and
what it paints. A shadow is mostly a matter of light and the ground's detail is still there to see, so little
has to be learned and nothing is lost. The transformer sees the whole window at a sixteenth of its size; its blocks, its
`config` and its attention are laid out as those of Wan's are, so LoRA and attention maps work on it unchanged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

STRIDE = 4
"""Pixels per place of the finest level, each way; every level below halves that, and the last is the transformer's."""
SIDE = 16
"""Pixels per token, each way."""
GIVEN = 12
"""Channels it is given: noisy, frames and known, each RGB in -1..1; then sure, REMOVE and KEEP, each 0 or 1."""
ANSWERED = 9
"""Channels that are mixed: light (3), paint (3), and how much of each kind (3)."""
MOST_LIGHT, MOST_CERTAIN = 1.5, 5.0
"""Bounds of the logarithms of light, and of shares before their softmax."""


@dataclass(frozen=True)
class SmallSizes:
    """How large the network is."""

    widths: tuple[int, int, int] = (48, 96, 160)
    """Channels at a quarter, an eighth and a sixteenth of the picture."""
    blocks: int = 4
    """Of the transformer."""
    heads: int = 4
    sharp: int = 32
    """Channels at half the picture."""
    patch_size: tuple[int, int, int] = (1, SIDE, SIDE)
    """Of a token, in frames and pixels; the only one there is."""

    def __post_init__(self):
        numbers = (*self.widths, self.blocks, self.heads, self.sharp)
        if not all(type(number) is int for number in numbers) or len(self.widths) != 3 or self.blocks < 0:
            raise ValueError(f"Expected three widths, blocks, heads and sharp as whole numbers: {self}.")
        if min(*self.widths, self.heads, self.sharp) < 1 or self.widths[2] % (2 * self.heads):
            raise ValueError(f"Expected widths above 0, the last of three a multiple of twice the heads: {self}.")
        if self.patch_size != (1, SIDE, SIDE):
            raise ValueError(f"Expected patches of 1 frame and {SIDE}x{SIDE} pixels: {self}.")


class SmallNetwork(nn.Module):
    """Clean frames of noisy ones, under a condition."""

    _no_split_modules = ("Block",)

    def __init__(self, sizes: SmallSizes = SmallSizes()):
        super().__init__()
        fine, middle, coarse = sizes.widths
        self.config = sizes
        self.level = nn.Sequential(nn.Linear(LEVEL_WAVES, coarse), nn.SiLU(), nn.Linear(coarse, coarse))
        self.stem = nn.Conv2d(GIVEN * STRIDE**2, fine, 1)
        self.down = nn.ModuleList([nn.Conv2d(fine, middle, 2, stride=2), nn.Conv2d(middle, coarse, 2, stride=2)])
        self.enter = nn.ModuleList([Residual(fine, coarse), Residual(middle, coarse)])
        self.blocks = nn.ModuleList([Block(coarse, sizes.heads) for _ in range(sizes.blocks)])
        self.up = nn.ModuleList([nn.Conv2d(coarse, middle * 4, 1), nn.Conv2d(middle, fine * 4, 1)])
        self.leave = nn.ModuleList([Residual(middle, coarse), Residual(fine, coarse)])
        self.head = nn.Conv2d(fine, ANSWERED * STRIDE**2, 3, padding=1)
        self.skip = nn.Conv2d(GIVEN, ANSWERED, 3, padding=1)
        self.sharp = Sharp(fine, sizes.sharp)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.skip.weight)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, given: Float[Tensor, "n given t h w"], noise: Float[Tensor, " n"]) -> Float[Tensor, "n 3 t h w"]:
        """given: as `GIVEN` says; sides that `SIDE` divides. noise: of the noisy frames, 0..1."""
        items, frames = given.shape[0], given.shape[2]
        flat = rearrange(given, "n c t h w -> (n t) c h w").contiguous(memory_format=torch.channels_last)
        level = self.level(level_waves(noise).to(given.dtype)).repeat_interleave(frames, 0)
        fine = self.enter[0](self.stem(F.pixel_unshuffle(flat, STRIDE)), level, frames)
        middle = self.enter[1](self.down[0](fine), level, frames)
        coarse = self._transformed(self.down[1](middle), level, items)
        middle = self.leave[0](middle + F.pixel_shuffle(self.up[0](coarse), 2), level, frames)
        fine = self.leave[1](fine + F.pixel_shuffle(self.up[1](middle), 2), level, frames)
        answer = F.pixel_shuffle(self.head(fine), STRIDE) + self.skip(flat) + self.sharp(fine, flat)
        mixed = mixture(answer, flat)
        return rearrange(mixed, "(n t) c h w -> n c t h w", n=items)

    def _transformed(self, coarse: Tensor, level: Tensor, items: int) -> Tensor:
        height, width = coarse.shape[2:]
        tokens = rearrange(coarse, "(n t) c h w -> n (t h w) c", n=items)
        frames = len(coarse) // items
        turns = rotations(frames, height, width, coarse.shape[1] // self.config.heads).to(coarse)
        for block in self.blocks:
            tokens = block(tokens, level[::frames], turns)
        return rearrange(tokens, "n (t h w) c -> (n t) c h w", t=frames, h=height, w=width)


def mixture(answer: Float[Tensor, "b answered h w"], given: Float[Tensor, "b given h w"]) -> Float[Tensor, "b 3 h w"]:
    """The frame, what is known, and paint, by their shares, and all that in another light; pictures in -1..1.

    Whatever the shares, the light can be learned: a mixture that has settled on what is known would else be stuck.
    """
    light, paint, shares = answer.split(3, 1)
    weights = held(shares, MOST_CERTAIN).softmax(1)
    mixed = weights[:, :1] * given[:, 3:6] + weights[:, 1:2] * given[:, 6:9] + weights[:, 2:] * paint
    return (mixed + 1) * torch.exp(held(light, MOST_LIGHT)) - 1


def held(values: Tensor, most: float) -> Tensor:
    """Values within -most..most that never lose their gradient altogether."""
    return values / (1 + values.abs() / most)


class Residual(nn.Module):
    """Two convolutions, with a look at the frames beside between them."""

    def __init__(self, width: int, level_width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.beside = nn.Parameter(torch.zeros(2, width))
        self.light = nn.Linear(level_width, width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Float[Tensor, "b c h w"], level: Float[Tensor, "b d"], frames: int) -> Tensor:
        normed = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        inner = self.first(normed) + self.light(level)[..., None, None]
        return x + self.second(F.silu(_with_neighbours(inner, self.beside, frames)))


class Sharp(nn.Module):
    """A second look at half the picture's size, at all it is given: where light changes, single pixels matter."""

    def __init__(self, fine: int, width: int):
        super().__init__()
        self.bring = nn.Conv2d(fine, 4 * width, 1)
        self.see = nn.Conv2d(4 * GIVEN, width, 1)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, 4 * ANSWERED, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, fine: Float[Tensor, "b c fine_h fine_w"], flat: Float[Tensor, "b given h w"]) -> Tensor:
        x = F.pixel_shuffle(self.bring(fine), 2) + self.see(F.pixel_unshuffle(flat, 2))
        return F.pixel_shuffle(self.second(F.silu(self.first(F.silu(x)))), 2)


def _with_neighbours(x: Float[Tensor, "b c h w"], weights: Float[Tensor, "two c"], frames: int) -> Tensor:
    """Each frame and a share of the one before and the one after it; a clip's ends stand beside themselves."""
    clips = x.unflatten(0, (-1, frames))
    before = torch.cat([clips[:, :1], clips[:, :-1]], 1)
    after = torch.cat([clips[:, 1:], clips[:, -1:]], 1)
    earlier, later = weights[..., None, None]
    return (clips + earlier * before + later * after).flatten(0, 1)


class Block(nn.Module):
    """Attention among all tokens of a window, and a layer of two on each."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2)])
        self.to_qkv = nn.Linear(width, 3 * width)
        self.to_out = nn.Linear(width, width)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.light = nn.Linear(width, width)
        for last in (self.to_out, self.narrow):
            nn.init.zeros_(last.weight)

    def forward(
        self, x: Float[Tensor, "n tokens c"], level: Float[Tensor, "n c"], turns: Float[Tensor, "two tokens d"]
    ) -> Float[Tensor, "n tokens c"]:
        first, second = self.norms
        query, key, value = rearrange(self.to_qkv(first(x)), "n s (k h d) -> k n h s d", k=3, h=self.heads)
        found = F.scaled_dot_product_attention(turned(query, turns), turned(key, turns), value)
        x = x + self.to_out(rearrange(found, "n h s d -> n s (h d)"))
        return x + self.narrow(F.silu(self.wide(second(x) + self.light(level)[:, None])))


LEVEL_WAVES = 16


def level_waves(noise: Float[Tensor, " n"]) -> Float[Tensor, "n waves"]:
    """The level of noise as waves of several lengths."""
    angles = noise.float()[:, None] * math.pi * 2.0 ** torch.arange(LEVEL_WAVES // 2, device=noise.device)
    return torch.cat([angles.sin(), angles.cos()], 1)


def rotations(frames: int, height: int, width: int, channels: int) -> Float[Tensor, "two tokens d"]:
    """Cosines and sines of rotary positions (Su et al. 2021) in time, height and width, by pairs of channels."""
    parts = _shared_out(channels // 2, 3)
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in (frames, height, width)), indexing="ij")
    rates = [64.0 ** -(torch.arange(part) / max(1, part)) for part in parts]
    whole = torch.cat([axis.reshape(-1, 1) * rate for axis, rate in zip(axes, rates, strict=True)], 1)
    return torch.stack([whole.cos(), whole.sin()])


def _shared_out(total: int, parts: int) -> Sequence[int]:
    return [total // parts + (k < total % parts) for k in range(parts)]


def turned(x: Float[Tensor, "n h tokens d"], turns: Float[Tensor, "two tokens half"]) -> Float[Tensor, "n h tokens d"]:
    """Each pair of channels, the first half's with the second's, turned by its token's angle."""
    cosine, sine = turns
    left, right = x.chunk(2, -1)
    return torch.cat([left * cosine - right * sine, left * sine + right * cosine], -1)
