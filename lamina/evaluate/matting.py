"""Matting metrics with the published scalings, as RVM's and MatAnyone's evaluation computes them.

Alphas are uint8, uint16 or float in 0..1; `found` is what a method gave, `truth` the true one. All functions raise
InputError for shapes that differ, NaN, and floats outside 0..1, and work in float64.
"""

import math

import cv2
import numpy as np

from lamina.evaluate.levels64 import alpha_levels, same_shape

GRADIENT_SIGMA, GRADIENT_EPSILON = 1.4, 0.01
STEPS = 10
"""Thresholds of the connectivity error are 0/10, 1/10, .. 10/10."""
LEAST_GAP = 0.15
"""Alpha beyond the connected part that does not count yet."""
KNOWN_PX = 10
"""Size of the ellipse by which full alpha is shrunk before it counts as known."""


def mad(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute difference x 1000."""
    p, g = _pair(found, truth)
    return 1000 * float(np.abs(p - g).mean())


def mse(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean squared difference x 1000."""
    p, g = _pair(found, truth)
    return 1000 * float(np.square(p - g).mean())


def gradient_error(found: np.ndarray, truth: np.ndarray, stretched: bool) -> float:
    """Grad: sum over pixels of squared differences of gradient lengths, / 1000; `h w`.

    A sum: it grows with the picture. Gradients are Gaussian derivatives (sigma 1.4, `gradient_kernel`), borders
    replicated (Rhemann et al. 2009). `stretched`: both alphas are first stretched to fill 0..1, as the published
    evaluation does at 512 x 288 and does not at 1920 x 1080.
    """
    lengths = [_gradient_length(_stretch(alpha) if stretched else alpha) for alpha in _pair(found, truth)]
    return float(np.square(lengths[0] - lengths[1]).sum()) / 1000


def gradient_kernel() -> np.ndarray:
    """The kernel of the derivative across, float64 `9 9`: G down times G' across, divided by its L2 norm."""
    sigma = GRADIENT_SIGMA
    reach = math.ceil(sigma * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * sigma * GRADIENT_EPSILON)))
    places = np.arange(-reach, reach + 1)
    bell = np.exp(-np.square(places) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
    kernel = np.outer(bell, -places * bell / sigma**2)
    return kernel / np.sqrt(np.square(kernel).sum())


def connectivity_error(found: np.ndarray, truth: np.ndarray) -> float:
    """Conn: sum over pixels of how differently they hang together with the main part, / 1000; `h w`.

    For thresholds k = 0.1 .. 1 the main part is the largest 4-connected set of pixels with both alphas >= k. l is the
    last threshold at which a pixel was in it, d = alpha - l, phi = 1 - d where d >= 0.15, else 1 (Rhemann et al.
    2009). A sum: it grows with the picture.
    """
    p, g = _pair(found, truth)
    connected = np.ones(p.shape)
    holding = np.ones(p.shape, bool)
    for step in range(1, STEPS + 1):
        kept = _largest_part((p >= step / STEPS) & (g >= step / STEPS))
        connected[holding & ~kept] = (step - 1) / STEPS
        holding &= kept
    gaps = [np.where(alpha - connected >= LEAST_GAP, alpha - connected, 0) for alpha in (p, g)]
    return float(np.abs(gaps[0] - gaps[1]).sum()) / 1000


def dtssd(found: np.ndarray, truth: np.ndarray) -> float:
    """dtSSD of the last of two frames `2 h w`: 100 x root of the mean squared difference of their changes.

    (Erofeev et al. 2015.) The published tables count a clip's first frame as 0.
    """
    p, g = _pair(found, truth)
    return 100 * math.sqrt(float(np.square((p[-1] - p[-2]) - (g[-1] - g[-2])).mean()))


def mad_t(found: np.ndarray, truth: np.ndarray) -> float:
    """MAD-T: mean absolute difference x 1000 over the unknown part of the true alpha, `h w`; NaN where it has none.

    Known are alpha 0, and full alpha shrunk by an ellipse of 10 x 10 (VideoMaMa, CVPR 2026).
    """
    p, g = _pair(found, truth)
    unknown = unknown_part(g)
    return 1000 * float(np.abs(p - g)[unknown].mean()) if unknown.any() else math.nan


def unknown_part(truth: np.ndarray) -> np.ndarray:
    """bool `h w`: where an alpha is neither 0 nor well inside of what is full."""
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (KNOWN_PX, KNOWN_PX))
    full = cv2.erode((alpha_levels("alpha", truth) == 1).astype(np.uint8), ellipse)
    return ~((full > 0) | (truth == 0))


def _gradient_length(alpha: np.ndarray) -> np.ndarray:
    kernel = gradient_kernel()
    across, down = (cv2.filter2D(alpha, cv2.CV_64F, k, borderType=cv2.BORDER_REPLICATE) for k in (kernel, kernel.T))
    return np.sqrt(np.square(across) + np.square(down))


def _stretch(alpha: np.ndarray) -> np.ndarray:
    low, high = alpha.min(), alpha.max()
    return (alpha - low) / (high - low) if high > low else np.zeros_like(alpha)


def _largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest 4-connected part of a mask, the first of equals in reading order; empty of an empty one."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count == 1:
        return np.zeros(mask.shape, bool)
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))


def _pair(found: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    same_shape("alphas to compare", found, truth)
    return alpha_levels("alpha", found), alpha_levels("true alpha", truth)
