"""Writing plate and layers window by window, so that a stopped run goes on, and joining the windows at the end."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from lamina.layers.overlap import LayerInputs
from lamina.layers.solve import SolveConfig, lay_over
from lamina.layers.window import edge_radius, solve_window
from lamina.levels import to_levels
from lamina.masks.binary import grow
from lamina.media.clip_info import ClipInfo
from lamina.media.ffv1 import join_segments, read_ffv1, write_segment
from lamina.media.stack import PLATE, LayerRecord, SourceRecord, StackManifest
from lamina.motion.coordinates import resize_area
from lamina.removal.frames import MASK_DOUBT, Nearby
from lamina.removal.plates import PlateWindow
from lamina.removal.records import FrameArrays
from lamina.removal.scene import WINDOW_FRAMES, windows
from lamina.removal.shot import Shot
from lamina.report import Report

ALONE_HALO, CROSSING_HALO = 2, 16
"""Frames beside a window that the layers look at: for steady alpha, and for what hides behind another object."""

PIECE_FRAMES = 8
"""Frames whose layers one thread solves together."""

Engine = Callable[[Shot, Sequence[range], Report], Iterator[PlateWindow]]


@dataclass(frozen=True)
class Item:
    """All that is known of one frame before its layers are."""

    frame: np.ndarray
    masks: list[UInt8[np.ndarray, "h w"]]
    plate: np.ndarray
    influence: list[UInt8[np.ndarray, "h w"]]


def write_plates(shot: Shot, engine: Engine, report: Report) -> None:
    """Run the engine on the windows that are not there yet."""
    info, effects = shot.clip.info, _effects(shot)
    todo = [w for w in windows(shot.frames) if not (_segment(shot, "plate", w.start).exists() and effects.has(w.start))]
    for result in engine(shot, todo, report) if todo else ():
        effects.write(result.start, list(result.effects))
        pts = info.pts[result.start : result.start + len(result.plates)]
        write_segment(_segment(shot, "plate", result.start), result.plates, pts, info.time_base, info.color)
        report("plate", result.start + len(result.plates), shot.frames)


def write_layers(shot: Shot, out: Path, order: list[str], config: SolveConfig, report: Report) -> dict[str, dict]:
    """Solve the layers of the windows that are not there yet; returns figures per layer and, under "", overall."""
    halo = ALONE_HALO if len(order) == 1 else CROSSING_HALO
    names = [m.name for m in shot.masks]
    figures = FrameArrays(shot.work, "figures", WINDOW_FRAMES)
    todo = [w for w in windows(shot.frames) if not figures.has(w.start)]
    if todo:
        first = max(0, todo[0].start - halo)
        nearby = Nearby(_items(shot, out, first), shot.frames, halo, first)
        with ThreadPoolExecutor(shot.workers) as pool:
            for window in todo:
                nearby.advance(window.start, window.stop)
                held = [item for _, item in sorted(nearby.held.items())]
                inside = (min(halo, window.start), min(halo, shot.frames - window.stop))
                pieces = list(pool.map(lambda p: solve_window(p, config), _pieces(held, names, order, inside, halo)))
                solved = {name: [layer for piece in pieces for layer in piece[name]] for name in names}
                _write_window(shot, window, names, solved)
                frames = held[inside[0] : len(held) - inside[1]]
                measured = pool.map(lambda item: _measure(*item), _stacks(frames, solved, order))
                figures.write(window.start, list(measured))
                report("layers", window.stop, shot.frames)
    return _summary(np.stack([figures[t] for t in range(shot.frames)]), order)


def join_all(shot: Shot, out: Path, names: Sequence[str]) -> None:
    """Join the windows of a plate ("plate") or of layers into their files in the stack."""
    info = shot.clip.info
    for name in names:
        target = out / (PLATE if name == "plate" else f"layers/{name}.mkv")
        if not target.exists():
            parts = [_segment(shot, name, w.start) for w in windows(shot.frames)]
            join_segments(parts, target, info.pts, info.time_base)


def manifest_of(
    info: ClipInfo, source: SourceRecord, engine: str, config: dict, order: list[str], figures: dict[str, dict]
) -> StackManifest:
    """What stack.json says of a run."""
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
        layers=tuple(LayerRecord(name, f"layers/{name}.mkv", figures[name]) for name in order),
        figures=figures[""],
    )


def _effects(shot: Shot) -> FrameArrays:
    return FrameArrays(shot.work, "effects", WINDOW_FRAMES)


def _segment(shot: Shot, name: str, start: int) -> Path:
    return shot.work / "segments" / f"{name}.{start:07d}.mkv"


def _items(shot: Shot, out: Path, first: int) -> Iterator[Item]:
    effects = _effects(shot)
    plates = read_ffv1(out / PLATE, first)
    for index, ((frame, masks), plate) in enumerate(zip(shot.read(first, shot.frames), plates, strict=True), first):
        yield Item(frame, masks, plate, _influence(masks, effects[index], frame.shape[1::-1]))


def _influence(
    masks: Sequence[UInt8[np.ndarray, "h w"]], effects: UInt8[np.ndarray, "k d v"], size: tuple[int, int]
) -> list[UInt8[np.ndarray, "h w"]]:
    """Per object at source size: everywhere it may have changed the picture."""
    margin = 2 * size[0] * MASK_DOUBT + edge_radius(size[1], SolveConfig()) + 2
    wide = [resize_area(grow(effect, 6).astype(np.uint8) * 255, size) for effect in effects]
    return [np.where(_grow_far(mask > 20, margin), 255, part) for mask, part in zip(masks, wide, strict=True)]


def _grow_far(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """Like `grow`, in time that does not depend on the radius."""
    if not mask.any():
        return mask
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3) <= radius_px


def _pieces(
    held: Sequence[Item], names: list[str], order: list[str], halo: tuple[int, int], reach: int
) -> Iterator[LayerInputs]:
    """A window as shorter ones that threads can share; each sees up to `reach` frames beyond its own."""
    last = len(held) - halo[1]
    for start in range(halo[0], last, PIECE_FRAMES):
        stop = min(start + PIECE_FRAMES, last)
        first, end = max(0, start - reach), min(len(held), stop + reach)
        part = held[first:end]
        yield LayerInputs(
            [i.frame for i in part],
            [i.plate for i in part],
            {n: [i.masks[k] for i in part] for k, n in enumerate(names)},
            {n: [i.influence[k] for i in part] for k, n in enumerate(names)},
            order,
            (start - first, end - stop),
        )


def _write_window(shot: Shot, window: range, names: list[str], solved: dict[str, list[np.ndarray]]) -> None:
    info = shot.clip.info
    for name in names:
        pts = info.pts[window.start : window.stop]
        write_segment(_segment(shot, name, window.start), solved[name], pts, info.time_base, info.color)


def _stacks(
    frames: Sequence[Item], solved: dict[str, list[np.ndarray]], order: list[str]
) -> Iterable[tuple[Item, list[np.ndarray]]]:
    for i, item in enumerate(frames):
        yield item, [solved[name][i] for name in order]


def _measure(item: Item, layers: list[np.ndarray]) -> np.ndarray:
    """Squared error of the recomposed frame, share of changed pixels, and mean alpha per layer."""
    below = to_levels(item.plate)
    for layer in layers:
        below = lay_over(layer, below)
    error = float(np.square(below - to_levels(item.frame)).mean())
    changed = float((item.plate != item.frame).any(-1).mean())
    return np.array([error, changed, *(float(to_levels(layer[..., 3]).mean()) for layer in layers)])


def _summary(measured: np.ndarray, order: list[str]) -> dict[str, dict]:
    """Means over the clip; the recomposition as PSNR, at most 99 dB."""
    error, changed, *alphas = measured.mean(0)
    psnr = round(min(99.0, -10 * math.log10(max(error, 1e-12))), 2)
    overall = {"recompose_psnr_db": psnr, "changed_share": round(float(changed), 5)}
    return {"": overall} | {n: {"mean_alpha": round(float(a), 5)} for n, a in zip(order, alphas, strict=True)}
