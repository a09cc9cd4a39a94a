"""Frames with a plate and solos that somebody else has made, made ready for the layer step."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TypeVar

import cv2
import numpy as np
from jaxtyping import UInt8

from lamina.channels import peak
from lamina.errors import InputError
from lamina.layers.influence import Change, find_influence, measure_change, shared_out
from lamina.layers.items import Item
from lamina.layers.lift import Known, Place, lift_plate, lift_solo
from lamina.layers.overlap import grow
from lamina.layers.solve import SolveConfig
from lamina.layers.window import edge_radius
from lamina.levels import from_levels, to_levels
from lamina.media.clip_info import FrameSource
from lamina.media.mask_source import MaskSource
from lamina.media.stack import OrderRun, order_at
from lamina.motion.coordinates import resize_area
from lamina.removal.anchored import pixel_share
from lamina.removal.shot import untouchable
from lamina.removal.truth import Truth

ALIKE, OTHER = np.float32(3 / 255), np.float32(8 / 255)
"""Up to the first a model's answer says the same as what was looked up; from the second on it says something else."""
T = TypeVar("T")
BEYOND = 0.02
"""How far a float plate for an integer clip may leave 0..1, as filters and codecs do at edges."""


@dataclass(frozen=True)
class Given:
    """A clip with plate and solos from elsewhere, opened. Without solos the clip itself is its only object's."""

    clip: FrameSource
    masks: Sequence[MaskSource]
    plate: FrameSource
    solos: Sequence[FrameSource]
    truth: Truth | None = None
    """Background truly seen, of the clip's own detail."""
    preserve: MaskSource | None = None
    """Regions that stay as they are outside the objects' masks."""

    @property
    def names(self) -> list[str]:
        return [mask.name for mask in self.masks]


@dataclass(frozen=True)
class _Raw:
    """One frame as it is read, pictures as levels; the changes at the plate's size."""

    frame: np.ndarray
    masks: list[np.ndarray]
    plate: np.ndarray
    solos: list[np.ndarray]
    changes: list[Change]
    whole: Change | None
    """What all objects together changed; None where there is but one."""
    known: Known | None
    preserve: np.ndarray | None


def given_items(given: Given, order: Sequence[OrderRun], first: int) -> Iterator[Item]:
    """Frames from `first` on, plate and solos at the clip's size and in its number type.

    Raises InputError when plate or solos hold numbers that no picture has.
    """
    start = max(0, first - 1)
    for index, (before, here, after) in enumerate(_threes(_read(given, start)), start):
        if index >= first:
            ranks = [given.names.index(name) for name in order_at(order, index)]
            yield _item(before, here, after, ranks)


def _read(given: Given, start: int) -> Iterator[_Raw]:
    frames = given.clip.info.frames
    plates = _checked(given.plate, "--plate", given.clip, start)
    solos = [
        _checked(solo, f"--solo {name}", given.clip, start)
        for name, solo in zip(given.names, given.solos, strict=False)
    ]
    masks = zip(*(mask.read(start, frames) for mask in given.masks), strict=True)
    rows = zip(*solos, strict=True) if solos else repeat((), frames - start)
    truths = given.truth.read(start, frames) if given.truth else repeat(None, frames - start)
    kept = given.preserve.read(start, frames) if given.preserve else repeat(None, frames - start)
    pictures = zip(given.clip.read(start, frames), masks, strict=True)
    for (frame, covered), plate, alone, truth, preserve in zip(pictures, plates, rows, truths, kept, strict=True):
        known = None if truth is None else _known(truth[0], truth[1][0], plate)
        whole, changes = _changes(frame, plate, alone)
        yield _Raw(frame, list(covered), plate, list(alone), changes, whole, known, preserve)


def _known(plate: np.ndarray, seen: np.ndarray, answer: np.ndarray) -> Known:
    """A plate that was looked up, and how far it is to be shown at its size: where it was truly seen, and where the
    model has come to the same.
    """
    picture, size = to_levels(plate), plate.shape[1::-1]
    difference = peak(np.abs(resize_area(picture, answer.shape[1::-1]) - answer))
    agreed = cv2.erode(np.clip((OTHER - difference) / (OTHER - ALIKE), 0, 1), np.ones((3, 3)))
    shares = (cv2.resize(share, size, interpolation=cv2.INTER_LINEAR) for share in (pixel_share(seen == 255), agreed))
    return Known(picture, np.maximum(*shares))


