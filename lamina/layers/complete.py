"""What an object looks like where another one covers it, taken from the frames that show it.

The object's own motion (shift, turn, scale from tracked points, then a dense remainder) brings neighbouring frames to
the frame in question. The nearest frame that sees a spot decides there, be it "object" or "nothing". Spots that no
frame within reach sees stay empty, except for a rim as wide as masks may be wrong. Nothing is invented.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from lamina.layers.bleed import bleed
from lamina.layers.follow import gray_of, shifted
from lamina.layers.overlap import Box, Overlaps, grow
from lamina.levels import to_levels

FIT_LEAST = 0.6  # overlap of a brought silhouette with the visible one, below which its frame is not believed
FRAMES_USED = 8
NEWS_LEAST = 0.01  # share of the open pixels that a frame must show to be worth reading


@dataclass(frozen=True)
class Hidden:
    """An object's look behind others in one frame: a crop at `y`, `x` with colour `h w 3` and alpha `h w`, 0..1."""

    y: int
    x: int
    color: np.ndarray
    alpha: np.ndarray

    def crop(self, y: int, x: int, shape: tuple[int, int]) -> "Hidden":
        """The same on another crop, with nothing where this one ends."""
        shift = np.array([[1, 0, self.x - x], [0, 1, self.y - y]], np.float32)
        color, alpha = (
            cv2.warpAffine(v, shift, shape[::-1], flags=cv2.INTER_NEAREST) for v in (self.color, self.alpha)
        )
        return Hidden(y, x, color, alpha)


@dataclass(frozen=True)
class View:
    """An object in one frame: its picture, its mask 0..1, and where nothing covers it, 0..1."""

    image: np.ndarray
    mask: np.ndarray
    free: np.ndarray


def complete(overlaps: Overlaps, name: str, t: int) -> Hidden | None:
    """The hidden look of object `name` in frame `t`; None where nothing comes close in front of it."""
    fronts = overlaps.fronts(name, t)
    box = _expected_box(overlaps, name, t) if fronts and name in overlaps.boxes else None
    if box is None:
        return None
    cover = overlaps.cover(fronts, t, box)
    mask = overlaps.inputs.masks[name][t][box]
    # An object that shows nothing here but did before and will again is somewhere behind.
    near = grow(mask, overlaps.edge_px) if mask.max() > 127 else np.True_
    if not (near & cover).any():
        return None
    hidden = _look(overlaps, name, t, box)
    return hidden if hidden.alpha.any() else None


def _expected_box(overlaps: Overlaps, name: str, t: int) -> Box | None:
    """Where the object may be in frame `t`, judged by the frames around it; None when it has not come or is gone."""
    boxes = overlaps.boxes[name]
    seen = {u: box for u in [t, *overlaps.sources(name, t)] if (box := boxes[u]) is not None}
    if not seen or min(seen) > t or max(seen) < t:
        return None
    height, width = overlaps.inputs.masks[name][t].shape
    spans = [_moved(box, overlaps.motion(name, u, t)) for u, box in seen.items()]
    top, left = (max(0, int(v)) for v in np.min(spans, 0)[:2])
    bottom, right = (min(size, int(v) + 1) for v, size in zip(np.max(spans, 0)[2:], (height, width), strict=True))
    return np.s_[top:bottom, left:right] if top < bottom and left < right else None


def _moved(box: Box, motion: np.ndarray) -> tuple[float, float, float, float]:
    """Top, left, bottom, right of a box after a motion."""
    rows, columns = box
    corners = np.array([[x, y, 1] for x in (columns.start, columns.stop) for y in (rows.start, rows.stop)], np.float64)
    x, y = (motion @ corners.T)[:2]
    return y.min(), x.min(), y.max(), x.max()


def _view(overlaps: Overlaps, name: str, t: int, box: Box) -> View:
    inputs = overlaps.inputs
    free = ~overlaps.cover(overlaps.fronts(name, t), t, box)
    return View(to_levels(inputs.frames[t][box]), inputs.masks[name][t][box].astype(np.float32) / 255, free)


