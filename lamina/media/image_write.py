"""Writing single PNG files."""

from pathlib import Path

import cv2
import numpy as np

from lamina.media.yuv import to_integers


def write_png(path: Path, picture: np.ndarray) -> None:
    """Write `h w 3` RGB or `h w 4` straight RGBA: 8 bits of uint8, 16 bits of everything else."""
    codes = to_integers(picture, "uint8" if picture.dtype == np.uint8 else "uint16")
    order = cv2.COLOR_RGBA2BGRA if codes.shape[2] == 4 else cv2.COLOR_RGB2BGR
    encoded = cv2.imencode(".png", cv2.cvtColor(codes, order), [cv2.IMWRITE_PNG_COMPRESSION, 3])[1]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encoded.tobytes())
