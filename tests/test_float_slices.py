"""Float pictures with two values in a slice, which FFmpeg alone would lose."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.media.ffv1 import read_ffv1, write_segment
from lamina.media.float_slices import with_a_third_value


def back(folder, frame: np.ndarray) -> np.ndarray:
    write_segment(folder / "a.mkv", [frame, frame], (0, 1), Fraction(1, 24))
    return np.stack(list(read_ffv1(folder / "a.mkv")))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    values=st.lists(st.sampled_from([0.0, -0.0, 1.0, 0.5, 0.5000001, -3.0, 70.0]), min_size=1, max_size=3),
    size=st.tuples(st.integers(4, 90), st.integers(4, 90)),
    channels=st.sampled_from([3, 4]),
    seed=st.integers(0, 9),
)
def test_pictures_of_few_values_come_back(tmp_path, values, size, channels, seed):
    chosen = np.random.default_rng(seed).integers(0, len(values), (*size, channels))
    frame = np.array(values, np.float32)[chosen]
    np.testing.assert_allclose(back(tmp_path, frame), [frame, frame], rtol=2**-22, atol=1e-44)


@pytest.mark.parametrize("size", [(64, 96), (66, 70), (17, 33), (720, 405)])
def test_an_alpha_of_0_and_1_is_equal(tmp_path, size):
    frame = np.random.default_rng(0).random((*size, 4)).astype(np.float32)
    frame[..., 3] = 0
    frame[size[0] // 4 : size[0] // 2, size[1] // 3 : size[1] // 2, 3] = 1
    assert np.array_equal(back(tmp_path, frame), [frame, frame])


def test_other_pictures_are_not_touched():
    noise = np.random.default_rng(0).random((70, 80, 3)).astype(np.float32)
    flat = np.full((70, 80, 3), 0.25, np.float32)
    assert with_a_third_value(noise, 4) is noise and with_a_third_value(flat, 4) is flat
    two = flat.copy()
    two[:8, :8] = np.inf
    changed = with_a_third_value(two, 4) != two
    assert changed.sum() == 3 and np.isinf(with_a_third_value(two, 4)[:8, :8]).all()  # one pixel in each channel
