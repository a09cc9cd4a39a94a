"""Masks and trimasks as the published Casper loader makes them, number for number."""

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from lamina.area import resized_by_area
from lamina.masks.binary import grow_square, union
from lamina.masks.trimask import make_trimask, trimask_from_levels

OBJECT_LEAST = 240
"""A mask's stored value, 0..255, from which on a pixel is object."""
DILATE_PX = 11
"""Side of the square that masks grow by, in pixels of the size the model runs at."""


def solid_mask(mask: UInt8[np.ndarray, "t h w"], size: tuple[int, int]) -> Bool[np.ndarray, "t h2 w2"]:
    """A stored mask at a (height, width): resized by averaging, then thresholded."""
    return resized_by_area(mask[..., None], size)[..., 0] >= OBJECT_LEAST


def published_trimask(
    masks: Sequence[UInt8[np.ndarray, "t h w"]],
    keep: Collection[int],
    size: tuple[int, int],
    dilate_px: int = DILATE_PX,
) -> UInt8[np.ndarray, "t h2 w2"]:
    """The trimask of a run that keeps the objects of these numbers and removes all others.

    Both kinds of masks grow, and where they meet REMOVE wins: a kept object may lose its edge.

    masks: 0..255, one per object. dilate_px: 0 leaves masks as they are.
    """
    return keeping_trimask([grown_mask(mask, size, dilate_px) for mask in masks], keep)


def grown_mask(
    mask: UInt8[np.ndarray, "t h w"], size: tuple[int, int], dilate_px: int = DILATE_PX
) -> Bool[np.ndarray, "t h2 w2"]:
    """A stored mask at a (height, width), grown by a square of `dilate_px`; 0 leaves it as it is."""
    solid = solid_mask(mask, size)
    return grow_square(solid, dilate_px) if dilate_px else solid


def keeping_trimask(
    grown: Sequence[Bool[np.ndarray, "*t h w"]],
    keep: Collection[int],
    preserve: Bool[np.ndarray, "*t h w"] | None = None,
) -> UInt8[np.ndarray, "*t h w"]:
    """The trimask of a run that keeps the objects of these numbers; `preserve` as for `make_trimask`."""
    nothing = np.zeros_like(grown[0])
    removed = [mask for k, mask in enumerate(grown) if k not in keep]
    kept = [mask for k, mask in enumerate(grown) if k in keep]
    return make_trimask(union(nothing, *removed), union(nothing, *kept), preserve)


def painted_trimask(painted: UInt8[np.ndarray, "t h w"], size: tuple[int, int]) -> UInt8[np.ndarray, "t h2 w2"]:
    """A trimask painted in levels 0..255 at a (height, width)."""
    return trimask_from_levels(resized_by_area(painted[..., None], size)[..., 0])
