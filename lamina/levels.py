"""Between a file's numbers (uint8, uint16, float32) and levels 0..1 in float32."""

import numpy as np
from jaxtyping import Float32

WHITE = {"uint8": 255, "uint16": 65535, "float32": 1}
"""The stored number that means 1.0, by type."""


def to_levels(picture: np.ndarray) -> Float32[np.ndarray, "*s"]:
    """Stored numbers as float32 levels. Exact: `from_levels` gives the same numbers back."""
    white = WHITE[picture.dtype.name]
    return picture.astype(np.float32) * np.float32(1 / white) if white > 1 else picture.astype(np.float32, copy=False)


def from_levels(levels: Float32[np.ndarray, "*s"], dtype: np.dtype) -> np.ndarray:
    """Levels as stored numbers, rounded to the nearest. Integers are limited to 0..1, floats are not."""
    white = WHITE[np.dtype(dtype).name]
    if white == 1:
        return levels.astype(np.float32, copy=False)
    return (levels * np.float32(white) + np.float32(0.5)).clip(0, white).astype(dtype)
