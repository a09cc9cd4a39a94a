"""A wall and a nearer board before it, seen by a pinhole camera that moves sideways; everything about it is known."""

import cv2
import numpy as np
from toy_scenes import texture

from lamina.motion.coordinates import homography_in_pixels

FAR, NEAR = 1 / 4, 1 / 2
"""What is 1 / depth of wall and board, which is the relief of a camera [I | t]."""
BOARD = (-0.45, 0.0, 0.35, 0.8)
"""Left, top, right, bottom of the board in normalised positions of the target frame."""


def camera(frame: int) -> np.ndarray:
    """From (x, y, 1, 1 / depth) of frame 0 to frame `frame`."""
    return np.hstack([np.eye(3), [[0.05 * frame], [0.012 * frame], [0.004 * frame]]])


def plane(frame: int, inverse_depth: float) -> np.ndarray:
    """The homography of a plane that faces the camera."""
    matrix = camera(frame)
    return matrix[:, :3] + inverse_depth * np.outer(matrix[:, 3], (0, 0, 1))


def render(frame: int, size: tuple[int, int], planar: bool = False) -> np.ndarray:
    """`h w 3` uint8."""
    wall = _seen(texture((3 * size[0], 3 * size[1]), seed=11), plane(frame, FAR), size)
    if planar:
        return wall
    board = _seen(texture((3 * size[0], 3 * size[1]), seed=12), plane(frame, NEAR), size)
    return np.where(on_board(frame, size)[..., None], board, wall)


def on_board(frame: int, size: tuple[int, int]) -> np.ndarray:
    """bool `h w`: where a frame shows the board."""
    x, y = _positions(np.linalg.inv(plane(frame, NEAR)), size)
    left, top, right, bottom = BOARD
    return (x >= left) & (x <= right) & (y >= top) & (y <= bottom)


def true_relief(size: tuple[int, int]) -> np.ndarray:
    """1 / depth of every pixel of frame 0."""
    return np.where(on_board(0, size), NEAR, FAR).astype(np.float32)


def _positions(homography: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    width, height = size
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    x, y = (2 * columns + 1) / width - 1, (2 * rows + 1 - height) / width
    top_x, top_y, below = (row[0] * x + row[1] * y + row[2] for row in homography)
    return top_x / below, top_y / below


def _seen(wide: np.ndarray, homography: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    centre = np.array([[1, 0, size[0]], [0, 1, size[1]], [0, 0, 1.0]])
    onto_wide = centre @ np.linalg.inv(homography_in_pixels(homography, size, size))
    picture = cv2.warpPerspective(wide, onto_wide, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
