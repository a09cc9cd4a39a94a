"""What little motion an alignment leaves."""

import cv2
import numpy as np
import pytest
from toy_scenes import texture

from lamina.motion.flow import LIMIT_PX, leftover_motion, moved

SIZE = (120, 90)


def shifted(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    return cv2.warpAffine(picture, np.array([[1, 0, x], [0, 1, y]], np.float64), SIZE, borderMode=cv2.BORDER_REPLICATE)


def test_a_small_shift_is_found_and_undone():
    ground = texture(SIZE, seed=4)
    other = shifted(ground, 1.5, -1.0)
    flow = leftover_motion(ground, other)
    inner = np.s_[15:-15, 15:-15]
    assert np.median(np.abs(flow[inner] - (1.5, -1.0))) < 0.25
    assert np.abs(moved(other, flow) - ground)[inner].mean() < 0.4 * np.abs(other - ground)[inner].mean()


def test_a_shadow_does_not_move():
    ground = texture(SIZE, seed=4)
    shaded = ground.copy()
    shaded[30:60, 40:80] *= 0.7
    flow = leftover_motion(shaded, ground)
    assert np.quantile(np.abs(flow), 0.9) < 0.8
    assert np.abs(moved(ground, flow) - shaded)[36:54, 46:74].mean() > 0.1


def test_motion_is_limited():
    ground = texture(SIZE, seed=4)
    assert np.abs(leftover_motion(ground, shifted(ground, 14, 0))).max() <= LIMIT_PX


def test_no_motion_fetches_the_picture_itself(assert_same_pixels):
    ground = texture(SIZE)
    assert_same_pixels(moved(ground, np.zeros((*SIZE[::-1], 2), np.float32)), ground)


@pytest.mark.parametrize("size", [(1, 1), (15, 200), (16, 500), (21, 19), (31, 31), (32, 32), (33, 416)])
def test_small_pictures_are_no_trouble(size: tuple[int, int]):
    picture = np.random.default_rng(1).random((*size, 3), np.float32)
    flow = leftover_motion(picture, picture)
    assert flow.shape == (*size, 2) and np.isfinite(flow).all()
