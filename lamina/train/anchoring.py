"""Pairs that also say what other frames show of the answer: found as at removal, by the engine `propagate` itself.

A network that is anchored must learn from the anchor's own mistakes, so nothing here comes near them by a formula: each
pair's clip goes through the very passes that a user's clip does. That takes seconds, so it is done once, into shards.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from lamina.color import ColorDescription
from lamina.masks.trimask import KEEP, REMOVE
from lamina.media.clip_info import ClipInfo
from lamina.media.mask_source import MaskSource
from lamina.motion.coordinates import resize_area
from lamina.removal.propagate import propagate
from lamina.removal.scene import windows
from lamina.removal.shot import Shot
from lamina.report import no_report
from lamina.synth.pair import Pair, PairSource

RATE = 24
"""Frames per second that are written beside the pictures; nothing depends on it."""


@dataclass(frozen=True)
class AnchoredSource:
    """The pairs of another source with `known` and `sure`. Makes them in seconds per pair: for shards."""

    source: PairSource

    @property
    def name(self) -> str:
        return self.source.name

    def pair(self, seed: int) -> Pair:
        return with_anchor(self.source.pair(seed))


def with_anchor(pair: Pair) -> Pair:
    """The pair with what `propagate` finds behind the objects that are to be removed."""
    removed, kept = pair.trimask == REMOVE, pair.trimask == KEEP
    objects = [removed, kept] if kept.any() else [removed]
    known, sure = look_up(pair.input, objects)
    return replace(pair, known=known, sure=sure[-1])


def look_up(
    pictures: UInt8[np.ndarray, "t h w 3"], objects: list[Bool[np.ndarray, "t h w"]]
) -> tuple[UInt8[np.ndarray, "t h w 3"], UInt8[np.ndarray, "r t h w"]]:
    """The background of a clip, and where it is sure to be seen, 255 or 0: of the plate and, with several objects, of
    each one's solo.
    """
    clip = HeldClip(pictures)
    masks = [_held_mask(clip.info, f"object_{k}", covered) for k, covered in enumerate(objects)]
    with tempfile.TemporaryDirectory() as work:
        shot = Shot(clip, masks, None, None, Path(work), workers=1)
        found = list(propagate(shot, windows(shot.frames), no_report))
    plates = [plate for window in found for plate in window.plates]
    size = pictures.shape[2:0:-1]
    seen = [resize_area(one, size) == 255 for window in found for each in window.seen for one in each]
    rows = np.stack(seen).reshape(len(plates), -1, *pictures.shape[1:3]).swapaxes(0, 1)
    return np.stack(plates), rows.astype(np.uint8) * np.uint8(255)


@dataclass(frozen=True, eq=False)
class HeldClip:
    """Pictures in memory as a clip."""

    pictures: UInt8[np.ndarray, "t h w 3"]

    @property
    def info(self) -> ClipInfo:
        frames, height, width = self.pictures.shape[:3]
        return ClipInfo(
            path=Path("pictures"),
            kind="movie",
            frames=frames,
            width=width,
            height=height,
            dtype="uint8",
            depth_bits=8,
            pts=tuple(range(frames)),
            time_base=Fraction(1, RATE),
            rate=Fraction(RATE),
            first_number=0,
            color=ColorDescription(),
            has_audio=False,
        )

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        return iter(self.pictures[start:stop])


def _held_mask(info: ClipInfo, name: str, covered: Bool[np.ndarray, "t h w"]) -> MaskSource:
    stored = covered.astype(np.uint8) * np.uint8(255)
    return MaskSource(name, info.path, info, lambda start, stop: iter(stored[start:stop]))
