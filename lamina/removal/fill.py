"""What no frame ever shows: a plausible continuation of the background around it."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64

from lamina.masks.binary import grow
from lamina.motion.coordinates import resize_area, warp_map
from lamina.motion.smooth import push_pull
from lamina.removal.exemplar import Completed, complete_by_example, own_places
from lamina.removal.patch_field import SIDE_PX
from lamina.removal.seam import carry_over, join_slopes

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
        filled = _complete(rgb, hole, banned).rgb
    return np.where(unseen[..., None], filled, rgb)


def complete_large(
    rgb: Float32[np.ndarray, "h w 3"],
    unseen: Bool[np.ndarray, "h w"],
    small_rgb: Float32[np.ndarray, "d v 3"],
    small_unseen: Bool[np.ndarray, "d v"],
    guess: Float32[np.ndarray, "h w 3"] | None = None,
) -> Float32[np.ndarray, "h w 3"]:
    """Complete a large picture as its small copy is completed, with fine detail from where the small one copies.

    Both show the same view edge to edge, levels 0..1; `guess` is an earlier result, as in `complete`. Every pixel
    outside `unseen` stays exactly as it is.
    """
    size, small_size = rgb.shape[1::-1], small_rgb.shape[1::-1]
    hole = small_unseen | (resize_area(unseen.astype(np.float32), small_size) > 0)
    own = resize_area(rgb, small_size)
    if guess is not None:
        small_guess = resize_area(guess, small_size)
        again = _use_again(small_guess, own, hole, ~hole)
        if again is not None:
            change = cv2.resize(again - small_guess, size, interpolation=cv2.INTER_LINEAR)
            return np.where(unseen[..., None], guess + change, rgb)
    small = _complete(small_rgb, hole, np.zeros_like(hole))
    base = cv2.resize(small.rgb + carry_over(own - small.rgb, ~hole), size, interpolation=cv2.INTER_LINEAR)
    detail = rgb - cv2.resize(own, size, interpolation=cv2.INTER_LINEAR)
    rows, columns = np.nonzero(unseen)
    x, y, copied = _enlarge_places(small, columns, rows, size)
    filled = base[rows, columns] + detail[y, x] * (copied & ~unseen[y, x])[:, None]
    full = rgb.copy()
    full[rows, columns] = filled.clip(small.rgb.min(), small.rgb.max())
    return full


def from_key(
    rgb: Float32[np.ndarray, "h w 3"],
    unseen: Bool[np.ndarray, "h w"],
    key_rgb: Float32[np.ndarray, "h w 3"],
    key_known: Bool[np.ndarray, "h w"],
    camera: Float64[np.ndarray, "3 4"],
) -> tuple[Float32[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Fetch the unseen pixels of one frame from a key frame that has been completed, so that they move with the camera.

    `camera` leads from the frame to the key (normalised positions, see `warp_map`), `key_known` says which pixels of
    the key are seen or completed. Returns the picture, and where the key does not help either: that is filled smoothly.
    """
    if not unseen.any():
        return rgb, unseen
    height, width = unseen.shape
    x, y = warp_map(camera, 0.0, (0, 0, width, height), (width, height))
    fetched = cv2.remap(key_rgb, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    fetched = fetched.clip(key_rgb.min(), key_rgb.max())
    share = cv2.remap(key_known.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    covered = share > 0.999
    fetched = fetched + carry_over(rgb - fetched, covered & ~unseen)
    still = unseen & ~covered
    full = np.where((unseen & covered)[..., None], fetched, rgb)
    if still.any():
        full = np.where(still[..., None], push_pull(full, (~still).astype(np.float32)), full)
    return full, still


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


def _complete(rgb: np.ndarray, hole: np.ndarray, banned: np.ndarray) -> Completed:
    """Fill the hole with copies; smoothly, and copied from nowhere, where that would not be plausible."""
    result = Completed(rgb.copy(), own_places(*hole.shape))
    if not hole.any():
        return result
    result.rgb[hole] = push_pull(rgb, (~(hole | banned)).astype(np.float32))[hole]
    if hole.mean() > MOST_UNSEEN:
        return result
    part = _stretch(hole)
    found = complete_by_example(rgb[part], hole[part], banned[part])
    if found is not None:
        result.rgb[part] = found.rgb
        result.source_xy[part] = found.source_xy + np.array([part[1].start, part[0].start], np.int32)
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


def _enlarge_places(
    small: Completed, columns: np.ndarray, rows: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where pixels of the large picture come from, and whether they are copied at all."""
    height, width = small.rgb.shape[:2]
    scale_x, scale_y = size[0] / width, size[1] / height
    at_x, at_y = ((columns + 0.5) / scale_x).astype(int), ((rows + 0.5) / scale_y).astype(int)
    moved = small.source_xy[at_y, at_x] - np.stack([at_x, at_y], -1)
    x = (columns + np.rint(moved[:, 0] * scale_x).astype(int)).clip(0, size[0] - 1)
    y = (rows + np.rint(moved[:, 1] * scale_y).astype(int)).clip(0, size[1] - 1)
    return x, y, (moved != 0).any(axis=1)
