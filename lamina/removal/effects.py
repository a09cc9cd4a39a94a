"""From evidence to effects: what changed *with* an object, frame after frame, belongs to it.

A shadow or a reflection keeps its place relative to its object; waves, leaves, passers-by and misaligned background do
not. So evidence is averaged over neighbouring frames in coordinates that move and grow with the object (*persistence*).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lamina.masks.binary import grow
from lamina.removal.evidence import EVIDENCE_ONE, UNKNOWN
from lamina.removal.frames import Small, with_suspects


@runtime_checkable
class EvidenceFrames(Protocol):
    """Evidence by frame number, such as a dict or a file."""

    def __getitem__(self, frame: int, /) -> UInt8[np.ndarray, "h w"]: ...


HALO_FRAMES = 16
"""Frames before and after that are asked whether a change keeps its place."""
HALO_STEP = 2
SUSPECT = 0.3
"""Persistence from which a place is no longer trusted to show background in any frame."""
STRONG, WEAK = 1.0, 0.5
"""Hysteresis on evidence times persistence: a strong change counts, a weak one where it touches that or the object."""
LASTING_TRIPOD, LASTING_MOVING = 0.1, 0.6
"""Persistence below which a change is not the object's, however strong it is. Where the camera moves, misaligned
background makes strong changes too; on a tripod a swinging arm's shadow may come and go."""
BLIND = 0.6
"""How much persistence counts where the frame itself has nothing to say."""
REACH = 3.0
"""How far effects are looked for, in object sizes; a low sun's shadow is about twice as long as its object."""
LEAST_SIZE = 0.04
"""What an object's size counts at least, in widths of the picture."""
DETACHED_REACH = 1.5
"""The same for an effect that nowhere touches its object: a jumper's shadow, a reflection beyond the shore."""
CLEAR = 0.4
"""Evidence below which a place is cleared of suspicion, once the views it is held against are trusted."""
DOUBT_FRAMES = 1.5
"""This many frames without evidence are added to every mean, so that one frame alone proves little."""
CAP = 1.5
"""Evidence above this many thresholds adds nothing: one frame's glare must not speak for the others."""

_NUMBERS = np.arange(256)
_KNOWN = (_NUMBERS != UNKNOWN).astype(np.uint8)
_CAPPED = (np.minimum(_NUMBERS, int(CAP * EVIDENCE_ONE)) * _KNOWN).astype(np.uint8)


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
        return Place(0.0, 0.0, 0.0, False)
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return Place(moments["m10"] / moments["m00"], moments["m01"] / moments["m00"], area, bool((border > 127).any()))


def persistence(
    evidence: EvidenceFrames, places: Mapping[int, Place], target: int, outside: int = UNKNOWN
) -> Float32[np.ndarray, "h w"]:
    """Mean evidence (in thresholds, capped) at the same place relative to the object in the frames around `target`.

    Zero where the object is absent. Frames that do not know a place have no say there. `outside` is the evidence taken
    for granted beyond the picture's border: none (0) where a few frames alone should not decide. An object that is cut
    by the border itself leaves its effects out there, so that nothing is taken for granted then.
    """
    here = places[target]
    height, width = evidence[target].shape
    total, count = np.zeros((height, width), np.float32), np.full((height, width), DOUBT_FRAMES, np.float32)
    if here.area_px == 0:
        return total
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    for frame in range(target - HALO_FRAMES, target + HALO_FRAMES + 1, HALO_STEP):
        there = places.get(frame)
        if there is None or there.area_px == 0:
            continue
        cut = here.cut or there.cut
        scale = 1.0 if cut else float(np.clip((there.area_px / here.area_px) ** 0.5, 0.6, 1.6))
        move = np.array([[scale, 0, there.x - scale * here.x], [0, scale, there.y - scale * here.y]])
        border = UNKNOWN if cut else outside
        moved = cv2.warpAffine(evidence[frame], move, (width, height), flags=flags, borderValue=border)
        cv2.accumulate(cv2.LUT(moved, _CAPPED), total)
        cv2.accumulate(cv2.LUT(moved, _KNOWN), count)
    return total / (count * EVIDENCE_ONE)


