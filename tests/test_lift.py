"""Small plates and solos at the clip's size: its own pixels where nothing changed, its detail where only light did."""

import cv2
import numpy as np
import pytest
from toy_scenes import psnr, texture

from lamina.layers.lift import Place, enlarged, lift_plate, lift_solo

SIZE = (128, 96)
SHADOW = np.s_[50:80, 30:90]


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
