"""A clip and its trimasks as a backbone takes them: at its size, in 0..1, padded in time."""

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from lamina.area import resized_by_area
from lamina.backbones.timing import Timing
from lamina.levels import WHITE


def model_frames(
    frames: Shaped[np.ndarray, "t h w 3"], size: tuple[int, int], timing: Timing
) -> Float[Tensor, "padded 3 h2 w2"]:
    """Stored frames (uint8, uint16 or float32) at a (height, width), 0..1; what is over is cut, what lacks is shown
    again, as `timing` says.
    """
    # divided before it is resized, as the published loader does: rounding is passed on to all that follows
    levels = resized_by_area(frames.astype(np.float32) / np.float32(WHITE[frames.dtype.name]), size)
    return rearrange(torch.from_numpy(levels[list(timing.shown)]), "t h w c -> t c h w").contiguous()


def model_trimask(trimask: UInt8[np.ndarray, "t h w"], timing: Timing) -> UInt8[np.ndarray, "padded h w"]:
    """A trimask of the backbone's size, padded in time as the clip is."""
    return trimask[list(timing.shown)]
