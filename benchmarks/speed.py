"""How long a run takes: sizes, cameras, numbers of objects.

    python -m benchmarks.speed [--sizes 416x240 640x384] [--cameras tripod] [--objects 1 2]
        [--engine casper-s --out results/speed_casper-s.json]

Writes results/speed.json and the table in docs/results.md. The bars are for two otherwise idle cores.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from benchmarks.clips import ClipSpec, make_clip
from benchmarks.machine import circumstances
from benchmarks.runs import decompose, startup_s
from benchmarks.tables import update_results

RESULTS = Path(__file__).with_name("results") / "speed.json"
LONGEST_SHORT_PX = 1000
"""Clips at least this wide get `large_frames` frames."""


@dataclass(frozen=True)
class SpeedConfig:
    """What to measure."""

    sizes: tuple[str, ...] = ("416x240", "640x384", "1920x1080")
    cameras: tuple[Literal["tripod", "moving"], ...] = ("tripod", "moving")
    objects: tuple[int, ...] = (1, 2, 3)
    engine: str = "propagate"
    """Of `lamina decompose`; for others name an `--out` of their own."""
    frames: int = 48
    large_frames: int = 24
    out: Path = RESULTS


def measure(config: SpeedConfig) -> dict[str, Any]:
    """All runs, and where they were measured."""
    results: dict[str, Any] = circumstances() | {"startup_s": round(startup_s(), 2), "runs": []}
    for spec in _specs(config):
        results["runs"].append(_measure(spec, results["startup_s"], config.engine))
        print(_line(results["runs"][-1]), flush=True)
    return results


def _specs(config: SpeedConfig) -> Iterator[ClipSpec]:
    for size in config.sizes:
        width, height = (int(part) for part in size.split("x"))
        frames = config.large_frames if width >= LONGEST_SHORT_PX else config.frames
        for camera in config.cameras:
            for objects in config.objects:
                yield ClipSpec(width, height, frames, objects, camera)


def _measure(spec: ClipSpec, startup: float, engine: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        made = make_clip(spec, Path(folder))
        run = decompose(made.input, made.masks, Path(folder) / "stack", flags=("--engine", engine))
    if run.failed:
        raise SystemExit(f"{spec.name}: {run.failed}")
    return {
        "size": f"{spec.width}x{spec.height}",
        "camera": spec.camera,
        "objects": spec.objects,
        "frames": spec.frames,
        "seconds_per_frame": round((run.wall_s - startup) / spec.frames, 4),
        "wall_s": round(run.wall_s, 2),
        "cpu_s_per_frame": round(run.cpu_s / spec.frames, 4),
        "cores_used": round(run.cpu_s / run.wall_s, 2),
        "peak_mb": round(run.peak_mb),
        "stages_s": run.stages_s,
    }


def _line(run: dict[str, Any]) -> str:
    stages = "  ".join(f"{name} {seconds:.1f}" for name, seconds in run["stages_s"].items())
    what = f"{run['size']:>9} {run['camera']:6} {run['objects']} object(s)"
    figures = f"{run['seconds_per_frame']:.3f} s/frame (cpu {run['cpu_s_per_frame']:.3f})  {run['peak_mb']} MB"
    return f"{what}  {figures}  | {stages}"


def main(arguments: Sequence[str] | None = None) -> None:
    config = tyro.cli(SpeedConfig, args=arguments)
    results = measure(config)
    config.out.write_text(json.dumps(results, indent=1) + "\n")
    if config.out == RESULTS:
        print(update_results("speed"))


if __name__ == "__main__":
    main()
