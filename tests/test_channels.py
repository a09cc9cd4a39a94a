"""Arithmetic over three channels gives what NumPy's own reductions give."""

import numpy as np
import pytest

from lamina.channels import peak, times, total

PICTURES = [np.random.default_rng(0).normal(0, 1, shape).astype(np.float32) for shape in ((5, 7, 3), (1, 4, 3))]


@pytest.mark.parametrize("picture", PICTURES)
def test_peak_is_the_largest_channel(picture: np.ndarray):
    np.testing.assert_array_equal(peak(picture), picture.max(-1))


@pytest.mark.parametrize("picture", PICTURES)
def test_total_is_the_sum_of_the_channels(picture: np.ndarray):
    np.testing.assert_allclose(total(picture), picture.sum(-1), atol=1e-6)


@pytest.mark.parametrize("picture", PICTURES)
def test_times_scales_every_channel(picture: np.ndarray):
    np.testing.assert_array_equal(times(picture, picture[..., 1]), picture * picture[..., 1:2])
