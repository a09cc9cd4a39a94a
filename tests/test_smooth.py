"""Holes filled from what surrounds them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.smooth import push_pull

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def chance_weight(size: tuple[int, int], share: float, seed: int = 0) -> np.ndarray:
    chosen = np.random.default_rng(seed).random(size) < share
    chosen.flat[seed % chosen.size] = True
    return chosen.astype(np.float32)


@given(SIZES, st.floats(0.01, 1), st.integers(0, 5))
def test_what_is_known_stays(size: tuple[int, int], share: float, seed: int):
    values = np.random.default_rng(seed).random((*size, 3), np.float32)
    weight = chance_weight(size, share, seed)
    filled = push_pull(values, weight)
    assert filled.shape == values.shape and np.isfinite(filled).all()
    np.testing.assert_allclose(filled[weight == 1], values[weight == 1], atol=1e-6)


@given(SIZES, st.floats(0.01, 1), st.integers(0, 5))
def test_a_constant_stays_constant(size: tuple[int, int], share: float, seed: int):
    weight = chance_weight(size, share, seed)
    values = np.where(weight > 0, np.float32(0.375), np.float32(7))  # what is in the holes does not matter
    np.testing.assert_allclose(push_pull(values, weight), 0.375, atol=1e-5)


@given(SIZES, st.integers(0, 5))
def test_nothing_leaves_the_range_of_what_is_known(size: tuple[int, int], seed: int):
    values = np.random.default_rng(seed).random(size, np.float32)
    weight = chance_weight(size, 0.2, seed)
    filled, known = push_pull(values, weight), values[weight > 0]
    assert known.min() - 1e-5 <= filled.min() and filled.max() <= known.max() + 1e-5


@pytest.mark.parametrize("size", [(1, 17), (17, 1), (1, 1), (2, 3)])
def test_thin_pictures(size: tuple[int, int]):
    values = np.zeros((*size, 1), np.float32)
    values[0, 0] = 0.5
    weight = np.zeros(size, np.float32)
    weight[0, 0] = 1
    np.testing.assert_allclose(push_pull(values, weight), 0.5, atol=1e-5)


def test_near_values_count_more_than_far_ones():
    values, weight = np.zeros((9, 64), np.float32), np.zeros((9, 64), np.float32)
    values[:, -1], weight[:, 0], weight[:, -1] = 1, 1, 1
    row = push_pull(values, weight)[4]
    assert row[5] < 0.3 and row[-6] > 0.7 and (np.diff(row) > -0.02).all()


def test_nothing_known_is_zero():
    assert not push_pull(np.ones((5, 7), np.float32), np.zeros((5, 7), np.float32)).any()
