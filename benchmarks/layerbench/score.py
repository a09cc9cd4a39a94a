"""LayerBench scored: the baselines and our engines, family by family.

    python -m benchmarks.layerbench.score LAYERBENCH [--methods inpaint median propagate auto] [--stacks FOLDER]

Every scene is given to every method, and `lamina evaluate layerbench` scores what came out. Writes
results/layerbench.json and the tables in layerbench/README.md after each method; methods that were scored on other
scenes are dropped from it, others stay. `--methods` takes baselines and engines of `lamina decompose`, and the names of
folders in FOLDER that another program has filled. Seconds per frame are those of the whole run of a scene, start-up and
files included, one scene at a time.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from benchmarks.layerbench.baselines import BASELINES, write_baseline
from benchmarks.machine import circumstances
from benchmarks.runs import ENGINES, decompose
from benchmarks.tables import layerbench, update_results
from lamina import EvaluateConfig, evaluate_results
from lamina.evaluate.case import Figures
from lamina.evaluate.layerbench import read_scenes
from lamina.evaluate.scene import open_scene

RESULTS = Path(__file__).parents[1] / "results" / "layerbench.json"
TIMES = "seconds.json"
"""Beside the stacks of a method: how long each took, for runs that only score them again."""


@dataclass(frozen=True)
class ScoreConfig:
    """What to score on which scenes."""

    folder: Annotated[Path, tyro.conf.Positional]
    """LayerBench, or a part of it."""
    methods: tuple[str, ...] = ("inpaint", "median", *ENGINES)
    """Baselines, engines that need no weights, and others whose stacks are there already."""
    stacks: Path | None = None
    """Where stacks are kept, as METHOD/SCENE; those that are there already are scored without a new run."""
    out: Path = RESULTS


def examine(method: str, config: ScoreConfig, stacks: Path) -> dict[str, Any]:
    """One method's entry for the results: its stacks made, where they are missing, and scored."""
    entry = circumstances() | {"method": method}
    for record in read_scenes(config.folder):
        make(method, config.folder / record.name, stacks / method)
    evaluation = evaluate_results(EvaluateConfig("layerbench", config.folder, stacks / method))
    taken = _times(stacks / method)
    scenes = [
        {
            "scene": case.name,
            "family": case.group,
            "frames": scored.clip.frames,
            "seconds_per_frame": round(taken[case.name] / scored.clip.frames, 4) if case.name in taken else None,
            "scores": _rounded(scored.scores),
            "free": _rounded(scored.baseline),
        }
        for case, scored in evaluation.cases
    ]
    return entry | {"scenes": scenes}


def make(method: str, scene: Path, folder: Path) -> None:
    """A method's stack of one scene, and how long it took. What is there already stays as it is."""
    out = folder / scene.name
    if (out / "stack.json").is_file():
        return
    began = time.monotonic()
    if method in BASELINES:
        write_baseline(method, scene, out)
    elif method in ENGINES:
        run_engine(method, scene, out)
    else:
        wanted = f"one of {', '.join([*BASELINES, *ENGINES])}, or a stack in {out}"
        raise SystemExit(f"Method {method!r} is not known here: wanted {wanted}.")
    (folder / TIMES).write_text(json.dumps(_times(folder) | {scene.name: round(time.monotonic() - began, 2)}))


def run_engine(method: str, folder: Path, out: Path) -> None:
    """`lamina decompose` on one scene, in a process of its own."""
    scene = open_scene(folder.absolute())
    masks = dict(zip(scene.names, scene.masks, strict=True))
    run = decompose(scene.clip.info.path, masks, out.absolute(), flags=ENGINES[method])
    if run.failed:
        raise SystemExit(f"{folder}: {run.failed}")


def _times(folder: Path) -> dict[str, float]:
    file = folder / TIMES
    return json.loads(file.read_text()) if file.exists() else {}


def _rounded(figures: Figures) -> Figures:
    return {name: None if value is None else round(value, 6) for name, value in figures.items()}


def keep(file: Path, entry: dict[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """Put an entry into the file in place of the same method's; entries of other scenes do not compare, and go."""
    before = json.loads(file.read_text())["methods"] if file.exists() else []
    same = [run for run in before if _scenes(run) == _scenes(entry) and run["method"] != entry["method"]]
    places = {name: place for place, name in enumerate(order)}
    found = sorted([*same, entry], key=lambda run: (places.get(run["method"], len(places)), run["method"]))
    file.write_text(json.dumps({"methods": found}, indent=1) + "\n")
    return {"methods": found}


def _scenes(entry: dict[str, Any]) -> list[str]:
    return [scene["scene"] for scene in entry["scenes"]]


@contextmanager
def _stacks(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def main(arguments: Sequence[str] | None = None) -> None:
    config = tyro.cli(ScoreConfig, args=arguments)
    with _stacks(config.stacks) as stacks:
        for method in config.methods:
            keep(config.out, examine(method, config, stacks), ScoreConfig.methods)
            if config.out == RESULTS:
                for section in ("layerbench", "families"):
                    update_results(section)
    print(layerbench(json.loads(config.out.read_text())))


if __name__ == "__main__":
    main()
