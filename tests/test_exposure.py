"""Exposure between two pictures of the same background."""

import numpy as np
import pytest

from lamina.motion.exposure import NEUTRAL, apply_tone, fit_tone


@pytest.fixture
def source() -> np.ndarray:
    return np.random.default_rng(1).uniform(0.1, 0.8, (2000, 3)).astype(np.float32)


def test_gain_and_offset_are_found_in_spite_of_outliers(source: np.ndarray):
    chance = np.random.default_rng(2)
    target = source * np.float32([1.15, 0.9, 1.02]) + np.float32([-0.02, 0.03, 0.05])
    target += chance.normal(0, 0.004, target.shape).astype(np.float32)
    wrong = chance.random(len(source)) < 0.3
    target[wrong] = target[wrong] * 0.5  # a shadow on 30 % of the samples
    found = apply_tone(source, fit_tone(source, target))
    assert np.abs(found - target)[~wrong].mean() < 0.006


def test_a_clean_change_is_found_exactly(source: np.ndarray):
    tone = fit_tone(source, source * np.float32(1.2) - np.float32(0.05))
    np.testing.assert_allclose(tone[0], 1.2, atol=0.01)
    np.testing.assert_allclose(tone[1], -0.05, atol=0.005)


def test_a_change_too_small_to_see_is_none(source: np.ndarray):
    assert fit_tone(source, source + np.float32(0.1 / 255)) is NEUTRAL
    assert fit_tone(source, source) is NEUTRAL


def test_too_few_samples_say_nothing(source: np.ndarray):
    assert fit_tone(source[:199], source[:199] * np.float32(0.5)) is NEUTRAL
    assert fit_tone(source[:0], source[:0]) is NEUTRAL


def test_a_picture_of_one_level_stays_sane():
    """One level says nothing of the gain: what is not known stays near what it was."""
    level = np.full((500, 3), 0.5, np.float32)
    tone = fit_tone(level, level + np.float32(0.1))
    assert apply_tone(level, tone) == pytest.approx(np.full_like(level, 0.6), abs=1e-3)
    assert np.abs(apply_tone(np.full((1, 3), 0.9, np.float32), tone) - 1.0).max() < 0.02


def test_the_neutral_tone_returns_the_picture_itself(source: np.ndarray):
    assert apply_tone(source, NEUTRAL) is source
