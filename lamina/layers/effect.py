"""What an object changes outside of itself, freed from the picture's noise.

A change is kept as a *ratio*: the share of the way from the picture below to white (positive) or to black (negative).
A shadow of strength s is the ratio -s in all channels, whatever lies under it. Noise in a ratio is known (the picture's
noise over the room), so its local mean over space and time replaces it exactly where its spread is no more than noise.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from lamina.channels import total

FLOOR = np.float32(0.3 / 255)  # rounding to 8 bit alone makes noise of this size
CEILING = np.float32(4 / 255)  # above it, it is not noise but texture that we would erase

INVISIBLE = np.float32(1 / 255)
"""Noise that nobody sees: rounding, and a good codec's. Explained like the rest, it makes no dirt and the sum exact."""
IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
NOISE_AREA = (25, 25)
NOISE_SHARE = 0.05  # of the area must be seen

EXTREME = np.float32(3 / 255)
EXTREME_ROOM = np.float32(14 / 255)


@dataclass(frozen=True)
class Moments:
    """Local weighted sums of one frame's ratios, over a square; `y`, `x` is where the crop sits in the frame."""

    y: int
    x: int
    weight: np.ndarray  # h w 3
    first: np.ndarray  # h w 3, weight * ratio
    second: np.ndarray  # h w 3, weight * ratio squared
    count: np.ndarray  # h w


def fine_detail(values: np.ndarray) -> np.ndarray:
    """The second difference in both directions without its sign, `h w 3`: of white noise, sigma times a half normal."""
    return np.abs(cv2.filter2D(values, -1, IMMERKAER))


def noise_of(change: np.ndarray, space: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Standard deviation of the noise of a difference, `h w`, from the fine detail of its ratio where `seen`.

    Noise is not alike everywhere: a codec keeps still blocks as they were and draws those anew that something moves
    through. The second difference in both directions (Immerkær 1996) cancels edges and ramps; taken of the ratio it
    also cancels the ground's texture under a shadow. What is left is noise, or an effect's own edge: hence a mean of
    what is small.
    """
    fine = total(fine_detail(change) * space) / 3
    # Beside the object the mask would come into the difference.
    flat = (cv2.erode(seen.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & (fine < CEILING)
    weight = cv2.blur(flat.astype(np.float32), NOISE_AREA)
    mean = cv2.blur(fine * flat, NOISE_AREA) / np.maximum(weight, 1e-6)
    everywhere = float(fine[flat].mean()) if flat.any() else 0.0
    # The mean of half normals is 0.8 of sigma.
    sigma = np.where(weight > NOISE_SHARE, mean, everywhere) * np.float32(1.25)
    return np.sqrt(np.clip(sigma**2 - INVISIBLE**2, FLOOR**2, CEILING**2))


def doubt(room_left: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Standard deviation, `h w 3`, of a difference: the noise, and more in channels that are nearly black or white.

    There codecs are off by a few levels that no eye sees, yet as a ratio it would be the largest in the picture.
    """
    return np.sqrt(noise[..., None] ** 2 + (EXTREME * np.exp(-((room_left / EXTREME_ROOM) ** 2))) ** 2)


def apply_ratio(change: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The picture that a ratio makes of `below`."""
    return below + np.where(change > 0, change * (1 - below), change * below)


def moments(change: np.ndarray, weight: np.ndarray, radius_px: int, corner: tuple[int, int]) -> Moments:
    """Sums over squares of a frame's ratios; `weight` is one over their noise variance, zero where they say nothing."""
    side = (2 * radius_px + 1,) * 2
    first = weight * change
    total_weight, total_first, second = (
        cv2.boxFilter(v, -1, side, normalize=False) for v in (weight, first, first * change)
    )
    count = cv2.boxFilter((weight[..., 0] > 0).astype(np.float32), -1, side, normalize=False)
    return Moments(*corner, total_weight, total_first, second, count)


def gather(center: Moments, others: list[Moments]) -> Moments:
    """The moments of several frames added up, over the crop of the first."""
    height, width = center.count.shape
    own = (center.weight.copy(), center.first.copy(), center.second.copy(), center.count.copy())
    out = Moments(center.y, center.x, *own)
    for other in others:
        top, left = max(center.y, other.y), max(center.x, other.x)
        bottom = min(center.y + height, other.y + other.count.shape[0])
        right = min(center.x + width, other.x + other.count.shape[1])
        if top >= bottom or left >= right:
            continue
        here = np.s_[top - center.y : bottom - center.y, left - center.x : right - center.x]
        there = np.s_[top - other.y : bottom - other.y, left - other.x : right - other.x]
        for name in ("weight", "first", "second", "count"):
            getattr(out, name)[here] += getattr(other, name)[there]
    return out


def denoise(change: np.ndarray, weight: np.ndarray, around: Moments) -> np.ndarray:
    """Ratios whose noise is replaced by the local mean where the spread is only noise, and kept where it is more.

    weight: `h w 3`, one over the variance of each ratio's own noise; around: the moments about it.
    """
    mean = around.first / np.maximum(around.weight, 1e-9)
    spread = total(around.second - around.first * mean) / np.maximum(3 * around.count, 1)
    apart = change - mean
    own = weight * apart**2
    calm = mean + _signal_share(spread)[..., None] * own / (own + 1) * apart
    return _neutral(calm, weight)


def _signal_share(spread: np.ndarray) -> np.ndarray:
    """0 where the spread, in units of the noise variance, is explained by noise; towards 1 where it is not."""
    return np.maximum(spread - 1.5, 0) / np.maximum(spread, 1.5)


def _neutral(change: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The same ratio in all channels where they differ by less than noise: a shadow on grey ground has no tint."""
    common = (total(weight * change) / np.maximum(total(weight), 1e-9))[..., None]
    differ = total(weight * (change - common) ** 2) / 3
    return common + (np.maximum(differ - 0.5, 0) / np.maximum(differ, 0.5))[..., None] * (change - common)
