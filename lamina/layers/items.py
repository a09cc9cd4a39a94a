"""All that is known of each frame before its layers are, as an engine found it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from lamina.layers.solve import SolveConfig
from lamina.layers.window import edge_radius
from lamina.masks.binary import grow
from lamina.media.ffv1 import read_ffv1
from lamina.motion.coordinates import resize_area
from lamina.removal.frames import MASK_DOUBT
from lamina.removal.records import FrameArrays
from lamina.removal.shot import Shot


@dataclass(frozen=True)
class Item:
    """One frame, `h w 3`, masks and influences, `uint8 h w` per object, the plate, and solos where there are any."""

    frame: np.ndarray
    masks: list[UInt8[np.ndarray, "h w"]]
    plate: np.ndarray
    influence: list[UInt8[np.ndarray, "h w"]]
    solos: list[np.ndarray] = field(default_factory=list)


def found_items(shot: Shot, draft: Path, effects: FrameArrays, first: int) -> Iterator[Item]:
    """Frames from `first` on, with the plates that an engine drafted and the effects that it saw."""
    plates = read_ffv1(draft, first)
    for index, ((frame, masks), plate) in enumerate(zip(shot.read(first, shot.frames), plates, strict=True), first):
        yield Item(frame, masks, plate, _influence(masks, effects[index], frame.shape[1::-1]))


def mask_margin_px(width: int, height: int) -> float:
    """How far beyond its mask an object may have changed the picture for reasons of the mask alone."""
    return 2 * width * MASK_DOUBT + edge_radius(height, SolveConfig()) + 2


def _influence(
    masks: Sequence[UInt8[np.ndarray, "h w"]], effects: UInt8[np.ndarray, "k d v"], size: tuple[int, int]
) -> list[UInt8[np.ndarray, "h w"]]:
    """Per object at source size: everywhere it may have changed the picture."""
    margin = mask_margin_px(*size)
    wide = [resize_area(grow(effect, 6).astype(np.uint8) * 255, size) for effect in effects]
    return [np.where(_grow_far(mask > 20, margin), 255, part) for mask, part in zip(masks, wide, strict=True)]


def _grow_far(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """Like `grow`, in time that does not depend on the radius."""
    if not mask.any():
        return mask
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3) <= radius_px
