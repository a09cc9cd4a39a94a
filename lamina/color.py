"""How a clip's numbers become light: the four tags a movie may carry, and the sRGB curve."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ColorDescription:
    """Colour tags in FFmpeg's names; "unspecified" where the file does not say.

    An unspecified matrix is read as BT.601 and an unspecified range as limited (YUV) or full (RGB), which is what
    FFmpeg-based readers do, so that our numbers are theirs.
    """

    matrix: str = "unspecified"
    range: str = "unspecified"
    transfer: str = "unspecified"
    primaries: str = "unspecified"


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1 encoding, continued above 1 and mirrored below 0 so that no value is lost."""
    size = np.abs(linear)
    encoded = np.where(size <= 0.0031308, size * 12.92, 1.055 * np.power(size, 1 / 2.4) - 0.055)
    return np.copysign(encoded, linear).astype(np.float32)


def srgb_to_linear(encoded: np.ndarray) -> np.ndarray:
    """The inverse of `linear_to_srgb`, on the same unlimited range."""
    size = np.abs(encoded)
    linear = np.where(size <= 0.04045, size / 12.92, np.power((size + 0.055) / 1.055, 2.4))
    return np.copysign(linear, encoded).astype(np.float32)
