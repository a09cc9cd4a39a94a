"""The sRGB curve: the standard's numbers, its inverse, and no value lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.color import ColorDescription, linear_to_srgb, srgb_to_linear


@pytest.mark.parametrize(
    ("linear", "encoded"),
    # the middle ones by hand from IEC 61966-2-1: 1.055 * 0.18 ** (1 / 2.4) - 0.055
    [(0.0, 0.0), (0.0031308, 0.04045), (0.18, 0.4613561), (0.5, 0.7353569), (1.0, 1.0)],
)
def test_known_values(linear: float, encoded: float):
    assert linear_to_srgb(np.array([linear]))[0] == pytest.approx(encoded, abs=2e-6)
    assert srgb_to_linear(np.array([encoded]))[0] == pytest.approx(linear, abs=2e-6)


@given(st.floats(-100, 100, width=32))
def test_there_and_back(value: float):
    there = linear_to_srgb(np.array([value], np.float32))
    assert srgb_to_linear(there)[0] == pytest.approx(value, rel=1e-4, abs=1e-6)


@given(st.floats(-100, 100, width=32), st.floats(-100, 100, width=32))
def test_order_is_kept(a: float, b: float):
    low, high = linear_to_srgb(np.array(sorted([a, b]), np.float32))
    assert low <= high


def test_values_outside_the_display_survive():
    wide = np.array([-0.5, 1.5, 20.0], np.float32)
    np.testing.assert_allclose(srgb_to_linear(linear_to_srgb(wide)), wide, rtol=1e-5)
    assert linear_to_srgb(wide).dtype == np.float32


def test_mirrored_below_zero():
    values = np.linspace(0, 2, 50, dtype=np.float32)
    np.testing.assert_array_equal(linear_to_srgb(-values), -linear_to_srgb(values))


def test_an_untagged_file_says_so():
    assert set(vars(ColorDescription()).values()) == {"unspecified"}
