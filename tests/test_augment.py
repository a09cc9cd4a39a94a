"""Augmentation: undone by itself, alike for input, answer and trimask, and never without what is to be removed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pair_makers import known_pair, same, toy_pair

from lamina.errors import InputError
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.synth.augment import (
    AugmentConfig,
    Crop,
    Grade,
    augment,
    flipped,
    forgetful,
    graded,
    reflected,
    reflection,
    reversed_in_time,
    take_crop,
    take_frames,
)
from lamina.synth.pair import Pair

CONFIG = AugmentConfig(frames=4, height=8, width=12)


def marked(frames: int = 6, height: int = 20, width: int = 30) -> Pair:
    """Every pixel tells where it was; the trimask says REMOVE on columns below 9 and KEEP beyond 20."""
    t, y, x = np.mgrid[:frames, :height, :width].astype(np.uint8)
    picture = np.stack([t, y, x], axis=-1)
    trimask = np.full(t.shape, UNKNOWN, np.uint8)
    trimask[..., :9], trimask[..., 21:] = REMOVE, KEEP
    return Pair(picture, picture.copy(), trimask, "marked", 0)


@pytest.mark.parametrize("there_and_back", [flipped, reversed_in_time])
def test_twice_is_not_at_all(there_and_back):
    pair = known_pair(1)
    assert same(there_and_back(there_and_back(pair)), pair)
    assert not same(there_and_back(pair), pair)


def test_flips():
    pair = marked()
    assert np.array_equal(flipped(pair).input[0, 0, :, 2], np.arange(30)[::-1])
    assert np.array_equal(reversed_in_time(pair).input[:, 0, 0, 0], np.arange(6)[::-1])


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_time_is_reflected(count: int):
    clip, slow = list(range(count)), []
    while len(slow) < 13:
        slow += clip
        clip = clip[::-1]
    assert reflection(count, 13).tolist() == slow[:13]


def test_only_short_clips_are_reflected():
    pair = toy_pair(2, frames=5)
    assert reflected(pair, 5) is pair
    longer = reflected(pair, 12)
    assert len(longer.input) == 12 and np.array_equal(longer.target[5], pair.target[4])


def test_keep_is_forgotten():
    pair = toy_pair(3)
    forgotten = forgetful(pair)
    assert not (forgotten.trimask == KEEP).any() and forgotten.trimask.dtype == np.uint8
    assert np.array_equal(forgotten.trimask == REMOVE, pair.trimask == REMOVE)


def test_frames_are_taken():
    assert take_frames(marked(), 2, 3).input[:, 0, 0, 0].tolist() == [2, 3, 4]
    assert len(take_frames(marked(), 4, 9).input) == 2


def test_a_crop_averages_what_it_shrinks():
    pair = toy_pair(4, size=(24, 16))
    found = take_crop(pair, Crop(4, 2, 16, 12), (8, 6))
    blocks = pair.input[:, 2:14, 4:20].astype(float).reshape(5, 6, 2, 8, 2, 3).mean((2, 4))
    assert np.abs(found.input - blocks).max() <= 0.51
    assert found.trimask.shape == (5, 6, 8)
    whole = take_crop(pair, Crop(0, 0, 24, 16), (24, 16))
    assert same(whole, pair)


@given(seed=st.integers(0, 10**6), frames=st.integers(1, 9))
def test_input_answer_and_trimask_stay_together(seed: int, frames: int):
    pair = augment(marked(frames), replace(CONFIG, forget_keep=0.0), np.random.default_rng(seed))
    assert pair.input.shape == (4, 8, 12, 3)
    assert np.array_equal(pair.input, pair.target)
    column = pair.input[..., 2]
    assert (column[pair.trimask == REMOVE] <= 9).all() and (column[pair.trimask == KEEP] >= 20).all()
    assert ((column >= 10) & (column <= 19) <= (pair.trimask == UNKNOWN)).all()
    steps = np.diff(pair.input[:, 0, 0, 0].astype(int))
    assert set(steps) <= ({1} if frames >= 4 else {-1, 0, 1}) or set(steps) <= {-1}


@given(seed=st.integers(0, 10**6))
def test_something_to_remove_is_in_it(seed: int):
    pair = toy_pair(0, frames=9, size=(60, 40))
    lone = np.full(pair.trimask.shape, UNKNOWN, np.uint8)
    lone[7, 36:40, 50:54] = REMOVE
    found = augment(replace(pair, trimask=lone), CONFIG, np.random.default_rng(seed))
    assert (found.trimask == REMOVE).any()


def test_every_choice_is_made_about_as_often_as_said():
    config = replace(CONFIG, flip=0.25, reverse=0.0, forget_keep=0.75)
    found = [augment(marked(), config, np.random.default_rng(seed)) for seed in range(200)]
    flips = np.mean([pair.input[0, 0, 0, 2] > pair.input[0, 0, -1, 2] for pair in found])
    kept = np.mean([(pair.trimask == KEEP).any() for pair in found])
    assert 0.17 < flips < 0.33
    assert 0 < kept <= 0.25
    assert all(pair.input[0, 0, 0, 0] < pair.input[3, 0, 0, 0] for pair in found)


def test_time_runs_backwards_where_it_is_said():
    pair = augment(marked(), replace(CONFIG, reverse=1.0), np.random.default_rng(0))
    assert (np.diff(pair.input[:, 0, 0, 0].astype(int)) == -1).all()


def test_nothing_to_remove_is_no_obstacle():
    pair = replace(marked(), trimask=np.full((6, 20, 30), UNKNOWN, np.uint8))
    assert augment(pair, CONFIG, np.random.default_rng(0)).input.shape == (4, 8, 12, 3)


def test_nothing_is_enlarged():
    with pytest.raises(InputError, match="pair 0 of 'toy': got 24x16 pixels, wanted 24x17 or more, the size of the"):
        augment(toy_pair(0), AugmentConfig(height=17, width=24), np.random.default_rng(0))


@pytest.mark.parametrize("change", [{"frames": 0}, {"flip": 1.5}])
def test_configurations_that_make_no_sense(change: dict):
    with pytest.raises(ValueError, match="Expected"):
        replace(CONFIG, **change)


@given(seed=st.integers(0, 10**6), frames=st.integers(1, 9))
def test_what_is_known_stays_with_its_answer(seed: int, frames: int):
    """Where it is sure it shows the answer, however a pair is turned; nowhere else is taken for sure."""
    pair = known_pair(seed % 7, frames, (30, 20))
    found = augment(pair, CONFIG, np.random.default_rng(seed))
    assert found.known is not None and found.sure is not None
    assert found.known.shape == found.target.shape and set(np.unique(found.sure)) <= {0, 255}
    sure = found.sure == 255
    assert np.array_equal(found.known[sure], found.target[sure])


@given(left=st.integers(0, 8), top=st.integers(0, 4), side=st.sampled_from([1, 2, 3]))
def test_a_crop_is_sure_where_all_that_it_averages_is(left: int, top: int, side: int):
    pair = known_pair(5, 3, (24, 16))
    found = take_crop(pair, Crop(left, top, 12, 12), (12 // side, 12 // side))
    assert pair.sure is not None and found.sure is not None
    blocks = pair.sure[:, top : top + 12, left : left + 12].reshape(3, 12 // side, side, 12 // side, side)
    assert np.array_equal(found.sure == 255, (blocks == 255).all((2, 4)))


def test_what_nobody_has_looked_up_stays_so():
    found = augment(toy_pair(2, 9, (30, 20)), CONFIG, np.random.default_rng(0))
    assert found.known is None and found.sure is None


def test_a_grade_is_the_same_curve_for_input_answer_and_what_is_known():
    """Slow and obvious: every level by itself."""
    pair, grade = known_pair(3), Grade((1.0, 0.8, 0.6), 1.3)
    done = graded(pair, grade)
    for name in ("input", "target", "known"):
        for channel, gain in enumerate(grade.gains):
            levels = getattr(pair, name)[..., channel].astype(np.float64)
            assert np.array_equal(getattr(done, name)[..., channel], np.rint((levels / 255) ** 1.3 * gain * 255)), name
    assert np.array_equal(done.trimask, pair.trimask) and np.array_equal(done.sure, pair.sure)


@given(st.integers(0, 2**32 - 1))
def test_a_grade_cuts_nothing_off_and_leaves_a_picture_to_be_seen(seed: int):
    grade = Grade.draw(np.random.default_rng(seed))
    white = grade.table()[0, 255].astype(int)
    assert grade.table()[0, 0].max() == 0 and 0.6 * 255 <= white.max() + 1 and 0.45 * 255 < white.min()
    assert (np.diff(grade.table()[0].astype(int), axis=0) >= 0).all()


def test_pairs_are_graded_only_when_asked_to_be():
    pair = known_pair(1)
    plain, asked = (augment(pair, replace(CONFIG, grade=share), np.random.default_rng(7)) for share in (0.0, 1.0))
    assert not same(plain, asked) and np.array_equal(plain.trimask, asked.trimask)
    assert asked.input.mean() != plain.input.mean()
    with pytest.raises(ValueError, match="forget_keep and grade within 0..1"):
        replace(CONFIG, grade=1.5)
