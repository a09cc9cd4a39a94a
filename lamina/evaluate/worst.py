"""The picture of the worst cases: what the method was given, what is true, what it made, and where it is wrong."""

import cv2
import numpy as np

from lamina.evaluate.case import Moment
from lamina.evaluate.thumbnails import CELL_PX, GAIN

MOST = 6
"""Cases shown."""
CAPTION_PX = 22
TITLES = ("input", "truth", "result", f"difference x {GAIN}")


Worst = list[tuple[str, Moment]]
"""Names of clips and their worst frames, the worst first."""


def with_case(worst: Worst, name: str, moment: Moment) -> Worst:
    """The worst so far and one more clip, as many as are shown: by the frame's mean absolute difference."""
    return sorted([*worst, (name, moment)], key=lambda entry: -entry[1].error)[:MOST]


def worst_picture(worst: Worst) -> np.ndarray:
    """One line for each case, `h w 3` uint8."""
    return np.vstack([_line(name, moment) for name, moment in worst])


def _line(name: str, moment: Moment) -> np.ndarray:
    titles = (f"{name}, frame {moment.frame}", *TITLES[1:3], f"{TITLES[3]}, mean {255 * moment.error:.1f} of 255")
    return np.hstack([_cell(picture, title) for picture, title in zip(moment.pictures, titles, strict=True)])


def _cell(picture: np.ndarray, caption: str) -> np.ndarray:
    height, width = picture.shape[:2]
    cell = np.full((height + CAPTION_PX + 2, CELL_PX + 4, 3), 24, np.uint8)
    cell[CAPTION_PX : CAPTION_PX + height, 2 : 2 + width] = picture
    shown = caption if len(caption) <= 46 else ".." + caption[-44:]
    cv2.putText(cell, shown, (4, CAPTION_PX - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (225, 225, 225), 1, cv2.LINE_AA)
    return cell
