"""Positions that mean the same at every size."""

import numpy as np
import pytest

from lamina.motion.coordinates import (
    fit_within,
    homography_in_pixels,
    inside_of,
    normalise,
    pixel_matrix,
    resize_area,
    to_pixels,
    warp_map,
)

TILT = np.array([[0.98, 0.06, 0.05], [-0.05, 1.02, -0.03], [0.02, -0.04, 1.0]])
CAMERA = np.hstack([TILT, [[0.1], [-0.05], [0.03]]])


def test_edges_and_centre():
    corners = np.array([[-0.5, -0.5], [39.5, 19.5], [19.5, 9.5]])
    np.testing.assert_allclose(normalise(corners, 40, 20), [[-1, -0.5], [1, 0.5], [0, 0]])


def test_pixel_matrix_undoes_normalise():
    points = np.random.default_rng(1).uniform(0, 50, (20, 2))
    back = np.hstack([normalise(points, 61, 33), np.ones((20, 1))]) @ pixel_matrix(61, 33).T
    np.testing.assert_allclose(back[:, :2], points)
    np.testing.assert_allclose(to_pixels(normalise(points, 61, 33), 61, 33), points)


def test_inside_needs_the_picture_and_the_area():
    area = np.zeros((3, 5), np.uint8)
    area[1, 4] = area[0, 0] = 1
    positions = np.array([[4, 1], [4.4, 0.6], [4.6, 1], [-0.4, 0.4], [-0.6, 0], [1, 1], [0, 3], [4, -2]])
    assert inside_of(area, positions).tolist() == [True, True, False, True, False, False, False, False]


def through(homography: np.ndarray, x: float, y: float) -> tuple[float, float]:
    """The slow, obvious way."""
    top_x, top_y, below = (row[0] * x + row[1] * y + row[2] for row in homography)
    return top_x / below, top_y / below


def test_homography_in_pixels_against_one_point_at_a_time():
    size_from, size_to = (64, 48), (107, 61)
    matrix = homography_in_pixels(TILT, size_from, size_to)
    for x, y in [(0, 0), (63, 47), (20.25, 31.5), (-10, 60)]:
        (nx, ny) = normalise(np.array([[x, y]], np.float64), *size_from)[0]
        there_x, there_y = through(TILT, nx, ny)
        wanted = ((there_x + 1) * size_to[0] / 2 - 0.5, there_y * size_to[0] / 2 + size_to[1] / 2 - 0.5)
        assert through(matrix, x, y) == pytest.approx(wanted)


def test_warp_map_agrees_at_two_sizes():
    """Every third pixel of a picture three times as large has its centre on one of the small picture."""
    small, large = (21, 15), (63, 45)
    relief = np.random.default_rng(2).uniform(-1, 1, (15, 21)).astype(np.float32)
    x, y = warp_map(CAMERA, relief, (0, 0, *small), small)
    wide = np.repeat(np.repeat(relief, 3, 0), 3, 1)
    x3, y3 = warp_map(CAMERA, wide, (0, 0, *large), large)
    np.testing.assert_allclose((x3[1::3, 1::3] - 1) / 3, x, atol=1e-4)
    np.testing.assert_allclose((y3[1::3, 1::3] - 1) / 3, y, atol=1e-4)


def test_warp_map_without_relief_is_the_homography():
    size = (40, 30)
    x, y = warp_map(CAMERA, 0.0, (0, 0, *size), size)
    matrix = homography_in_pixels(TILT, size, size)
    for column, row in [(0, 0), (39, 29), (7, 22)]:
        assert (x[row, column], y[row, column]) == pytest.approx(through(matrix, column, row), abs=1e-4)


def test_warp_map_of_a_box_is_a_part_of_the_whole():
    size, box = (40, 30), (5, 8, 21, 28)
    relief = np.random.default_rng(3).uniform(-1, 1, (30, 40)).astype(np.float32)
    whole = warp_map(CAMERA, relief, (0, 0, *size), size)
    part = warp_map(CAMERA, relief[8:28, 5:21], box, size)
    for all_, some in zip(whole, part, strict=True):
        np.testing.assert_allclose(some, all_[8:28, 5:21], atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_warp_map_of_what_is_not_in_front_of_the_camera():
    """The scale of homogeneous positions falls from 2 at the left edge through 0 to -4 at the right."""
    camera = np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [-3.0, 0, -1.0, 0]])
    size = (41, 4)
    x, y = warp_map(camera, 0.0, (0, 0, *size), size)
    columns = (2 * (np.arange(41) + 0.5) - 41) / 41
    behind = -3 * columns - 1 <= 1e-6
    outside = (x < 0) | (x > 40) | (y < 0) | (y > 3)
    assert np.isfinite(x).all() and np.isfinite(y).all() and behind.any()
    assert outside[:, behind].all() and not outside[:, 0].all()


def test_resize_area_keeps_the_mean_when_shrinking():
    picture = np.random.default_rng(4).random((40, 60, 3), np.float32)
    small = resize_area(picture, (20, 10))
    assert small.shape == (10, 20, 3)
    np.testing.assert_allclose(small[3, 4], picture[12:16, 12:15].mean((0, 1)), atol=1e-6)


def test_resize_area_to_the_same_size_is_the_picture_itself():
    picture = np.zeros((4, 6), np.uint8)
    assert resize_area(picture, (6, 4)) is picture


@pytest.mark.parametrize(
    ("size", "longest", "wanted"),
    [
        ((1920, 1080), 416, (416, 234)),
        ((64, 48), 416, (64, 48)),
        ((17, 2000), 100, (1, 100)),
        ((3000, 1), 100, (100, 1)),
    ],
)
def test_fit_within(size: tuple[int, int], longest: int, wanted: tuple[int, int]):
    assert fit_within(*size, longest) == wanted
