"""Where an object changes the picture, told from its solo and the plate: beyond noise, compression and blur.

Noise is never alike in all places: a codec leaves most of a still picture exactly as it was and redraws the blocks
around whatever moves. So it is measured where the change is looked for, from what the difference has of fine detail,
and a mean over a small neighbourhood in space and time is held against it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from lamina.channels import peak, total
from lamina.layers.effect import fine_detail
from lamina.layers.overlap import grow

SIDE_PX = 5
NOISE_SIDE_PX = 25
LEAST, SURE = np.float32(1.5 / 255), np.float32(3 / 255)
"""Below the first a steady difference is rounding, or light so faint that a layer of it would only be dirt; above the
second nobody would call it that."""
NOISE_LEAST = np.float32(0.3 / 255)
SOLID = 128
"""Influence from here on, of 255, counts as where an object is."""
DOUBT = np.float32(4.0)
"""How many standard deviations of a mean are still noise, codecs' being neither independent nor normal."""


@dataclass(frozen=True)
class Change:
    """What an object did to one frame: the difference's local mean, `h w 3`, and its local noise, `h w`."""

    mean: np.ndarray
    noise: np.ndarray


def measure_change(solo: np.ndarray, plate: np.ndarray) -> Change:
    """The change from plate to solo, both float32 `h w 3`, 0..1."""
    difference = solo - plate
    return Change(cv2.blur(difference, (SIDE_PX, SIDE_PX)), _local_noise(difference))


def find_influence(
    before: Change | None, here: Change, after: Change | None, mask: np.ndarray, margin_px: int
) -> np.ndarray:
    """`uint8 h w`: 255 where an object, with its effects, surely changed the plate, 0 where it did not.

    before, after: the frames beside, if there are any. mask: `uint8 h w`, right to within `margin_px`.
    """
    means = [change.mean for change in (before, here, after) if change is not None]
    # A change that moves is in one frame only, one that stays may be seen better in the mean: the stronger one counts.
    level = np.maximum(peak(np.abs(here.mean)), peak(np.abs(np.mean(means, axis=0))))
    floor = np.maximum(LEAST, DOUBT * here.noise / SIDE_PX)
    share = np.clip((level - floor) / (np.maximum(SURE, 2 * floor) - floor), 0, 1)
    return np.where(grow(mask, margin_px), np.uint8(255), np.rint(share * 255).astype(np.uint8))


def shared_out(
    parts: list[UInt8[np.ndarray, "h w"]], whole: UInt8[np.ndarray, "h w"]
) -> list[UInt8[np.ndarray, "h w"]]:
    """Each object's influence, such that together they reach wherever the clip differs from the plate.

    A model may leave a shadow out of the plate and out of every solo. It is somebody's all the same, and goes to the
    object whose influence is nearest; else the plate would have to keep it.

    whole: the influence of all objects together, told from the clip and the plate.
    """
    lacking = whole > np.max(parts, axis=0)
    if not lacking.any():
        return parts
    far = [cv2.distanceTransform((part < SOLID).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3) for part in parts]
    nearest = np.argmin(far, axis=0)
    return [np.where(lacking & (nearest == k), whole, part) for k, part in enumerate(parts)]


def _local_noise(difference: np.ndarray) -> np.ndarray:
    """Standard deviation of the fine detail of a difference, `h w`, over a wide neighbourhood; edges count little."""
    fine = np.minimum(total(fine_detail(difference)) / 3, LEAST * 4)
    return np.maximum(cv2.blur(fine, (NOISE_SIDE_PX,) * 2) * np.float32(1.25), NOISE_LEAST)
