"""Writing plate and layers window by window, so that a stopped run goes on, and joining the windows at the end."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lamina.alpha import lay_over
from lamina.layers.grain import with_grain
from lamina.layers.items import Item
from lamina.layers.order import usual_order
from lamina.layers.overlap import LayerInputs
from lamina.layers.refit import refit
from lamina.layers.solve import SolveConfig
from lamina.layers.window import solve_window
from lamina.levels import to_levels
from lamina.media.clip_info import ClipInfo
from lamina.media.ffv1 import join_segments, write_segment
from lamina.media.stack import PARTS, PLATE, LayerRecord, OrderRun, SourceRecord, StackManifest, order_at
from lamina.removal.choice import Choice
from lamina.removal.frames import Nearby
from lamina.removal.plates import PlateWindow
from lamina.removal.records import FrameArrays
from lamina.removal.scene import WINDOW_FRAMES, windows
from lamina.removal.shot import Shot
from lamina.report import Report

ALONE_HALO, CROSSING_HALO = 2, 16
"""Frames beside a window that the layers look at: for steady alpha, and for what hides behind another object."""

WHOLE_CLIP = ("paper", "reference")
"""Fits that see all frames at once."""

Tracked = dict[tuple[str, int], np.ndarray | None]
Engine = Callable[[Shot, Sequence[range], Report], Iterator[PlateWindow]]


@dataclass(frozen=True)
class Job:
    """What the layers of a clip are made of, wherever its plate comes from."""

    info: ClipInfo
    work: Path
    names: Sequence[str]
    order: Sequence[OrderRun]
    items: Callable[[int], Iterator[Item]]
    """All frames from the given one on."""
    config: SolveConfig
    workers: int
    fit: str = "none"
    """The preset by which layers are fitted further, of `fit_config.PRESETS`."""
    choice: Choice | None = None
    """Where the engine was chosen by what the clip shows."""

    @property
    def window_frames(self) -> int:
        """Frames worked on together: a few, or all of them for a fit that looks at the whole clip."""
        return self.info.frames if self.fit in WHOLE_CLIP else WINDOW_FRAMES

    @property
    def windows(self) -> list[range]:
        """The clip cut into windows."""
        return windows(self.info.frames, self.window_frames)

    @property
    def streams(self) -> list[str]:
        """Everything that is written: the plate, the layers, and their parts where asked for."""
        parts = [f"{name}.{part}" for name in self.names for part in PARTS] if self.config.split else []
        return ["plate", *self.names, *parts]


def write_drafts(shot: Shot, engine: Engine, report: Report) -> Path:
    """Run the engine on the windows that are not there yet; returns the movie of plates as the engine made them."""
    info, effects, seen = shot.clip.info, effects_of(shot), seen_of(shot)
    every = windows(shot.frames)
    todo = [w for w in every if not (_segment(shot.work, "draft", w.start).exists() and effects.has(w.start))]
    for result in engine(shot, todo, report) if todo else ():
        seen.write(result.start, list(result.seen))
        effects.write(result.start, list(result.effects))
        pts = info.pts[result.start : result.start + len(result.plates)]
        write_segment(_segment(shot.work, "draft", result.start), result.plates, pts, info.time_base, info.color)
        report("plate", result.start + len(result.plates), shot.frames)
    draft = shot.work / "draft.mkv"
    _join(info, shot.work, "draft", every, draft)
    return draft


def write_layers(job: Job, report: Report) -> dict[str, dict]:
    """Solve the layers of the windows that are not there yet, and the plate with the grain that they leave to it.

    Returns figures per layer and, under "", overall.
    """
    frames = job.info.frames
    halo = ALONE_HALO if len(job.names) == 1 else CROSSING_HALO
    figures = FrameArrays(job.work, "figures", job.window_frames)
    todo = [w for w in job.windows if not figures.has(w.start)]
    if todo:
        first = max(0, todo[0].start - halo)
        nearby = Nearby(job.items(first), frames, halo, first)
        tracked: Tracked = {}
        with ThreadPoolExecutor(job.workers) as pool:
            for window in todo:
                nearby.advance(window.start, window.stop)
                inputs = _inputs(job, window, nearby.held, halo, tracked)
                figures.write(window.start, _write_window(job, window, nearby.held, inputs, pool, report))
                report("layers", window.stop, frames)
    return _summary(np.stack([figures[t] for t in range(frames)]), job.names)


def join_all(job: Job, out: Path) -> None:
    """Join the windows of everything that was written into the stack's files."""
    for stream in job.streams:
        _join(job.info, job.work, stream, job.windows, out / file_of(stream))


def file_of(stream: str) -> str:
    """Where a plate, a layer or a part of one lies in the stack."""
    return PLATE if stream == "plate" else f"layers/{stream}.mkv"


