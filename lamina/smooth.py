"""Carrying sparse or holed values to every pixel: push-pull on an image pyramid (Gortler et al. 1996, section 3.4)."""

import cv2
import numpy as np
from jaxtyping import Float32


def push_pull(
    values: Float32[np.ndarray, "h w *c"], weight: Float32[np.ndarray, "h w"]
) -> Float32[np.ndarray, "h w *c"]:
    """Fill in smoothly where `weight` (0..1) is low; where it is 1 the values stay as they are.

    Every hole takes the values at the finest scale that knows any. Linear in the number of pixels, whatever the size of
    the hole. With no weight anywhere the result is zero.
    """

    def spread(w: np.ndarray) -> np.ndarray:
        return w[..., None] if values.ndim == 3 else w

    levels = [(values, weight)]
    while max(levels[-1][1].shape) > 1:
        finer, known = levels[-1]
        share = cv2.pyrDown(known)
        coarse = cv2.pyrDown(finer * spread(known)).reshape(*share.shape, *values.shape[2:])
        levels.append((coarse / np.maximum(spread(share), 1e-9), np.minimum(4 * share, 1)))
    filled = levels[-1][0]
    for finer, known in levels[-2::-1]:
        wide = cv2.pyrUp(filled, dstsize=known.shape[::-1]).reshape(finer.shape)
        filled = wide + (finer - wide) * spread(known)
    return filled
