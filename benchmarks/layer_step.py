"""How good the layer step alone is: layers from the true plate and the true solos of rendered scenes, scored.

    python -m benchmarks.layer_step FOLDER [FOLDER ...] --score SCORE.py [--only NAME ...] [--keep OUT]

Scenes are those of `benchmarks.quality` that bring their background. Each is given to `lamina layers` with
`background.mp4` as the plate and `solo_NN.mp4` as the solos (a single object needs none: the clip is its solo), and
SCORE.py is called as `SCORE.py SCENE STACK --json`. Writes results/layer_step.json; scenes that are there already are
replaced, others stay.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from benchmarks.machine import circumstances
from benchmarks.quality import Scene, find_scenes, scores_of, stack_folder
from benchmarks.runs import Run, watch
from benchmarks.tables import DIGITS, judged

RESULTS = Path(__file__).with_name("results") / "layer_step.json"
BARS: Mapping[str, Mapping[str, float]] = {
    "solo": {"min": 45},
    "solo_effect": {"min": 38},
    "recompose": {"min": 48},
    "leak": {"max": 0.004},
}


@dataclass(frozen=True)
class LayerStepConfig:
    """Which scenes to take and how to score them."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of scenes."""
    score: Path
    """The script that scores a stack against a scene."""
    only: tuple[str, ...] = ()
    """Names of scenes; all when none is given."""
    fit: tuple[str, ...] = ("none",)
    """What the layers are fitted by; `none` is the closed form alone."""
    keep: Path | None = None
    """Where the stacks are kept, one folder per scene; what is there already is scored without a new run."""
    out: Path = RESULTS


def layers_of(scene: Scene, out: Path, fit: str = "none") -> Run:
    """Run `lamina layers` on a rendered scene with its true plate and solos."""
    solos = sorted(scene.folder.glob("solo_[0-9][0-9]*"))
    flags = [part for name, path in scene.masks.items() for part in ("--mask", f"{name}={path}")]
    if solos:
        named = dict(zip(scene.masks, solos, strict=True))
        flags += [part for name, path in named.items() for part in ("--solo", f"{name}={path}")]
    plate = scene.folder / "background.mp4"
    return watch(["layers", str(scene.input), "--plate", str(plate), *flags, "--fit", fit, "--out", str(out), "--json"])


def examine(scene: Scene, fit: str, config: LayerStepConfig) -> dict[str, Any]:
    """One scene's entry for the results."""
    entry: dict[str, Any] = circumstances() | {"scene": scene.name, "fit": fit, "objects": len(scene.masks)}
    with stack_folder(scene, config.keep and config.keep / fit) as stack:
        run = layers_of(scene, stack, fit)
        if run.failed:
            return entry | {"error": run.failed}
        frames = len(json.loads((stack / "stack.json").read_text())["time"]["pts"])
        pace = {"frames": frames, "seconds_per_frame": round(run.wall_s / frames, 3), "peak_mb": round(run.peak_mb)}
        return entry | pace | scores_of(scene, stack, config.score)


def table(entries: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: one line per scene, figures with their bars."""
    lines = [["scene", "fit", *BARS, "frames", "s/frame"], ["---"] * (len(BARS) + 4)]
    for entry in entries:
        scores = entry.get("scores", {})
        cells = [judged(scores.get(name), DIGITS.get(name, 1), bar) for name, bar in BARS.items()]
        told = [str(entry.get("frames", "-")), judged(entry.get("seconds_per_frame"), 2, None)]
        shown = cells if "error" not in entry else [entry["error"]] * len(BARS)
        lines.append([entry["scene"], entry["fit"], *shown, *told])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _keep(file: Path, entry: Mapping[str, Any]) -> None:
    """Put an entry into the file in place of the one of the same scene and fit."""
    before = json.loads(file.read_text())["scenes"] if file.exists() else []
    runs = {(run["scene"], run["fit"]): run for run in [*before, entry]}
    file.write_text(json.dumps({"scenes": [runs[key] for key in sorted(runs)]}, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    config = tyro.cli(LayerStepConfig, args=arguments)
    scenes = [s for s in find_scenes(config.folders) if s.rendered and s.has_truth]
    entries = []
    for scene in scenes:
        if not config.only or scene.name in config.only:
            for fit in config.fit:
                entries.append(examine(scene, fit, config))
                _keep(config.out, entries[-1])
    print(table(entries))


if __name__ == "__main__":
    main()
