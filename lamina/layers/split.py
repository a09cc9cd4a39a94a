"""A layer taken apart as compositors keep it: the object alone, what it darkens, and what it lightens.

`over(object, below * shadow + light)` is the picture that the layer itself makes of `below`. Unlike a layer, whose one
alpha is the same for red, green and blue, shadow and light have a value for each: a tinted shadow stays tinted, on any
ground.
"""

from dataclasses import dataclass

import numpy as np

from lamina.alpha import TINY
from lamina.levels import from_levels, to_levels


@dataclass(frozen=True)
class Shade:
    """What an object does to the ground, as stored: `shadow` to multiply with, <= 1, `light` to add, >= 0; `h w 3`."""

    shadow: np.ndarray
    light: np.ndarray

    def on(self, below: np.ndarray) -> np.ndarray:
        """The shaded ground as floats, rounding included."""
        return below * to_levels(self.shadow) + to_levels(self.light)


def shade(ground: np.ndarray, below: np.ndarray, dtype: np.dtype) -> Shade:
    """Shadow and light that make `ground` of `below`, both float32 `h w 3`; each channel needs only one of them."""
    shadow = np.where(ground < below, np.maximum(ground, 0) / np.maximum(below, TINY), 1)
    light = np.maximum(ground - np.maximum(below, 0), 0)
    return Shade(from_levels(shadow.astype(np.float32), dtype), from_levels(light.astype(np.float32), dtype))
