"""Picture positions that mean the same at every size.

A normalised position is (2 (x + 1/2) / w - 1, (2 (y + 1/2) - h) / w): the left edge is -1, the right edge is 1, and
one unit is half the picture's width on both axes. Cameras estimated at a small size therefore hold at source size.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels; right and bottom are outside."""
LEAST_SCALE = 1e-6
"""Of homogeneous positions, that of the picture's middle being about 1: what has less is not in front of the camera."""


def normalise(xy_px: Float64[np.ndarray, "n 2"], width: int, height: int) -> Float64[np.ndarray, "n 2"]:
    """Pixel positions (centre of the first pixel is 0, 0) to normalised ones."""
    return (2 * (xy_px + 0.5) - (width, height)) / width


def to_pixels(xy: Float64[np.ndarray, "n 2"], width: int, height: int) -> Float64[np.ndarray, "n 2"]:
    """Normalised positions to pixel positions: `normalise` undone."""
    return (xy + (1, height / width)) * width / 2 - 0.5


def inside_of(
    area: UInt8[np.ndarray, "h w"], xy_px: Float32[np.ndarray, "n 2"] | Float64[np.ndarray, "n 2"]
) -> Bool[np.ndarray, " n"]:
    """Which pixel positions lie within the picture, on a pixel where `area` is not zero."""
    height, width = area.shape
    pixel = xy_px.round().astype(int)
    inside = ((pixel >= 0) & (pixel < (width, height))).all(1)
    pixel = pixel.clip(0, (width - 1, height - 1))
    return inside & (area[pixel[:, 1], pixel[:, 0]] > 0)


def rows_and_columns(box: Box, step: int = 1) -> tuple[slice, slice]:
    """A box as an index of `h w` arrays."""
    left, top, right, bottom = box
    return slice(top, bottom, step), slice(left, right, step)


def in_place(values: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
    """What is known of a box, in a picture of (width, height) that is zero elsewhere."""
    whole = np.zeros((size[1], size[0], *values.shape[2:]), values.dtype)
    whole[rows_and_columns(box)] = values
    return whole


def pixel_matrix(width: int, height: int) -> Float64[np.ndarray, "3 3"]:
    """The homogeneous matrix that takes normalised positions to pixel positions."""
    return np.array([[width / 2, 0, width / 2 - 0.5], [0, width / 2, height / 2 - 0.5], [0, 0, 1]])


def homography_in_pixels(
    homography: Float64[np.ndarray, "3 3"], size_from: tuple[int, int], size_to: tuple[int, int]
) -> Float64[np.ndarray, "3 3"]:
    """A normalised homography as one between pixels of two pictures of the given (width, height)."""
    return pixel_matrix(*size_to) @ homography @ np.linalg.inv(pixel_matrix(*size_from))


def warp_map(
    camera: Float64[np.ndarray, "3 4"],
    relief: Float32[np.ndarray, "h w"] | float,
    box: Box,
    size: tuple[int, int],
    step: int = 1,
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """Where every `step`-th pixel of `box` lies in another picture of the same (width, height): maps for `cv2.remap`.

    `camera` acts on (x, y, 1, relief) in normalised positions; `relief` is the parallax coordinate of these pixels.
    What lies beside or behind the other camera is far outside its picture.
    """
    width, height = size
    left, top, right, bottom = box
    nx = ((2 * (np.arange(left, right, step) + 0.5) - width) / width).astype(np.float32)[None, :]
    ny = ((2 * (np.arange(top, bottom, step) + 0.5) - height) / width).astype(np.float32)[:, None]
    rows = (pixel_matrix(width, height) @ camera).astype(np.float32)
    x, y, scale = (row[0] * nx + (row[1] * ny + row[2]) + row[3] * relief for row in rows)
    np.maximum(scale, LEAST_SCALE, out=scale)
    np.reciprocal(scale, out=scale)
    return x * scale, y * scale


def resize_area(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize to (width, height): box average when shrinking, bilinear when growing."""
    if picture.shape[1::-1] == size:
        return picture
    shrinking = size[0] <= picture.shape[1] and size[1] <= picture.shape[0]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def fit_within(width: int, height: int, longest_px: int) -> tuple[int, int]:
    """The (width, height) of the same shape whose longer side is at most `longest_px`; never larger than given."""
    scale = min(1.0, longest_px / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
