"""The main job: a clip and masks in, a plate and layers out. Reads as its own table of contents."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from lamina.backbones.open import record_of
from lamina.backbones.specs import BACKBONES
from lamina.backbones.weights import Weights, find_weights
from lamina.errors import InputError
from lamina.layers.given import Given, given_items
from lamina.layers.inputs import Opened, open_inputs
from lamina.layers.items import Item, found_items
from lamina.layers.job import make_stack, settings_of, workers
from lamina.layers.options import LayerOptions, check_options, find_order
from lamina.layers.solve import SolveConfig
from lamina.layers.write import Job, effects_of, seen_of, write_drafts
from lamina.media.mask_source import MaskSource, open_mask
from lamina.media.stack import OrderRun
from lamina.removal.answers import answers_of
from lamina.removal.casper import loading_of, open_for, plan_way, remove
from lamina.removal.casper_job import casper_job
from lamina.removal.casper_options import CasperOptions, check_asked, check_unused, recorded
from lamina.removal.plan import PLATE
from lamina.removal.propagate import propagate
from lamina.removal.shot import Shot
from lamina.removal.truth import Truth
from lamina.report import Note, Report, no_note, no_report


@dataclass(frozen=True)
class DecomposeConfig(CasperOptions, LayerOptions):
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
    engine: Literal["propagate", "casper-cog-5b", "casper-wan-1.3b", "casper-wan-14b"] = "propagate"
    """How objects are removed. propagate: look the background up in the other frames. casper-...: a video diffusion
    model, which also takes away effects that never move and makes up what no frame shows; it needs model files."""
    frames: str | None = None
    """A-B: only these frames, both included, in the clip's own numbering."""
    preview: bool = False
    """Work on a small copy, longer side 416 pixels, for a quick look. The stack has that size."""


def decompose(config: DecomposeConfig, report: Report = no_report, note: Note = no_note) -> Path:
    """Split a clip into a plate and one layer per object, with its shadow and reflection. Returns the stack's folder.

    An engine that runs a model notes its plan before it begins: how, in how much memory, for how long.

    The same input gives the same bytes, on any number of cores, stopped and resumed or not.

    Raises:
        InputError: clip, masks and flags do not fit each other.
        MediaError: a file cannot be read.
        OutputError: the folder belongs to another run, or cannot be written.
    """
    opened, solve = open_inputs(config), SolveConfig(split=config.split)
    check_options(config, [mask.name for mask in opened.masks])
    weights, painted = _find_model(config), _open_painted(config, opened)
    files = [*(mask.path for mask in opened.masks), config.preserve, config.plate, config.trimask]
    settings = recorded(settings_of(config, solve, files), weights is not None)
    if weights is not None:
        model = record_of(weights, loading_of(config))
        settings["model"] = {key: value for key, value in model.items() if key not in ("mode", "tuning")}
    if opened.clip.info.frames == 1:
        warnings.warn("the clip has one frame: no other shows what is behind the objects, it is made up", stacklevel=2)

    def job(work: Path) -> Job:
        shot = replace(opened.shot(work, workers()), painted=painted)
        found = _looked_up(config, shot, report) if weights is None else _generated(config, shot, weights, report, note)
        names = [mask.name for mask in opened.masks]
        return Job(opened.clip.info, work, names, found.order, found.items, solve, shot.workers, config.fit)

    return make_stack(Path(config.input), Path(config.out), opened.clip, config.engine, settings, job, report)


def _find_model(config: DecomposeConfig) -> Weights | None:
    """The files of the engine's model; None for an engine that has none."""
    if config.engine not in BACKBONES:
        check_unused(config, config.engine)
        return None
    spec = BACKBONES[config.engine]
    check_asked(config, spec)
    if config.plate is not None:
        raise InputError(
            "--plate",
            got=f"--engine {config.engine} too",
            wanted="one of them",
            do="With a true clean plate nothing is to be made up: leave --engine out.",
        )
    return find_weights(spec, config.weights)


def _open_painted(config: DecomposeConfig, opened: Opened) -> MaskSource | None:
    """The trimask that the user has painted."""
    if config.trimask is None:
        return None
    if len(opened.masks) > 1 or config.preserve is not None:
        raise InputError(
            "--trimask",
            got="--preserve too" if len(opened.masks) == 1 else f"{len(opened.masks)} objects",
            wanted="one object, and all that the model is told in the painting",
            do="Leave --trimask out, or paint what is to be kept white and run once per object.",
        )
    return open_mask("trimask", config.trimask, opened.clip.info)


@dataclass(frozen=True)
class _Found:
    """What an engine has found: who is in front of whom, and all that layers are made of, from any frame on."""

    order: list[OrderRun]
    items: Callable[[int], Iterator[Item]]


def _looked_up(config: DecomposeConfig, shot: Shot, report: Report) -> _Found:
    """From the drafts of `propagate`."""
    order = find_order(config, shot.clip, shot.masks)
    draft = write_drafts(shot, propagate, report)
    return _Found(order, lambda first: found_items(shot, draft, effects_of(shot), first))


def _generated(config: DecomposeConfig, shot: Shot, weights: Weights, report: Report, note: Note) -> _Found:
    """From plate and solos that a model made, anchored on what `propagate` has seen."""
    job = casper_job(shot, weights.spec, config)

    @cache
    def truth() -> Truth | None:
        return Truth(write_drafts(shot, propagate, report), seen_of(shot)) if config.is_anchored else None

    if not job.is_done:  # what is wrong with the model's files is said before the truth is looked for
        way = plan_way(job, weights)
        note("plan", {"engine": config.engine, **asdict(way)}, f"{config.engine}, {way}")
        remove(job, open_for(job, weights, way), way, truth, report)
    made = answers_of(job)
    solos = {name: made[name] for name in made if name != PLATE}
    order = find_order(config, shot.clip, shot.masks, made if solos else None)
    given = Given(shot.clip, shot.masks, made[PLATE], list(solos.values()), truth())
    return _Found(order, lambda first: given_items(given, order, first))
