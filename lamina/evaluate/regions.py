"""Where the object is, where it changed the picture outside itself (its effect), and the rest."""

from dataclasses import dataclass

import cv2
import numpy as np

from lamina.evaluate.levels64 import picture_levels, region, same_shape

CHANGED = 12.5 / 255
"""A pixel counts as changed when a channel differs by more than 12 of 255 levels."""
INSIDE = 127
"""Mask values above this are inside."""
NOISY_CHANGED = 8
"""The same for clips that were shot: levels of 255 after a blur of NOISY_SIGMA_PX."""
NOISY_SIGMA_PX = 2
RIM_PX, REACH_PX = 3, 60
"""Shot clips: the rim of rough masks that no region has, and how far from a mask its effects are looked for."""


@dataclass(frozen=True)
class Regions:
    """bool `h w` each; a pixel is in one of them, or in none when it is on the rim of a rough mask."""

    object: np.ndarray
    effect: np.ndarray
    rest: np.ndarray


def changed(picture: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """bool `... h w`: where a picture differs from the empty ground by more than 12 of 255 levels in a channel."""
    same_shape("picture and ground", picture, ground)
    apart = np.abs(picture_levels("picture", picture) - picture_levels("ground", ground)) > CHANGED
    return apart[..., 0] | apart[..., 1] | apart[..., 2]


def find_regions(picture: np.ndarray, ground: np.ndarray, mask: np.ndarray) -> Regions:
    """The three regions of one frame whose truth is exact: `picture` and `ground` `h w 3`, `mask` bool `h w`."""
    mask, touched = region(mask, picture.shape[:2]), changed(picture, ground)
    return Regions(mask, touched & ~mask, ~touched & ~mask)


def find_rough_regions(picture: np.ndarray, ground: np.ndarray, mask: np.ndarray) -> Regions:
    """The same for clips that were shot: truth carries noise and masks are good to a few pixels.

    Effects are looked for within 60 px of the mask, in the difference after a blur with sigma 2 px (more than 8 of
    255 levels); a rim of 3 px on both sides of the mask's edge is left out of all regions.
    """
    same_shape("picture and ground", picture, ground)
    mask = region(mask, picture.shape[:2])
    rim = _grown(mask, RIM_PX) & ~_shrunk(mask, RIM_PX)
    apart = np.abs(_blurred(picture) - _blurred(ground)).max(-1) > NOISY_CHANGED
    touched = apart & _grown(mask, REACH_PX)
    return Regions(mask & ~rim, touched & ~mask & ~rim, ~touched & ~mask & ~rim)


def _blurred(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur((picture_levels("picture", picture) * 255).astype(np.float32), (0, 0), NOISY_SIGMA_PX)


def _grown(mask: np.ndarray, radius: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * radius + 1,) * 2, np.uint8)) > 0


def _shrunk(mask: np.ndarray, radius: int) -> np.ndarray:
    return cv2.erode(mask.astype(np.uint8), np.ones((2 * radius + 1,) * 2, np.uint8)) > 0
