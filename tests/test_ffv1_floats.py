"""Float pictures of few values, which one of FFmpeg's coders loses: every bit comes back."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.media.ffv1 import read_ffv1, write_segment


def back(folder, frame: np.ndarray) -> np.ndarray:
    write_segment(folder / "a.mkv", [frame, frame], (0, 1), Fraction(1, 24))
    return np.stack(list(read_ffv1(folder / "a.mkv")))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    values=st.lists(st.sampled_from([0.0, -0.0, 1.0, 0.5, 0.5000001, -3.0, 70.0]), min_size=1, max_size=3),
    size=st.tuples(st.integers(4, 90), st.integers(4, 90)),
    channels=st.sampled_from([3, 4]),
    seed=st.integers(0, 9),
)
def test_pictures_of_few_values_come_back(tmp_path, values, size, channels, seed):
    chosen = np.random.default_rng(seed).integers(0, len(values), (*size, channels))
    frame = np.array(values, np.float32)[chosen]
    np.testing.assert_array_equal(back(tmp_path, frame), [frame, frame])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(["one", "two", "many"]), min_size=3, max_size=4),
    size=st.tuples(st.integers(16, 120), st.integers(16, 160)),
    seed=st.integers(0, 9),
)
def test_channels_of_all_kinds_come_back(tmp_path, kinds, size, seed):
    """A shadow on one colour only, a matte of 0 and 1 beside a picture, and the like, in a part of the picture."""
    chance = np.random.default_rng(seed)
    frame = np.full((*size, len(kinds)), 1, np.float32)
    here = np.s_[size[0] // 5 : size[0] // 2, size[1] // 6 : size[1] // 2]
    for channel, kind in enumerate(kinds):
        if kind != "one":
            some = chance.random(frame[..., channel][here].shape).astype(np.float32)
            frame[..., channel][here] = some if kind == "many" else np.round(some)
    np.testing.assert_array_equal(back(tmp_path, frame), [frame, frame])


@pytest.mark.parametrize("size", [(64, 96), (66, 70), (17, 33), (720, 405)])
def test_an_alpha_of_0_and_1_is_equal(tmp_path, size):
    frame = np.random.default_rng(0).random((*size, 4)).astype(np.float32)
    frame[..., 3] = 0
    frame[size[0] // 4 : size[0] // 2, size[1] // 3 : size[1] // 2, 3] = 1
    np.testing.assert_array_equal(back(tmp_path, frame), [frame, frame])
