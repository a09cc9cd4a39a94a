"""One picture's levels brought to another's of the same scene, where a camera changed its exposure between them.

A curve per channel: automatic exposure brightens the dark and leaves white white, which no single factor can.
"""

import numpy as np
from jaxtyping import Bool, Float32

KNOTS = 12
LEAST_SAMPLES = 30
"""A knot needs so many pixels."""
ENOUGH_PIXELS = 20_000
"""Of larger pictures only every second, third ... row and column is asked."""
WHITE = 255.0

Curve = list[tuple[np.ndarray, np.ndarray]]
"""Per channel the levels of the curve's knots before and after, 0..255, the levels before rising."""


def tone_curve(
    picture: Float32[np.ndarray, "h w 3"], wanted: Float32[np.ndarray, "h w 3"], where: Bool[np.ndarray, "h w"]
) -> Curve:
    """The curve per channel that takes `picture` to `wanted` (levels 0..255) over `where`, robustly.

    Pixels are put into twelve groups of equal size by level; a knot is the median level of a group before and after.
    Between knots the curve is straight; below the first it falls straight to black, above the last it keeps its
    distance, up to white. Where there are fewer than 60 pixels it changes nothing.
    """
    step = max(1, int(np.sqrt(where.size / ENOUGH_PIXELS)))
    few = where[::step, ::step]
    return [_channel_curve(picture[::step, ::step, k][few], wanted[::step, ::step, k][few]) for k in range(3)]


def apply_curve(picture: Float32[np.ndarray, "h w 3"], curve: Curve) -> Float32[np.ndarray, "h w 3"]:
    """The picture (levels 0..255) with its channels led through the curve."""
    toned = np.empty_like(picture)
    for k, (before, after) in enumerate(curve):
        toned[..., k] = np.interp(picture[..., k], before, after)
    return toned


def _channel_curve(have: np.ndarray, want: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    groups = min(KNOTS, len(have) // LEAST_SAMPLES)
    if groups < 2:
        return np.array([0, WHITE]), np.array([0, WHITE])
    order = np.argsort(have, kind="stable")
    medians = [(np.median(have[part]), np.median(want[part])) for part in np.array_split(order, groups)]
    knots = {before: after for before, after in medians if 0 < before < WHITE}
    if not knots:
        return np.array([0, WHITE]), np.array([0, WHITE])
    before = np.array(sorted(knots))
    after = np.maximum.accumulate([knots[level] for level in before])
    last = min(WHITE, after[-1] + WHITE - before[-1])
    return np.array([0, *before, WHITE]), np.array([0, *after, max(last, after[-1])])
