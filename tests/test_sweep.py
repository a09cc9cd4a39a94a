"""The relief of every pixel, also behind a hole."""

import cv2
import numpy as np
import pytest
from plane_scene import FAR, camera, on_board, plane, render, true_relief

from lamina.motion.coordinates import warp_map
from lamina.motion.relief import Relief, estimate_relief
from lamina.motion.sweep import sweep_relief

SIZE, TRACKED = (160, 120), (320, 240)
FRAMES = (-6, -4, -2, 2, 4, 6)
HOLE = np.s_[64:100, 92:124]
"""Over the board's right edge, so that both planes are behind it."""


@pytest.fixture(scope="module")
def relief() -> Relief:
    free = np.full(TRACKED[::-1], 255, np.uint8)
    gray = {f: (cv2.cvtColor(render(f, TRACKED), cv2.COLOR_RGB2GRAY), free) for f in (0, *FRAMES)}
    return estimate_relief(*gray.pop(0), gray, {f: plane(f, FAR) for f in FRAMES}, 0)


def test_relief_behind_a_hole_is_found(relief: Relief):
    """An object stands before both planes in the target, elsewhere in the other frames."""
    views = {}
    for frame in (0, *FRAMES):
        free = np.full(SIZE[::-1], 255, np.uint8)
        rows, columns = HOLE
        free[rows, max(0, columns.start + 9 * frame) : max(0, columns.stop + 9 * frame)] = 0
        views[frame] = (np.where(free[..., None] > 0, render(frame, SIZE), np.uint8(20)), free)
    depth = sweep_relief(relief, views.pop(0), views)
    assert depth.shape == SIZE[::-1] and depth.dtype == np.float32
    for frame in (-4, 4):
        matrix = relief.cameras[relief.frames.index(frame)]
        found = np.stack(warp_map(matrix, depth, (0, 0, *SIZE), SIZE))
        truth = np.stack(warp_map(camera(frame), true_relief(SIZE), (0, 0, *SIZE), SIZE))
        off = np.linalg.norm(found - truth, axis=0)[HOLE]
        flat = np.stack(warp_map(np.hstack([plane(frame, FAR), np.zeros((3, 1))]), 0.0, (0, 0, *SIZE), SIZE))
        assert np.median(off) < 0.5 and np.mean(off < 1.0) > 0.85
        assert np.mean(np.linalg.norm(flat - truth, axis=0)[HOLE] < 1.0) < 0.7


def test_a_planar_relief_is_zero_everywhere():
    flat = Relief((1,), np.eye(3, 4)[None], np.empty((0, 2)), np.empty(0))
    picture = np.zeros((30, 40, 3), np.uint8), np.full((30, 40), 255, np.uint8)
    depth = sweep_relief(flat, picture, {1: picture})
    assert depth.shape == (30, 40) and not depth.any()


def test_the_hole_covers_both_planes():
    board = on_board(0, SIZE)[HOLE]
    assert 0.2 < board.mean() < 0.9
