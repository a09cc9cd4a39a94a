"""The contact sheet: a run judged at a glance."""

import cv2
import numpy as np
from jaxtyping import UInt8

from lamina.alpha import lay_over
from lamina.levels import from_levels, to_levels
from lamina.media.clip_info import FrameSource
from lamina.media.stack import StackReader
from lamina.motion.coordinates import fit_within, resize_area

COLUMNS = 5
CELL_PX = 480
CAPTION_PX = 22
DIFFERENCE_GAIN = 8

Picture = UInt8[np.ndarray, "h w 3"]


def make_sheet(clip: FrameSource, stack: StackReader) -> Picture:
    """Rows: input, plate, each layer on a checkerboard, difference of the recomposed stack (x 8). Columns: frames."""
    return np.hstack([_column(clip, stack, frame) for frame in _spread(clip.info.frames)])


def _spread(count: int) -> list[int]:
    places = (np.arange(COLUMNS) + 0.5) / COLUMNS * count
    return sorted({int(p) for p in places})


def _column(clip: FrameSource, stack: StackReader, frame: int) -> Picture:
    picture = next(clip.read(frame, frame + 1))
    plate = next(stack.read_plate(frame, frame + 1))
    number = clip.info.first_number + frame
    cells = [captioned(picture, f"input {number}"), captioned(plate, "plate")]
    below = to_levels(plate)
    for name in stack.manifest.layer_names:
        layer = next(stack.read_layer(name, frame, frame + 1))
        below = lay_over(layer, below)
        cells.append(captioned(_on_checkerboard(layer), name))
    difference = np.abs(below - to_levels(picture)) * DIFFERENCE_GAIN
    cells.append(captioned(difference.astype(np.float32), f"recomposed - input, x {DIFFERENCE_GAIN}"))
    return np.vstack(cells)


def _on_checkerboard(layer: np.ndarray) -> np.ndarray:
    height, width = layer.shape[:2]
    square = max(8, width // 40)
    board = (np.indices((height, width)) // square).sum(0) % 2
    return lay_over(layer, np.repeat(np.where(board, 0.62, 0.38).astype(np.float32)[..., None], 3, axis=2))


def captioned(picture: np.ndarray, caption: str, width_px: int = CELL_PX) -> Picture:
    """One cell of a sheet: a picture in 0..1 or whole numbers, made no longer than `width_px`, below what it is."""
    small = from_levels(to_levels(picture).clip(0, 1), np.dtype(np.uint8))
    small = resize_area(small, fit_within(small.shape[1], small.shape[0], width_px))
    cell = np.full((small.shape[0] + CAPTION_PX, max(small.shape[1], 1) + 4, 3), 24, np.uint8)
    cell[CAPTION_PX:, 2 : 2 + small.shape[1]] = small
    cv2.putText(cell, caption, (6, CAPTION_PX - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (225, 225, 225), 1, cv2.LINE_AA)
    return cell
