"""How a clip is laid out in time for a backbone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.backbones.interface import Geometry
from lamina.backbones.specs import COG_GEOMETRY, WAN_GEOMETRY
from lamina.backbones.timing import plan_timing
from lamina.errors import InputError
from lamina.windows import WindowRule, ping_pong, plan_balanced

GEOMETRIES = pytest.mark.parametrize("geometry", [COG_GEOMETRY, WAN_GEOMETRY], ids=["cogvideox", "wan"])


@GEOMETRIES
@given(frames=st.integers(1, 600))
def test_ours_pads_to_what_is_needed_and_windows_are_alike(geometry: Geometry, frames: int):
    timing = plan_timing(geometry, frames)
    step = geometry.temporal * geometry.latent_multiple
    assert frames <= timing.padded_frames < frames + step or timing.padded_frames <= 1 + step - geometry.temporal
    assert geometry.frames(timing.latent_frames) == timing.padded_frames
    assert timing.latent_frames % geometry.latent_multiple == 0
    assert timing.shown[:frames] == tuple(range(frames)) and max(timing.shown) == frames - 1
    lengths = {len(window) for window in timing.windows.windows}
    assert len(lengths) == 1 and max(lengths) <= geometry.latent_frames(geometry.window_frames)
    assert all(length % geometry.latent_multiple == 0 for length in lengths)


@GEOMETRIES
@given(frames=st.integers(1, 197))
def test_ours_is_hardly_ever_dearer_than_the_reference(geometry: Geometry, frames: int):
    """In latent frames per step, and in their squares, which attention costs; what is over is rounding to pairs."""
    ours, theirs = (plan_timing(geometry, frames, rule).windows.windows for rule in ("ours", "reference"))
    assert sum(map(len, ours)) <= 1.1 * sum(map(len, theirs))
    assert sum(len(w) ** 2 for w in ours) <= 1.1 * sum(len(w) ** 2 for w in theirs)


def test_a_little_longer_than_a_window_does_not_cost_two():
    """82 to 85 frames of Wan: 26 latent frames per step and not 42, and up to 81 none too many."""
    windows = plan_timing(WAN_GEOMETRY, 85).windows.windows
    assert [(w.start, w.stop) for w in windows] == [(0, 13), (9, 22)]
    assert len(plan_timing(WAN_GEOMETRY, 81).windows.windows) == 1
    assert len(plan_timing(WAN_GEOMETRY, 78, "reference").windows.windows) == 2


def test_a_window_too_short_to_overlap():
    geometry = Geometry(window_frames=17, latent_multiple=2, reference_last="short")
    message = "window of 17 frames: got 4 latent frames, wanted more than the 4 that windows share, for a clip of 40"
    with pytest.raises(InputError, match=message):
        plan_timing(geometry, 40)
    assert plan_timing(geometry, 13).latent_frames == 4


@given(st.integers(1, 9), st.integers(1, 40))
def test_ping_pong_runs_forth_and_back(frames: int, length: int):
    """As concatenating a clip with its mirror image until it is long enough."""
    clip = list(range(frames))
    while len(clip) < length:
        clip = clip + clip[::-1]
    assert list(ping_pong(frames, length)) == clip[:length]


@given(st.integers(1, 200), st.integers(2, 12), st.sampled_from([1, 2]))
def test_balanced_windows_share_enough(frames: int, size: int, multiple: int):
    rule = WindowRule(size * multiple * 2, size // 2 * multiple, "balanced", "whole", multiple)
    plan = rule.plan(frames * multiple)
    windows = plan.windows
    assert windows[0].start == 0 and windows[-1].stop == frames * multiple
    for before, after in zip(windows, windows[1:], strict=False):
        assert before.stop - after.start >= rule.overlap and after.start % multiple == 0
    fewer = (len(windows) - 1) * rule.size - (len(windows) - 2) * rule.overlap
    assert len(windows) == 1 or fewer < frames * multiple, "one window less would do"


@pytest.mark.parametrize("numbers", [(5, 4, 2, 2), (6, 3, 2, 2), (6, 4, 1, 2), (6, 4, 2, 0)])
def test_balanced_windows_that_cannot_be(numbers: tuple[int, int, int, int]):
    with pytest.raises(ValueError, match="Expected multiples of"):
        plan_balanced(*numbers)
