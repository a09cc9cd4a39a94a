"""Pictures and masks at another size, as the published Casper loader makes them."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32, Shaped


def resized_by_area(
    pixels: Shaped[np.ndarray, "t h w c"], size: tuple[int, int]
) -> Float32[np.ndarray, "t new_h new_w c"]:
    """Stored numbers as float32 at a (height, width): pixels are plain means of the source pixels they touch.

    Row i is the mean of rows floor(i H / h) to ceil((i + 1) H / h) - 1, without weights for those touched in part;
    also where the picture becomes larger.
    """
    values = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32))
    return F.adaptive_avg_pool2d(values, size).numpy().transpose(0, 2, 3, 1)
