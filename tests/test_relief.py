"""Plane plus parallax, on points and on pictures whose cameras and depths are known."""

import cv2
import numpy as np
import plane_scene
import pytest
from plane_scene import FAR, camera, on_board, plane, render, true_relief

from lamina.motion.coordinates import normalise
from lamina.motion.relief import (
    Tracks,
    estimate_relief,
    first_relief,
    resect,
    spread_relief,
    transfer_error,
    triangulate,
)

SIZE = (320, 240)
FRAMES = (-6, -4, -2, 2, 4, 6)


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (200, 2)) * (1, 0.75)


@pytest.fixture
def depths() -> np.ndarray:
    return np.random.default_rng(2).uniform(0.1, 0.6, 200)


def scene_of(points: np.ndarray, relief: np.ndarray) -> np.ndarray:
    return np.hstack([points, np.ones((len(points), 1)), relief[:, None]])


def seen_by(matrix: np.ndarray, scene: np.ndarray) -> np.ndarray:
    there = scene @ matrix.T
    return there[:, :2] / there[:, 2:]


# ------------------------------------------------------------------------------------------------------------ points


def test_resect_finds_the_camera(points: np.ndarray, depths: np.ndarray):
    scene = scene_of(points, depths)
    found = resect(scene, seen_by(camera(5), scene))
    assert transfer_error(found, scene, seen_by(camera(5), scene)).max() < 1e-5
    np.testing.assert_allclose(found, camera(5) / camera(5)[2, 2], atol=1e-3)


def test_resect_does_not_listen_to_a_few_wrong_points(points: np.ndarray, depths: np.ndarray):
    scene = scene_of(points, depths)
    places = seen_by(camera(5), scene)
    places[::5] += 0.1
    found = resect(scene, places, rounds=8)
    assert np.quantile(transfer_error(found, scene, seen_by(camera(5), scene)), 0.9) < 1e-3


def test_resect_of_a_flat_scene_leaves_the_fourth_column_alone(points: np.ndarray):
    scene = scene_of(points, np.zeros(len(points)))
    found = resect(scene, seen_by(plane(3, FAR) @ np.eye(3, 4), scene))
    assert np.abs(found[:, 3]).max() < 1e-6


def test_triangulate_finds_the_relief(points: np.ndarray, depths: np.ndarray):
    scene = scene_of(points, depths)
    everywhere = np.ones(len(points), bool)
    tracks = {f: Tracks(seen_by(camera(f), scene), everywhere) for f in (-4, 3, 6)}
    found, good = triangulate(points, depths, {f: camera(f) for f in tracks}, tracks, 0.01)
    assert good.all()
    np.testing.assert_allclose(found, depths, atol=1e-6)


def test_a_point_seen_once_is_not_fixed(points: np.ndarray, depths: np.ndarray):
    scene = scene_of(points, depths)
    twice = np.arange(len(points)) % 2 == 0
    tracks = {
        3: Tracks(seen_by(camera(3), scene), np.ones(len(points), bool)),
        6: Tracks(seen_by(camera(6), scene), twice),
    }
    _, good = triangulate(points, depths, {f: camera(f) for f in tracks}, tracks, 0.01)
    np.testing.assert_array_equal(good, twice)


def test_first_relief_is_the_depth_up_to_scale(points: np.ndarray, depths: np.ndarray):
    """Held against the wall's homography the wall has no relief, and the rest has it by how far it is before it."""
    tracks = Tracks(seen_by(camera(6), scene_of(points, depths)), np.ones(len(points), bool))
    found = first_relief(points, tracks, plane(6, FAR))
    ratio = found / (depths - FAR)
    clear = np.abs(depths - FAR) > 0.02
    assert np.abs(ratio[clear] / np.median(ratio) - 1).max() < 0.02


# ---------------------------------------------------------------------------------------------------------- pictures


def pictures(planar: bool = False) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    free = np.full(SIZE[::-1], 255, np.uint8)
    return {f: (cv2.cvtColor(render(f, SIZE, planar), cv2.COLOR_RGB2GRAY), free) for f in (0, *FRAMES)}


def test_relief_of_two_planes():
    gray = pictures()
    homographies = {f: plane(f, FAR) for f in FRAMES}
    found = estimate_relief(*gray.pop(0), gray, homographies, 0)
    assert not found.is_planar and set(found.frames) == set(FRAMES) and len(found.values) > 100
    for frame, matrix in zip(found.frames, found.cameras, strict=True):
        truth = seen_by(camera(frame), scene_of(found.points, true_at(found.points)))
        error_px = transfer_error(matrix, scene_of(found.points, found.values), truth) * SIZE[0] / 2
        assert np.quantile(error_px, 0.9) < 0.3


def true_at(points: np.ndarray) -> np.ndarray:
    x = ((points[:, 0] + 1) * SIZE[0] / 2 - 0.5).round().astype(int)
    y = (points[:, 1] * SIZE[0] / 2 + SIZE[1] / 2 - 0.5).round().astype(int)
    return true_relief(SIZE)[y, x].astype(np.float64)


def test_a_flat_scene_is_planar_and_exact():
    gray = pictures(planar=True)
    predicted = {f: plane(f, FAR + 0.02) for f in FRAMES}  # a little wrong, as chained steps are
    found = estimate_relief(*gray.pop(0), gray, predicted, 0)
    assert found.is_planar and found.frames == FRAMES
    grid = normalise(np.array([[x, y] for x in (40, 160, 280) for y in (40, 120, 200)], np.float64), *SIZE)
    for frame, matrix in zip(found.frames, found.cameras, strict=True):
        truth = cv2.perspectiveTransform(grid[None], plane(frame, FAR))[0]
        assert transfer_error(matrix, scene_of(grid, np.zeros(9)), truth).max() * SIZE[0] / 2 < 0.1


def test_nothing_to_track_falls_back_to_the_prediction():
    blank = np.full(SIZE[::-1], 90, np.uint8)
    free = np.full_like(blank, 255)
    predicted = {f: plane(f, FAR) for f in (-2, 2)}
    found = estimate_relief(blank, free, {f: (blank, free) for f in predicted}, predicted, 0)
    assert found.is_planar
    np.testing.assert_array_equal(found.cameras[:, :, :3], np.stack(list(predicted.values())))
    assert not found.cameras[:, :, 3].any()


def test_spread_relief_keeps_points_and_fills_between():
    size = (40, 30)
    places = np.array([[3, 4], [35, 25], [20, 8]], np.float64)
    values = np.array([0.5, -0.5, 1.0])
    dense = spread_relief(normalise(places, *size), values, size)
    assert dense.shape == (30, 40)
    np.testing.assert_allclose(dense[[4, 25, 8], [3, 35, 20]], values, atol=1e-6)
    assert -0.5 - 1e-5 <= dense.min() and dense.max() <= 1 + 1e-5


def test_the_toy_itself_is_right():
    """The board hides more of the wall on one side as the camera moves."""
    assert on_board(0, SIZE).any() and not on_board(0, SIZE).all()
    assert plane_scene.NEAR > FAR
