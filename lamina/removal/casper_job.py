"""One clip before a model: sizes, padding, pieces and removals, all settled before anything is computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lamina.backbones.interface import Geometry
from lamina.backbones.memory import Storage
from lamina.backbones.specs import ModelSpec
from lamina.backbones.timing import REFERENCE_CAP_FRAMES, Timing, plan_timing
from lamina.errors import InputError
from lamina.removal.casper_options import CasperOptions, wanted_size
from lamina.removal.framing import Framing, fitting, fitting_area, squeezing
from lamina.removal.pieces import Piece, decoding_pieces, encoding_pieces
from lamina.removal.plan import Ahead, Removal, needed_removals
from lamina.removal.shot import Shot


@dataclass(frozen=True)
class CasperJob:
    """What is asked of a model about a clip."""

    shot: Shot
    spec: ModelSpec
    options: CasperOptions
    framing: Framing
    timing: Timing
    encoded: tuple[Piece, ...]
    decoded: tuple[Piece, ...]
    removals: tuple[Removal, ...]

    @property
    def geometry(self) -> Geometry:
        return self.spec.geometry

    @property
    def steps(self) -> int:
        return self.options.steps or self.spec.steps

    @property
    def grow(self) -> int:
        return self.spec.grow if self.options.grow is None else self.options.grow

    @property
    def storage(self) -> Storage:
        return self.options.storage or self.spec.dtype

    @property
    def ahead(self) -> Ahead:
        coded_frames = max(len(piece.coded_frames) for piece in (*self.encoded, *self.decoded))
        return Ahead(self.geometry, self.timing, self.framing.size, self.steps, coded_frames)

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """`c t h w` of one removal's latents."""
        return self.geometry.latent_shape(self.timing.padded_frames, *self.framing.size)

    @property
    def work(self) -> Path:
        return self.shot.work / "casper"

    def movie(self, removal: Removal) -> Path:
        """A removal's answer."""
        return self.work / f"{removal.name}.mkv"

    def segment(self, removal: Removal, start: int) -> Path:
        """A part of it that begins at `start`."""
        return self.work / "segments" / f"{removal.name}.{start:07d}.mkv"

    def steps_file(self, group: Sequence[Removal]) -> Path:
        """How far removals that are denoised together have come."""
        return self.work / f"steps.{'+'.join(removal.name for removal in group)}.npz"

    def window_file(self, group: Sequence[Removal], start: int) -> Path:
        """What a window, known by its first latent frame, has come to in the step they are at."""
        return self.work / f"window.{'+'.join(removal.name for removal in group)}.{start:07d}.npz"

    @property
    def plan_file(self) -> Path:
        return self.work / "plan.json"

    @property
    def is_done(self) -> bool:
        return all(self.movie(removal).exists() for removal in self.removals)

    def own_frames(self, piece: Piece) -> range:
        """Frames of the clip, without what it was padded with, that a piece holds."""
        frames = piece.frames
        return range(frames.start, min(frames.stop, self.shot.frames))


def casper_job(shot: Shot, spec: ModelSpec, options: CasperOptions) -> CasperJob:
    """Settle all that follows from a clip's size and length.

    Raises:
        InputError: the clip is too long for the published padding, or a size was asked for that is none.
    """
    info, reference = shot.clip.info, options.is_reference
    if reference and info.frames > REFERENCE_CAP_FRAMES:
        raise InputError(
            "--preset reference",
            got=f"a clip of {info.frames} frames",
            wanted=f"at most {REFERENCE_CAP_FRAMES}, all that the published code reads",
            do="Choose some with --frames, or leave --preset out: then any length goes.",
        )
    timing = plan_timing(spec.geometry, info.frames, options.preset)
    return CasperJob(
        shot=shot,
        spec=spec,
        options=options,
        framing=framing_of((info.height, info.width), spec, options),
        timing=timing,
        encoded=encoding_pieces(spec.geometry, timing.latent_frames, whole=reference),
        decoded=decoding_pieces(spec.geometry, timing.latent_frames, whole=reference),
        removals=needed_removals([mask.name for mask in shot.masks]),
    )


def framing_of(source: tuple[int, int], spec: ModelSpec, options: CasperOptions) -> Framing:
    """How a clip of (height, width) is shown to a model."""
    size, multiple = wanted_size(options, spec), spec.geometry.size_multiple
    if options.is_reference:
        return squeezing(size, multiple)
    return fitting_area(source, size, multiple) if options.size is None else fitting(source, size, multiple)
