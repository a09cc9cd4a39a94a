"""Windows cover everything, weights add up to one, and what is padded is unpadded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.windows import GridFit, Window, blend_weights, plan_windows


@st.composite
def plans(draw: st.DrawFn) -> tuple[int, int, int]:
    size = draw(st.integers(1, 40))
    return draw(st.integers(1, 300)), size, draw(st.integers(0, size - 1))


@given(plans())
def test_windows_cover_the_clip_with_full_windows(plan: tuple[int, int, int]):
    frames, size, overlap = plan
    windows = plan_windows(frames, size, overlap)
    assert windows[0].start == 0 and windows[-1].stop == frames
    assert all(len(window) == min(size, frames) for window in windows)
    assert all(before.stop - after.start >= overlap for before, after in zip(windows, windows[1:], strict=False))
    assert all(before.start < after.start for before, after in zip(windows, windows[1:], strict=False))


@given(plans())
def test_blending_equal_windows_changes_nothing(plan: tuple[int, int, int]):
    frames = plan[0]
    windows = plan_windows(*plan)
    total = np.zeros(frames)
    for window, weight in zip(windows, blend_weights(windows), strict=True):
        assert np.all(weight > 0)
        total[window.start : window.stop] += weight
    np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_weights_cross_over_linearly():
    first, second = blend_weights([Window(0, 5), Window(2, 7)])
    np.testing.assert_allclose(first, [1, 1, 3 / 4, 2 / 4, 1 / 4])
    np.testing.assert_allclose(second, [1 / 4, 2 / 4, 3 / 4, 1, 1])


@pytest.mark.parametrize(("frames", "size", "overlap"), [(0, 4, 1), (5, 0, 0), (5, 4, 4), (5, 4, -1)])
def test_a_plan_that_cannot_be_is_refused(frames: int, size: int, overlap: int):
    with pytest.raises(ValueError, match="Expected frames >= 1 and 0 <= overlap < size"):
        plan_windows(frames, size, overlap)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 33), st.sampled_from([(), (1,), (3,)]))
def test_padding_is_undone(height: int, width: int, multiple: int, channels: tuple[int, ...]):
    picture = np.arange(height * width * int(np.prod(channels)), dtype=np.int32).reshape(height, width, *channels)
    fit = GridFit(height, width, multiple)
    padded = fit.apply(picture)
    assert padded.shape[0] % multiple == 0 == padded.shape[1] % multiple
    assert padded.shape[0] - height < multiple and padded.shape[1] - width < multiple
    np.testing.assert_array_equal(fit.undo(padded), picture)


def test_a_picture_of_another_size_is_refused():
    fit = GridFit(17, 33, 16)
    with pytest.raises(ValueError, match=r"Expected a picture of \(17, 33\) pixels, got \(32, 48\)"):
        fit.apply(np.zeros((32, 48), np.uint8))
    with pytest.raises(ValueError, match=r"Expected a picture of \(32, 48\) pixels, got \(17, 33\)"):
        fit.undo(np.zeros((17, 33), np.uint8))


def test_a_grid_of_nothing_is_refused():
    with pytest.raises(ValueError, match="Expected sizes of at least 1"):
        GridFit(0, 3, 16)
