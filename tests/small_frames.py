"""Small copies of frames and looks at them, made by hand."""

import numpy as np

from lamina.motion.anchor import Look
from lamina.removal.frames import Sizes, Small, shrink_frame


def small(levels: np.ndarray, mask: np.ndarray | None = None, index: int = 0) -> Small:
    """A frame, `h w 3` in 0..1, as the engine sees it; `mask` is one object's, uint8."""
    height, width = levels.shape[:2]
    masks = [np.zeros((height, width), np.uint8) if mask is None else mask]
    return shrink_frame(index, levels.astype(np.float32), masks, Sizes.of(width, height))


def look(
    levels: np.ndarray, spread: float = 0.004, trusted: np.ndarray | None = None, unrest: np.ndarray | None = None
) -> Look:
    """A background that is seen where it is trusted: everywhere, unless said otherwise; as calm on both sides."""
    shape = levels.shape[:2]
    calm = np.full(shape, spread, np.float32)
    seen = np.ones(shape, bool) if trusted is None else trusted
    return Look(
        rgb=levels.astype(np.float32), spread=calm, unrest=calm if unrest is None else unrest, trusted=seen, seen=seen
    )
