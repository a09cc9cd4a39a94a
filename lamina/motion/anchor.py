"""The anchor: background truly seen in other frames, gathered per pixel, with a confidence."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lamina.motion.exposure import NEUTRAL, Tone

TRUSTED = 255
DOUBT = 1e-4
"""Weight of a doubtful view: enough to decide alone, not enough to be felt beside a trusted one."""
INLIER = 6 / 255
"""Spread of honest views around the vote: noise, resampling, small misalignment."""
NEAR_FRAMES = 8.0
"""Distance in frames at which a view counts half as much as the next-door one."""


@dataclass(frozen=True)
class View:
    """Another frame laid over the target."""

    rgb: Float32[np.ndarray, "h w 3"]
    trust: UInt8[np.ndarray, "h w"]
    """255 where it shows background, less where it may not (used only where no view is better), 0 where it does not."""
    distance_frames: int
    tone: Tone = field(default_factory=lambda: NEUTRAL)
    """The exposure change that was applied to `rgb`."""


@dataclass(frozen=True)
class Look:
    """Background behind one target frame."""

    rgb: Float32[np.ndarray, "h w 3"]
    spread: Float32[np.ndarray, "h w"]
    """How much honest views differ there (levels 0..1): noise, moving water and leaves, misalignment."""
    unrest: Float32[np.ndarray, "h w"]
    """The spread on the noisier side of the median: well above `spread` where something passed through many views."""
    trusted: Bool[np.ndarray, "h w"]
    """Where at least one trusted view shows it."""
    seen: Bool[np.ndarray, "h w"]
    """Where any view shows it."""


def masked_quantiles(
    samples: Float32[np.ndarray, "h w 3 n"],
) -> tuple[
    Float32[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"], Bool[np.ndarray, "h w"]
]:
    """Median per channel over the last axis, spread of either side of it, and where there was any sample.

    Missing samples are infinite. The lower of two middle ones is taken: a value that was really seen. The spread
    is twice the distance from the median to a quartile over 1.35, which for noise is the standard deviation: first that
    of the quieter side, which stays so while a shadow passes through some of the samples, then that of the other side.
    Greatest channel.
    """
    count = np.isfinite(samples[..., 0, :]).sum(-1)
    ordered = np.sort(samples, axis=-1)

    def at(share: float) -> np.ndarray:
        place = (np.maximum(count - 1, 0) * share).astype(np.int64)
        return np.take_along_axis(ordered, place[..., None, None], axis=-1)[..., 0]

    seen = count > 0
    low, middle, high = (np.where(seen[..., None], at(share), 0) for share in (0.25, 0.5, 0.75))
    quiet = np.minimum(high - middle, middle - low).max(-1)
    loud = np.maximum(high - middle, middle - low).max(-1)
    return middle, quiet * np.float32(2 / 1.35), loud * np.float32(2 / 1.35), seen


def nearest_median(views: Sequence[View], most: int) -> "Look":
    """`masked_quantiles` of the `most` nearest views of every pixel; doubtful views only where there is no other."""
    middle, spread, unrest, trusted = masked_quantiles(_nearest(views, most, [v.trust == TRUSTED for v in views]))
    doubtful = [~trusted & (v.trust > 0) for v in views]
    if not any(d.any() for d in doubtful):
        return Look(middle, spread, unrest, trusted, trusted)
    other, other_spread, other_unrest, other_seen = masked_quantiles(_nearest(views, most, doubtful))
    return Look(
        np.where(trusted[..., None], middle, other),
        np.where(trusted, spread, other_spread),
        np.where(trusted, unrest, other_unrest),
        trusted,
        trusted | other_seen,
    )


def _nearest(
    views: Sequence[View], most: int, shown: Sequence[Bool[np.ndarray, "h w"]]
) -> Float32[np.ndarray, "h w 3 n"]:
    """Per pixel the colours of the nearest views that show it, the rest infinite."""
    height, width = views[0].trust.shape
    if most >= len(views):
        return np.stack(
            [np.where(s[..., None], v.rgb, np.float32(np.inf)) for v, s in zip(views, shown, strict=True)], -1
        )
    kept = np.full((height, width, 3, most), np.inf, np.float32)
    count = np.zeros((height, width), np.int64)
    for i in sorted(range(len(views)), key=lambda i: views[i].distance_frames):
        rows, columns = np.nonzero(shown[i] & (count < most))
        kept[rows, columns, :, count[rows, columns]] = views[i].rgb[rows, columns]
        count[rows, columns] += 1
    return kept


def view_weights(
    views: Sequence[View], vote: Float32[np.ndarray, "h w 3"], inlier: float = INLIER
) -> list[Float32[np.ndarray, "h w"]]:
    """How much each view counts: near in time, and close to the vote (Welsch weights). Doubtful views hardly count."""
    weights = []
    for view in views:
        off = view.rgb - vote
        off = np.einsum("hwc,hwc->hw", off, off)
        nearness = np.float32(1 / (1 + (view.distance_frames / NEAR_FRAMES) ** 2))
        trust = np.where(view.trust == TRUSTED, 1, np.where(view.trust > 0, np.float32(DOUBT), 0)).astype(np.float32)
        weights.append(trust * nearness * np.exp(off * np.float32(-0.5 / (3 * inlier**2))))
    return weights


def weighted_mean(
    pictures: Sequence[Float32[np.ndarray, "h w 3"]], weights: Sequence[Float32[np.ndarray, "h w"]]
) -> tuple[Float32[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"]]:
    """Mean of pictures under per-pixel weights, and the weights' sum; zero where nothing counts."""
    total = np.zeros_like(pictures[0])
    weight_sum = np.zeros_like(weights[0])
    for picture, weight in zip(pictures, weights, strict=True):
        total += picture * weight[..., None]
        weight_sum += weight
    return total / np.maximum(weight_sum, 1e-9)[..., None], weight_sum
