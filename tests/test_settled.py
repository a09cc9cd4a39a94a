"""What of an answer counts: far from all that is there, the answer; near to any of it, what is there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lamina.removal.settled import FAR, NEAR, SIDE_PX, settled

SIZE = (12, 16)


def flat(level: float) -> np.ndarray:
    return np.full((*SIZE, 3), level, np.float32)


@given(st.floats(0, 1, width=32), st.floats(0, 1, width=32))
def test_flat_pictures(answer: float, base: float):
    off = abs(answer - base)
    found = settled(flat(answer), flat(base))
    if off < NEAR:
        assert np.array_equal(found, flat(base))
    elif off > FAR + 1e-6:
        assert np.array_equal(found, flat(answer))
    else:
        assert (np.abs(found - base) <= off + 1e-6).all() and (np.abs(found - answer) <= off + 1e-6).all()


def test_near_to_any_other_is_the_base():
    assert np.array_equal(settled(flat(0.8), flat(0.4), [flat(0.8)]), flat(0.4))
    assert np.array_equal(settled(flat(0.8), flat(0.4), [flat(0.2)]), flat(0.8))


def test_a_single_pixel_is_no_change_and_a_shadow_is():
    base, speck, shadow = flat(0.5), flat(0.5), flat(0.5)
    speck[4, 4] += 0.1
    shadow[:, :8] += 0.1
    assert np.abs(settled(speck, base) - base).max() < 0.03
    found = settled(shadow, base)
    assert np.array_equal(found[:, : 8 - SIDE_PX // 2], shadow[:, : 8 - SIDE_PX // 2])
    assert np.array_equal(found[:, 8 + SIDE_PX :], base[:, 8 + SIDE_PX :])
