"""Masks and trimasks as the published loader makes them, against slow twins; what networks are told of them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lamina.area import resized_by_area
from lamina.backbones.mask_latents import merged_in_time, stacked_in_time
from lamina.backbones.specs import COG_GEOMETRY, WAN_GEOMETRY
from lamina.masks.binary import grow_square
from lamina.masks.published import painted_trimask, published_trimask
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN, model_levels, published_levels


@given(hnp.arrays(np.uint8, (1, 7, 5)), st.integers(1, 9), st.integers(1, 9))
def test_area_is_plain_means(mask: np.ndarray, height: int, width: int):
    found = resized_by_area(mask[..., None], (height, width))[0, ..., 0]
    for i in range(height):
        for j in range(width):
            rows = slice(i * 7 // height, -(-(i + 1) * 7 // height))
            columns = slice(j * 5 // width, -(-(j + 1) * 5 // width))
            assert found[i, j] == pytest.approx(mask[0, rows, columns].mean(), abs=1e-3)


@given(hnp.arrays(bool, (2, 6, 7)), st.sampled_from([1, 3, 5]))
def test_squares_grow(mask: np.ndarray, side: int):
    r, wanted = side // 2, np.zeros_like(mask)
    for t, y, x in np.argwhere(mask):
        wanted[t, max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1] = True
    np.testing.assert_array_equal(grow_square(mask, side), wanted)


def test_a_square_of_no_pixels():
    with pytest.raises(ValueError, match="side_px must be at least 1, got 0"):
        grow_square(np.zeros((2, 2), bool), 0)


@given(hnp.arrays(np.uint8, (1, 4, 4), elements=st.sampled_from([0, 239, 240, 255])), st.integers(0, 1))
def test_composition(mask: np.ndarray, kept: int):
    other = mask[:, ::-1]
    found = published_trimask([mask, other], [kept], (4, 4), 0)
    removed, keep = (other, mask) if kept == 0 else (mask, other)
    wanted = np.where(removed >= 240, REMOVE, np.where(keep >= 240, KEEP, UNKNOWN))
    np.testing.assert_array_equal(found, wanted)


def test_painted_levels_and_their_bounds():
    painted = np.array([[[0, 63, 64, 128, 192, 193, 255]]], np.uint8)
    wanted = [REMOVE, REMOVE, UNKNOWN, UNKNOWN, UNKNOWN, KEEP, KEEP]
    assert painted_trimask(painted, (1, 7))[0, 0].tolist() == wanted


def test_numbers_that_models_see():
    trimask = np.array([[[REMOVE, UNKNOWN, KEEP]]], np.uint8)
    np.testing.assert_allclose(model_levels(trimask)[0, 0], [0, 128 / 255, 1], atol=1e-7)
    assert published_levels(trimask)[0, 0].tolist() == [255, 127, 0]


@given(st.integers(0, 10**6))
def test_what_a_latent_is_told(seed: int):
    """The middle 2x2 of its 8x8 pixels; of its four frames the middle two, or each in a channel of its own."""
    trimask = np.random.default_rng(seed).choice([KEEP, UNKNOWN, REMOVE], (9, 16, 24)).astype(np.uint8)
    levels = 1 - published_levels(trimask) / 255
    blocks = levels.reshape(9, 2, 8, 3, 8)[:, :, 3:5, :, 3:5].mean((2, 4))
    merged = merged_in_time([trimask], COG_GEOMETRY)[0, 0]
    stacked = stacked_in_time([trimask], WAN_GEOMETRY)[0]
    np.testing.assert_allclose(merged[0], blocks[0], atol=1e-6)
    for latent in (1, 2):
        np.testing.assert_allclose(merged[latent], blocks[4 * latent - 2 : 4 * latent].mean(0), atol=1e-6)
        np.testing.assert_allclose(stacked[:, latent], blocks[4 * latent - 3 : 4 * latent + 1], atol=1e-6)
    np.testing.assert_allclose(stacked[:, 0], np.stack([blocks[0]] * 4), atol=1e-6)


def test_one_frame_is_one_latent():
    trimask = np.full((1, 16, 16), REMOVE, np.uint8)
    assert merged_in_time([trimask] * 2, COG_GEOMETRY).shape == (2, 1, 1, 2, 2)
    assert torch.equal(stacked_in_time([trimask], WAN_GEOMETRY), torch.zeros(1, 4, 1, 2, 2))
