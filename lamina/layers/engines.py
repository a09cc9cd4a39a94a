"""The engines by name: each goes from a shot to all that layers are made of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from lamina.backbones.open import record_of
from lamina.backbones.small import SMALL_SPEC, open_small, small_record
from lamina.backbones.specs import BACKBONES, ModelSpec
from lamina.backbones.weights import Weights, find_weights
from lamina.errors import InputError
from lamina.layers.decompose_config import DecomposeConfig
from lamina.layers.given import Given, given_items
from lamina.layers.items import Item, found_items
from lamina.layers.options import find_order
from lamina.layers.write import effects_of, seen_of, write_drafts
from lamina.media.clip_info import FrameSource
from lamina.media.stack import OrderRun
from lamina.removal.answers import answers_of
from lamina.removal.casper import loading_of, open_for, plan_way, remove
from lamina.removal.casper_job import CasperJob, casper_job
from lamina.removal.casper_options import (
    NAMES,
    OF_SMALL,
    check_asked,
    check_small,
    check_unused,
    device_of,
    recorded,
)
from lamina.removal.casper_s import remove_small
from lamina.removal.choice import Choice, choose
from lamina.removal.plan import PLATE
from lamina.removal.propagate import propagate
from lamina.removal.shot import Shot
from lamina.removal.truth import Truth
from lamina.report import Note, Report

AUTO, SMALL = "auto", SMALL_SPEC.name


@dataclass(frozen=True)
class FoundModel:
    """What an engine's model is, as far as it can be told before a clip is looked at."""

    understood: Sequence[str] = ()
    """Which of a model's flags the engine knows."""
    spec: ModelSpec | None = None
    """None for an engine without a model."""
    record: Mapping[str, Any] = field(default_factory=dict)
    weights: Weights | None = None
    """Files of a published model."""

    def recorded(self, settings: dict[str, Any]) -> dict[str, Any]:
        """A run's settings, with what is known of the model."""
        kept = recorded(settings, self.understood, self.spec)
        return kept | ({"model": dict(self.record)} if self.record else {})


@dataclass(frozen=True)
class Found:
    """What an engine has found: who is in front of whom, and all that layers are made of, from any frame on."""

    order: list[OrderRun]
    items: Callable[[int], Iterator[Item]]
    choice: Choice | None = None
    """Where the engine was chosen by what the clip shows."""


def find_model(config: DecomposeConfig) -> FoundModel:
    """The model of the engine that was asked for.

    Raises:
        InputError: the engine does not know a flag, or a value is none.
        WeightsError: files are missing.
    """
    if config.engine == AUTO and config.plate is not None:
        check_small(config, AUTO, SMALL_SPEC)
        return FoundModel()
    if config.engine in (AUTO, SMALL):
        check_small(config, config.engine, SMALL_SPEC)
        _check_no_plate(config)
        held = device_of(config), config.storage or SMALL_SPEC.dtype
        return FoundModel(OF_SMALL, SMALL_SPEC, small_record(config.weights, *held))
    if config.engine not in BACKBONES:
        check_unused(config, config.engine)
        return FoundModel()
    spec = BACKBONES[config.engine]
    check_asked(config, spec)
    _check_no_plate(config)
    weights = find_weights(spec, config.weights)
    record = record_of(weights, loading_of(config, spec))
    record = {key: value for key, value in record.items() if key not in ("mode", "tuning")}
    return FoundModel(NAMES, spec, record, weights)


def _check_no_plate(config: DecomposeConfig) -> None:
    if config.plate is not None:
        raise InputError(
            "--plate",
            got=f"--engine {config.engine} too",
            wanted="one of them",
            do="With a true clean plate nothing is to be made up: leave --engine out.",
        )


def look_up(config: DecomposeConfig, shot: Shot, model: FoundModel, report: Report, note: Note) -> Found:
    """From the drafts of `propagate`."""
    order = find_order(config, shot.clip, shot.masks)
    draft = write_drafts(shot, propagate, report)
    return Found(order, lambda first: found_items(shot, draft, effects_of(shot), first))


def remove_with_published(config: DecomposeConfig, shot: Shot, model: FoundModel, report: Report, note: Note) -> Found:
    """From plate and solos that a published model made, anchored on what `propagate` has seen."""
    weights = model.weights
    assert weights is not None
    job = casper_job(shot, weights.spec, config)

    @cache
    def truth() -> Truth | None:
        return Truth(write_drafts(shot, propagate, report), seen_of(shot)) if config.is_anchored else None

    if not job.is_done:  # what is wrong with the model's files is said before the truth is looked for
        way = plan_way(job, weights)
        note("plan", {"engine": config.engine, **asdict(way)}, f"{config.engine}, {way}")
        remove(job, open_for(job, weights, way), way, truth, report)
    return _from_answers(config, job, truth())


def remove_with_small(config: DecomposeConfig, shot: Shot, model: FoundModel, report: Report, note: Note) -> Found:
    """From plate and solos that Casper-S made, anchored on what `propagate` has seen."""
    job = casper_job(shot, SMALL_SPEC, config)
    backbone = None
    if not job.is_done:
        backbone = open_small(config.weights, device_of(config), job.storage)
        note("plan", *_small_plan(job))
    truth = Truth(write_drafts(shot, propagate, report), seen_of(shot)) if config.is_anchored else None
    if backbone is not None:
        remove_small(job, backbone, truth, report)
    return _from_answers(config, job, truth)


def choose_engine(config: DecomposeConfig, shot: Shot, model: FoundModel, report: Report, note: Note) -> Found:
    """By `propagate` where that is sure to have seen all there is to see, else by Casper-S."""
    if config.plate is not None:
        choice = Choice("propagate", "a true clean plate is given")
    else:
        write_drafts(shot, propagate, report)
        choice = choose(shot, effects_of(shot), seen_of(shot))
    note("engine", asdict(choice), f"{choice}")
    found = ENGINES[choice.engine](config, shot, model, report, note)
    return Found(found.order, found.items, choice)


def _small_plan(job: CasperJob) -> tuple[dict[str, Any], str]:
    """How Casper-S goes about a clip, for machines and for people."""
    (height, width), windows, place = job.framing.size, len(job.timing.windows.windows), device_of(job.options)
    plan = {"engine": job.spec.name, "height": height, "width": width, "windows": windows, "steps": job.steps}
    plan |= {"removals": len(job.removals), "storage": job.storage, "device": place}
    told = f"{width}x{height} pixels, windows: {windows}, steps: {job.steps}, {job.storage} on {place}"
    return plan, f"{job.spec.name}, {told}"


def _from_answers(config: DecomposeConfig, job: CasperJob, truth: Truth | None) -> Found:
    shot, made = job.shot, answers_of(job)
    solos: dict[str, FrameSource] = {name: made[name] for name in made if name != PLATE}
    order = find_order(config, shot.clip, shot.masks, made if solos else None)
    given = Given(shot.clip, shot.masks, made[PLATE], list(solos.values()), truth, shot.preserve)
    return Found(order, lambda first: given_items(given, order, first))


Engine = Callable[[DecomposeConfig, Shot, FoundModel, Report, Note], Found]
ENGINES: dict[str, Engine] = {
    AUTO: choose_engine,
    "propagate": look_up,
    SMALL: remove_with_small,
    **dict.fromkeys(BACKBONES, remove_with_published),
}
