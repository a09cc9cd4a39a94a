"""How layers are solved, and how they are stored exactly.

The art, done elsewhere, is to choose an alpha no smaller than the closed form's (`lamina.alpha`).
"""

from dataclasses import dataclass

import numpy as np

from lamina.levels import WHITE


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
