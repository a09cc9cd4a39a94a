"""The layer step alone: a clip with a plate and solos that another remover has made becomes a stack."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lamina.errors import InputError
from lamina.layers.given import Given, given_items
from lamina.layers.inputs import check_once, name_and_path, open_alike, open_clip, open_masks
from lamina.layers.job import GIVEN, make_stack, settings_of, workers
from lamina.layers.options import LayerOptions, check_options, find_order
from lamina.layers.solve import SolveConfig
from lamina.layers.write import Job
from lamina.media.clip_info import FrameSource
from lamina.media.still import StillSource, held
from lamina.report import Report, no_report

SHAPE_WITHIN = 0.06
"""How far a picture's shape may differ: removal models work at sizes of round numbers, such as 672 x 384 for 16:9."""


@dataclass(frozen=True)
class LayersConfig(LayerOptions):
    """What to make layers of, and where to put them."""

    input: Path
    """The clip: a movie, a folder of images, or a pattern such as shot.####.exr."""
    out: Path
    """Folder to write the stack into. A stopped run goes on where it was when the same command is given again."""
    plate: Path
    """The clip without any object, from whatever remover: as many frames as the clip, or one still for a tripod. It may
    be smaller than the clip; the clip's own detail is then brought into it."""
    solo: tuple[str, ...] = ()
    """NAME=PATH: the clip with only this object left, as many frames as the clip. Once per object; with one object the
    clip itself is its solo."""
    mask: tuple[str, ...] = ()
    """NAME=PATH: an object's name and the mask of what the clip shows of it. Once per object."""
    labels: Path | None = None
    """Folder of label images instead of masks: one value or palette colour per object (as DAVIS has them). The objects
    are called obj_01, obj_02 and so on."""
    frames: str | None = None
    """Only these frames of the clip, both included, in its own numbering. Plate and solos hold just these, or as many
    as the whole clip."""


def layers_from_solos(config: LayersConfig, report: Report = no_report) -> Path:
    """Make one layer per object, and a plate with the clip's own pixels where no object is. Returns the folder.

    The same input gives the same bytes, on any number of cores, stopped and resumed or not.

    Raises:
        InputError: clip, masks, plate and solos do not fit each other, or hold numbers that no picture has.
        MediaError: a file cannot be read.
        OutputError: the folder belongs to another run, or cannot be written.
    """
    clip = open_clip(config)
    plate = _open_beside("--plate", config.plate, clip)
    masks = open_masks(config, clip)
    names = [mask.name for mask in masks]
    check_options(config, names)
    solos = _open_solos(config.solo, names, clip, plate)
    given, solve = Given(clip, masks, plate, [solos[name] for name in names if solos]), SolveConfig(split=config.split)
    paths = [Path(name_and_path("--solo", entry)[1]) for entry in config.solo]
    settings = settings_of(config, solve, [*(mask.path for mask in masks), config.plate, *paths])

    def job(work: Path) -> Job:
        order = find_order(config, clip, masks, {"plate": plate} | solos if solos else None)
        return Job(
            clip.info, work, names, order, lambda first: given_items(given, order, first), solve, workers(), config.fit
        )

    return make_stack(Path(config.input), Path(config.out), clip, GIVEN, settings, job, report)


def _open_solos(
    entries: Sequence[str], names: Sequence[str], clip: FrameSource, plate: FrameSource
) -> dict[str, FrameSource]:
    """Every object's solo by name; none where the clip itself is the only one."""
    pairs = [name_and_path("--solo", entry) for entry in entries]
    given = [name for name, _ in pairs]
    if (given or len(names) > 1) and sorted(given) != sorted(names):
        raise InputError(
            "--solo",
            got=f"solos of {', '.join(given) or 'no object'}",
            wanted=f"one of each object: {', '.join(names)}",
            do="Give --solo NAME=PATH once per object, or let `lamina decompose --plate` tell the objects apart.",
        )
    check_once("--solo", pairs)
    solos = {name: _open_beside(f"--solo {name}", Path(path), clip) for name, path in pairs}
    for name, solo in solos.items():
        if (solo.info.width, solo.info.height) != (plate.info.width, plate.info.height):
            raise InputError(
                f"--solo {name}",
                got=f"{solo.info.width} x {solo.info.height}",
                wanted=f"{plate.info.width} x {plate.info.height}, as the plate",
                do="Give plate and solos as the remover wrote them, all of one size.",
            )
        if isinstance(solo, StillSource) and clip.info.frames > 1:
            raise _other_length(f"--solo {name}", solo.full, clip)
    return solos


def _open_beside(flag: str, path: Path, clip: FrameSource) -> FrameSource:
    """A plate or solo that fits the clip: as long or a still, as large or smaller, and of the same shape."""
    source = open_alike(path, clip.info)
    info, wanted = source.info, clip.info
    shape = info.width * wanted.height / (info.height * wanted.width)
    if info.width > wanted.width or info.height > wanted.height or abs(shape - 1) > SHAPE_WITHIN:
        raise InputError(
            f"{flag} {path}",
            got=f"{info.width} x {info.height}",
            wanted=f"{wanted.width} x {wanted.height}, the clip's size, or smaller and of the same shape",
            do="Scale or crop it to the clip's picture.",
        )
    if info.frames not in (1, wanted.frames):
        raise _other_length(f"{flag} {path}", source, clip)
    return held(source, wanted)


def _other_length(what: str, source: FrameSource, clip: FrameSource) -> InputError:
    return InputError(
        what,
        got=f"{source.info.frames} frames",
        wanted=f"{clip.info.frames}, as the clip",
        do="Trim it, or choose the clip's frames with --frames.",
    )
