"""Compositing algebra: associative, with the empty layer as its unit, and never out of range."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lamina.composite import flatten, merge, over


def picture(seed: int, channels: int, shape: tuple[int, ...] = (2,)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(*shape, channels, 3, 5, generator=generator, dtype=torch.float64)
    # a third of the values at the ends, where division and rounding go wrong
    return torch.where(values < 1 / 6, 0.0, torch.where(values > 5 / 6, 1.0, values))


def slow_over(rgb: np.ndarray, alpha: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The equation of Porter and Duff, one number at a time."""
    result = np.empty_like(below)
    for index in np.ndindex(below.shape):
        a = alpha[(*index[:-3], 0, *index[-2:])]
        result[index] = a * rgb[index] + (1 - a) * below[index]
    return result


seeds = st.integers(0, 2**31)


@given(seeds)
def test_over_equals_its_slow_twin(seed: int):
    rgb, alpha, below = picture(seed, 3), picture(seed + 1, 1), picture(seed + 2, 3)
    expected = slow_over(rgb.numpy(), alpha.numpy(), below.numpy())
    np.testing.assert_allclose(over(rgb, alpha, below).numpy(), expected, atol=1e-15)


@given(seeds)
def test_over_is_associative(seed: int):
    front, back, plate = picture(seed, 3), picture(seed + 1, 3), picture(seed + 2, 3)
    alpha_front, alpha_back = picture(seed + 3, 1), picture(seed + 4, 1)
    rgb, alpha = merge(front, alpha_front, back, alpha_back)
    torch.testing.assert_close(over(rgb, alpha, plate), flatten(plate, [(back, alpha_back), (front, alpha_front)]))


@given(seeds)
def test_merge_is_associative_where_something_is_seen(seed: int):
    a, b, c = [(picture(seed + k, 3), picture(seed + 10 + k, 1)) for k in range(3)]
    left, right = merge(*merge(*a, *b), *c), merge(*a, *merge(*b, *c))
    torch.testing.assert_close(left[1], right[1])
    torch.testing.assert_close(left[0] * left[1], right[0] * right[1])


@given(seeds)
def test_nothing_leaves_the_range(seed: int):
    layers = [(picture(seed + k, 3), picture(seed + 10 + k, 1)) for k in range(4)]
    flat = flatten(picture(seed + 20, 3), layers)
    assert flat.min() >= 0 and flat.max() <= 1 + 1e-12
    rgb, alpha = merge(*layers[0], *layers[1])
    assert rgb.isfinite().all() and alpha.min() >= 0 and alpha.max() <= 1 + 1e-12


def test_an_empty_layer_changes_nothing():
    plate, rgb = picture(1, 3), picture(2, 3)
    empty = torch.zeros(2, 1, 3, 5, dtype=torch.float64)
    assert torch.equal(over(rgb, empty, plate), plate)
    assert torch.equal(flatten(plate, []), plate)


def test_an_opaque_layer_hides_all_below():
    plate, rgb = picture(1, 3), picture(2, 3)
    assert torch.equal(over(rgb, torch.ones(2, 1, 3, 5, dtype=torch.float64), plate), rgb)


def test_merge_of_two_empty_layers_keeps_the_colour_behind():
    back, none = picture(1, 3), torch.zeros(2, 1, 3, 5, dtype=torch.float64)
    rgb, alpha = merge(picture(2, 3), none, back, none)
    assert torch.equal(rgb, back) and not alpha.any()


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_any_number_of_leading_axes(shape: tuple[int, ...]):
    flat = over(picture(1, 3, shape), picture(2, 1, shape), picture(3, 3, shape))
    assert flat.shape == (*shape, 3, 3, 5)


def test_shapes_are_checked_in_tests():
    """The plug-in that checks annotations is at work; without it a wrong shape would broadcast in silence."""
    with pytest.raises(Exception, match="alpha"):
        over(torch.zeros(2, 3, 3, 5), torch.zeros(2, 3, 3, 5), torch.zeros(2, 3, 3, 5))
