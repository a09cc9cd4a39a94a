"""Looking up one pixel at a time: take the nearest views that show it, sort, read off the middle."""

from collections.abc import Sequence

import numpy as np

from lamina.motion.anchor import TRUSTED, Look, View


def quantiles_slow(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lower median `h w 3`, its quieter and noisier spread `h w`, whether anything was there; gaps are infinite."""
    height, width, _, _ = samples.shape
    middle, seen = np.zeros((height, width, 3)), np.zeros((height, width), bool)
    spread, unrest = np.zeros((height, width)), np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            for c in range(3):
                there = sorted(float(v) for v in samples[y, x, c] if np.isfinite(v))
                if not there:
                    continue
                seen[y, x] = True
                low, mid, high = (there[int((len(there) - 1) * share)] for share in (0.25, 0.5, 0.75))
                middle[y, x, c] = mid
                spread[y, x] = max(spread[y, x], 2 * min(high - mid, mid - low) / 1.35)
                unrest[y, x] = max(unrest[y, x], 2 * max(high - mid, mid - low) / 1.35)
    return middle, spread, unrest, seen


def nearest_median_slow(views: Sequence[View], most: int) -> Look:
    """The nearest trusted views of every pixel; doubtful ones where there is no trusted one."""
    height, width = views[0].trust.shape
    near_first = sorted(views, key=lambda view: view.distance_frames)
    samples = np.full((height, width, 3, most), np.inf)
    trusted = np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            good = [v.rgb[y, x] for v in near_first if v.trust[y, x] == TRUSTED]
            doubtful = [v.rgb[y, x] for v in near_first if 0 < v.trust[y, x] < TRUSTED]
            trusted[y, x] = bool(good)
            for n, color in enumerate((good or doubtful)[:most]):
                samples[y, x, :, n] = color
    middle, spread, unrest, seen = (a.astype(np.float32) for a in quantiles_slow(samples))
    return Look(rgb=middle, spread=spread, unrest=unrest, trusted=trusted, seen=seen > 0)