def manifest_of(job: Job, source: SourceRecord, engine: str, config: dict, figures: dict[str, dict]) -> StackManifest:
    """What stack.json says of a run."""
    info, parts = job.info, PARTS if job.config.split else ()
    records = {
        name: LayerRecord(name, file_of(name), figures[name], {part: file_of(f"{name}.{part}") for part in parts})
        for name in job.names
    }
    return StackManifest(
        source=source,
        width=info.width,
        height=info.height,
        dtype=info.dtype,
        pts=info.pts,
        time_base=info.time_base,
        color=info.color,
        engine=engine,
        config=config,
        layers=tuple(records[name] for name in usual_order(job.order, info.frames)),
        figures=figures[""] | ({} if job.choice is None else {"auto": asdict(job.choice)}),
        order=tuple(job.order),
    )


def effects_of(shot: Shot) -> FrameArrays:
    """What the engine saw objects change, per frame."""
    return FrameArrays(shot.work, "effects", WINDOW_FRAMES)


def seen_of(shot: Shot) -> FrameArrays:
    """Where the engine truly saw the background, per frame."""
    return FrameArrays(shot.work, "seen", WINDOW_FRAMES)


def _segment(work: Path, stream: str, start: int) -> Path:
    return work / "segments" / f"{stream}.{start:07d}.mkv"


def _join(info: ClipInfo, work: Path, stream: str, parts: Sequence[range], target: Path) -> None:
    if not target.exists():
        join_segments([_segment(work, stream, part.start) for part in parts], target, info.pts, info.time_base)


def _write_window(
    job: Job, window: range, held: dict[int, Item], inputs: LayerInputs, pool: ThreadPoolExecutor, report: Report
) -> list[np.ndarray]:
    """Solve and store one window; returns what is measured of each frame."""
    solved = solve_window(inputs, job.config, pool.map)
    items, orders = [held[t] for t in window], [order_at(job.order, t) for t in window]
    if job.fit != "none":
        solved |= refit(job.fit, items, {name: solved[name] for name in job.names}, orders, report)
    laid = [[solved[name][i] for name in order] for i, order in enumerate(orders)]
    solved["plate"] = list(pool.map(lambda item, layers: with_grain(item.plate, item.frame, layers), items, laid))
    pts = job.info.pts[window.start : window.stop]
    for stream in job.streams:
        write_segment(_segment(job.work, stream, window.start), solved[stream], pts, job.info.time_base, job.info.color)
    named = [[solved[name][i] for name in job.names] for i in range(len(window))]
    rows = zip(items, solved["plate"], laid, named, strict=True)
    return list(pool.map(lambda row: _measure(row[0].frame, *row[1:]), rows))


def _inputs(job: Job, window: range, held: dict[int, Item], halo: int, tracked: Tracked) -> LayerInputs:
    """A window with up to `halo` frames beyond it at either side."""
    seen = range(max(0, window.start - halo), min(job.info.frames, window.stop + halo))
    for key in [key for key in tracked if key[1] < seen.start]:
        del tracked[key]
    items = [held[t] for t in seen]
    return LayerInputs(
        [i.frame for i in items],
        [i.plate for i in items],
        {n: [i.masks[k] for i in items] for k, n in enumerate(job.names)},
        {n: [i.influence[k] for i in items] for k, n in enumerate(job.names)},
        [order_at(job.order, t) for t in seen],
        (window.start - seen.start, seen.stop - window.stop),
        {n: [i.solos[k] for i in items] for k, n in enumerate(job.names)} if items[0].solos else {},
        seen.start,
        tracked,
    )


def _measure(frame: np.ndarray, plate: np.ndarray, laid: list[np.ndarray], named: list[np.ndarray]) -> np.ndarray:
    """Squared error of the recomposed frame, share of changed pixels, and mean alpha per layer."""
    below = to_levels(plate)
    for layer in laid:
        below = lay_over(layer, below)
    error = float(np.square(below - to_levels(frame)).mean())
    changed = float((plate != frame).any(-1).mean())
    return np.array([error, changed, *(float(to_levels(layer[..., 3]).mean()) for layer in named)])


def _summary(measured: np.ndarray, names: Sequence[str]) -> dict[str, dict]:
    """Means over the clip; the recomposition as PSNR, at most 99 dB."""
    error, changed, *alphas = measured.mean(0)
    psnr = round(min(99.0, -10 * math.log10(max(error, 1e-12))), 2)
    overall = {"recompose_psnr_db": psnr, "changed_share": round(float(changed), 5)}
    return {"": overall} | {n: {"mean_alpha": round(float(a), 5)} for n, a in zip(names, alphas, strict=True)}
