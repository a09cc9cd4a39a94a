"""How much of each pixel at a mask's edge is the object, whatever the mask says to within a few pixels.

The object's colour is continued outwards from its inside and the ground's (its shadow included) inwards from outside;
between those two colours the pixel's place is its alpha. The mask decides only where the two colours are alike.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from lamina.alpha import TINY
from lamina.channels import peak, total
from lamina.layers.bleed import bleed

SHARE_LOW, SHARE_HIGH = np.float32(0.06), np.float32(0.94)
SAME = np.float32(4 / 255)  # a difference that could be the plate's own error
PEEL_DEPTH = 3

COLOR_SPREAD = np.float32(2e-4)
"""Variance of an object's colour beyond what its neighbourhood shows."""
CLEAR, CLEAR_LEAST = np.float32(15), 50
"""Two colours are told apart clearly at this many variances of squared distance; in how many pixels at least."""
SIGHT_SPREAD, UNKNOWN_SPREAD, MASK_SPREADS = 0.014, 0.1, (0.004, 1.0)
HARD_BLUR_PX, SOFT_BLUR_PX = 0.8, 0.4
"""What cameras and codecs make of an edge that a mask shows without, and with, its partly covered pixels."""


@dataclass(frozen=True)
class Zones:
    """A mask's parts: `core` is surely object, `band` may be either; distances from the mask's edge in pixels."""

    core: np.ndarray  # bool h w
    band: np.ndarray  # bool h w
    inside_px: np.ndarray
    prior: np.ndarray  # 0..1, the mask, a little blurred


def zones(mask: np.ndarray, edge_px: int) -> Zones:
    """Split the surroundings of a mask, `uint8 h w`."""
    solid = (mask > 127).astype(np.uint8)
    inside = _distance(solid)
    outside = _distance(1 - solid)
    soft = (mask > 4) & (mask < 251)
    core = (inside > edge_px) & ~soft
    band = ((inside > 0) | (outside <= edge_px) | soft) & ~core
    is_hard = soft.sum() < 0.5 * ((inside > 0) & (inside <= 1.5)).sum()
    prior = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), HARD_BLUR_PX if is_hard else SOFT_BLUR_PX)
    return Zones(core, band, inside, prior)


def peel(mask: np.ndarray, picture: np.ndarray, ground: np.ndarray, edge_px: int) -> np.ndarray:
    """The mask without the parts at its rim, to a few times its tolerance deep, that show nothing but the ground."""
    outside = ((mask <= 127) | (peak(np.abs(picture - ground)) < SAME)).astype(np.uint8)
    square = np.ones((3, 3), np.uint8)
    outside = cv2.morphologyEx(outside, cv2.MORPH_OPEN, square)
    solid = mask > 127
    reached = (~solid).astype(np.uint8)
    for _ in range(PEEL_DEPTH * edge_px):
        reached = np.maximum(reached, np.minimum(cv2.dilate(reached, square), outside))
    return np.where((reached > 0) & solid, np.uint8(0), mask)


def _distance(solid: np.ndarray) -> np.ndarray:
    """Distance to the nearest zero pixel; a shape that fills the picture has no edge and is deep everywhere."""
    if solid.all():
        return np.full(solid.shape, 1e4, np.float32)
    return cv2.distanceTransform(solid, cv2.DIST_L2, 5)


def object_share(picture: np.ndarray, ground: np.ndarray, zone: Zones, edge_px: int, noise: np.ndarray) -> np.ndarray:
    """Alpha of the object alone, `h w`: one in the core, zero beyond the band.

    Of picture = share * object + (1 - share) * ground the least squares solution and the mask are two witnesses. Each
    counts by its variance: that of the two colours over their squared distance, and that of the mask, which is measured
    where the colours leave no doubt. So a mask drawn by hand says where to look, and one with true soft edges decides.
    """
    color, doubt = _object_color(picture, zone, edge_px)
    along = color - ground
    contrast = total(along**2)
    told = total((picture - ground) * along)
    spread = np.float32(3) * noise**2 + doubt + COLOR_SPREAD
    seen = np.clip(told / np.maximum(contrast, TINY), 0, 1)
    trust = spread / _mask_spread(seen - zone.prior, zone.band & (contrast > CLEAR * spread))
    # A mask is seldom wrong by its full tolerance, so its word counts for more the deeper a pixel lies inside.
    trust = trust * (1 + 4 * np.clip(zone.inside_px / edge_px, 0, 1) ** 2)
    share = (told + trust * zone.prior) / (contrast + trust)
    share = np.clip((share - SHARE_LOW) / (SHARE_HIGH - SHARE_LOW), 0, 1)
    return np.where(zone.core, 1, np.where(zone.band, share, 0)).astype(np.float32)


def _mask_spread(apart: np.ndarray, clear: np.ndarray) -> float:
    """The mask's variance from how far it is `apart` from clear sight.

    Of a mask that is right, sight errs by about `SIGHT_SPREAD` itself; beyond it the mask is to blame, and as a mask
    that is wrong in clear places is wrong by pixels and not by shades, its variance soon is that of a guess.
    """
    if clear.sum() < CLEAR_LEAST:
        return UNKNOWN_SPREAD
    found = float(np.square(apart[clear]).mean())
    return float(np.clip(found * (found / SIGHT_SPREAD) ** 2, *MASK_SPREADS))


def _object_color(picture: np.ndarray, zone: Zones, edge_px: int) -> tuple[np.ndarray, np.ndarray]:
    """The object's colour continued over the band, and its variance there: the deepest pixels near by count most."""
    weight = np.clip((zone.inside_px - 1) / edge_px, 0, 1) ** 3 * (zone.prior > 0.5)
    both = bleed(np.concatenate([picture, picture**2], -1), weight)
    color = both[..., :3]
    return color, total(np.maximum(both[..., 3:] - color**2, 0))
