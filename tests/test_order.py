"""Who is in front, told from visible-pixel masks of toy clips."""

import numpy as np
import pytest

from lamina.layers.order import order_back_to_front


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
    order = order_back_to_front(dict(zip(names, (mover, pole), strict=True)))
    assert order == list(names if not front_is_mover else names[::-1])


def test_the_lower_one_is_in_front_when_they_never_meet():
    far, near = np.zeros((40, 60), np.uint8), np.zeros((40, 60), np.uint8)
    far[5:15, 5:15] = 255
    near[20:35, 30:50] = 255
    assert order_back_to_front({"near": [near] * 3, "far": [far] * 3}) == ["far", "near"]


def test_empty_masks_and_single_objects_are_fine():
    empty = [np.zeros((10, 10), np.uint8)] * 2
    assert order_back_to_front({"a": empty}) == ["a"]
    assert sorted(order_back_to_front({"a": empty, "b": empty})) == ["a", "b"]
    assert order_back_to_front({}) == []