def _changes(frame: np.ndarray, plate: np.ndarray, solos: Sequence[np.ndarray]) -> tuple[Change | None, list[Change]]:
    """What all objects changed, where that is not known of the only one, and each; at the plate's size."""
    size = plate.shape[1::-1]
    # Like with like: a plate is compared with pictures as small as it is.
    whole = measure_change(resize_area(to_levels(frame), size), plate)
    parts = [measure_change(resize_area(solo, size), plate) for solo in solos]
    return (whole, parts) if parts else (None, [whole])


def _item(before: _Raw | None, here: _Raw, after: _Raw | None, ranks: list[int]) -> Item:
    height, width = here.frame.shape[:2]
    edge_px = edge_radius(height, SolveConfig())
    influence = _influences(before, here, after, edge_px)
    places = [
        Place(part.astype(np.float32) / 255, grow(mask, edge_px), ~grow(255 - mask, edge_px))
        for part, mask in zip(influence, here.masks, strict=True)
    ]
    frame = to_levels(here.frame)
    plate = lift_plate(here.plate, frame, places, here.known)
    solos = []
    for k, solo in enumerate(here.solos or [frame]):
        others = [place for j, place in enumerate(places) if j != k]
        fronts = [places[j] for j in ranks[ranks.index(k) + 1 :]]
        solos.append(lift_solo(solo, frame, plate, places[k], others, fronts))
    plate, *solos = (from_levels(picture, here.frame.dtype) for picture in (plate, *solos))
    return Item(here.frame, here.masks, plate, influence, solos)


def _influences(
    before: _Raw | None, here: _Raw, after: _Raw | None, edge_px: int
) -> list[UInt8[np.ndarray, "h w"]]:
    """Every object's influence on a frame, at the clip's size."""
    around, union = (before, here, after), np.max(here.masks, axis=0)
    parts = [
        _influence([raw and raw.changes[k] for raw in around], mask, here.plate, edge_px)
        for k, mask in enumerate(here.masks)
    ]
    if here.whole is not None:
        parts = shared_out(parts, _influence([raw and raw.whole for raw in around], union, here.plate, edge_px))
    if here.preserve is None:
        return parts
    kept = untouchable(here.preserve, union)
    return [np.where(kept, np.uint8(0), part) for part in parts]


def _influence(
    changes: Sequence[Change | None], mask: np.ndarray, plate: np.ndarray, edge_px: int
) -> UInt8[np.ndarray, "h w"]:
    """What is changed around a mask, at its size. changes: at the plate's size, in the frame before, here and after."""
    before, here, after = changes
    assert here is not None
    found = find_influence(before, here, after, resize_area(mask, plate.shape[1::-1]), edge_px + 2)
    wide = cv2.resize(found, mask.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(grow(mask, edge_px + 2), np.uint8(255), wide)


def _checked(source: FrameSource, flag: str, clip: FrameSource, start: int) -> Iterator[np.ndarray]:
    """A source's frames as levels."""
    for number, frame in enumerate(source.read(start, clip.info.frames), start + clip.info.first_number):
        levels = to_levels(frame)
        if frame.dtype == np.float32:
            _check_floats(levels, f"{flag}, frame {number}", bounded=clip.info.dtype != "float32")
        yield levels


def _check_floats(levels: np.ndarray, what: str, bounded: bool) -> None:
    if not np.isfinite(levels).all():
        count = int((~np.isfinite(levels)).any(-1).sum())
        raise InputError(
            what, got=f"{count} pixels with NaN or infinity", wanted="finite numbers", do="Repair the picture first."
        )
    low, high = float(levels.min()), float(levels.max())
    if bounded and (low < -BEYOND or high > 1 + BEYOND):
        raise InputError(
            what,
            got=f"values from {low:.3g} to {high:.3g}",
            wanted="0..1, white at 1, as the clip has it",
            do="Bring the plate and the solos to the clip's range and light.",
        )


def _threes(items: Iterable[T]) -> Iterator[tuple[T | None, T, T | None]]:
    """Each item with the one before it and the one after it, where there are any."""
    before: T | None = None
    here: T | None = None
    for after in items:
        if here is not None:
            yield before, here, after
        before, here = here, after
    if here is not None:
        yield before, here, None
