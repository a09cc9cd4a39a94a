import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lamina.masks.binary import difference, grow, intersect, shrink, union
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN, make_trimask

SHAPES = st.one_of(st.tuples(*[st.integers(1, 9)] * 2), st.tuples(*[st.integers(1, 6)] * 3))
RADII = st.floats(0, 5)


def masks(count: int):
    return SHAPES.flatmap(lambda shape: st.tuples(*[arrays(bool, shape)] * count))


def slow_grow(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """The definition, pixel by pixel."""
    out = np.zeros_like(mask)
    inside = np.argwhere(mask)
    for place in np.ndindex(mask.shape):
        out[place] = any(np.sum((inside - place) ** 2, axis=1) <= radius_px**2)
    return out


@given(arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8))), RADII)
def test_grow_is_its_definition(mask, radius_px):
    assert np.array_equal(grow(mask, radius_px), slow_grow(mask, radius_px))


@given(masks(1), RADII)
def test_grow_and_shrink(one, radius_px):
    (mask,) = one
    assert np.all(mask <= grow(mask, radius_px))
    assert np.all(shrink(mask, radius_px) <= mask)
    assert np.array_equal(grow(mask, 0), mask)
    assert np.all(grow(shrink(mask, radius_px), radius_px) <= mask)  # opening takes away
    assert np.all(mask <= shrink(grow(mask, radius_px), radius_px))  # closing adds


@given(masks(3))
def test_set_operations(three):
    a, b, c = three
    assert np.array_equal(union(a, b, c), a | b | c)
    assert np.array_equal(intersect(a, b, c), a & b & c)
    assert np.array_equal(difference(a, b, c), a & ~(b | c))
    assert np.array_equal(difference(a), a)
    assert np.array_equal(union(a.astype(np.uint8) * 255, b), a | b)


def test_frames_do_not_touch_each_other():
    mask = np.zeros((3, 5, 5), np.uint8)
    mask[1, 2, 2] = 255
    assert grow(mask, 9).any(axis=(1, 2)).tolist() == [False, True, False]
    assert grow(mask[:0], 2).shape == (0, 5, 5)


def test_the_border_is_not_an_outside():
    assert shrink(np.ones((4, 6), bool), 3).all()


def test_bad_masks():
    with pytest.raises(ValueError, match="radius_px must not be negative, got -1"):
        grow(np.zeros((2, 2), bool), -1)
    with pytest.raises(ValueError, match="A hard mask is bool or whole numbers, got float32"):
        union(np.zeros((2, 2), np.float32))


@given(masks(3))
def test_trimask(three):
    remove, keep, preserve = three
    found = make_trimask(remove, keep, preserve)
    assert np.array_equal(found == REMOVE, remove)
    assert np.array_equal(found == KEEP, (keep | preserve) & ~remove)
    assert np.array_equal(found == UNKNOWN, ~(remove | keep | preserve))
    assert found.dtype == np.uint8


@given(masks(2))
def test_trimask_without_wishes(two):
    remove, keep = two
    assert np.array_equal(make_trimask(remove, keep), make_trimask(remove, keep, np.zeros_like(remove)))


def test_trimask_of_unlike_masks():
    with pytest.raises(ValueError, match=r"must have one shape, got remove \(2, 2\), keep \(2, 3\)"):
        make_trimask(np.zeros((2, 2), bool), np.zeros((2, 3), bool))
