"""What no frame ever shows."""

import cv2
import numpy as np
from jaxtyping import Float32

from lamina.motion.smooth import push_pull


def fill_unseen(rgb: Float32[np.ndarray, "h w 3"], seen: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w 3"]:
    """Carry the seen background smoothly over what nobody saw (`seen` 0..1)."""
    if seen.min() > 0.99:
        return rgb
    known = np.where(seen > 0.99, np.float32(1), 0)
    known = cv2.erode(known, np.ones((3, 3), np.uint8))
    return push_pull(rgb, known)
