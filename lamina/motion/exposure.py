"""Exposure drift: how one frame's levels map to another's where both show the same background."""

import numpy as np
from jaxtyping import Float32, Float64

Tone = Float64[np.ndarray, "2 3"]
"""Gain (row 0) and offset (row 1) per channel; offset in units of 0..1."""

NEUTRAL: Tone = np.array([[1.0, 1, 1], [0.0, 0, 0]])
MIN_SAMPLES = 200


def fit_tone(source: Float32[np.ndarray, "n 3"], target: Float32[np.ndarray, "n 3"]) -> Tone:
    """Gain and offset per channel that take `source` levels to `target` levels (both 0..1), robustly.

    Iteratively reweighted least squares (Cauchy), held near the identity so that a picture of one level stays sane.
    Fewer than 200 samples, or a change too small to see (a fifth of an 8-bit level), give the neutral tone.
    """
    if len(source) < MIN_SAMPLES:
        return NEUTRAL
    tone = np.empty((2, 3))
    for c in range(3):
        tone[:, c] = _fit_channel(source[:, c].astype(np.float64), target[:, c].astype(np.float64))
    probe = np.array([[0.1], [0.9]])
    changes = np.abs(probe * tone[0] + tone[1] - probe).max()
    return NEUTRAL if changes < 0.2 / 255 else tone


def _fit_channel(source: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    gain, offset = 1.0, float(np.median(target - source))
    hold = 0.02 * len(source)
    for _ in range(5):
        error = target - gain * source - offset
        weight = 1 / (1 + (error / max(2 * float(np.median(np.abs(error))), 1 / 255)) ** 2)
        mean_source, mean_target = np.average(source, weights=weight), np.average(target, weights=weight)
        spread = weight @ (source - mean_source) ** 2
        together = weight @ ((source - mean_source) * (target - mean_target))
        gain = float((together + hold * 0.01) / (spread + hold * 0.01))
        offset = float(mean_target - gain * mean_source)
    return gain, offset


def apply_tone(picture: Float32[np.ndarray, "*s 3"], tone: Tone) -> Float32[np.ndarray, "*s 3"]:
    """Apply gain and offset to a picture in 0..1; the neutral tone returns it untouched."""
    if tone is NEUTRAL:
        return picture
    return picture * tone[0].astype(np.float32) + tone[1].astype(np.float32)
