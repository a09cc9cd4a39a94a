"""From a picture and what lies below it to a straight-alpha layer: the closed form and exact storage.

The equation everywhere is `picture = colour * alpha + below * (1 - alpha)`. The smallest alpha for which a colour
within 0..1 solves it is known in closed form; any larger alpha solves it too. So the art, done elsewhere, is to choose
an alpha no smaller than that, and here the colour follows from it exactly. Arrays are float32, 0..1, `h w 3` and `h w`.
"""

from dataclasses import dataclass

import numpy as np

from lamina.channels import peak
from lamina.levels import WHITE, to_levels

TINY = np.float32(1e-6)


@dataclass(frozen=True)
class SolveConfig:
    """How layers are solved. The defaults serve noisy camera footage and clean renders alike."""

    edge_px: int = 3
    """How far masks may be wrong, in pixels at up to 720 lines (more in larger pictures). Deeper inside alpha is 1."""
    noise_sigmas: float = 2.0
    """How many standard deviations of the picture's noise may stay unexplained. 0 keeps every bit of noise."""
    smooth_px: int = 3
    """Radius over which effects are freed from noise. 0 turns it off."""
    smooth_frames: int = 2
    """Frames before and after that steady an effect where it does not move."""
    reach_frames: int = 24
    """How many frames away a part hidden behind another object may be looked up."""
    split: bool = False
    """Whether each layer is also taken apart into object, shadow and light."""
    bleed_px: int = 12
    """How far beyond its edge a layer's colour is continued, so that scaling and filtering find no dark rim."""


def room(picture: np.ndarray, below: np.ndarray) -> np.ndarray:
    """How far each channel could have gone from `below` in the direction it went: to 1 or to 0.

    Values beyond 0..1, as EXR files hold, are their own limit.
    """
    limit = np.where(picture > below, np.maximum(np.float32(1), picture), np.minimum(np.float32(0), picture))
    return np.maximum(np.abs(limit - below), TINY)


def least_alpha(picture: np.ndarray, below: np.ndarray, slack: float | np.ndarray = 0.0) -> np.ndarray:
    """The smallest alpha, `h w`, that explains the picture to within `slack` (same scale as the picture).

    alpha = max over channels of (|picture - below| - slack) / room
    """
    difference = np.abs(picture - below) - slack
    return np.clip(peak(difference / room(picture, below)), 0, 1)


def color_for(picture: np.ndarray, below: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colour that makes `alpha` over `below` the picture, kept within range; `below` itself where alpha is 0."""
    weight = alpha[..., None]
    color = below + np.where(weight > 0, (picture - below) / np.maximum(weight, TINY), 0)
    low, high = np.minimum(np.float32(0), picture), np.maximum(np.float32(1), picture)
    return np.clip(color, low, high)


def closed_form(picture: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colour `h w 3` and the smallest alpha `h w`, with which the layer over `below` is the picture.

    A neutral darkening comes out black, a neutral brightening white.
    """
    alpha = least_alpha(picture, below)
    return color_for(picture, below, alpha), alpha


def quantize_up(alpha: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Alpha rounded up to the next step of a number type, still 0..1: rounding down would leave the colours' range."""
    if dtype == np.float32:
        return alpha
    white = np.float32(WHITE[dtype.name])
    return np.ceil(alpha * white - np.float32(1e-3)) / white


def store(color: np.ndarray, alpha: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Colour and alpha as one `h w 4` picture of a number type."""
    rgba = np.concatenate([color, alpha[..., None]], -1)
    if dtype == np.float32:
        return rgba.astype(np.float32)
    return np.rint(np.clip(rgba, 0, 1) * WHITE[dtype.name]).astype(dtype)


def lay_over(rgba: np.ndarray, below: np.ndarray) -> np.ndarray:
    """A stored `h w 4` layer over a float picture, as float: what a viewer will see, rounding included."""
    layer = to_levels(rgba)
    alpha = layer[..., 3:]
    return layer[..., :3] * alpha + below * (1 - alpha)
