"""What no frame ever shows: a plausible continuation of the background around it."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from lamina.masks.binary import grow
from lamina.removal.exemplar import complete_by_example
from lamina.removal.patch_field import SIDE_PX
from lamina.removal.seam import join_slopes
from lamina.smooth import push_pull

MOST_UNSEEN = 0.4
"""Where a larger share of the picture is missing, copying would repeat the rest too often to be believed."""
SURROUNDINGS = 1.5
"""How far around a hole copies are looked for, in sizes of the hole."""
LEAST_SURROUNDINGS_PX = 48
RIM_PX = 4
FITS = 12 / 255
"""An earlier completion fits while its surroundings differ by at most this in the mean, a common shift apart."""


def fill_unseen(rgb: Float32[np.ndarray, "h w 3"], seen: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w 3"]:
    """Carry the seen background smoothly over what nobody saw (`seen` 0..1)."""
    if seen.min() > 0.99:
        return rgb
    known = np.where(seen > 0.99, np.float32(1), 0)
    known = cv2.erode(known, np.ones((3, 3), np.uint8))
    return push_pull(rgb, known)


def complete(
    rgb: Float32[np.ndarray, "h w 3"],
    unseen: Bool[np.ndarray, "h w"],
    avoid: Bool[np.ndarray, "h w"] | None = None,
    guess: Float32[np.ndarray, "h w 3"] | None = None,
) -> Float32[np.ndarray, "h w 3"]:
    """Fill `unseen` with patches from elsewhere in the picture; every other pixel stays exactly as it is.

    Levels 0..1; what `rgb` holds in the unseen is not looked at. Pixels to `avoid` are kept, but nothing is copied from
    them or made to continue them. `guess` is the whole picture as completed at another time: where it still fits the
    surroundings it is used again and only made to meet them, so that the filling is steady. Where there is too little
    to copy from the filling is smooth, and black when nothing is known at all. The same input gives the same result.
    """
    banned = np.zeros_like(unseen) if avoid is None else avoid
    # Patches at the rim must not continue what is to be avoided, so that is filled with the hole and then put back.
    hole = unseen | (banned & grow(unseen, SIDE_PX))
    filled = None if guess is None else _use_again(guess, rgb, hole, ~(hole | banned))
    if filled is None:
        filled = _complete(rgb, hole, banned)
    return np.where(unseen[..., None], filled, rgb)


def _use_again(guess: np.ndarray, rgb: np.ndarray, hole: np.ndarray, known: np.ndarray) -> np.ndarray | None:
    """An earlier completion made to meet the known pixels around the hole; None where it no longer fits them."""
    near = grow(hole, RIM_PX)
    rim = near & known
    if not rim.any():
        return None if known.any() else guess
    difference = rgb[rim] - guess[rim]
    shift = np.median(difference, axis=0)
    if np.abs(difference - shift).mean() > FITS:
        return None
    part = _extent(near)
    filled = np.where(hole[..., None], guess + shift, rgb)
    slope_x, slope_y = np.zeros_like(guess), np.zeros_like(guess)
    slope_x[:, :-1], slope_y[:-1] = np.diff(guess, axis=1), np.diff(guess, axis=0)
    filled[part] = join_slopes(filled[part], slope_x[part], slope_y[part], hole[part], known[part])
    return filled


def _complete(rgb: np.ndarray, hole: np.ndarray, banned: np.ndarray) -> np.ndarray:
    """Fill the hole with copies; smoothly where that would not be plausible."""
    result = rgb.copy()
    if not hole.any():
        return result
    result[hole] = push_pull(rgb, (~(hole | banned)).astype(np.float32))[hole]
    if hole.mean() > MOST_UNSEEN:
        return result
    part = _stretch(hole)
    found = complete_by_example(rgb[part], hole[part], banned[part])
    if found is not None:
        result[part] = found
    return result


def _stretch(inside: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns where copies are looked for."""

    def around(extent: slice, length: int) -> slice:
        margin = max(LEAST_SURROUNDINGS_PX, int(SURROUNDINGS * (extent.stop - extent.start)))
        return slice(max(0, extent.start - margin), min(length, extent.stop + margin))

    rows, columns = _extent(inside)
    return around(rows, inside.shape[0]), around(columns, inside.shape[1])


def _extent(inside: np.ndarray) -> tuple[slice, slice]:
    rows, columns = np.nonzero(inside)
    return slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1)
