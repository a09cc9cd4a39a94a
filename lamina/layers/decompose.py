"""The main job: a clip and masks in, a plate and layers out. Reads as its own table of contents."""

import warnings
from dataclasses import replace
from pathlib import Path

from lamina.layers.decompose_config import DecomposeConfig
from lamina.layers.engines import ENGINES, find_model
from lamina.layers.inputs import open_inputs, open_painted
from lamina.layers.job import make_stack, settings_of, workers
from lamina.layers.options import check_options
from lamina.layers.solve import SolveConfig
from lamina.layers.write import Job
from lamina.report import Note, Report, no_note, no_report


def decompose(config: DecomposeConfig, report: Report = no_report, note: Note = no_note) -> Path:
    """Split a clip into a plate and one layer per object, with its shadow and reflection. Returns the stack's folder.

    An engine that runs a model notes its plan before it begins: how, in how much memory, for how long. `auto` notes
    which engine it takes and why; that stands in stack.json too, among the figures.

    The same input gives the same bytes, on any number of cores, stopped and resumed or not.

    Raises:
        InputError: clip, masks and flags do not fit each other.
        MediaError: a file cannot be read.
        WeightsError, MissingExtra: the engine's model cannot be loaded.
        OutputError: the folder belongs to another run, or cannot be written.
    """
    opened, solve = open_inputs(config), SolveConfig(split=config.split)
    check_options(config, [mask.name for mask in opened.masks])
    model, painted = find_model(config), open_painted(config, opened)
    files = [*(mask.path for mask in opened.masks), config.preserve, config.plate, config.trimask]
    settings = model.recorded(settings_of(config, solve, files))
    if opened.clip.info.frames == 1:
        warnings.warn("the clip has one frame: no other shows what is behind the objects, it is made up", stacklevel=2)

    def job(work: Path) -> Job:
        shot = replace(opened.shot(work, workers()), painted=painted)
        found = ENGINES[config.engine](config, shot, model, report, note)
        names = [mask.name for mask in opened.masks]
        return Job(
            opened.clip.info, work, names, found.order, found.items, solve, shot.workers, config.fit, found.choice
        )

    return make_stack(Path(config.input), Path(config.out), opened.clip, config.engine, settings, job, report)
