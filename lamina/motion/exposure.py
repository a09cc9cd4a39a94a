"""Exposure drift: how one frame's levels map to another's where both show the same background."""

import cv2
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
    tone = np.stack(_fit_channels(source.T.astype(np.float64), target.T.astype(np.float64)))
    probe = np.array([[0.1], [0.9]])
    changes = np.abs(probe * tone[0] + tone[1] - probe).max()
    return NEUTRAL if changes < 0.2 / 255 else tone


def _fit_channels(
    source: Float64[np.ndarray, "3 n"], target: Float64[np.ndarray, "3 n"]
) -> tuple[Float64[np.ndarray, " 3"], Float64[np.ndarray, " 3"]]:
    """Gain and offset of each channel."""
    gain, offset = np.ones(3), _median(target - source)
    hold = 0.02 * source.shape[1] * 0.01
    products = np.stack([np.ones_like(source), source, target, source * source, source * target], axis=1)
    for _ in range(5):
        error = target - gain[:, None] * source - offset[:, None]
        weight = 1 / (1 + (error / np.maximum(2 * _median(np.abs(error)), 1 / 255)[:, None]) ** 2)
        count, x, y, xx, xy = np.einsum("ckn,cn->kc", products, weight)
        gain = (xy - x * y / count + hold) / (xx - x * x / count + hold)
        offset = (y - gain * x) / count
    return gain, offset


def _median(rows: Float64[np.ndarray, "3 n"]) -> Float64[np.ndarray, " 3"]:
    middle = rows.shape[1] // 2
    return np.partition(rows, middle, axis=1)[:, middle]


def apply_tone(picture: Float32[np.ndarray, "*s 3"], tone: Tone) -> Float32[np.ndarray, "*s 3"]:
    """Apply gain and offset to a picture in 0..1; the neutral tone returns it untouched."""
    if tone is NEUTRAL:
        return picture
    matrix = np.hstack([np.diag(tone[0]), tone[1][:, None]]).astype(np.float32)
    return cv2.transform(picture.reshape(-1, 1, 3), matrix).reshape(picture.shape)
