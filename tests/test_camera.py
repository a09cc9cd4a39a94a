"""Global motion between frames: found to a fraction of a pixel, and not where there is none."""

import cv2
import numpy as np
import pytest
from toy_scenes import texture

from lamina.motion.camera import CameraPath, Frame, camera_step, chain, displacement_px, track
from lamina.motion.coordinates import homography_in_pixels, normalise

SIZE = (240, 180)
MOVES = {
    "pan": np.array([[1, 0, 0.05], [0, 1, -0.03], [0, 0, 1.0]]),
    "roll": np.array([[np.cos(0.03), -np.sin(0.03), 0], [np.sin(0.03), np.cos(0.03), 0], [0, 0, 1.0]]),
    "zoom and tilt": np.array([[1.03, 0, 0], [0, 1.03, 0.02], [0.01, -0.015, 1.0]]),
}
WIDE = texture((2 * SIZE[0], 2 * SIZE[1]), seed=5)


def view(homography: np.ndarray) -> np.ndarray:
    """The picture in which a normalised position p of the standing picture lies at `homography` p."""
    centre = np.array([[1, 0, SIZE[0] / 2], [0, 1, SIZE[1] / 2], [0, 0, 1]])
    onto_wide = centre @ np.linalg.inv(homography_in_pixels(homography, SIZE, SIZE))
    picture = cv2.warpPerspective(WIDE, onto_wide, SIZE, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    return cv2.cvtColor(np.rint(picture.clip(0, 1) * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)


def frame(gray: np.ndarray) -> Frame:
    return Frame(gray, np.full_like(gray, 255))


def miss_px(found: np.ndarray, truth: np.ndarray) -> float:
    """The greatest distance between two homographies over the picture."""
    grid = np.array([[x, y] for x in (0, 80, 160, 239) for y in (0, 60, 120, 179)], np.float64)
    there = (cv2.perspectiveTransform(normalise(grid, *SIZE)[None], h)[0] for h in (found, truth))
    return float(np.linalg.norm(np.subtract(*there), axis=1).max() * SIZE[0] / 2)


@pytest.mark.parametrize("name", MOVES)
def test_camera_step_finds_a_known_motion(name: str):
    found = camera_step(frame(view(np.eye(3))), frame(view(MOVES[name])))
    assert miss_px(found, MOVES[name]) < 0.1


def test_a_moving_object_in_a_mask_has_no_say():
    start, stop = view(np.eye(3)), view(MOVES["pan"])
    free = np.full_like(start, 255)
    free[40:150, 60:200] = 0
    start[50:140, 70:190], stop[50:140, 78:198] = start[50:140, 100:220], start[50:140, 100:220]
    assert miss_px(camera_step(Frame(start, free), Frame(stop, free)), MOVES["pan"]) < 0.2


def test_nothing_to_track_is_no_motion():
    gray = np.full(SIZE[::-1], 128, np.uint8)
    np.testing.assert_array_equal(camera_step(frame(gray), frame(gray)), np.eye(3))
    assert displacement_px(frame(gray), frame(gray)) is None


def test_displacement_is_the_length_of_the_way():
    moved = displacement_px(
        frame(view(np.eye(3))), frame(view(np.array([[1, 0, 6 / 240], [0, 1, 8 / 240], [0, 0, 1]])))
    )
    assert moved == pytest.approx(5.0, abs=0.1)


def test_points_that_leave_the_picture_are_lost():
    start = view(np.eye(3))
    stop = view(np.array([[1, 0, 20 * 2 / 240], [0, 1, 0], [0, 0, 1]]))
    points = np.array([[120, 90], [232, 90], [100, 60]], np.float32)
    there, ok = track(start, stop, points, points + np.float32([16, 0]))
    assert ok.tolist() == [True, False, True]
    np.testing.assert_allclose(there[ok] - points[ok], [[20, 0]] * 2, atol=0.1)


def test_no_points_are_no_trouble():
    gray = view(np.eye(3))
    nothing = np.empty((0, 2), np.float32)
    there, ok = track(gray, gray, nothing, nothing)
    assert len(there) == len(ok) == 0


def test_chained_steps_lead_from_any_frame_to_any_other():
    steps = [MOVES["pan"], MOVES["roll"], MOVES["zoom and tilt"]]
    path = CameraPath(chain(steps), np.zeros(4))
    there = steps[2] @ steps[1]
    np.testing.assert_allclose(path.between(1, 3), there / there[2, 2], atol=1e-12)
    assert miss_px(path.between(3, 1) @ path.between(1, 3), np.eye(3)) < 1e-6
    np.testing.assert_allclose(path.between(2, 2), np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("drift", "wanted"),
    [
        ([0, 0.2, 0.3, 0.1] * 5, True),
        ([0, 3, 6, 9], False),
        ([0] * 19 + [40], True),  # one frame that could not be tracked well
        ([0, np.nan, 0.1, np.nan], True),
        ([0.0], True),
    ],
)
def test_a_tripod_is_told_by_how_far_nine_of_ten_frames_drift(drift: list[float], wanted: bool):
    path = CameraPath(np.stack([np.eye(3)] * len(drift)), np.array(drift, np.float64))
    assert path.is_tripod is wanted
