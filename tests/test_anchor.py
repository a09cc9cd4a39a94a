"""Background gathered from other frames, pixel by pixel, against its slow twin."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from twins.anchor_slow import nearest_median_slow, quantiles_slow

from lamina.motion.anchor import Look, View, masked_quantiles, nearest_median, view_weights, weighted_mean

TRUST = st.sampled_from([0, 128, 255])
LEVEL = st.sampled_from([k / 16 for k in range(17)])


@st.composite
def some_views(draw: st.DrawFn) -> list[View]:
    height, width, count = (draw(st.integers(1, 4)) for _ in range(3))
    return [
        View(
            draw(arrays(np.float32, (height, width, 3), elements=LEVEL.map(np.float32))),
            draw(arrays(np.uint8, (height, width), elements=TRUST)),
            draw(st.integers(0, 9)),
        )
        for _ in range(count)
    ]


def flat_view(level: float, trust: int = 255, distance: int = 1, size: tuple[int, int] = (2, 3)) -> View:
    return View(np.full((*size, 3), level, np.float32), np.full(size, trust, np.uint8), distance)


def quantiles_of(samples: np.ndarray) -> tuple[np.ndarray, ...]:
    """`masked_quantiles` of samples `h w 3 n`."""
    count = np.isfinite(samples[..., 0, :]).sum(-1).astype(np.uint8)
    return masked_quantiles(np.ascontiguousarray(np.moveaxis(samples, -1, 0)), count)


@given(st.data())
def test_quantiles_are_those_of_the_slow_twin(data: st.DataObject):
    shape = tuple(data.draw(st.integers(1, 4)) for _ in range(2))
    count = data.draw(st.integers(1, 7))
    samples = data.draw(arrays(np.float32, (*shape, 3, count), elements=LEVEL.map(np.float32)))
    missing = data.draw(arrays(bool, (*shape, count)))
    samples = np.where(missing[:, :, None], np.float32(np.inf), samples)
    for found, wanted in zip(quantiles_of(samples), quantiles_slow(samples), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)


@given(some_views(), st.integers(1, 6))
def test_the_nearest_views_vote_as_in_the_slow_twin(views: list[View], most: int):
    look = nearest_median(views, most)
    wanted = nearest_median_slow(views, most)
    for field in fields(Look):
        np.testing.assert_allclose(getattr(look, field.name), getattr(wanted, field.name), atol=1e-6)


def test_a_doubtful_view_counts_only_where_no_trusted_one_does():
    half = flat_view(0.25, distance=9)
    half.trust[:, 0] = 0
    look = nearest_median([flat_view(0.75, trust=128, distance=1), half], 5)
    np.testing.assert_array_equal(look.rgb[:, 0], 0.75)
    np.testing.assert_array_equal(look.rgb[:, 1:], 0.25)
    assert not look.trusted[:, 0].any() and look.trusted[:, 1:].all() and look.seen.all()


def test_what_no_view_shows_is_not_seen():
    look = nearest_median([flat_view(0.5, trust=0), flat_view(0.7, trust=0)], 9)
    assert isinstance(look, Look) and not look.seen.any() and not look.trusted.any() and np.isfinite(look.rgb).all()


def test_a_few_wrong_views_do_not_move_the_median():
    views = [flat_view(0.5, distance=k) for k in range(5)] + [flat_view(0.1, distance=0), flat_view(0.9, distance=0)]
    look = nearest_median(views, 99)
    assert (look.rgb == 0.5).all() and (look.spread == 0).all()


def test_the_spread_of_noise_is_its_standard_deviation():
    noise = np.random.default_rng(1).normal(0.5, 0.02, (40, 50, 3, 41)).astype(np.float32)
    passing = noise.copy()
    passing[..., :8] -= 0.3  # a shadow passes through a fifth of the samples
    for samples in (noise, passing):
        spread, unrest = quantiles_of(samples)[1:3]
        assert np.median(spread) == pytest.approx(0.02, rel=0.35) and (unrest >= spread).all()


def test_unrest_tells_what_passed_through_many_views():
    noise = np.random.default_rng(1).normal(0.5, 0.02, (40, 50, 3, 41)).astype(np.float32)
    noise[..., :14] -= 0.3
    _, spread, unrest, _ = quantiles_of(noise)
    assert np.median(unrest) > 5 * np.median(spread)


def test_near_trusted_agreeing_views_weigh_most():
    vote = np.full((2, 3, 3), 0.5, np.float32)
    views = [
        flat_view(0.5, distance=1),
        flat_view(0.5, distance=20),
        flat_view(0.8, distance=1),
        flat_view(0.5, trust=128, distance=1),
        flat_view(0.5, trust=0, distance=1),
    ]
    near, far, other, doubtful, none = (float(w[0, 0]) for w in view_weights(views, vote))
    assert near > 3 * far > 0 and other < 1e-6 * near and 0 < doubtful < 1e-3 * near and none == 0


def test_weighted_mean_by_hand():
    pictures = [np.full((1, 2, 3), v, np.float32) for v in (0.2, 0.8)]
    weights = [np.array([[1, 0]], np.float32), np.array([[3, 0]], np.float32)]
    mean, total = weighted_mean(pictures, weights)
    np.testing.assert_allclose(mean[0, 0], 0.65, atol=1e-6)
    assert total.tolist() == [[4, 0]] and not mean[0, 1].any()
