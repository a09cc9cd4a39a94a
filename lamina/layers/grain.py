"""The plate's own grain: wherever no layer is, it is the frame.

A layer explains what is more than noise. What it leaves where it has no alpha is the picture's own grain on bare
ground, and belongs into the plate: there it matches the parts that no object ever touched, and the stack adds up.
(Generative Omnimatte, section 3.4: detail is transferred to the background too.)
"""

from collections.abc import Sequence

import numpy as np

from lamina.channels import peak
from lamina.levels import to_levels

LEAST, MOST = np.float32(1.5 / 255), np.float32(12 / 255)
SIGMAS = np.float32(4)


def with_grain(plate: np.ndarray, frame: np.ndarray, layers: Sequence[np.ndarray]) -> np.ndarray:
    """The plate with the frame's pixels, to the bit, where no layer has alpha and the two differ by noise.

    plate, frame: `h w 3` of one number type; layers: `h w 4` of it, straight alpha.
    """
    left = peak(np.abs(to_levels(frame) - to_levels(plate)))
    bare = np.all([layer[..., 3] == 0 for layer in layers], axis=0) & (left > 0)
    limit = np.clip(SIGMAS * 1.48 * np.median(left[bare]), LEAST, MOST) if bare.any() else LEAST
    return np.where((bare & (left <= limit))[..., None], frame, plate)
