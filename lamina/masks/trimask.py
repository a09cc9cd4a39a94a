"""The trimask: what an engine removes, keeps, and may decide about by itself. Its numbers exist only in this file."""

from enum import IntEnum

import numpy as np

from lamina.masks.binary import as_bool


class Region(IntEnum):
    """What is to become of a pixel."""

    KEEP = 0
    UNKNOWN = 1
    """May hold an effect of an object: a shadow, a reflection."""
    REMOVE = 2


REMOVE, KEEP, UNKNOWN = Region.REMOVE, Region.KEEP, Region.UNKNOWN


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
