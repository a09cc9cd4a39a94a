"""The anchor: background truly seen in other frames, gathered per pixel, with a confidence."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lamina.channels import peak, times
from lamina.motion.exposure import NEUTRAL, Tone

TRUSTED = 255
NOWHERE = np.uint8(255)
"""No place among the nearest views; more of them are never kept."""
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
    samples: Float32[np.ndarray, "n h w 3"], count: UInt8[np.ndarray, "h w"]
) -> tuple[
    Float32[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"], Bool[np.ndarray, "h w"]
]:
    """Median per channel over the first axis, spread of either side of it, and where there was any sample.

    Missing samples are infinite, `count` are there. The lower of two middle ones is taken: a value that was really
    seen. The spread is twice the distance from the median to a quartile over 1.35, which for noise is the standard
    deviation: first that of the quieter side, which stays so while a shadow passes through some of the samples, then
    that of the other side. Greatest channel. The samples are sorted in place.
    """
    _sort_planes(samples.reshape(len(samples), -1))
    pixels = samples.reshape(-1, 3)
    here = np.arange(count.size).reshape(count.shape)
    last = np.maximum(count, 1) - 1
    seen = count > 0

    def at(share: float) -> np.ndarray:
        values = np.take(pixels, (last * share).astype(np.int64) * count.size + here, axis=0)
        values[~seen] = 0
        return values

    low, middle, high = (at(share) for share in (0.25, 0.5, 0.75))
    above, below = high - middle, middle - low
    quiet, loud = peak(cv2.min(above, below)), peak(cv2.max(above, below))
    return middle, quiet * np.float32(2 / 1.35), loud * np.float32(2 / 1.35), seen


def _sort_planes(planes: Float32[np.ndarray, "n m"]) -> None:
    """Sort over the first axis, in place: a network of comparisons (Batcher 1968) over pieces that fit the cache."""
    pairs = sorting_network(len(planes))
    for start in range(0, planes.shape[1], 8192):
        piece = planes[:, start : start + 8192]
        rows, spare = list(piece), np.empty_like(piece[0])
        for i, j in pairs:
            np.minimum(rows[i], rows[j], out=spare)
            np.maximum(rows[i], rows[j], out=rows[j])
            rows[i], spare = spare, rows[i]
        piece[...] = np.stack(rows)


@cache
def sorting_network(count: int) -> tuple[tuple[int, int], ...]:
    """Pairs to compare, in order, after which `count` values are sorted: Batcher's merge exchange."""
    pairs, p = [], 1
    while p < count:
        k = p
        while k >= 1:
            for j in range(k % p, count - k, 2 * k):
                for i in range(min(k, count - j - k)):
                    if (i + j) // (2 * p) == (i + j + k) // (2 * p):
                        pairs.append((i + j, i + j + k))
            k //= 2
        p *= 2
    return tuple(pairs)


def nearest_median(views: Sequence[View], most: int) -> "Look":
    """`masked_quantiles` of the `most` nearest views of every pixel; doubtful views only where there is no other."""
    near = sorted(views, key=lambda view: view.distance_frames)
    pictures = [v.rgb for v in near]
    middle, spread, unrest, trusted = masked_quantiles(*_nearest(pictures, [v.trust == TRUSTED for v in near], most))
    doubtful = np.nonzero(~trusted & (np.max([v.trust for v in near], axis=0) > 0))
    seen = trusted
    if len(doubtful[0]):
        strip = [v.rgb[doubtful][None] for v in near], [v.trust[doubtful][None] > 0 for v in near]
        found = masked_quantiles(*_nearest(*strip, most))
        middle[doubtful], spread[doubtful], unrest[doubtful] = (values[0] for values in found[:3])
        seen = trusted.copy()
        seen[doubtful] = True
    return Look(middle, spread, unrest, trusted, seen)


def _nearest(
    pictures: Sequence[Float32[np.ndarray, "h w 3"]], shown: Sequence[Bool[np.ndarray, "h w"]], most: int
) -> tuple[Float32[np.ndarray, "n h w 3"], UInt8[np.ndarray, "h w"]]:
    """Per pixel the first `most` colours that are shown, the rest infinite; and how many they are."""
    kept = np.full((min(most, len(pictures)), *pictures[0].shape), np.inf, np.float32)
    count = np.zeros(pictures[0].shape[:2], np.uint8)
    for i, (picture, there) in enumerate(zip(pictures, shown, strict=True)):
        place = np.where(there, count, NOWHERE)
        for k in range(min(i + 1, len(kept))):
            here = place == k
            if here.any():
                cv2.copyTo(picture, here.view(np.uint8), kept[k])
        count += place < len(kept)
    return kept, count


def view_weights(
    views: Sequence[View], vote: Float32[np.ndarray, "h w 3"], inlier: float = INLIER
) -> list[Float32[np.ndarray, "h w"]]:
    """How much each view counts: near in time, and close to the vote (Welsch weights). Doubtful views hardly count."""
    factor = np.full((1, 3), -0.5 / (3 * inlier**2), np.float32)
    trust = np.where(np.arange(256) == TRUSTED, 1, np.where(np.arange(256) > 0, DOUBT, 0)).astype(np.float32)
    weights = []
    for view in views:
        off = view.rgb - vote
        nearness = np.float32(1 / (1 + (view.distance_frames / NEAR_FRAMES) ** 2))
        weights.append(cv2.LUT(view.trust, trust * nearness) * cv2.exp(cv2.transform(off * off, factor)))
    return weights


def weighted_mean(
    pictures: Sequence[Float32[np.ndarray, "h w 3"]], weights: Sequence[Float32[np.ndarray, "h w"]]
) -> tuple[Float32[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"]]:
    """Mean of pictures under per-pixel weights, and the weights' sum; zero where nothing counts."""
    total = np.zeros_like(pictures[0])
    weight_sum = np.zeros_like(weights[0])
    for picture, weight in zip(pictures, weights, strict=True):
        total += times(picture, weight)
        weight_sum += weight
    return times(total, 1 / np.maximum(weight_sum, np.float32(1e-9))), weight_sum
