"""What of a network's answer is taken for a change, and what for its own inexactness.

A network that paints all pixels paints none of them exactly. So where its answer is near what is there without it, that
stays: a small answer is no shadow. And a plate is not turned back into the frame where `propagate` has found something
better: of a network that is unsure this is the likelier mistake.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float32

from lamina.channels import peak

NEAR, FAR = np.float32(2 / 255), np.float32(6 / 255)
"""Nearer than the first an answer says nothing, farther than the second all of it is meant."""
SIDE_PX = 5
"""Over such a square: a change of a single pixel is none."""


def settled(
    answer: Float32[np.ndarray, "h w 3"],
    base: Float32[np.ndarray, "h w 3"],
    others: Sequence[Float32[np.ndarray, "h w 3"]] = (),
) -> Float32[np.ndarray, "h w 3"]:
    """The answer where it is far from the base and from all others, else the base, with a soft step between.

    base: what is there without the network. others: what the answer should not be taken for either.
    """
    share = np.min([distance(answer, one) for one in (base, *others)], axis=0)
    return np.where(share[..., None] >= 1, answer, base + share[..., None] * (answer - base))


def distance(answer: Float32[np.ndarray, "h w 3"], other: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
    """0 where two pictures are near each other, 1 where they are far."""
    off = cv2.blur(peak(np.abs(answer - other)), (SIDE_PX, SIDE_PX))
    step = np.clip((off - NEAR) / (FAR - NEAR), 0, 1)
    return step * step * (3 - 2 * step)
