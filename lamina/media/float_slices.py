"""Float pictures made safe for FFmpeg's FFV1, which loses a slice where a channel has exactly two values in it.

Version 4 of FFV1 numbers the values that occur in a slice. With two of them, such as an alpha of nothing but 0 and 1,
FFmpeg 8.1 reads back garbage; with one, or three and more, it keeps every bit. So one pixel of such a slice is given a
third value: another zero (-0.0) where there are zeros, else a change in the last of 24 bits.
"""

from collections.abc import Iterator

import numpy as np

SIGN, LAST, LAST_BUT_ONE = np.uint32(2**31), np.uint32(1), np.uint32(2)


def with_a_third_value(picture: np.ndarray, slices_across: int) -> np.ndarray:
    """The same picture, `h w c` float32, with three values in every channel and slice that had two.

    slices_across: how many slices lie side by side, and as many one above the other. Slices of two pixels, and of two
    values that are infinite or not a number, stay as they are.
    """
    bits = np.ascontiguousarray(picture).view(np.uint32)
    pairs = list(_pairs(bits, slices_across))
    if not pairs:
        return picture
    bits = bits.copy()
    for slice_, values in pairs:
        tile = bits[slice_]
        found = next(((v, w) for v, w in (values, values[::-1]) if _may_change(tile, v)), None)
        if found is not None:
            value, other = found
            third = value ^ (SIGN if not value & ~SIGN else LAST)
            third = value ^ LAST_BUT_ONE if third == other else third
            tile[tuple(index[0] for index in np.nonzero(tile == value))] = third
    return bits.view(np.float32)


def _pairs(bits: np.ndarray, across: int) -> Iterator[tuple[tuple[slice, slice, int], tuple[np.uint32, np.uint32]]]:
    """The slices and channels of two values, with these."""
    for rows in _bounds(bits.shape[0], across):
        for columns in _bounds(bits.shape[1], across):
            for channel in range(bits.shape[2]):
                tile = bits[rows, columns, channel]
                first = tile.flat[0]
                others = tile[tile != first]
                if len(others) and (others == others[0]).all():
                    yield (rows, columns, channel), (first, others[0])


def _bounds(length: int, count: int) -> list[slice]:
    """Where FFV1 cuts a side, to the nearest pixel."""
    at = [(2 * length * k + count) // (2 * count) for k in range(count + 1)]
    return [slice(a, b) for a, b in zip(at[:-1], at[1:], strict=True) if a < b]


def _may_change(tile: np.ndarray, value: np.uint32) -> bool:
    return bool(np.isfinite(value.view(np.float32)) and np.count_nonzero(tile == value) > 1)
