"""Straight alpha in one frame: which alpha and colour, over what lies below, make a picture.

The equation everywhere is `picture = colour * alpha + below * (1 - alpha)`. The smallest alpha for which a colour
within 0..1 solves it is known in closed form; any larger alpha solves it too, and its colour follows exactly. Arrays
are float32, 0..1, `h w 3` and `h w`.
"""

import numpy as np

from lamina.channels import peak
from lamina.levels import to_levels

TINY = np.float32(1e-6)


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


def lay_over(rgba: np.ndarray, below: np.ndarray) -> np.ndarray:
    """A stored `h w 4` layer over a float picture, as float: what a viewer will see, rounding included."""
    layer = to_levels(rgba)
    alpha = layer[..., 3:]
    return layer[..., :3] * alpha + below * (1 - alpha)
