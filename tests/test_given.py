"""What is shown of looked-up background beside a model's answer."""

import cv2
import numpy as np
from toy_scenes import texture

from lamina.layers.given import ALIKE, OTHER, _known
from lamina.levels import from_levels, to_levels
from lamina.motion.coordinates import resize_area

SIZE, SMALL = (128, 96), (64, 48)


def looked_up() -> np.ndarray:
    return from_levels(texture(SIZE), np.dtype(np.uint8))


def answer_of(plate: np.ndarray) -> np.ndarray:
    return resize_area(to_levels(plate), SMALL)


def test_what_was_truly_seen_is_shown_whatever_the_model_says():
    plate, seen = looked_up(), np.zeros(SMALL[::-1], np.uint8)
    seen[10:30, 10:40] = 255
    known = _known(plate, seen, answer_of(plate) + np.float32(0.3))
    assert (known.share[30:50, 30:70] == 1).all() and not known.share[:, 90:].any()
    np.testing.assert_array_equal(known.picture, to_levels(plate))


def test_where_the_model_says_the_same_the_looked_up_pixels_are_shown():
    plate, nowhere = looked_up(), np.zeros(SMALL[::-1], np.uint8)
    answer = answer_of(plate)
    assert _known(plate, nowhere, answer + ALIKE * np.float32(0.9)).share.min() > 0.999
    assert not _known(plate, nowhere, answer + np.float32(1.1) * OTHER).share.any()


def test_a_shadow_that_the_model_has_taken_away_stays_away():
    plate, nowhere = looked_up(), np.zeros(SMALL[::-1], np.uint8)
    answer = answer_of(plate)
    answer[20:30, 20:40] += 0.2
    share = _known(plate, nowhere, answer).share
    shadow = np.zeros(SMALL[::-1], np.uint8)
    shadow[20:30, 20:40] = 1
    beside = cv2.dilate(cv2.resize(shadow, SIZE, interpolation=cv2.INTER_NEAREST), np.ones((9, 9)))
    assert not share[40:60, 40:80].any() and share[beside == 0].min() > 0.999
