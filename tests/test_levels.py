"""Stored numbers and levels 0..1."""

import numpy as np
import pytest

from lamina.levels import from_levels, to_levels


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_every_stored_number_survives(dtype: str, assert_same_pixels):
    every = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    levels = to_levels(every)
    assert levels.dtype == np.float32 and levels[0] == 0 and levels[-1] == 1
    assert_same_pixels(from_levels(levels, np.dtype(dtype)), every)


def test_floats_are_their_own_levels(assert_same_pixels):
    bright = np.array([-0.5, 0, 0.25, 7], np.float32)
    assert_same_pixels(to_levels(bright), bright)
    assert_same_pixels(from_levels(bright, np.dtype("float32")), bright)


def test_integers_are_rounded_and_limited(assert_same_pixels):
    levels = np.array([-0.2, 0.49 / 255, 0.51 / 255, 3], np.float32)
    assert_same_pixels(from_levels(levels, np.dtype("uint8")), np.array([0, 0, 1, 255], np.uint8))


def test_other_types_are_refused():
    with pytest.raises(KeyError, match="int64"):
        to_levels(np.zeros(3, np.int64))
