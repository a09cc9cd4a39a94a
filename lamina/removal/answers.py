"""From latents to plate and solos, small but of the clip's own shape, written piece by piece.

A model's codec loses detail. What it loses of the clip is found by coding the clip itself, and put back wherever the
model was not asked to remove something: so what it left alone is the clip again, and no loss is taken for a change.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from torch import Tensor

from lamina.backbones.interface import Backbone
from lamina.levels import from_levels
from lamina.masks.trimask import REMOVE
from lamina.media.clip_info import ClipInfo, FrameSource
from lamina.media.ffv1 import join_segments, read_ffv1, write_segment
from lamina.removal.anchored import pixel_share, shown
from lamina.removal.casper_frames import Row, as_picture, read_rows, read_shown
from lamina.removal.casper_job import CasperJob
from lamina.removal.denoising import check_finite
from lamina.removal.pieces import Piece, decode_piece
from lamina.removal.plan import Removal
from lamina.removal.truth import Truth
from lamina.report import Report


@dataclass(frozen=True)
class Answer:
    """A removal's movie as a clip. It has the clip's frames and times, and the size of its picture in the model's."""

    file: Path
    info: ClipInfo

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        return read_ffv1(self.file, start, stop)


def answers_of(job: CasperJob) -> dict[str, FrameSource]:
    """What a finished job has made, by the removals' names."""
    height, width = job.framing.picture
    info = replace(job.shot.clip.info, width=width, height=height, dtype=_dtype(job).name)
    return {
        removal.name: Answer(job.movie(removal), replace(info, path=job.movie(removal))) for removal in job.removals
    }


def write_answers(
    job: CasperJob, backbone: Backbone, latents: Mapping[str, Tensor], truth: Truth | None, report: Report
) -> None:
    """Decode all pieces that are not there yet, and join them. latents: `c t h w` of each removal by name."""
    pieces = [piece for piece in job.decoded if len(job.own_frames(piece))]
    report("decode", 0, job.shot.frames)
    for piece in pieces:
        todo = [removal for removal in job.removals if not job.segment(removal, piece.start).exists()]
        if todo:
            _write_piece(job, backbone, {r.name: latents[r.name] for r in todo}, piece, truth)
        report("decode", job.own_frames(piece).stop, job.shot.frames)
    join_answers(job, [piece.start for piece in pieces])


def join_answers(job: CasperJob, starts: Sequence[int]) -> None:
    """Make each removal's movie of its segments."""
    info = job.shot.clip.info
    for removal in job.removals:
        parts = [job.segment(removal, start) for start in starts]
        join_segments(parts, job.movie(removal), info.pts, info.time_base)


def write_answer(job: CasperJob, removal: Removal, start: int, frames: range, pictures: Iterable[np.ndarray]) -> None:
    """Write a removal's segment that begins at `start`: these frames of the clip, pictures as levels."""
    info, stored = job.shot.clip.info, (from_levels(picture, _dtype(job)) for picture in pictures)
    pts = info.pts[frames.start : frames.stop]
    write_segment(job.segment(removal, start), stored, pts, info.time_base, info.color)


def _write_piece(
    job: CasperJob, backbone: Backbone, latents: Mapping[str, Tensor], piece: Piece, truth: Truth | None
) -> None:
    frames = job.own_frames(piece)
    rows = list(read_rows(job, truth, frames))
    lost = [] if job.options.is_reference else _lost(job, backbone, piece, rows)
    for number, removal in enumerate(job.removals):
        if removal.name not in latents:
            continue
        decoded = decode_piece(backbone, piece, latents[removal.name])
        check_finite(job, decoded, f"decoding of {removal.name}")
        pictures = (job.framing.cut(as_picture(decoded[k])) for k in range(len(rows)))
        if lost:
            pictures = map(finished, pictures, rows, lost, repeat(number))
        write_answer(job, removal, piece.start, frames, pictures)


def _lost(job: CasperJob, backbone: Backbone, piece: Piece, rows: Sequence[Row]) -> list[Float32[np.ndarray, "h w 3"]]:
    """What the codec loses of the clip's own frames."""
    coded = backbone.decode(backbone.encode(read_shown(job, None, piece.coded_frames).frames))[piece.lead_frames :]
    pairs = zip(rows, coded, strict=False)  # beyond the clip's end is what it was padded with
    return [row.small - job.framing.cut(as_picture(frame)) for row, frame in pairs]


def finished(
    picture: Float32[np.ndarray, "h w 3"], row: Row, lost: Float32[np.ndarray, "h w 3"], number: int
) -> Float32[np.ndarray, "h w 3"]:
    """A frame of removal `number` with what was lost put back where nothing was to be removed, and what is known in its
    place.
    """
    left_alone = pixel_share(row.trimasks[number] != REMOVE)
    return shown(picture + lost * left_alone[..., None], row.known, pixel_share(row.sure[number]))


def _dtype(job: CasperJob) -> np.dtype:
    """Finer than the model, and floats where the clip's are."""
    return np.dtype(np.float32 if job.shot.clip.info.dtype == "float32" else np.uint16)
