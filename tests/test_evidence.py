"""What the background does not explain is evidence; what chance and misalignment do is none."""

import cv2
import numpy as np
import pytest
from small_frames import look, small
from toy_scenes import texture

from lamina.motion.anchor import Look
from lamina.removal.evidence import EVIDENCE_ONE, UNKNOWN, evidence
from lamina.removal.frames import Small

SIZE = (120, 90)
PLACE = np.s_[30:60, 40:80]
INSIDE = np.s_[36:54, 46:74]


@pytest.fixture(scope="module")
def ground() -> np.ndarray:
    return texture(SIZE, seed=4)


def found_by(target: Small, background: Look, still: bool = True) -> np.ndarray:
    return evidence(target, background, still)


def noisy(levels: np.ndarray, sigma: float = 1.0) -> np.ndarray:
    """With noise of so many 8-bit levels."""
    return levels + np.random.default_rng(9).normal(0, sigma / 255, levels.shape)


def test_noise_is_no_evidence(ground: np.ndarray):
    assert np.quantile(found_by(small(noisy(ground)), look(ground)), 0.99) < EVIDENCE_ONE / 2


@pytest.mark.parametrize("left", [0.6, 0.9, 1.3])
def test_shadow_and_light_are_evidence(ground: np.ndarray, left: float):
    lit = noisy(ground)
    lit[PLACE] *= left
    found = found_by(small(lit), look(ground))
    assert np.median(found[INSIDE]) > EVIDENCE_ONE and np.median(found[:20]) < EVIDENCE_ONE / 4


def test_the_darker_the_more(ground: np.ndarray):
    strengths = []
    for left in (0.95, 0.9, 0.8, 0.6):
        lit = ground.copy()
        lit[PLACE] *= left
        strengths.append(float(np.median(found_by(small(lit), look(ground))[INSIDE])))
    assert strengths == sorted(strengths) and strengths[-1] > strengths[0]


def test_half_a_pixel_of_misalignment_is_no_evidence(ground: np.ndarray):
    moved = cv2.warpAffine(ground, np.array([[1, 0, 0.5], [0, 1, 0.3]]), SIZE, borderMode=cv2.BORDER_REPLICATE)
    assert np.quantile(found_by(small(moved), look(ground)), 0.98) < EVIDENCE_ONE


@pytest.mark.parametrize("shift", [1.0, 1.8])
def test_a_moving_camera_may_be_misaligned_by_more(ground: np.ndarray, shift: float):
    moved = cv2.warpAffine(ground, np.array([[1, 0, shift], [0, 1, 0]]), SIZE, borderMode=cv2.BORDER_REPLICATE)
    still, moving = (found_by(small(moved), look(ground), still)[10:-10, 10:-10].mean() for still in (True, False))
    assert moving < 0.7 * still


@pytest.mark.parametrize("left", [0.6, 1.3])
def test_a_shadow_is_evidence_with_a_moving_camera_too(ground: np.ndarray, left: float):
    lit = noisy(ground)
    lit[PLACE] *= left
    found = found_by(small(lit), look(ground), still=False)
    assert np.median(found[INSIDE]) > EVIDENCE_ONE and np.median(found[:20]) < EVIDENCE_ONE / 4


def test_with_a_moving_camera_no_difference_from_a_restless_median_proves_nothing(ground: np.ndarray):
    """Something passed through many of the views there: a shadow that goes with the camera may be the median itself."""
    restless = np.full(SIZE[::-1], 0.004, np.float32)
    restless[PLACE] = 0.2
    seen = look(ground, unrest=restless)
    assert (found_by(small(ground), seen, still=False)[PLACE] == UNKNOWN).all()
    assert (found_by(small(ground), seen, still=True)[PLACE] != UNKNOWN).all()
    assert (found_by(small(ground), seen, still=False)[:25] < EVIDENCE_ONE).all()


def test_where_honest_views_differ_more_is_needed(ground: np.ndarray):
    lit = ground.copy()
    lit[PLACE] *= 0.9
    calm, rippling = (np.median(found_by(small(lit), look(ground, spread))[INSIDE]) for spread in (0.002, 0.08))
    assert rippling < EVIDENCE_ONE < calm


def test_exposure_is_no_evidence(ground: np.ndarray):
    assert np.quantile(found_by(small(ground * 0.9 + 0.03), look(ground)), 0.99) < EVIDENCE_ONE / 2


def test_unknown_in_the_object_and_where_no_view_is_trusted(ground: np.ndarray):
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[PLACE] = 255
    trusted = np.ones(SIZE[::-1], bool)
    trusted[:10] = False
    found = found_by(small(ground, mask), look(ground, trusted=trusted))
    assert (found[PLACE] == UNKNOWN).all() and (found[:10] == UNKNOWN).all()
    assert (found[70:] < EVIDENCE_ONE / 4).all()


def test_known_evidence_never_reads_as_unknown(ground: np.ndarray):
    found = found_by(small(np.where(ground > 2, ground, 1.0)), look(np.zeros_like(ground)))
    assert found.max() < UNKNOWN
