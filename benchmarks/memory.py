"""How much memory a long clip takes, and whether it grows with the number of frames.

    nohup nice -n 19 python -m benchmarks.memory --frames 200 2000 > out/memory.log 2>&1 &

Writes results/memory.json after each length, and the table in docs/results.md. A length that is there already is
replaced, others stay.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from benchmarks.clips import ClipSpec, make_clip
from benchmarks.machine import circumstances
from benchmarks.runs import decompose
from benchmarks.tables import update_results

RESULTS = Path(__file__).with_name("results") / "memory.json"
CURVE_POINTS = 200
"""Samples of the memory over time that are kept, evenly spread."""


@dataclass(frozen=True)
class MemoryConfig:
    """What to measure."""

    frames: tuple[int, ...] = (200, 2000)
    width: int = 1920
    height: int = 1080
    camera: tuple[Literal["tripod", "moving"], ...] = ("tripod", "moving")
    folder: Path | None = None
    """Where clips and stacks go for the time of the run; about 4 MB per 1080p frame. Default: the temporary folder."""
    out: Path = RESULTS


def main(arguments: Sequence[str] | None = None) -> None:
    config = tyro.cli(MemoryConfig, args=arguments)
    for frames in config.frames:
        for camera in config.camera:
            spec = ClipSpec(config.width, config.height, frames, 1, camera)
            entry = _measure(spec, config.folder)
            print(json.dumps({key: value for key, value in entry.items() if key != "curve"}), flush=True)
            _keep(config.out, entry)
    if config.out == RESULTS:
        print(update_results("memory"))


def _measure(spec: ClipSpec, folder: Path | None) -> dict[str, Any]:
    where = circumstances()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        made = make_clip(spec, Path(place))
        run = decompose(made.input, made.masks, Path(place) / "stack", sample_s=1.0)
    if run.failed:
        raise SystemExit(f"{spec.name}, {spec.frames} frames: {run.failed}")
    step = max(1, len(run.memory) // CURVE_POINTS)
    return where | {
        "size": f"{spec.width}x{spec.height}",
        "camera": spec.camera,
        "frames": spec.frames,
        "peak_mb": round(run.peak_mb),
        "wall_s": round(run.wall_s, 1),
        "stages_s": run.stages_s,
        "curve": [max(run.memory[i : i + step], key=lambda sample: sample[1]) for i in range(0, len(run.memory), step)],
    }


def _keep(file: Path, entry: dict[str, Any]) -> None:
    """Put an entry into the file in place of the one of the same kind."""
    runs = json.loads(file.read_text())["runs"] if file.exists() else []
    kinds = [(run["size"], run["camera"], run["frames"]) for run in runs]
    kind = (entry["size"], entry["camera"], entry["frames"])
    rest = [run for run, other in zip(runs, kinds, strict=True) if other != kind]
    ordered = sorted([*rest, entry], key=lambda run: (run["size"], run["camera"], run["frames"]))
    file.write_text(json.dumps({"runs": ordered}, indent=1) + "\n")


if __name__ == "__main__":
    main()
