"""Shadow and light of a change, stored and put together again; and grain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lamina.layers.grain import with_grain
from lamina.layers.split import shade
from lamina.levels import WHITE, to_levels

LEVELS = arrays(np.uint8, (3, 4, 3))


@given(LEVELS, LEVELS, st.sampled_from(["uint8", "uint16", "float32"]))
def test_shadow_and_light_make_the_ground(ground, below, kind):
    ground, below = to_levels(ground), to_levels(below)
    parts = shade(ground, below, np.dtype(kind))
    assert parts.shadow.dtype == parts.light.dtype == np.dtype(kind)
    step = 1e-6 if kind == "float32" else 1 / WHITE[kind]
    np.testing.assert_allclose(parts.on(below), ground, atol=step)


@given(LEVELS, LEVELS)
def test_a_channel_is_darkened_or_lightened_but_not_both(ground, below):
    parts = shade(to_levels(ground), to_levels(below), np.dtype("uint8"))
    assert parts.shadow.max() <= 255 and ((parts.shadow == 255) | (parts.light == 0)).all()


def test_light_may_be_brighter_than_white_in_float_pictures():
    parts = shade(np.full((1, 1, 3), 7.5, np.float32), np.full((1, 1, 3), 0.5, np.float32), np.dtype("float32"))
    assert parts.light.max() == 7.0 and parts.shadow.min() == 1.0


def test_no_change_is_white_and_black():
    same = np.full((2, 2, 3), 0.25, np.float32)
    parts = shade(same, same, np.dtype("uint8"))
    assert (parts.shadow == 255).all() and (parts.light == 0).all()


@pytest.fixture
def grainy():
    chance = np.random.default_rng(3)
    plate = np.full((40, 60, 3), 120, np.uint8)
    frame = (120 + np.rint(chance.normal(0, 2, plate.shape))).astype(np.uint8)
    layer = np.zeros((40, 60, 4), np.uint8)
    layer[:, 30:, 3] = 80
    return plate, frame, layer


def test_bare_ground_has_the_frames_grain(grainy):
    plate, frame, layer = grainy
    found = with_grain(plate, frame, [layer])
    assert (found[:, :30] == frame[:, :30]).mean() > 0.99
    np.testing.assert_array_equal(found[:, 30:], plate[:, 30:])


def test_what_is_no_grain_stays_out_of_the_plate(grainy):
    plate, frame, layer = grainy
    frame[5:15, 5:15] = 30  # an object that no layer has
    found = with_grain(plate, frame, [layer])
    np.testing.assert_array_equal(found[5:15, 5:15], plate[5:15, 5:15])
