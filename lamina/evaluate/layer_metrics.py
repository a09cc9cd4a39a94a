"""How right a layer is: does it hold its object with the effect, all of it, and nothing else?

Layers are straight-alpha RGBA `h w 4` or `t h w 4`, pictures `h w 3` or `t h w 3`, uint8, uint16 or float in 0..1;
regions are bool without the channels. All functions raise InputError for shapes that differ, NaN, and floats outside
0..1, and work in float64. Ratios are NaN where there is nothing to be right about.
"""

import math

import numpy as np

from lamina.evaluate.levels64 import alpha_levels, picture_levels, region, same_shape
from lamina.evaluate.pixels import psnr
from lamina.evaluate.regions import changed


def lay_over(layer: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """A straight-alpha layer over a ground, on values as stored; float64 levels of the ground's shape."""
    same_shape("layer and ground", layer[..., :3], ground)
    alpha = layer_alpha(layer)[..., None]
    return picture_levels("layer", layer[..., :3]) * alpha + picture_levels("ground", ground) * (1 - alpha)


def layer_alpha(layer: np.ndarray) -> np.ndarray:
    """A layer's alpha as float64 levels, without the channel axis."""
    return alpha_levels("layer", layer[..., 3])


def solo_psnr(layer: np.ndarray, ground: np.ndarray, solo: np.ndarray, where: np.ndarray | None = None) -> float:
    """PSNR in dB of the layer over the true ground against the true solo, over a region."""
    return psnr(lay_over(layer, ground), solo, where)


def transplant_psnr(layer: np.ndarray, ground: np.ndarray, there: np.ndarray, where: np.ndarray | None = None) -> float:
    """PSNR in dB of the layer over a ground it was not made from, against the same object rendered there.

    A layer that took ground along with it scores well as a solo and badly here.
    """
    return psnr(lay_over(layer, ground), there, where)


def leak(layer: np.ndarray, solo: np.ndarray, ground: np.ndarray, mask: np.ndarray) -> float:
    """Mean alpha where the object changed nothing: outside its mask and its effect. 0 is right."""
    outside = ~region(mask, ground.shape[:-1]) & ~changed(solo, ground)
    return float(layer_alpha(layer)[outside].mean()) if outside.any() else math.nan


def effect_recall(layer: np.ndarray, solo: np.ndarray, ground: np.ndarray, mask: np.ndarray) -> float:
    """Share of the true effect's pixels that the layer changes too, by more than 12 of 255 levels over the ground."""
    both, true, _ = effect_counts(layer, ground, *_effect_of(solo, ground, mask))
    return both / true if true else math.nan


def effect_precision(layer: np.ndarray, solo: np.ndarray, ground: np.ndarray, mask: np.ndarray) -> float:
    """Share of the pixels outside the mask which the layer changes that truly belong to the effect."""
    both, _, found = effect_counts(layer, ground, *_effect_of(solo, ground, mask))
    return both / found if found else math.nan


def effect_counts(
    layer: np.ndarray, ground: np.ndarray, effect: np.ndarray, outside: np.ndarray
) -> tuple[int, int, int]:
    """Pixels in both effects, in the true one, and in the layer's: what it changes of the ground in `outside`."""
    found = changed(lay_over(layer, ground), ground) & outside
    return int((effect & found).sum()), int(effect.sum()), int(found.sum())


def _effect_of(solo: np.ndarray, ground: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    outside = ~region(mask, ground.shape[:-1])
    return changed(solo, ground) & outside, outside


def alpha_error(found: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    """Mean absolute difference of two alphas `... h w` x 1000 over a region, the object's or the effect's."""
    total, count = alpha_difference(found, truth, where)
    return 1000 * total / count if count else math.nan


def alpha_difference(found: np.ndarray, truth: np.ndarray, where: np.ndarray) -> tuple[float, int]:
    """Sum of absolute differences of two alphas over a region, and of how many pixels."""
    same_shape("alphas to compare", found, truth)
    inside = region(where, found.shape)
    difference = np.abs(alpha_levels("alpha", found) - alpha_levels("true alpha", truth))
    return float(difference[inside].sum()), int(np.count_nonzero(inside))
