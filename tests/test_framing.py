"""How clips lie in a model's pictures."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lamina.area import resized_by_area
from lamina.removal.framing import fitting, fitting_area, squeezing

SIZES = st.tuples(st.integers(1, 4000), st.integers(1, 4000))


@given(SIZES, st.sampled_from([(384, 672), (480, 832), (64, 64)]))
def test_the_shape_is_kept_and_the_grid_is_met(source: tuple[int, int], like: tuple[int, int]):
    framing = fitting_area(source, like, 16)
    height, width = framing.picture
    assert all(side % 16 == 0 for side in framing.size)
    assert framing.size[0] * framing.size[1] <= like[0] * like[1]
    assert framing.size[0] - height < 16 and framing.size[1] - width < 16
    if min(height, width) > 1:  # to within half a pixel each way
        assert abs(height * source[1] - width * source[0]) <= 0.51 * sum(source)


@given(st.integers(64, 2160), st.integers(64, 2160))
def test_most_of_the_pixels_are_used(height: int, width: int):
    if 0.3 < height / width < 3:
        picture = fitting_area((height, width), (384, 672), 16).picture
        assert picture[0] * picture[1] > 0.85 * 384 * 672


def test_a_size_that_was_asked_for_is_a_box():
    assert fitting((1920, 1080), (480, 832), 16).picture == (480, 270)
    assert fitting((1920, 1080), (480, 832), 16).size == (480, 272)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_there_and_back(dtype: str):
    frame = (np.arange(20 * 30 * 3).reshape(20, 30, 3) % 200).astype(dtype)
    framing = fitting((20, 30), (20, 30), 16)
    small = framing.small(frame)
    assert small.dtype == np.float32 and framing.padded(small).shape == (32, 32, 3)
    np.testing.assert_array_equal(framing.cut(framing.padded(small)), small)


def test_squeezing_is_the_published_loaders():
    frame = torch.randint(0, 256, (30, 50, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)).numpy()
    framing = squeezing((32, 48), 16)
    wanted = resized_by_area(frame[None], (32, 48))[0] / np.float32(255)
    np.testing.assert_array_equal(framing.small(frame), wanted)
    assert framing.size == framing.picture == (32, 48)
