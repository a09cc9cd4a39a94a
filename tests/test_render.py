"""Laying looked-up background into the picture, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_frames import look, small
from toy_scenes import texture

from lamina.levels import to_levels
from lamina.motion.anchor import View, view_weights
from lamina.motion.exposure import NEUTRAL
from lamina.removal.render import (
    Backdrop,
    at_source,
    box_at_source,
    change_weight,
    gather,
    lay_in,
    meet_surroundings,
    relight,
)

KINDS = {"uint8": 255, "uint16": 65535, "float32": 1}


def any_frame(dtype: str, size: tuple[int, int] = (20, 16)) -> np.ndarray:
    values = np.random.default_rng(1).random((size[1], size[0], 3)) * KINDS[dtype]
    values[0, 0] = KINDS[dtype]
    if dtype == "float32":
        values[1, 1] = (-0.25, 3.7, 1e-9)
    return values.astype(dtype)


# ------------------------------------------------------------------------------------------------------------- lay_in


@pytest.mark.parametrize("dtype", KINDS)
def test_pixels_of_no_weight_are_the_frame_s_own(dtype: str, assert_same_pixels):
    frame = any_frame(dtype)
    before = frame.copy()
    weight = np.zeros((10, 12), np.float32)
    weight[3:6, 4:8] = 1
    weight[7, 7] = 0.5
    plate = lay_in(frame, Backdrop((2, 3, 14, 13), np.full((10, 12, 3), 0.5, np.float32)), weight)
    touched = np.zeros((16, 20), bool)
    touched[3:13, 2:14] = weight > 0
    assert plate.dtype == frame.dtype
    assert_same_pixels(plate[~touched], before[~touched])
    assert_same_pixels(frame, before)
    assert to_levels(plate)[6:9, 6:10] == pytest.approx(np.full((3, 4, 3), 0.5), abs=0.51 / 255)
    half = (to_levels(before)[10, 9] + 0.5) / 2
    assert to_levels(plate)[10, 9] == pytest.approx(half, abs=0.51 / 255)


@pytest.mark.parametrize("dtype", KINDS)
def test_no_weight_anywhere_is_the_frame_bit_for_bit(dtype: str, assert_same_pixels):
    frame = any_frame(dtype)
    backdrop = Backdrop((0, 0, 20, 16), np.full((16, 20, 3), np.nan, np.float32))
    with np.errstate(invalid="ignore"):
        assert_same_pixels(lay_in(frame, backdrop, np.zeros((16, 20), np.float32)), frame)


# --------------------------------------------------------------------------------------------------------- the boxes


@given(st.data())
def test_the_box_holds_the_area_and_stays_in_the_picture(data: st.DataObject):
    width, height = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    scale = data.draw(st.floats(1, 5))
    source = max(1, round(width * scale)), max(1, round(height * scale))
    area = np.zeros((height, width), bool)
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    area[y, x] = True
    box = box_at_source(area, data.draw(st.integers(0, 8)), source)
    assert box is not None
    left, top, right, bottom = box
    assert 0 <= left <= x * source[0] / width and (x + 1) * source[0] / width <= right + 1e-6 <= source[0] + 1
    assert 0 <= top <= y * source[1] / height and (y + 1) * source[1] / height <= bottom + 1e-6 <= source[1] + 1
    assert right <= source[0] and bottom <= source[1]


def test_no_area_no_box():
    assert box_at_source(np.zeros((4, 5), bool), 3, (50, 40)) is None


def test_at_source_of_the_same_size_is_a_part():
    values = np.random.default_rng(2).random((12, 16), np.float32)
    np.testing.assert_array_equal(at_source(values, (3, 2, 9, 8), (16, 12)), values[2:8, 3:9])


def test_at_source_enlarges_without_a_shift():
    """A slope stays the same slope: values depend on the place in the picture alone."""
    small_x = (np.arange(16) + 0.5) / 16
    slope = np.repeat(small_x[None].astype(np.float32), 12, 0)
    wide = at_source(slope, (8, 4, 40, 30), (48, 36))
    assert wide.shape == (26, 32)
    inner = (np.arange(8, 40) + 0.5) / 48
    np.testing.assert_allclose(wide[5], inner, atol=1e-3)


def test_at_source_of_a_box_is_a_part_of_the_whole():
    values = np.random.default_rng(3).random((12, 16, 3), np.float32)
    whole = at_source(values, (0, 0, 41, 31), (41, 31))
    np.testing.assert_allclose(at_source(values, (7, 5, 30, 28), (41, 31)), whole[5:28, 7:30], atol=1e-6)


# ------------------------------------------------------------------------------------------------------------ looking


def test_gather_averages_full_size_frames_that_agree():
    ground = texture((40, 30))
    noise = np.random.default_rng(4).normal(0, 1, (6, 30, 40, 3))
    frames = [np.rint((ground * 255 + n).clip(0, 255)).astype(np.uint8) for n in noise]
    frames.append(np.full((30, 40, 3), 250, np.uint8))  # something stood before the lens
    views = [View(to_levels(f), np.full((30, 40), 255, np.uint8), 1 + i) for i, f in enumerate(frames)]
    backdrop = gather(
        ground, view_weights(views, ground), [(f, NEUTRAL) for f in frames], [None] * 7, (4, 5, 34, 25), (40, 30)
    )
    assert backdrop.box == (4, 5, 34, 25) and backdrop.rgb.shape == (20, 30, 3)
    assert np.abs(backdrop.rgb - ground[5:25, 4:34]).mean() < 0.5 / 255


def test_gather_takes_the_look_where_no_view_has_weight():
    ground = texture((40, 30))
    frame = np.full((30, 40, 3), 250, np.uint8)
    view = View(to_levels(frame), np.zeros((30, 40), np.uint8), 1)
    backdrop = gather(ground, view_weights([view], ground), [(frame, NEUTRAL)], [None], (0, 0, 40, 30), (40, 30))
    np.testing.assert_allclose(backdrop.rgb, ground, atol=1e-5)


def test_a_shadow_is_lifted_where_its_ground_was_never_seen():
    ground = texture((80, 60))
    effect = np.zeros((60, 80), bool)
    effect[20:40, 20:60] = True
    trusted = np.ones((60, 80), bool)
    trusted[20:40, 45:60] = False
    shaded = np.where(effect[..., None], ground * 0.6, ground)
    seen = look(np.where(trusted[..., None], ground, 0), trusted=trusted)
    lifted = relight(small(shaded), seen, effect)
    assert lifted is not None
    factor, share = lifted
    lit = (shaded + 0.02) * np.exp(factor) - 0.02
    inside = np.s_[24:36, 48:56]
    assert np.abs(lit - ground)[inside].mean() < 0.03 < np.abs(shaded - ground)[inside].mean()
    assert share[inside].min() > 0.9 and share[:15].max() < 0.01
    assert relight(small(shaded), look(ground), effect) is None


def test_the_background_is_shifted_to_meet_the_picture_around_it():
    """Exposure that differs from left to right is carried into the hole."""
    ground = texture((80, 60))
    slope = np.linspace(-0.02, 0.02, 80, dtype=np.float32)[None, :, None]
    changed = np.zeros((60, 80), bool)
    changed[20:40, 30:50] = True
    shift = meet_surroundings(small(ground + slope), look(ground), changed)
    assert np.abs(shift - slope)[changed].max() < 0.006


# ------------------------------------------------------------------------------------------------------------- weight


def test_what_of_the_picture_is_replaced():
    ground = np.full((60, 80, 3), 0.5, np.float32)
    frame, mask = ground.copy(), np.zeros((60, 80), np.uint8)
    mask[25:35, 30:40] = 255
    effect = np.zeros((60, 80), np.float32)
    effect[35:55, 20:60] = 1
    frame[36:50, 25:50] = 0.4  # the shadow
    frame[5:15, 60:75] = 0.4  # as strong, but nobody's
    weight = change_weight(frame, ground, mask, effect, 80)
    assert (weight[mask > 127] == 1).all()
    assert weight[40:46, 30:45].min() > 0.99
    assert not weight[5:15, 60:75].any(), "outside mask and effect nothing is replaced"
    assert not weight[52:54, 25:55].any(), "in the effect, what does not differ is kept"
