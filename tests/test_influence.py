"""Where an object changes the picture: found beyond noise, and nowhere else."""

import numpy as np
import pytest
from toy_scenes import texture

from lamina.layers.influence import find_influence, measure_change, shared_out

SIZE = (160, 96)


def changes(shadow: float, noise: float, frames: int = 3):
    """A shadow in the middle of noisy frames, and the plate without noise."""
    ground, chance = texture(SIZE), np.random.default_rng(4)
    made = []
    for _ in range(frames):
        picture = ground.copy()
        picture[30:60, 50:90] *= 1 - shadow
        made.append(measure_change((picture + chance.normal(0, noise, ground.shape)).astype(np.float32), ground))
    return made


def empty() -> np.ndarray:
    return np.zeros(SIZE[::-1], np.uint8)


@pytest.mark.parametrize("noise", [0.0, 0.004, 0.012])
def test_a_shadow_is_found_and_noise_is_not(noise: float):
    before, here, after = changes(0.15, noise)
    found = find_influence(before, here, after, empty(), 2)
    assert (found[34:56, 54:86] == 255).mean() > 0.98
    outside = np.ones(SIZE[::-1], bool)
    outside[24:66, 44:96] = False
    assert (found[outside] > 0).mean() < 0.01


def test_what_nobody_sees_is_none():
    _, here, _ = changes(0.002, 0.0)
    assert not find_influence(None, here, None, empty(), 2).any()


def test_a_change_of_one_frame_is_found():
    still, moved = changes(0.0, 0.0)[0], changes(0.3, 0.0)[0]
    assert (find_influence(still, moved, still, empty(), 2)[34:56, 54:86] == 255).all()


def test_the_mask_is_always_in_it():
    mask = empty()
    mask[10:20, 10:20] = 255
    found = find_influence(None, changes(0.0, 0.0)[0], None, mask, 3)
    assert (found[8:22, 8:22] == 255).sum() >= 14 * 14 - 12 and not found[30:, 30:].any()


def test_what_is_in_no_solo_goes_to_the_nearest():
    left, right, whole = empty(), empty(), empty()
    left[20:40, 10:30], right[20:40, 120:150] = 255, 200
    whole[20:40, 10:50], whole[20:40, 100:150] = 255, 255
    first, second = shared_out([left, right], whole)
    assert (np.maximum(first, second) >= whole).all()
    assert (first[20:40, 10:50] == 255).all() and not first[:, 60:].any()
    assert (second[20:40, 100:150] == 255).all() and not second[:, :60].any()


def test_what_solos_show_stays_theirs():
    left, right = empty(), empty()
    left[20:40, 10:60], right[20:40, 50:90] = 255, 130
    for found, part in zip(shared_out([left, right], np.maximum(left, right)), (left, right), strict=True):
        np.testing.assert_array_equal(found, part)
