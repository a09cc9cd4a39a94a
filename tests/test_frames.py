"""Small copies, and which frames look at which."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_scenes import texture

from lamina.removal.frames import (
    DETECT_PX,
    FREE,
    GEOMETRY_PX,
    REACH_FRAMES,
    SUSPECT,
    SWEEP_PX,
    Nearby,
    Sizes,
    neighbours,
    shrink_frame,
    with_suspects,
)

# ------------------------------------------------------------------------------------------------------------- nearby


def test_nearby_holds_the_window_and_its_reach_and_no_more():
    window = Nearby(range(100), 100, 10)
    for start in range(0, 100, 8):
        stop = min(start + 8, 100)
        window.advance(start, stop)
        assert list(window.held) == list(range(max(0, start - 10), min(100, stop + 10)))
        assert all(index == item for index, item in window.held.items())


def test_nearby_reads_nothing_before_it_must():
    read: list[int] = []

    def items() -> Iterator[int]:
        for number in range(50):
            read.append(number)
            yield number

    window = Nearby(items(), 50, 5)
    assert not read
    window.advance(0, 4)
    assert read == list(range(9))


def test_nearby_may_begin_in_the_middle():
    window = Nearby(range(20, 50), 50, 5, first=20)
    window.advance(25, 30)
    assert list(window.held) == list(range(20, 35))


def test_nearby_holds_each_window_in_turn():
    windows = [range(s, min(s + 8, 50)) for s in range(16, 50, 8)]
    window = Nearby(range(11, 50), 50, 5, first=11)
    found = list(window.around(windows))
    assert not list(Nearby(range(50), 50, 5).around([]))
    assert [list(held) for held in found] == [list(range(w.start - 5, min(50, w.stop + 5))) for w in windows]


def test_nearby_says_what_went_wrong_ahead():
    """A file that breaks off is heard of where its frames are asked for, not in the window before."""
    window = Nearby(iter(range(20)), 50, 5)  # 30 are missing
    found = window.around([range(0, 8), range(8, 16), range(16, 24)])
    assert len(next(found)) == 13
    with pytest.raises(RuntimeError, match="StopIteration"):
        next(found)


# --------------------------------------------------------------------------------------------------------- neighbours


@given(st.data())
def test_neighbours_obey_their_bounds(data: st.DataObject):
    frames = data.draw(st.integers(1, 300))
    target = data.draw(st.integers(0, frames - 1))
    stride, most = data.draw(st.integers(1, 4)), data.draw(st.integers(2, 40))
    found = neighbours(target, frames, stride, most)
    assert found == sorted(set(found)) and target not in found
    assert all(0 <= f < frames and f % stride == 0 and abs(f - target) <= REACH_FRAMES for f in found)
    there = [f for f in range(0, frames, stride) if f != target and abs(f - target) <= REACH_FRAMES]
    assert len(found) == min(len(there), most if most % 2 == 0 or len(there) <= most else len(found))
    assert len(found) <= most


def test_in_the_middle_both_sides_are_alike():
    found = neighbours(150, 301, 1, 16)
    assert [150 - f for f in found if f < 150][::-1] == [f - 150 for f in found if f > 150]


def test_near_frames_are_dense_and_the_farthest_are_there():
    found = [f for f in neighbours(150, 301, 1, 16) if f > 150]
    hops = np.diff([150, *found])
    assert found[0] == 151 and found[-1] == 150 + REACH_FRAMES and hops[0] < hops[-1]


def test_at_the_ends_one_side_gets_what_the_other_cannot_use():
    for target in (0, 99):
        assert len(neighbours(target, 100, 1, 16)) == 16
    assert len(neighbours(2, 100, 2, 16)) == 16


def test_a_lonely_frame_has_no_neighbour():
    assert neighbours(0, 1, 1, 16) == []


# ------------------------------------------------------------------------------------------------------- small copies


def test_sizes_keep_the_shape():
    sizes = Sizes.of(1920, 1080)
    assert [max(s) for s in (sizes.geometry, sizes.detect, sizes.sweep)] == [GEOMETRY_PX, DETECT_PX, SWEEP_PX]
    assert all(s[0] / s[1] == pytest.approx(16 / 9, rel=0.01) for s in (sizes.geometry, sizes.detect, sizes.sweep))


@pytest.mark.parametrize("size", [(33, 17), (1083, 607), (17, 33), (1, 5)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_small_copies_of_any_size_and_type(size: tuple[int, int], dtype: str):
    width, height = size
    frame = np.full((height, width, 3), {"uint8": 51, "uint16": 13107, "float32": 0.2}[dtype], dtype)
    mask = np.zeros((height, width), np.uint8)
    small = shrink_frame(7, frame, [mask, mask], Sizes.of(width, height))
    sizes = Sizes.of(width, height)
    assert small.index == 7 and small.masks.shape == (2, *sizes.detect[::-1])
    assert small.gray.shape == small.gray_free.shape == sizes.geometry[::-1]
    assert small.rgb.shape[:2] == small.free.shape == sizes.detect[::-1]
    assert small.sweep_rgb.shape[:2] == small.sweep_free.shape == sizes.sweep[::-1]
    assert (small.gray == 51).all() and small.rgb == pytest.approx(np.full_like(small.rgb, 0.2), abs=1e-5)
    assert (small.free == FREE).all() and (small.gray_free == FREE).all() and (small.sweep_free == FREE).all()


def test_values_beyond_white_are_cut_for_looking_only():
    frame = np.full((12, 16, 3), 4, np.float32)
    small = shrink_frame(0, frame, [np.zeros((12, 16), np.uint8)], Sizes.of(16, 12))
    assert (small.gray == 255).all() and (small.rgb == 1).all() and (frame == 4).all()


def test_what_masks_hide_is_not_free_with_room_to_spare():
    mask = np.zeros((120, 160), np.uint8)
    mask[50:70, 60:90] = 255
    small = shrink_frame(0, texture((160, 120)), [mask], Sizes.of(160, 120))
    assert (small.free[:40] == FREE).all()
    for free in (small.free, small.gray_free, small.sweep_free):
        assert not free[48:72, 60:90].any() and not free[50:70, 58:92].any()


def test_suspects_are_doubtful_for_looks_and_out_for_geometry():
    mask = np.zeros((120, 160), np.uint8)
    mask[50:70, 60:90] = 255
    small = shrink_frame(0, texture((160, 120)), [mask], Sizes.of(160, 120))
    suspect = np.zeros((120, 160), bool)
    suspect[60:100, 60:90] = True
    marked = with_suspects(small, suspect)
    assert (marked.free[80:100, 60:90] == SUSPECT).all() and not marked.free[60:70, 60:90].any()
    assert not marked.gray_free[80:100, 60:90].any() and not marked.sweep_free[80:100, 60:90].any()
    assert (small.free[80:100, 60:90] == FREE).all(), "the frame handed in must stay as it was"
    assert (marked.free[:40] == FREE).all()
