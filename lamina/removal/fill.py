"""What no frame ever shows: a plausible continuation of the background around it."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64

from lamina.masks.binary import grow
from lamina.motion.coordinates import resize_area, warp_map
from lamina.motion.smooth import push_pull
from lamina.removal.exemplar import Completed, complete_by_example, own_places
from lamina.removal.patch_field import SIDE_PX
from lamina.removal.seam import carry_over

MOST_UNSEEN = 0.4
"""Where a larger share of the picture is missing, copying would repeat the rest too often to be believed."""
SURROUNDINGS = 1.5
"""How far around a hole copies are looked for, in sizes of the hole."""
LEAST_SURROUNDINGS_PX = 48


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
    them or made to continue them. `guess` is this place as completed at another time: the result stays near it. Where
    there is too little to copy from the filling is smooth, and black when nothing is known at all. Deterministic.
    """
    return _complete(rgb, unseen, avoid, guess).rgb


def complete_large(
    rgb: Float32[np.ndarray, "h w 3"],
    unseen: Bool[np.ndarray, "h w"],
    small_rgb: Float32[np.ndarray, "d v 3"],
    small_unseen: Bool[np.ndarray, "d v"],
    guess: Float32[np.ndarray, "d v 3"] | None = None,
) -> tuple[Float32[np.ndarray, "h w 3"], Float32[np.ndarray, "d v 3"]]:
    """Complete a large picture as its small copy is completed, with fine detail from where the small one copies.

    Both show the same view edge to edge, levels 0..1. Returns the completed large picture, whose pixels outside
    `unseen` stay exactly as they are, and the completed small one, which is the `guess` for the next time.
    """
    size, small_size = rgb.shape[1::-1], small_rgb.shape[1::-1]
    hole = small_unseen | (resize_area(unseen.astype(np.float32), small_size) > 0)
    small = _complete(small_rgb, hole, None, guess)
    own = resize_area(rgb, small_size)
    base = cv2.resize(small.rgb + carry_over(own - small.rgb, ~hole), size, interpolation=cv2.INTER_LINEAR)
    detail = rgb - cv2.resize(own, size, interpolation=cv2.INTER_LINEAR)
    rows, columns = np.nonzero(unseen)
    x, y, copied = _enlarge_places(small, columns, rows, size)
    filled = base[rows, columns] + detail[y, x] * (copied & ~unseen[y, x])[:, None]
    full = rgb.copy()
    full[rows, columns] = filled.clip(small.rgb.min(), small.rgb.max())
    return full, small.rgb


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


def _complete(rgb: np.ndarray, unseen: np.ndarray, avoid: np.ndarray | None, guess: np.ndarray | None) -> Completed:
    banned = np.zeros_like(unseen) if avoid is None else avoid
    # Patches at the rim must not continue what is to be avoided, so that is filled with the hole and then put back.
    hole = unseen | (banned & grow(unseen, SIDE_PX))
    result = Completed(_smooth(rgb, unseen, banned), own_places(*unseen.shape))
    if not unseen.any() or hole.mean() > MOST_UNSEEN:
        return result
    top, bottom = _stretch(hole.any(1))
    left, right = _stretch(hole.any(0))
    part = np.s_[top:bottom, left:right]
    found = complete_by_example(rgb[part], hole[part], banned[part], None if guess is None else guess[part])
    if found is not None:
        result.rgb[part] = np.where(unseen[part][..., None], found.rgb, rgb[part])
        result.source_xy[part] = found.source_xy + np.int32([left, top])
    return result


def _smooth(rgb: np.ndarray, unseen: np.ndarray, banned: np.ndarray) -> np.ndarray:
    if not unseen.any():
        return rgb.copy()
    return np.where(unseen[..., None], push_pull(rgb, (~(unseen | banned)).astype(np.float32)), rgb)


def _stretch(inside: np.ndarray) -> tuple[int, int]:
    """From where to where copies are looked for, along one side of the picture."""
    places = np.nonzero(inside)[0]
    margin = max(LEAST_SURROUNDINGS_PX, int(SURROUNDINGS * (places[-1] + 1 - places[0])))
    return max(0, places[0] - margin), min(len(inside), places[-1] + 1 + margin)


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
    return x, y, moved.any(-1)
