"""Completing a picture with patches of itself, from coarse to fine, joined without seams."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from lamina.motion.coordinates import resize_area
from lamina.removal.patch_field import (
    PatchField,
    Sources,
    chunks,
    nearness_cost,
    patches_of,
    usable_centres,
    whole_steps,
)
from lamina.removal.seam import join_slopes

THICK_PX = 4.5
"""The picture is halved until its hole is at most this far from known pixels."""
LEAST_SIDE_PX = 24
LEAST_SOURCES = 64
FIRST_EXAMPLES = 6000
"""At most about so many patches are compared for the first filling."""
ROUNDS = 4
"""How often patches vote at each size."""


@dataclass(frozen=True)
class _Size:
    """The picture at one size of the pyramid."""

    rgb: np.ndarray
    hole: np.ndarray
    banned: np.ndarray
    """Known, but not to be copied."""

    @property
    def usable(self) -> np.ndarray:
        return ~(self.hole | self.banned)

    def halved(self) -> "_Size":
        height, width = self.hole.shape
        size = ((width + 1) // 2, (height + 1) // 2)
        known = (~self.hole).astype(np.float32)
        share = resize_area(known, size)
        rgb = resize_area(self.rgb * known[..., None], size) / np.maximum(share, 1e-6)[..., None]
        return _Size(rgb, share < 0.5, resize_area(self.banned.astype(np.float32), size) > 0)


def complete_by_example(
    rgb: Float32[np.ndarray, "h w 3"],
    hole: Bool[np.ndarray, "h w"],
    banned: Bool[np.ndarray, "h w"],
) -> Float32[np.ndarray, "h w 3"] | None:
    """Fill `hole` with copies from outside `hole` and `banned`; None where there is too little to copy from.

    The generator starts from a fixed seed, so the same input gives the same result.
    """
    whole = _Size(rgb, hole, banned)
    if usable_centres(whole.usable).sum() < LEAST_SOURCES:
        return None
    sizes = _pyramid(whole)
    random = np.random.default_rng(0)
    filled, offsets = _peel(sizes[-1]), None
    for size in reversed(sizes):
        filled = cv2.resize(filled, size.hole.shape[::-1], interpolation=cv2.INTER_LINEAR)
        field = PatchField(Sources.of(size.rgb, size.usable), size.hole, random)
        if offsets is not None:
            field.start_from(offsets)
        filled = _refine(size, field, filled, thorough=offsets is None)
        offsets = field.offsets()
        if size is whole:
            filled = _join(size, field, filled)
    return filled


def _pyramid(size: _Size) -> Sequence[_Size]:
    sizes = [size]
    while min(sizes[-1].hole.shape) >= 2 * LEAST_SIDE_PX and _depth(sizes[-1].hole) > THICK_PX:
        half = sizes[-1].halved()
        if usable_centres(half.usable).sum() < LEAST_SOURCES:
            break
        sizes.append(half)
    return sizes


def _depth(hole: np.ndarray) -> float:
    return float(cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max())


def _refine(size: _Size, field: PatchField, filled: np.ndarray, thorough: bool) -> np.ndarray:
    """Search and vote in turns; the last vote is the sharp one."""
    for left in reversed(range(ROUNDS)):
        current = np.where(size.hole[..., None], filled, size.rgb)
        field.search(current, thorough and left == ROUNDS - 1)
        filled = field.vote(size.rgb, size.hole, last=left == 0)
    return np.where(size.hole[..., None], filled, size.rgb)


def _peel(size: _Size) -> np.ndarray:
    """A first filling, ring by ring inwards: each pixel from the patch that is most alike in what is known by then.

    A smooth one would make everything after it look for smooth places.
    """
    rows, columns = np.nonzero(usable_centres(size.usable))
    some = np.s_[:: len(rows) // FIRST_EXAMPLES + 1]
    rows, columns = rows[some], columns[some]
    examples = patches_of(whole_steps(size.rgb))[rows, columns].reshape(len(rows), -1)
    filled, left = size.rgb.copy(), size.hole.copy()
    while left.any():
        ring = left & (cv2.dilate((~left).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
        for at in chunks(np.argwhere(ring), 512):
            known = patches_of((~left).astype(np.float32)[..., None])[at[:, 0], at[:, 1]]
            patches = (patches_of(whole_steps(filled))[at[:, 0], at[:, 1]] * known).reshape(len(at), -1)
            known = known.repeat(3, axis=1).reshape(len(at), -1)
            away = nearness_cost(columns[:, None] - at[:, 1], rows[:, None] - at[:, 0], left.shape)
            best = ((examples * examples) @ known.T - 2 * examples @ patches.T + away).argmin(0)
            filled[at[:, 0], at[:, 1]] = size.rgb[rows[best], columns[best]]
        left &= ~ring
    return filled


def _join(size: _Size, field: PatchField, filled: np.ndarray) -> np.ndarray:
    """The filling shifted to meet its surroundings, with the slopes of the places it is copied from."""
    usable = size.usable[..., None]
    slopes = np.zeros((*size.hole.shape, 6), np.float32)
    slopes[:, :-1, :3] = np.diff(size.rgb, axis=1) * (usable[:, :-1] & usable[:, 1:])
    slopes[:-1, :, 3:] = np.diff(size.rgb, axis=0) * (usable[:-1] & usable[1:])
    area = cv2.dilate(size.hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    voted = field.vote(slopes, area, last=True)
    joined = join_slopes(filled, voted[..., :3], voted[..., 3:], size.hole, size.usable)
    known = size.rgb[size.usable]
    return np.where(size.hole[..., None], joined.clip(known.min(0), known.max(0)), size.rgb)