def _look(overlaps: Overlaps, name: str, t: int, box: Box) -> Hidden:
    """What frame `t` hides, from the nearest frames first; then the rim around what it shows itself."""
    here = _view(overlaps, name, t, box)
    color, alpha, open_ = here.image.copy(), here.mask * here.free, ~here.free
    used = 0
    for u in overlaps.sources(name, t):
        if used == FRAMES_USED or not open_.any():
            break
        brought = _bring(overlaps, name, (u, t), box, here, open_)
        if brought is None:
            continue
        used += 1
        take = open_ & (brought.free > 0.99)
        color[take], alpha[take] = brought.image[take], brought.mask[take]
        open_ &= ~take
    rim = open_ & grow((here.mask * 255).astype(np.uint8), overlaps.edge_px)
    solid = (alpha > 0.98) & ~rim
    color = np.where(solid[..., None], color, bleed(color, solid.astype(np.float32)))
    alpha = np.where(rim, 1, alpha) * ~here.free
    return Hidden(box[0].start, box[1].start, color, alpha.astype(np.float32))


def _bring(overlaps: Overlaps, name: str, way: tuple[int, int], box: Box, here: View, open_: np.ndarray) -> View | None:
    """Another frame's view moved to this one's; None when it shows nothing new or the silhouettes do not agree."""
    source = overlaps.boxes[name][way[0]]
    if source is None:
        return None
    view = _view(overlaps, name, way[0], source)
    corners = [(b[0].start, b[1].start) for b in (source, box)]
    matrix, size = shifted(overlaps.motion(name, *way), *corners), here.mask.shape[::-1]
    free = cv2.warpAffine(view.free.astype(np.float32), matrix, size)
    if (open_ & (free > 0.99)).sum() <= NEWS_LEAST * open_.sum():
        return None
    clean = _clean(view, overlaps.edge_px)
    image, mask = (cv2.warpAffine(v, matrix, size) for v in (clean.image, clean.mask))
    moved = _refine(View(image, mask, free), here)
    both = here.free & (moved.free > 0.99)
    union = ((here.mask > 0.5) | (moved.mask > 0.5)) & both
    fit = ((here.mask > 0.5) & (moved.mask > 0.5) & both).sum() / max(int(union.sum()), 1)
    if union.any() and fit < FIT_LEAST:
        return None
    return replace(moved, image=_match(moved, here, both))


def _clean(view: View, edge_px: int) -> View:
    """The view with the object's colour continued over its edge, so that no ground comes along with it."""
    solid = (view.mask > 0.5).astype(np.uint8)
    deep = np.clip(cv2.distanceTransform(solid, cv2.DIST_L2, 5) / (edge_px + 1), 0, 1) ** 3 * view.free
    color = np.where((deep >= 1)[..., None], view.image, bleed(view.image, deep.astype(np.float32)))
    return View(color, cv2.GaussianBlur(view.mask, (0, 0), 0.6), view.free.astype(np.float32))


def _refine(moved: View, here: View) -> View:
    """Bend a moved view by the dense motion that is left where both frames show the object, continued over the rest."""
    common = ((here.mask > 0.5) & here.free & (moved.mask > 0.5) & (moved.free > 0.99)).astype(np.float32)
    if common.sum() < 100 or min(common.shape) < 32:
        return moved
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    rest = flow.calc(gray_of(here.image), gray_of(moved.image), np.zeros((*common.shape, 2), np.float32))
    sure = common * (np.abs(rest).max(-1) < 12)
    weight = np.minimum(cv2.GaussianBlur(sure, (0, 0), 4), 1)
    rest = bleed(cv2.GaussianBlur(rest * sure[..., None], (0, 0), 4), weight)
    y, x = np.mgrid[: common.shape[0], : common.shape[1]].astype(np.float32)
    maps = [
        cv2.remap(v, x + rest[..., 0], y + rest[..., 1], cv2.INTER_LINEAR)
        for v in (moved.image, moved.mask, moved.free)
    ]
    return View(*maps)


def _match(moved: View, here: View, both: np.ndarray) -> np.ndarray:
    """The moved colours with this frame's mean, taken where both show the object: light and exposure change."""
    common = both & (here.mask > 0.98) & (moved.mask > 0.98)
    if common.sum() < 64:
        return moved.image
    gain = here.image[common].mean(0) / np.maximum(moved.image[common].mean(0), 1e-3)
    return np.clip(moved.image * np.clip(gain, 0.8, 1.25), 0, 1)
