"""How good the results are: every scene of some folders is decomposed and scored against its truth.

    python -m benchmarks.quality FOLDER [FOLDER ...] --score SCORE.py [--only NAME ...]
        [--engine ENGINE] [--keep OUT]

A scene is a folder with `input.mp4` or `frames/` and `mask_NN.mp4` or `mask_NN/`, one per object. Rendered scenes have
`scene.json` (names of the objects) and `background.mp4`; real ones may have a truth, `bg_gt.png` or `bg_gt.mp4`.
SCORE.py is called as `SCORE.py SCENE STACK --json` for those with a truth. Writes results/quality.json and the tables
in docs/results.md; scenes that are there already are replaced, others stay.
"""

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from benchmarks.machine import circumstances
from benchmarks.runs import ENGINES, Run, decompose
from benchmarks.tables import update_results

RESULTS = Path(__file__).with_name("results") / "quality.json"
PLAIN = "propagate"
TRUTHS = ("background.mp4", "bg_gt.mp4", "bg_gt.png")


@dataclass(frozen=True)
class QualityConfig:
    """What to decompose and how to score it."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of scenes."""
    score: Path
    """The script that scores a stack against a scene."""
    only: tuple[str, ...] = ()
    """Names of scenes; all when none is given."""
    engine: str = PLAIN
    """One of `runs.ENGINES`, or another of `lamina decompose`. What others than `propagate` reach stands beside it."""
    keep: Path | None = None
    """Where the stacks are kept, one folder per scene; what is there already is scored without a new run."""
    out: Path = RESULTS


@dataclass(frozen=True)
class Scene:
    """A clip with masks, and perhaps a truth."""

    folder: Path
    input: Path
    masks: dict[str, Path]
    rendered: bool
    has_truth: bool

    @property
    def name(self) -> str:
        return self.folder.name


def find_scenes(folders: Sequence[Path]) -> list[Scene]:
    """The scenes in some folders, in the order of their names; folders without clip or masks are left out."""
    inside = [path for folder in folders for path in sorted(folder.iterdir()) if path.is_dir()]
    return [scene for path in inside if (scene := _open(path)) is not None]


def _open(folder: Path) -> Scene | None:
    clip = next((folder / name for name in ("input.mp4", "frames") if (folder / name).exists()), None)
    masks = sorted(folder.glob("mask_[0-9][0-9]*"))
    if clip is None or not masks:
        return None
    described = folder / "scene.json"
    names = json.loads(described.read_text())["objects"] if described.exists() else None
    named = dict(zip(names or [f"obj_{k:02d}" for k in range(len(masks))], masks, strict=True))
    return Scene(folder, clip, named, described.exists(), any((folder / truth).exists() for truth in TRUTHS))


def examine(scene: Scene, config: QualityConfig) -> dict[str, Any]:
    """One scene's entry for the results."""
    entry: dict[str, Any] = circumstances() | {
        "scene": scene.name,
        "engine": config.engine,
        "kind": "rendered" if scene.rendered else "real",
        "has_truth": scene.has_truth,
        "objects": len(scene.masks),
    }
    with stack_folder(scene, config.keep) as stack:
        run = decompose(scene.input, scene.masks, stack, flags=ENGINES.get(config.engine, ("--engine", config.engine)))
        if run.failed:
            return entry | {"error": run.failed}
        return entry | _figures(run, stack) | (scores_of(scene, stack, config.score) if scene.has_truth else {})


@contextmanager
def stack_folder(scene: Scene, keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep.absolute() / scene.name
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "stack"


def _figures(run: Run, stack: Path) -> dict[str, Any]:
    """What the run says about itself. No time is given for a stack that was there already."""
    manifest = json.loads((stack / "stack.json").read_text())
    frames = len(manifest["time"]["pts"])
    fresh = len(run.stages_s) > 1
    return {
        "frames": frames,
        "size": f"{manifest['size']['width']}x{manifest['size']['height']}",
        "seconds_per_frame": round(run.wall_s / frames, 3) if fresh else None,
        "peak_mb": round(run.peak_mb) if fresh else None,
        "recompose_own": manifest["figures"]["recompose_psnr_db"],
        "changed_share": manifest["figures"]["changed_share"],
    }


def scores_of(scene: Scene, stack: Path, script: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(script), str(scene.folder), str(stack), "--json"], capture_output=True, text=True
    )
    if done.returncode:
        return {"error": f"scoring failed: {done.stderr.strip().splitlines()[-1]}"}
    scores = json.loads(done.stdout.strip().splitlines()[-1])
    scores.pop("scene", None)
    return {"scores": {name: round(value, 4) if math.isfinite(value) else None for name, value in scores.items()}}


def _keep(file: Path, entry: dict[str, Any]) -> None:
    """Put an entry into the file in place of the one of the same scene and engine."""
    scenes = json.loads(file.read_text())["scenes"] if file.exists() else []
    rest = [scene for scene in scenes if _key(scene) != _key(entry)]
    ordered = sorted([*rest, entry], key=lambda scene: (scene["kind"] != "rendered", *_key(scene)))
    file.write_text(json.dumps({"scenes": ordered}, indent=1) + "\n")


def _key(entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry["scene"], entry.get("engine", PLAIN)


def main(arguments: Sequence[str] | None = None) -> None:
    config = tyro.cli(QualityConfig, args=arguments)
    for scene in find_scenes(config.folders):
        if config.only and scene.name not in config.only:
            continue
        entry = examine(scene, config)
        told = entry.get("error") or entry.get("scores") or {"recompose_own": entry["recompose_own"]}
        print(scene.name, json.dumps(told), flush=True)
        _keep(config.out, entry)
        if config.out == RESULTS:
            for section in ("quality", "engines"):
                update_results(section)


if __name__ == "__main__":
    main()
