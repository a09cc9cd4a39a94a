"""Who is in front, told from visible-pixel masks of toy clips."""

import numpy as np
import pytest

from lamina.errors import InputError
from lamina.layers.order import given_order, order_per_frame
from lamina.media.stack import OrderRun


def crossing(front_is_mover: bool, frames=16, size=(60, 120)):
    """A square walks past a pole; whichever is behind loses the pixels they share. Both stand equally low."""
    mover, pole = [], []
    for t in range(frames):
        a, b = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
        a[30:50, 5 + 6 * t : 25 + 6 * t] = 255
        b[5:50, 56:64] = 255
        if front_is_mover:
            b[a > 0] = 0
        else:
            a[b > 0] = 0
        mover.append(a)
        pole.append(b)
    return mover, pole


@pytest.mark.parametrize("front_is_mover", [True, False])
@pytest.mark.parametrize("names", [("mover", "pole"), ("zmover", "apole")])
def test_the_one_that_is_cut_is_behind(front_is_mover, names):
    mover, pole = crossing(front_is_mover)
    runs = order_per_frame(dict(zip(names, (mover, pole), strict=True)))
    assert runs == [OrderRun(0, names if not front_is_mover else names[::-1])]


def test_the_lower_one_is_in_front_when_they_never_meet():
    far, near = np.zeros((40, 60), np.uint8), np.zeros((40, 60), np.uint8)
    far[5:15, 5:15] = 255
    near[20:35, 30:50] = 255
    assert order_per_frame({"near": [near] * 3, "far": [far] * 3}) == [OrderRun(0, ("far", "near"))]


def test_empty_masks_and_single_objects_are_fine():
    empty = [np.zeros((10, 10), np.uint8)] * 2
    assert order_per_frame({"a": empty}) == [OrderRun(0, ("a",))]
    assert sorted(order_per_frame({"a": empty, "b": empty})[0].back_to_front) == ["a", "b"]
    assert order_per_frame({}) == [OrderRun(0, ())]


def test_the_user_s_order_is_taken():
    assert given_order("dog,cat", ["cat", "dog"]) == ("dog", "cat")
    assert given_order(" dog , cat", ["cat", "dog"]) == ("dog", "cat")


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("dog", "got no cat"),
        ("dog,cat,owl", "got unknown 'owl'"),
        ("dog,cat,dog", "got twice dog"),
        ("dog,Cat", "got unknown 'Cat' and no cat"),
        ("", "got unknown '' and no cat, dog"),
    ],
)
def test_an_order_that_is_not_one_of_the_objects_is_refused(text, got):
    with pytest.raises(InputError, match=f"--order {text}: {got}, wanted each of cat, dog once, the farthest first"):
        given_order(text, ["cat", "dog"])
