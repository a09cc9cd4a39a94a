"""From evidence to effects: what changed *with* an object, frame after frame, belongs to it.

A shadow or a reflection keeps its place relative to its object; waves, leaves, passers-by and misaligned background do
not. So evidence is averaged over neighbouring frames in coordinates that move and grow with the object (*persistence*).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lamina.masks.binary import grow
from lamina.removal.evidence import EVIDENCE_ONE

HALO_FRAMES = 16
"""Frames before and after that are asked whether a change keeps its place."""
HALO_STEP = 2
SUSPECT = 0.3
"""Persistence from which a place is no longer trusted to show background in any frame."""
STRONG, WEAK = 1.0, 0.45
"""Hysteresis on evidence times persistence: a strong change counts, a weak one where it touches a strong one or the object."""
CAP = 2.0
"""Evidence above this many thresholds adds nothing: one frame's glare must not speak for the others."""


@dataclass(frozen=True)
class Place:
    """Where an object is in one frame, in pixels at detection size. `area_px` is zero where it is not."""

    x: float
    y: float
    area_px: float
    cut: bool
    """Whether it touches the picture's border, so that its area says nothing about its distance."""


def place_of(mask: UInt8[np.ndarray, "h w"]) -> Place:
    """Centre and area of a mask (0..255)."""
    moments = cv2.moments(mask)
    area = moments["m00"] / 255
    if area < 1:
        return Place(0, 0, 0, False)
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return Place(moments["m10"] / moments["m00"], moments["m01"] / moments["m00"], area, bool((border > 127).any()))


def persistence(
    evidence: Mapping[int, UInt8[np.ndarray, "h w"]], places: Mapping[int, Place], target: int
) -> Float32[np.ndarray, "h w"]:
    """Mean evidence (in thresholds, capped) at the same place relative to the object in the frames around `target`.

    Zero where the object is absent. Frames whose picture does not reach a place have no say there.
    """
    here = places[target]
    height, width = evidence[target].shape
    total, count = np.zeros((height, width), np.float32), np.full((height, width), 1e-3, np.float32)
    if here.area_px == 0:
        return total
    for frame in range(target - HALO_FRAMES, target + HALO_FRAMES + 1, HALO_STEP):
        there = places.get(frame)
        if there is None or there.area_px == 0:
            continue
        scale = 1.0 if here.cut or there.cut else float(np.clip((there.area_px / here.area_px) ** 0.5, 0.6, 1.6))
        move = np.array([[scale, 0, there.x - scale * here.x], [0, scale, there.y - scale * here.y]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        capped = np.minimum(evidence[frame], int(CAP * EVIDENCE_ONE))
        total += cv2.warpAffine(capped, move, (width, height), flags=flags)
        count += cv2.warpAffine(np.ones_like(capped), move, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return total / (count * EVIDENCE_ONE)


def reach_of(mask: UInt8[np.ndarray, "h w"], place: Place) -> Float32[np.ndarray, "h w"]:
    """Distance from the object in units of its own size (square root of the area, at least 4 % of the picture)."""
    distance = cv2.distanceTransform((mask < 128).astype(np.uint8), cv2.DIST_L2, 3)
    return distance / np.float32(max(place.area_px**0.5, 0.04 * mask.shape[1]))


def suspects(
    maps: Mapping[str, Float32[np.ndarray, "h w"]], reaches: Mapping[str, Float32[np.ndarray, "h w"]]
) -> Bool[np.ndarray, "h w"]:
    """Places that may hold an effect of any object, from their persistence: not to be shown to other frames as background."""
    found = np.zeros(next(iter(maps.values())).shape, bool)
    for name, persistent in maps.items():
        found |= (cv2.GaussianBlur(persistent, (0, 0), 1.5) > SUSPECT) & (reaches[name] < REACH)
    return grow(found, 2) > 0


REACH = 3.0
"""How far effects are looked for, in object sizes; a low sun's shadow is about twice as long as its object."""


def attribute_effects(
    evidence: UInt8[np.ndarray, "h w"],
    maps: Mapping[str, Float32[np.ndarray, "h w"]],
    masks: Mapping[str, UInt8[np.ndarray, "h w"]],
    reaches: Mapping[str, Float32[np.ndarray, "h w"]],
) -> dict[str, Bool[np.ndarray, "h w"]]:
    """The effect region of every object in one frame, without its mask.

    A pixel goes to the object with which its change persists best, near ones first; it is kept by hysteresis, grown
    from strong changes and from the object's own outline.
    """
    strength = cv2.GaussianBlur(evidence.astype(np.float32), (0, 0), 1.0)
    strength /= EVIDENCE_ONE
    claims = {n: cv2.GaussianBlur(maps[n], (0, 0), 2.0) / (1 + reaches[n]) for n in maps}
    best = np.max(list(claims.values()), axis=0)
    covered = np.max(list(masks.values()), axis=0) > 127
    result = {}
    for name in maps:
        score = np.sqrt(strength * maps[name])
        mine = (claims[name] >= best) & (reaches[name] < REACH) & ~covered
        result[name] = _hysteresis(score * mine, masks[name] > 127)
    return result


def _hysteresis(score: Float32[np.ndarray, "h w"], outline: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    weak = score > WEAK
    seeds = (score > STRONG) | (weak & (grow(outline, 3) > 0))
    _, labels = cv2.connectedComponents(weak.astype(np.uint8), connectivity=8)
    wanted = np.zeros(labels.max() + 1, bool)
    wanted[labels[seeds]] = True
    wanted[0] = False
    return wanted[labels]
