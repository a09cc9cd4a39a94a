"""The trimask: what an engine removes, keeps, and may decide about by itself. Its numbers exist only in this file."""

from enum import IntEnum

import numpy as np
from jaxtyping import Float32, Shaped, UInt8

from lamina.masks.binary import as_bool


class Region(IntEnum):
    """What is to become of a pixel."""

    KEEP = 0
    UNKNOWN = 1
    """May hold an effect of an object: a shadow, a reflection."""
    REMOVE = 2


REMOVE, KEEP, UNKNOWN = Region.REMOVE, Region.KEEP, Region.UNKNOWN

_LOADER_LEVELS = np.array([{KEEP: 0, UNKNOWN: 127, REMOVE: 255}[region] for region in sorted(Region)], np.uint8)
KEEP_ABOVE, REMOVE_BELOW = 192, 64
"""Levels of a painted trimask, 0..255, beyond which it is certain; these two themselves are not."""


def make_trimask(remove: np.ndarray, keep: np.ndarray, preserve: np.ndarray | None = None) -> np.ndarray:
    """Combine hard masks of one shape, `h w` or `t h w`, into a trimask of `Region` values, uint8.

    REMOVE wins wherever masks overlap. `preserve` is where the user wants the picture left alone: it turns UNKNOWN
    into KEEP, and does not save what is to be removed. All that no mask covers is UNKNOWN.

    >>> make_trimask(np.array([[1, 1, 0, 0]]), np.array([[0, 1, 1, 0]])).tolist() == [[REMOVE, REMOVE, KEEP, UNKNOWN]]
    True

    Raises:
        ValueError: the masks differ in shape.
    """
    masks = {"remove": remove, "keep": keep} | ({} if preserve is None else {"preserve": preserve})
    if len({mask.shape for mask in masks.values()}) > 1:
        shapes = ", ".join(f"{name} {mask.shape}" for name, mask in masks.items())
        raise ValueError(f"The masks of a trimask must have one shape, got {shapes}.")
    trimask = np.full(remove.shape, UNKNOWN, np.uint8)
    for name in ("preserve", "keep"):
        if name in masks:
            trimask[as_bool(masks[name])] = KEEP
    trimask[as_bool(remove)] = REMOVE
    return trimask


def model_levels(trimask: UInt8[np.ndarray, "*t h w"]) -> Float32[np.ndarray, "*t h w"]:
    """The numbers that Casper was trained with: 0 where to remove, 1 where to keep, 128/255 between."""
    return np.float32(1) - published_levels(trimask) / np.float32(255)


def published_levels(trimask: UInt8[np.ndarray, "*t h w"]) -> UInt8[np.ndarray, "*t h w"]:
    """The numbers that the published loader holds a trimask in: the other way round, 0 where to keep."""
    return _LOADER_LEVELS[trimask]


def trimask_from_levels(levels: Shaped[np.ndarray, "*t h w"]) -> UInt8[np.ndarray, "*t h w"]:
    """A trimask that a user has painted, levels 0..255: white is kept, black removed, all between is unknown."""
    trimask = np.full(levels.shape, UNKNOWN, np.uint8)
    trimask[levels > KEEP_ABOVE] = KEEP
    trimask[levels < REMOVE_BELOW] = REMOVE
    return trimask
