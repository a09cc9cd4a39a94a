"""Dense motion between two pictures that are already almost aligned."""

import cv2
import numpy as np
from jaxtyping import Float32

LIMIT_PX = 5.0
"""Motion larger than this is not a leftover of alignment."""
LEAST_PX = 32
"""OpenCV's DIS reads beyond the ends of smaller pictures, up to a crash."""


def leftover_motion(
    picture: Float32[np.ndarray, "h w 3"], other: Float32[np.ndarray, "h w 3"]
) -> Float32[np.ndarray, "h w 2"]:
    """For each pixel of `picture`, how far away its like lies in `other`, in pixels.

    DIS optical flow (Kroeger et al. 2016) on gray levels, limited to a few pixels. It follows texture, so what is
    merely darker in one of the pictures cannot be explained by it. Pictures of less than 32 pixels give no motion.
    """
    if min(picture.shape[:2]) < LEAST_PX:
        return np.zeros((*picture.shape[:2], 2), np.float32)
    gray, gray_other = (
        cv2.cvtColor((p.clip(0, 1) * np.float32(255)).astype(np.uint8), cv2.COLOR_RGB2GRAY) for p in (picture, other)
    )
    flow = np.zeros((*gray.shape, 2), np.float32)
    cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(gray, gray_other, flow)
    return flow.clip(-LIMIT_PX, LIMIT_PX)


def moved(picture: Float32[np.ndarray, "h w 3"], flow: Float32[np.ndarray, "h w 2"]) -> Float32[np.ndarray, "h w 3"]:
    """Fetch every pixel from where the flow points."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(picture, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
