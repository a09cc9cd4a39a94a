"""Small plates and solos at the clip's size: its own pixels where nothing changed, its detail where only light did."""

import cv2
import numpy as np
import pytest
from toy_scenes import psnr, texture

from lamina.layers.lift import (
    BARE_LEAST,
    DARKEST,
    FLAT,
    GAIN_LEAST,
    GAIN_MOST,
    Place,
    _lines,
    enlarged,
    lift_plate,
    lift_solo,
    relit,
)

SIZE = (128, 96)
SHADOW = np.s_[50:80, 30:90]
NONE = np.zeros(SIZE[::-1], bool)


def scene():
    """Ground, picture with a shadow and a box, and the box's place; its influence has soft borders."""
    ground = texture(SIZE, seed=2)
    shade, mask = np.zeros(SIZE[::-1], np.float32), np.zeros(SIZE[::-1], bool)
    shade[SHADOW] = 0.4
    shade = cv2.GaussianBlur(shade, (0, 0), 1.5)
    mask[20:50, 40:70] = True
    picture = np.where(mask[..., None], np.float32([0.9, 0.2, 0.1]), ground * (1 - shade[..., None]))
    influence = np.clip(cv2.GaussianBlur(((shade > 0.002) | mask).astype(np.float32), (0, 0), 1) * 4, 0, 1)
    return (
        ground,
        picture.astype(np.float32),
        Place(influence, cv2.dilate(mask.astype(np.uint8), np.ones((7, 7))) > 0, mask),
    )


def small(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (SIZE[0] // 2, SIZE[1] // 2), interpolation=cv2.INTER_AREA)


def test_without_influence_the_plate_is_the_frame_to_the_bit():
    ground, picture, place = scene()
    lifted = lift_plate(small(ground), picture, [place])
    np.testing.assert_array_equal(lifted[place.influence == 0], picture[place.influence == 0])


def test_in_a_shadow_the_plate_has_the_grounds_detail():
    ground, picture, place = scene()
    lifted, soft = lift_plate(small(ground), picture, [place]), enlarged(small(ground), SIZE)
    inner = np.s_[56:76, 36:84]
    assert psnr(lifted[inner], ground[inner]) > psnr(soft[inner], ground[inner]) + 8


def test_under_the_object_the_plate_is_the_models():
    ground, picture, place = scene()
    lifted, soft = lift_plate(small(ground), picture, [place]), enlarged(small(ground), SIZE)
    np.testing.assert_allclose(lifted[place.surely], soft[place.surely], atol=1e-6)


def test_a_plate_of_the_clips_size_is_taken_as_it_is_where_something_changed():
    ground, picture, place = scene()
    lifted = lift_plate(ground, picture, [place])
    np.testing.assert_array_equal(lifted[place.influence == 1], ground[place.influence == 1])


def test_a_lone_objects_solo_is_the_frame():
    ground, picture, place = scene()
    lifted = lift_solo(small(picture), picture, ground, place, [], [])
    np.testing.assert_array_equal(lifted[place.influence == 1], picture[place.influence == 1])
    np.testing.assert_array_equal(lifted[place.influence == 0], ground[place.influence == 0])


@pytest.mark.parametrize("in_front", [False, True])
def test_where_another_object_meddles_the_given_solo_is_taken(in_front: bool):
    """On the object's own pixels only what is in front of it meddles."""
    ground, picture, place = scene()
    everywhere = Place(np.ones(SIZE[::-1], np.float32), place.maybe, place.surely)
    solo = np.full_like(picture, 0.5)
    lifted = lift_solo(solo, picture, ground, place, [everywhere], [everywhere] if in_front else [])
    wanted = solo if in_front else picture
    np.testing.assert_array_equal(lifted[place.surely], wanted[place.surely])
    effect = (place.influence == 1) & ~place.maybe
    np.testing.assert_array_equal(lifted[effect], solo[effect])


def sharp_shadow(times: int) -> tuple[np.ndarray, np.ndarray]:
    """Ground of soft texture, and the same under a shadow whose edge is as sharp as pixels are."""
    ground = 0.4 + 0.2 * cv2.GaussianBlur(texture(SIZE, seed=4), (0, 0), 2 * times)
    shade = np.ones(SIZE[::-1], np.float32)
    shade[27:71, 33:95] = 0.5
    return ground, ground * shade[..., None]


@pytest.mark.parametrize("times", [2, 4])
def test_the_edge_of_a_shadow_stays_out_of_the_plate_however_sharp_it_is(times: int):
    """Carried over as if it were detail it would be a bright and a dark line."""
    ground, picture = sharp_shadow(times)
    lifted = relit(
        cv2.resize(ground, (SIZE[0] // times, SIZE[1] // times), interpolation=cv2.INTER_AREA), picture, NONE
    )
    assert np.abs(lifted - ground).max() < 0.1 * np.abs(picture - ground).max()


def test_grain_stays_where_a_shadow_was_and_grows_as_its_light_does():
    ground, _ = sharp_shadow(2)
    grain = np.random.default_rng(5).normal(0, 2 / 255, ground.shape).astype(np.float32)
    lifted = relit(small(ground), ground / 2 + grain, NONE)
    assert 1.4 < (lifted - relit(small(ground), ground / 2, NONE))[8:-8, 8:-8].std() / grain.std() < 2.2


def test_lines_are_weighted_least_squares_pulled_to_the_slope_of_light():
    """Slow and obvious: for each pixel the sums over its neighbours, mirrored at the border."""
    rng = np.random.default_rng(6)
    frame, picture = rng.random((6, 8, 3), np.float32), rng.random((6, 8, 3), np.float32)
    covered = np.zeros((6, 8), bool)
    covered[2:4, 3:6] = True
    slope, offset = _lines(picture, frame, covered)

    def near(values: np.ndarray, y: int, x: int) -> np.ndarray:
        padded = np.pad(values, [(1, 1), (1, 1), (0, 0)], mode="reflect")
        return padded[y : y + 3, x : x + 3].reshape(9, -1).astype(np.float64)

    weight = ((1 - covered[..., None].astype(np.float64)) ** 2) + BARE_LEAST
    slopes, offsets = np.zeros((6, 8, 3)), np.zeros((6, 8, 3))
    for y in range(6):
        for x in range(8):
            share = near(weight, y, x) / near(weight, y, x).sum()
            given, wanted = near(frame, y, x), near(picture, y, x)
            level, mean = (share * given).sum(0), (share * wanted).sum(0)
            light = np.clip((mean + DARKEST) / (level + DARKEST), GAIN_LEAST, GAIN_MOST)
            variance = (share * (given - level) ** 2).sum(0)
            together = (share * (given - level) * (wanted - mean)).sum(0)
            slopes[y, x] = np.clip((together + FLAT * light) / (variance + FLAT), 0, GAIN_MOST)
            offsets[y, x] = mean - slopes[y, x] * level
    for y in range(6):
        for x in range(8):
            np.testing.assert_allclose(slope[y, x], near(slopes, y, x).mean(0), atol=2e-3)
            np.testing.assert_allclose(offset[y, x], near(offsets, y, x).mean(0), atol=2e-3)
