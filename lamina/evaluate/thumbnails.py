"""Frames made small for the picture of the worst cases."""

import cv2
import numpy as np

from lamina.evaluate.case import Moment
from lamina.evaluate.levels64 import picture_levels

CELL_PX = 360
"""Width that a frame is shown with at most."""
GAIN = 4
"""Differences are shown this much stronger."""


def moment(frame: int, picture: np.ndarray, truth: np.ndarray, result: np.ndarray, above: float) -> Moment | None:
    """The frame made small, if its error is larger than `above`; pictures `h w 3` of any number type."""
    levels = [picture_levels("picture", p) for p in (picture, truth, result)]
    apart = np.abs(levels[2] - levels[1])
    error = float(apart.mean())
    if error <= above:
        return None
    return Moment(frame, error, tuple(_small(p) for p in (*levels, (apart * GAIN).clip(0, 1))))


def _small(levels: np.ndarray) -> np.ndarray:
    height, width = levels.shape[:2]
    scale = min(1.0, CELL_PX / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.rint(cv2.resize(levels, size, interpolation=cv2.INTER_AREA) * 255).astype(np.uint8)
