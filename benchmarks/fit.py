"""How long the layer step takes: the published fit, the closed form, and its refinement, in one run.

    python -m benchmarks.fit [--width 640 --height 384] [--frames 80] [--reference-steps 24]

Writes results/fit.json. Of the published fit a few dozen steps are timed and taken times 6,000. The plate is given, so
only the layer step is measured; all of it on as many threads as `--threads` says.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import tyro

from benchmarks.clips import ClipSpec, pictures
from benchmarks.machine import circumstances
from lamina.clip import numpy_to_frames
from lamina.layers.fit import PRESETS, Outcome, fit, fit_steps, start_fit
from lamina.layers.overlap import LayerInputs
from lamina.layers.solve import SolveConfig
from lamina.layers.window import solve_window

RESULTS = Path(__file__).with_name("results") / "fit.json"
WARM_UP_STEPS = 2
NAME = "obj_00"
HALO = 2
"""Frames beside a piece that the closed form looks at."""


@dataclass(frozen=True)
class FitBenchmark:
    """What to measure."""

    width: int = 640
    height: int = 384
    frames: int = 80
    reference_steps: int = 24
    window_frames: int = 16
    threads: int = 2
    out: Path = RESULTS


@dataclass(frozen=True)
class Scene:
    """Frames, plates `uint8 h w 3`, masks and influence `uint8 h w`."""

    frames: list[np.ndarray]
    plates: list[np.ndarray]
    masks: list[np.ndarray]
    influence: list[np.ndarray]


def measure(config: FitBenchmark) -> dict[str, Any]:
    """All three, and where they were measured."""
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(config.threads)
    scene = make_scene(config)
    step_s = reference_step_s(scene, config)
    solved, solve_s = timed(lambda: solve(scene, config))
    outcomes, refine_s = timed(lambda: refine(scene, solved, config))
    reference_s = step_s * PRESETS["reference"].stages[0].steps
    return circumstances() | {
        "size": f"{config.width}x{config.height}",
        "frames": config.frames,
        "threads": config.threads,
        "load_after": round(os.getloadavg()[0], 2),
        "reference": {"steps_timed": config.reference_steps, "s_per_step": round(step_s, 3), "s": round(reference_s)},
        "closed_form": _entry(solve_s, reference_s, config),
        "fast": _entry(refine_s, reference_s, config) | {"kept": [o.kept for o in outcomes]} | _errors(outcomes),
        "closed_form_and_fast": _entry(solve_s + refine_s, reference_s, config),
    }


def make_scene(config: FitBenchmark) -> Scene:
    """A tripod shot of one object with a soft shadow. Noise is the same in frame and plate, except on the object."""
    spec = ClipSpec(config.width, config.height, config.frames, 1, "tripod")
    empty = ClipSpec(config.width, config.height, config.frames, 0, "tripod")
    scene = Scene([], [], [], [])
    for (frame, masks), (plate, _) in zip(pictures(spec), pictures(empty), strict=True):
        changed = np.abs(frame.astype(np.int16) - plate).max(-1) > 2
        influence = cv2.dilate((changed | (masks[0] > 127)).astype(np.uint8) * 255, np.ones((9, 9), np.uint8))
        scene.frames.append(frame)
        scene.plates.append(np.where(influence[..., None] > 0, plate, frame))
        scene.masks.append(masks[0])
        scene.influence.append(influence)
    return scene


def reference_step_s(scene: Scene, config: FitBenchmark) -> float:
    """Median seconds of a step."""
    picture, plate = (numpy_to_frames(np.stack(frames)) for frames in (scene.frames, scene.plates))
    state = start_fit(PRESETS["reference"], picture, plate, _masks(scene.masks))
    list(islice(fit_steps(state), WARM_UP_STEPS))
    times = [timed(lambda: list(islice(fit_steps(state), 1)))[1] for _ in range(config.reference_steps)]
    return statistics.median(times)


def solve(scene: Scene, config: FitBenchmark) -> list[np.ndarray]:
    """The closed form, its windows shared by threads as the main job does."""
    windows = _windows(config)

    def one(window: range) -> list[np.ndarray]:
        first, end = max(0, window.start - HALO), min(config.frames, window.stop + HALO)
        inputs = LayerInputs(
            frames=scene.frames[first:end],
            plates=scene.plates[first:end],
            masks={NAME: scene.masks[first:end]},
            influence={NAME: scene.influence[first:end]},
            order=[(NAME,)] * (end - first),
            halo=(window.start - first, end - window.stop),
        )
        return solve_window(inputs, SolveConfig())[NAME]

    cv2.setNumThreads(1)
    with ThreadPoolExecutor(config.threads) as pool:
        return [layer for layers in pool.map(one, windows) for layer in layers]


def refine(scene: Scene, solved: list[np.ndarray], config: FitBenchmark) -> list[Outcome]:
    """`fast`, window by window."""
    outcomes = []
    for window in _windows(config):
        here = slice(window.start, window.stop)
        picture, plate, start = (numpy_to_frames(np.stack(f[here])) for f in (scene.frames, scene.plates, solved))
        outcomes.append(
            fit(replace(PRESETS["fast"], stored_white=255), picture, plate, _masks(scene.masks[here]), start)[1]
        )
    return outcomes


def _windows(config: FitBenchmark) -> list[range]:
    frames = range(config.frames)
    return [frames[start : start + config.window_frames] for start in frames[:: config.window_frames]]


def _masks(masks: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy((np.stack(masks) > 127).astype(np.float32))[:, None]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What the work gives, and its seconds."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def _entry(seconds: float, reference_s: float, config: FitBenchmark) -> dict[str, Any]:
    return {
        "s": round(seconds, 2),
        "s_per_frame": round(seconds / config.frames, 4),
        "times_faster_than_reference": round(reference_s / seconds),
    }


def _errors(outcomes: list[Outcome]) -> dict[str, float]:
    """Recomposition before and after, in dB over the whole clip."""
    before = statistics.mean(o.error_of_start or 0.0 for o in outcomes)
    after = statistics.mean(o.error for o in outcomes)
    return {"psnr_before_db": _psnr(before), "psnr_after_db": _psnr(after)}


def _psnr(error: float) -> float:
    return round(-10 * float(np.log10(max(error, 1e-12))), 2)


def main(arguments: Sequence[str] | None = None) -> None:
    config = tyro.cli(FitBenchmark, args=arguments)
    results = measure(config)
    config.out.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps({k: v for k, v in results.items() if isinstance(v, dict) and "s" in v}, indent=1))


if __name__ == "__main__":
    main()
