"""The main job: a clip and masks in, a plate and layers out. Reads as its own table of contents."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lamina.layers.inputs import Opened, open_inputs
from lamina.layers.items import found_items
from lamina.layers.job import make_stack, settings_of, workers
from lamina.layers.options import LayerOptions, check_options, find_order
from lamina.layers.solve import SolveConfig
from lamina.layers.write import Job, effects_of, write_drafts
from lamina.removal.propagate import propagate
from lamina.report import Report, no_report

ENGINES = {"propagate": propagate}
"""Ways to do removal, by name."""


@dataclass(frozen=True)
class DecomposeConfig(LayerOptions):
    """What to take apart, how, and where to put it."""

    input: Path
    """The clip: a movie, a folder of images, or a pattern such as shot.####.exr."""
    out: Path
    """Folder to write the stack into. A stopped run goes on where it was when the same command is given again."""
    mask: tuple[str, ...] = ()
    """NAME=PATH: an object's name and its mask, a movie, images, or one still that holds for the whole clip. Once per
    object. Names as Nuke takes them: a letter, then letters, digits and underscores."""
    labels: Path | None = None
    """Folder of label images instead of masks: one value or palette colour per object (as DAVIS has them). The objects
    are called obj_01, obj_02 and so on."""
    preserve: Path | None = None
    """Mask of regions that must stay as they are outside the objects, for instance a drawing under a drawing hand."""
    plate: Path | None = None
    """A true clean plate, as it is shot on set: one still, or as many frames as the clip. Taken instead of looking the
    background up."""
    engine: Literal["propagate"] = "propagate"
    """How objects are removed. propagate: look the background up in the other frames."""
    frames: str | None = None
    """A-B: only these frames, both included, in the clip's own numbering."""
    preview: bool = False
    """Work on a small copy, longer side 416 pixels, for a quick look. The stack has that size."""


def decompose(config: DecomposeConfig, report: Report = no_report) -> Path:
    """Split a clip into a plate and one layer per object, with its shadow and reflection. Returns the stack's folder.

    The same input gives the same bytes, on any number of cores, stopped and resumed or not.

    Raises:
        InputError: clip, masks and flags do not fit each other.
        MediaError: a file cannot be read.
        OutputError: the folder belongs to another run, or cannot be written.
    """
    opened, solve = open_inputs(config), SolveConfig(split=config.split)
    check_options(config, [mask.name for mask in opened.masks])
    files = [*(mask.path for mask in opened.masks), config.preserve, config.plate]
    if opened.clip.info.frames == 1:
        warnings.warn("the clip has one frame: no other shows what is behind the objects, it is made up", stacklevel=2)

    def job(work: Path) -> Job:
        return _job(config, opened, solve, work, report)

    return make_stack(
        Path(config.input), Path(config.out), opened.clip, config.engine, settings_of(config, solve, files), job, report
    )


def _job(config: DecomposeConfig, opened: Opened, solve: SolveConfig, work: Path, report: Report) -> Job:
    """The plates, drafted by the engine, and all that is needed to make layers of them."""
    shot = opened.shot(work, workers())
    order = find_order(config, opened.clip, opened.masks)
    draft = write_drafts(shot, ENGINES[config.engine], report)
    names = [mask.name for mask in opened.masks]
    return Job(
        opened.clip.info,
        work,
        names,
        order,
        lambda first: found_items(shot, draft, effects_of(shot), first),
        solve,
        shot.workers,
        config.fit,
    )
