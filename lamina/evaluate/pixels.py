"""How near a picture is to the true one: squared error, PSNR and SSIM, over all pixels or a region.

Pictures are uint8, uint16 or float in 0..1, `h w 3` or `t h w 3`; regions are bool without the channels. All functions
raise InputError for shapes that differ, NaN, and floats outside 0..1, and work in float64.
"""

import math

import cv2
import numpy as np

from lamina.errors import InputError
from lamina.evaluate.levels64 import picture_levels, region, same_shape

WINDOW_PX = 11
SIGMA_PX = 1.5
K1, K2 = 0.01, 0.03
"""Window and constants of the SSIM paper."""
MOST_DB = 10 * math.log10(255**2 / 1e-6)
"""What rows say of pictures that are equal, 108.13 dB: a mean squared error of 1e-6 in 8-bit levels."""


def mean_squared_error(found: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> float:
    """Mean of squared differences of levels 0..1 over pixels of the region, frames and channels; NaN for no pixel."""
    total, count = squared_error(found, truth, where)
    return total / count if count else math.nan


def squared_error(found: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> tuple[float, int]:
    """Sum of squared differences of levels 0..1 over a region, and of how many numbers (pixels times channels)."""
    a, b = _pair(found, truth)
    inside = region(where, a.shape[:-1])
    # A product with ones sums channels five times as fast as NumPy's loop over a last axis of three.
    return float((np.square(a - b) @ np.ones(3))[inside].sum()), 3 * int(np.count_nonzero(inside))


def psnr(found: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> float:
    """Peak signal to noise ratio in dB, -10 log10 of the mean squared error over everything handed in.

    Infinite for equal pictures, NaN for an empty region. With frames the error is pooled before the logarithm; the
    mean of the frames' values is another number, larger when frames differ. Agrees with scikit-image's
    `peak_signal_noise_ratio`.
    """
    return decibels(mean_squared_error(found, truth, where))


def decibels(error: float) -> float:
    """A mean squared error of levels 0..1 as PSNR in dB."""
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(found: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> float:
    """Structural similarity of two pictures `h w 3`, at most 1 (Wang et al. 2004, equation 13).

    The variant: Gaussian window of 11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03, population variances, each channel by
    itself and then their mean, over the pixels whose whole window is in the picture (and in the region, if there is
    one; NaN where that leaves none). Agrees with scikit-image's `structural_similarity` with `gaussian_weights=True,
    sigma=1.5, use_sample_covariance=False, data_range=1`.

    Raises:
        InputError: not two pictures of one shape, or smaller than the window.
    """
    a, b = _pair(found, truth)
    if a.ndim != 3 or min(a.shape[:2]) < WINDOW_PX:
        raise InputError(
            "SSIM",
            got=f"the shape {a.shape}",
            wanted=f"one picture of at least {WINDOW_PX} x {WINDOW_PX} pixels",
            do="Score frame by frame, and leave SSIM out for smaller pictures.",
        )
    edge = WINDOW_PX // 2
    inner = (slice(edge, -edge), slice(edge, -edge))
    inside = region(where, a.shape[:2])[inner]
    return float(ssim_map(a, b)[inner][inside].mean()) if inside.any() else math.nan


def ssim_gray(found: np.ndarray, truth: np.ndarray) -> float:
    """SSIM of two pictures `h w 3` in 8-bit gray, borders mirrored and counted: the scene protocol's variant.

    Gray is 0.299 R + 0.587 G + 0.114 B, rounded to 255 levels. Close to `ssim`, but another number.
    """
    a, b = (_gray(levels) for levels in _pair(found, truth))
    return float(ssim_map(a, b).mean())


def ssim_map(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """SSIM of every pixel's window; levels 0..1 in float64, mirrored at the borders."""
    mean_a, mean_b = _blur(a), _blur(b)
    variance = _blur(a * a) - mean_a * mean_a + _blur(b * b) - mean_b * mean_b
    covariance = _blur(a * b) - mean_a * mean_b
    c1, c2 = K1**2, K2**2
    likeness = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return likeness / ((mean_a * mean_a + mean_b * mean_b + c1) * (variance + c2))


def _blur(values: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(values, (WINDOW_PX, WINDOW_PX), SIGMA_PX)


def _gray(levels: np.ndarray) -> np.ndarray:
    codes = np.rint(levels * 255).astype(np.uint8)
    return cv2.cvtColor(codes, cv2.COLOR_RGB2GRAY).astype(np.float64) / 255


def _pair(found: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    same_shape("pictures to compare", found, truth)
    return picture_levels("picture", found), picture_levels("true picture", truth)