def reach_of(mask: UInt8[np.ndarray, "h w"], place: Place) -> Float32[np.ndarray, "h w"]:
    """Distance from the object in units of its own size (square root of the area, at least 4 % of the picture)."""
    distance = cv2.distanceTransform((mask < 128).astype(np.uint8), cv2.DIST_L2, 3)
    return distance / np.float32(max(place.area_px**0.5, LEAST_SIZE * mask.shape[1]))


def mark_suspects(
    small: Small,
    maps: Sequence[Float32[np.ndarray, "h w"]],
    places: Sequence[Place],
    cleared: Bool[np.ndarray, "h w"] | None = None,
) -> Small:
    """The frame with every place marked that may hold an effect of any object: not to be trusted as background.

    `maps` are the objects' persistences, in the order of the frame's masks; `cleared` is where evidence of this very
    frame, taken from trusted views, says that nothing is there.
    """
    found = np.zeros(small.free.shape, bool)
    for persistent, mask, place in zip(maps, small.masks, places, strict=True):
        found |= (cv2.GaussianBlur(persistent, (0, 0), 1.5) > SUSPECT) & (reach_of(mask, place) < REACH)
    if cleared is not None:
        found &= ~cleared
    return with_suspects(small, grow(found, 2))


def clear_places(evidence: UInt8[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Where a frame's evidence is known and, all around, well below what could be chance."""
    known = evidence != UNKNOWN
    around = cv2.dilate(np.where(known, evidence, 0).astype(np.uint8), np.ones((5, 5), np.uint8))
    return known & (around < CLEAR * EVIDENCE_ONE)


def attribute_effects(
    evidence: UInt8[np.ndarray, "h w"],
    maps: Sequence[Float32[np.ndarray, "h w"]],
    masks: UInt8[np.ndarray, "k h w"],
    places: Sequence[Place],
    lasting: float,
) -> Bool[np.ndarray, "k h w"]:
    """The effect region of every object in one frame, without the masks.

    A pixel goes to the object with which its change persists best, near ones first; it is kept by hysteresis, grown
    from strong changes and from the object's own outline; changes less persistent than `lasting` are nobody's. Where
    the frame itself knows nothing, persistence decides.
    """
    strength = (
        cv2.GaussianBlur(np.where(evidence == UNKNOWN, 0, evidence).astype(np.float32), (0, 0), 1.0) / EVIDENCE_ONE
    )
    reaches = [reach_of(mask, place) for mask, place in zip(masks, places, strict=True)]
    claims = [cv2.GaussianBlur(m, (0, 0), 2.0) / (1 + reach) for m, reach in zip(maps, reaches, strict=True)]
    best = np.max(claims, axis=0)
    covered = masks.max(0) > 127
    regions = np.zeros(masks.shape, bool)
    for k, (claim, reach) in enumerate(zip(claims, reaches, strict=True)):
        mine = (claim >= best) & (reach < REACH) & ~covered
        persistent = maps[k] * (maps[k] > lasting)
        found = np.where(evidence == UNKNOWN, BLIND * persistent, np.sqrt(strength * persistent))
        regions[k] = _hysteresis(found * mine, masks[k] > 127, reach)
    return regions


def _hysteresis(
    score: Float32[np.ndarray, "h w"], outline: Bool[np.ndarray, "h w"], reach: Float32[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    weak = score > WEAK
    seeds = ((score > STRONG) & (reach < DETACHED_REACH)) | (weak & (grow(outline, 3) > 0))
    labels = np.asarray(cv2.connectedComponents(weak.astype(np.uint8), connectivity=8)[1], np.int32)
    wanted = np.zeros(labels.max() + 1, bool)
    wanted[labels[seeds]] = True
    wanted[0] = False
    return wanted[labels]
