"""Trimasks at other sizes and places."""

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8

from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN, Region


def by_majority(
    trimask: UInt8[np.ndarray, "*t h w"], resample: Callable[[np.ndarray], np.ndarray]
) -> UInt8[np.ndarray, "*t H W"]:
    """Resample a trimask: every new pixel is the region that covers most of it; in a tie REMOVE, else KEEP.

    `resample` is given each region in turn as a mask, 255 inside, and returns how much of it is where, 0..255.
    """
    shares = {region: resample(np.where(trimask == region, np.uint8(255), np.uint8(0))) for region in Region}
    result = np.full(shares[UNKNOWN].shape, UNKNOWN, np.uint8)
    result[shares[KEEP] >= shares[UNKNOWN]] = KEEP
    result[shares[REMOVE] >= np.maximum(shares[KEEP], shares[UNKNOWN])] = REMOVE
    return result
