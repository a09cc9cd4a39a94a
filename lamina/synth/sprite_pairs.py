"""Sprites as a source of pairs: drawn from a seed, without any data."""

from dataclasses import dataclass

import numpy as np
from einops import rearrange
from torch import Tensor

from lamina.masks.trimask import make_trimask
from lamina.synth.drawing import draw_scene
from lamina.synth.masked_clip import OBJECT_LEAST
from lamina.synth.pair import Pair, chance
from lamina.synth.scene import SpriteConfig
from lamina.synth.sprites import render


@dataclass(frozen=True)
class SpriteSource:
    """A pair without end for every seed: all objects gone, or with several at times all but one, marked KEEP."""

    config: SpriteConfig = SpriteConfig()
    solo: float = 0.5
    """How often one of several objects stays."""
    name: str = "sprites"

    def pair(self, seed: int) -> Pair:
        rng = chance(self.name, seed)
        sample = render([draw_scene(int(rng.integers(2**31)), self.config)], stored="uint8")
        count = sample.counts[0]
        kept = int(rng.integers(count)) if count > 1 and rng.random() < self.solo else None
        masks = rearrange(sample.masks[0, :count], "n t 1 h w -> n t h w").numpy() >= OBJECT_LEAST
        keep = np.zeros_like(masks[0]) if kept is None else masks[kept]
        remove = np.any([masks[k] for k in range(count) if k != kept], axis=0)
        target = sample.plate[0] if kept is None else sample.solos[0, kept]
        return Pair(_pictures(sample.input[0]), _pictures(target), make_trimask(remove, keep), self.name, seed)


def _pictures(clip: Tensor) -> np.ndarray:
    return rearrange(clip, "t c h w -> t h w c").contiguous().numpy()
