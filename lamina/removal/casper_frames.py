"""A clip as a model is shown it: small pictures, a trimask for each removal, and the background that is known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor

from lamina.area import resized_by_area
from lamina.masks.binary import grow_square
from lamina.masks.published import painted_trimask, solid_mask
from lamina.masks.trimask import KEEP, REMOVE
from lamina.motion.coordinates import resize_area
from lamina.removal.casper_job import CasperJob
from lamina.removal.plan import trimask_of
from lamina.removal.truth import Truth

OBJECT_HALF = 128
"""A mask's value, 0..255, from which on a pixel of the clip is object."""


@dataclass(frozen=True)
class Row:
    """One frame at the size of the clip's picture in the model's."""

    small: Float32[np.ndarray, "h w 3"]
    """Levels; float clips may leave 0..1."""
    trimasks: list[UInt8[np.ndarray, "h w"]]
    """Of each removal."""
    known: Float32[np.ndarray, "h w 3"]
    """The background where it is known, else anything."""
    sure: list[Bool[np.ndarray, "h w"]]
    """Where each removal must show what is known."""


def read_rows(job: CasperJob, truth: Truth | None, frames: range) -> Iterator[Row]:
    """Consecutive frames of the clip, one at a time."""
    shot = job.shot
    kept = shot.preserve.read(frames.start, frames.stop) if shot.preserve else iter([None] * len(frames))
    seen = truth.read(frames.start, frames.stop) if truth else iter([None] * len(frames))
    painted = shot.painted.read(frames.start, frames.stop) if shot.painted else iter([None] * len(frames))
    pairs = shot.read(frames.start, frames.stop)
    for (frame, masks), preserve, known, levels in zip(pairs, kept, seen, painted, strict=True):
        row = _row(job, frame, masks, preserve, known)
        yield row if levels is None else _repainted(job, row, levels)


def _row(
    job: CasperJob,
    frame: np.ndarray,
    masks: Sequence[UInt8[np.ndarray, "h w"]],
    preserve: UInt8[np.ndarray, "h w"] | None,
    known: tuple[np.ndarray, UInt8[np.ndarray, "r d v"]] | None,
) -> Row:
    height, width = size = job.framing.picture
    grown = [object_mask(job, mask, job.grow) for mask in masks]
    kept = None if preserve is None else solid_mask(preserve[None], size)[0]
    trimasks = [trimask_of(removal, grown, kept, job.options.marking) for removal in job.removals]
    small = job.framing.small(frame)
    if known is None:
        sure = [np.zeros(size, bool) for _ in job.removals]
    else:
        sure = [resize_area(one, (width, height)) == 255 for one in known[1]]
    if kept is not None and not job.options.is_reference:
        untouched = kept & ~np.any(grown, axis=0)
        sure = [one | untouched for one in sure]
    return Row(small, trimasks, small if known is None else job.framing.small(known[0]), sure)


def _repainted(job: CasperJob, row: Row, levels: UInt8[np.ndarray, "h w"]) -> Row:
    """A row whose only removal is told what the user has painted; what is painted white is the clip's own."""
    painted = painted_trimask(levels[None], job.framing.picture)[0]
    sure = np.zeros(painted.shape, bool) if job.options.is_reference else painted == KEEP
    return replace(row, trimasks=[painted], sure=[sure])


def object_mask(job: CasperJob, mask: UInt8[np.ndarray, "h w"], grow: int) -> Bool[np.ndarray, "h2 w2"]:
    """An object at the size of the clip's picture in the model's, grown by a square.

    The published loader asks how much of a pixel an object covers, and so forgets what is thinner than two pixels. Here
    a pixel counts when the object is anywhere in it.
    """
    if job.options.is_reference:
        solid = solid_mask(mask[None], job.framing.picture)[0]
    else:
        solid = resized_by_area((mask >= OBJECT_HALF)[None, ..., None], job.framing.picture)[0, ..., 0] > 0
    return grow_square(solid, grow) if grow else solid


@dataclass(frozen=True)
class Shown:
    """Consecutive frames of the padded clip, as a model is shown them."""

    frames: Float[Tensor, "t 3 h w"]
    trimasks: list[UInt8[np.ndarray, "t h w"]]
    known: Float[Tensor, "t 3 h w"]
    sure: list[Bool[np.ndarray, "t h w"]]


def read_shown(job: CasperJob, truth: Truth | None, frames: range) -> Shown:
    """These frames of the padded clip. What it was padded with is the clip itself, running back."""
    places = [job.timing.shown[k] for k in frames]
    first = min(places)
    rows = list(read_rows(job, truth, range(first, max(places) + 1)))
    return shown_rows(job, [rows[place - first] for place in places])


def shown_rows(job: CasperJob, rows: Sequence[Row]) -> Shown:
    """Frames that were read, at the model's size."""
    padded = job.framing.padded
    return Shown(
        frames=as_frames([padded(row.small) for row in rows]),
        trimasks=[np.stack([padded(row.trimasks[k]) for row in rows]) for k in range(len(job.removals))],
        known=as_frames([padded(row.known) for row in rows]),
        sure=[np.stack([padded(row.sure[k]) for row in rows]) for k in range(len(job.removals))],
    )


def as_frames(pictures: Sequence[Float32[np.ndarray, "h w 3"]]) -> Float[Tensor, "t 3 h w"]:
    """Pictures as a model's frames, held to 0..1."""
    return rearrange(torch.from_numpy(np.stack(pictures).clip(0, 1)), "t h w c -> t c h w").contiguous()


def as_picture(frame: Float[Tensor, "3 h w"]) -> Float32[np.ndarray, "h w 3"]:
    """The way back."""
    return rearrange(frame.float(), "c h w -> h w c").numpy()


def without_objects(frames: Float[Tensor, "t 3 h w"], trimask: UInt8[np.ndarray, "t h w"]) -> Float[Tensor, "t 3 h w"]:
    """Frames that are black where something is to be removed."""
    return frames * torch.from_numpy(trimask != REMOVE)[:, None]
