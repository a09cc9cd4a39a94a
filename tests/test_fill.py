"""What no frame shows is continued from what is seen, steadily, and nothing else is touched."""

import cv2
import numpy as np
import pytest

from lamina.removal.fill import complete
from lamina.smooth import push_pull

SIZE = (96, 128)
HOLE = np.s_[30:66, 45:85]


def hole(shape=SIZE, place=HOLE):
    mask = np.zeros(shape, bool)
    mask[place] = True
    return mask


def emptied(picture, unseen):
    """What lies in the hole must not matter: it is bright red."""
    return np.where(unseen[..., None], np.float32([1, 0, 0]), picture)


def weave(shape=SIZE, period_px=8):
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) * np.float32(2 * np.pi / period_px)
    return np.stack([0.5 + 0.3 * np.sin(x) * np.sin(y), 0.5 + 0.2 * np.sin(x), 0.4 + 0.2 * np.cos(y)], -1)


def boards(shape=SIZE):
    """A floor below a wall, whose edge leads through the hole on a slope."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    wall = (0.5 - (y - shape[0] / 2 - 0.1 * (x - shape[1] / 2))).clip(0, 1)
    grain = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 0.05, shape).astype(np.float32), (0, 0), 1)
    return (wall[..., None] * np.float32([0.5, 0.4, 0.3]) + np.float32(0.3) + grain[..., None]).astype(np.float32)


def leaves(shape=SIZE, seed=0):
    noise = np.random.default_rng(seed).normal(0, 1, (*shape, 3)).astype(np.float32)
    return (0.5 + 0.6 * cv2.GaussianBlur(noise, (0, 0), 1.5)).clip(0, 1)


def psnr(found, wanted, where):
    return -10 * np.log10(np.square(found - wanted)[where].mean())


def smooth(picture, unseen):
    return np.where(unseen[..., None], push_pull(emptied(picture, unseen), (~unseen).astype(np.float32)), picture)


def test_a_weave_is_continued():
    picture, unseen = weave(), hole()
    found = psnr(complete(emptied(picture, unseen), unseen), picture, unseen)
    assert found > 28 > psnr(smooth(picture, unseen), picture, unseen) + 8


def test_an_edge_is_continued_straight():
    picture, unseen = boards(), hole()
    found = complete(emptied(picture, unseen), unseen)[..., 0]
    heights = (found[20:76, 45:85] > 0.55).sum(0) + 20
    wanted = SIZE[0] / 2 + 0.1 * (np.arange(45, 85) - SIZE[1] / 2)
    assert np.abs(heights - wanted).max() <= 3
    assert np.abs(np.diff(found[:, 45:85], axis=0)).max(0).min() > 0.12, "the edge stays sharp across the hole"


def test_texture_is_neither_blurred_nor_invented():
    picture, unseen = leaves(), hole()
    found = complete(emptied(picture, unseen), unseen)
    contrast = cv2.Laplacian(found, cv2.CV_32F)[unseen].std() / cv2.Laplacian(picture, cv2.CV_32F)[unseen].std()
    assert 0.6 < contrast < 1.3
    assert np.abs(found[unseen].mean(0) - picture[~unseen].mean(0)).max() < 0.06


def test_only_the_unseen_is_changed_and_what_it_held_does_not_matter():
    picture, unseen = leaves(), hole()
    first = complete(emptied(picture, unseen), unseen)
    np.testing.assert_array_equal(first[~unseen], picture[~unseen])
    np.testing.assert_array_equal(first, complete(picture, unseen))


def test_nothing_unseen_changes_nothing():
    np.testing.assert_array_equal(complete(weave(), np.zeros(SIZE, bool)), weave())


def test_nothing_is_copied_from_what_is_to_be_avoided():
    picture, unseen = leaves() * np.float32([0.2, 1, 1]), hole()
    red = hole(place=np.s_[20:76, 85:110])
    picture[red] = [1, 0.1, 0.1]
    found = complete(emptied(picture, unseen), unseen, avoid=red)
    assert found[unseen][:, 0].max() < 0.3
    np.testing.assert_array_equal(found[red], picture[red])
    assert complete(emptied(picture, unseen), unseen)[unseen][:, 0].max() > 0.6, "without it the red is continued"


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 3), (17, 31), (63, 41)])
def test_odd_and_tiny_pictures(shape):
    picture, unseen = weave(shape), np.zeros(shape, bool)
    unseen[shape[0] // 2, shape[1] // 2] = True
    found = complete(emptied(picture, unseen), unseen)
    assert found.shape == picture.shape and np.isfinite(found).all()


def test_a_thin_hole_and_one_at_the_border():
    picture = weave()
    for place in (np.s_[48:50, :], np.s_[60:, 90:], np.s_[:, :12]):
        unseen = hole(place=place)
        assert psnr(complete(emptied(picture, unseen), unseen), picture, unseen) > 22


@pytest.mark.parametrize("place", [np.s_[:, :], np.s_[:, 40:], np.s_[3:, :]])
def test_too_much_missing_is_filled_smoothly(place):
    picture, unseen = leaves(), hole(place=place)
    np.testing.assert_array_equal(
        complete(picture, unseen), smooth(picture, unseen) if not unseen.all() else 0 * picture
    )


def test_a_guess_keeps_the_filling_steady():
    picture, unseen = leaves(), hole()
    rng = np.random.default_rng(1)
    first, second = (picture + rng.normal(0, 1.5 / 255, picture.shape).astype(np.float32) for _ in range(2))
    before = complete(first, unseen)
    found = complete(second + np.float32(6 / 255), unseen, guess=before)
    difference = (found - np.float32(6 / 255) - before)[unseen] * 255
    assert np.abs(difference).mean() < 1
    np.testing.assert_array_equal(found[~unseen], (second + np.float32(6 / 255))[~unseen])


def test_a_guess_of_another_place_is_dropped():
    picture, unseen = weave(), hole()
    plain = complete(picture, unseen)
    np.testing.assert_array_equal(complete(picture, unseen, guess=leaves()), plain)
