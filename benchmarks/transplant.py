"""Do layers hold an object and its shadow, or also the ground it stood on?

    python -m benchmarks.transplant [--only sun window] [--fit-steps 100 200 400] [--fit-only] [--frames N]

examples/transplant holds scenes rendered twice, over two grounds. Layers are taken from one (true plate, true solos),
laid over the other's empty background, and compared with the picture that was rendered there; in both directions. With
--fit-steps the test-time fit `reference` is judged in the same way after so many of its 6,000 steps (its schedules are
not changed), which takes seconds per step. Writes results/transplant.json; what is there already is replaced by what
is measured anew, the rest stays.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
import tyro

from benchmarks.layer_step import layers_of
from benchmarks.machine import ROOT, circumstances
from benchmarks.quality import Scene, find_scenes
from benchmarks.tables import judged
from lamina.alpha import lay_over
from lamina.layers.fit import PRESETS, finish, fit_steps, start_fit
from lamina.media.stack import open_stack

RESULTS = Path(__file__).with_name("results") / "transplant.json"
SCENES = ROOT / "examples" / "transplant"
CHANGED = 12
"""Levels of 255 from which on a difference to the empty background is the object's doing."""
RIM_PX = 2
BAR = {"effect": {"min": 32}}
REGIONS = ("effect", "shadow", "rim", "objects", "rest", "all")
SEED = 43


@dataclass(frozen=True)
class TransplantConfig:
    """What to measure."""

    folder: Path = SCENES
    """Folder of scenes, each with one folder per ground."""
    only: tuple[str, ...] = ()
    """Names of scenes; all when none is given."""
    fit_steps: tuple[int, ...] = ()
    """Numbers of steps after which the reference fit is judged; none without them."""
    fit_only: bool = False
    """Leave the closed form out."""
    frames: int | None = None
    """Judge only so many of a clip's first frames, and give the fit no more; it takes seconds per step and frame."""
    out: Path = RESULTS


@dataclass(frozen=True)
class Truth:
    """One scene over one ground: pictures uint8 `t h w 3`, masks uint8 `k t h w`, solos `k t h w 3`."""

    picture: np.ndarray
    ground: np.ndarray
    masks: np.ndarray
    solos: np.ndarray

    def first(self, frames: int | None) -> "Truth":
        """Only the first frames."""
        cut = slice(frames)
        return Truth(self.picture[cut], self.ground[cut], self.masks[:, cut], self.solos[:, cut])


def read_truth(folder: Path, frames: int | None = None) -> Truth:
    """A scene's files; a single object's solo is the picture."""
    picture, ground = (_read(folder / f"{name}.mp4", frames, "rgb24") for name in ("input", "background"))
    masks = np.stack([_read(path, frames, "gray") for path in sorted(folder.glob("mask_*.mp4"))])
    solos = [_read(path, frames, "rgb24") for path in sorted(folder.glob("solo_*.mp4"))]
    return Truth(picture, ground, masks, np.stack(solos or [picture]))


def _read(path: Path, frames: int | None, form: str) -> np.ndarray:
    with av.open(str(path)) as file:
        pictures = (frame.to_ndarray(format=form) for frame in file.decode(video=0))
        return np.stack([picture for picture, _ in zip(pictures, range(frames or 10**9), strict=False)])


def regions(truth: Truth) -> dict[str, np.ndarray]:
    """Where to look, bool `t h w` each.

    effect: changed by more than `CHANGED` outside the masks, as the scorer has it; that is the shadow and, within
    `RIM_PX` of an object, the rim of pixels it covers by less than half. objects: inside the masks. rest: neither.
    """
    masks = truth.masks.max(0)
    inside = masks > 127
    near = np.stack([cv2.dilate(mask, np.ones((2 * RIM_PX + 1,) * 2, np.uint8)) > 0 for mask in masks])
    changed = np.abs(truth.picture.astype(np.int16) - truth.ground).max(-1) > CHANGED
    effect = changed & ~inside
    rest = ~changed & ~inside
    everywhere = np.ones_like(inside)
    found = (effect, effect & ~near, effect & near, inside, rest, everywhere)
    return dict(zip(REGIONS, found, strict=True))


def psnr_by_region(made: np.ndarray, truth: Truth) -> dict[str, float]:
    """PSNR in dB per region of a picture, uint8 `t h w 3`; at most 99."""
    error = np.square(made.astype(np.float64) - truth.picture).mean(-1)
    found = {name: error[where].mean() for name, where in regions(truth).items() if where.any()}
    return {name: round(float(min(99.0, 10 * np.log10(255**2 / max(e, 1e-9)))), 2) for name, e in found.items()}


def lay(layers: Sequence[np.ndarray], ground: np.ndarray) -> np.ndarray:
    """Stored layers `t h w 4` back to front over another ground, `t h w 3`, as stored pictures."""
    made = ground.astype(np.float32) / 255
    for layer in layers:
        made = np.stack([lay_over(rgba, below) for rgba, below in zip(layer, made, strict=True)])
    return np.rint(np.clip(made, 0, 1) * 255).astype(np.uint8)


def read_layers(folder: Path) -> list[np.ndarray]:
    """A stack's layers, uint8 `t h w 4`, so that the first is the backmost in every frame.

    Where objects change places the layers do too, frame by frame.
    """
    stack = open_stack(folder)
    layers = {name: list(stack.read_layer(name)) for name in stack.manifest.layer_names}
    frames = len(stack.manifest.pts)
    order = [stack.manifest.order_at(t) for t in range(frames)]
    return [np.stack([layers[order[t][depth]][t] for t in range(frames)]) for depth in range(len(layers))]


def closed_form(source: Scene) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Layers by `lamina layers`, and what it took."""
    with tempfile.TemporaryDirectory() as folder:
        run = layers_of(source, Path(folder) / "stack")
        if run.failed:
            raise SystemExit(f"{source.folder}: {run.failed}")
        return read_layers(Path(folder) / "stack"), {"wall_s": round(run.wall_s, 1)}


def reference(truth: Truth, steps: Sequence[int]) -> Iterator[tuple[list[np.ndarray], dict[str, Any]]]:
    """Layers by the reference fit, one per object in the order of the masks, after each number of steps."""
    began = time.monotonic()
    states = [
        start_fit(PRESETS["reference"], _frames(solo), _frames(truth.ground), _frames(mask[..., None]), seed=SEED)
        for solo, mask in zip(truth.solos, truth.masks, strict=True)
    ]
    runs = [fit_steps(state) for state in states]
    for count in sorted(steps):
        for state, run in zip(states, runs, strict=True):
            while state.step < count:
                next(run)
        layers = [finish(state).clamp(0, 1).mul(255).round().byte().movedim(1, -1).numpy() for state in states]
        yield layers, {"steps": count, "wall_s": round(time.monotonic() - began, 1)}


def _frames(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures.astype(np.float32) / 255).movedim(-1, 1).contiguous()


def directions(config: TransplantConfig) -> Iterator[tuple[str, Scene, Scene]]:
    """Every scene's name with the ground that layers are taken from and the one they are laid over."""
    for folder in sorted(path for path in config.folder.iterdir() if path.is_dir()):
        grounds = find_scenes([folder])
        if not config.only or folder.name in config.only:
            yield from ((folder.name, one, other) for one in grounds for other in grounds if one is not other)


def examine(name: str, source: Scene, target: Scene, config: TransplantConfig) -> Iterator[dict[str, Any]]:
    """The entries of one direction: the closed form, then the fit after each number of steps."""
    case = circumstances() | {"scene": name, "taken_from": source.name, "laid_over": target.name}
    if not config.fit_only:
        truth = read_truth(target.folder, config.frames)
        layers, took = closed_form(source)
        yield case | {"method": "closed form"} | took | _figures([layer[: config.frames] for layer in layers], truth)
    if config.fit_steps:
        truth = read_truth(target.folder, config.frames)
        for layers, took in reference(read_truth(source.folder, config.frames), config.fit_steps):
            yield case | {"method": f"reference, {took['steps']} steps"} | took | _figures(layers, truth)


def _figures(layers: Sequence[np.ndarray], truth: Truth) -> dict[str, Any]:
    return {"frames": len(truth.picture), "psnr_db": psnr_by_region(lay(layers, truth.ground), truth)}


def table(entries: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: one line per direction and method."""
    head = ["scene", "layers of", "laid over", "method", "frames", *REGIONS, "s"]
    lines = [head, ["---"] * len(head)]
    for entry in entries:
        cells = [judged(entry["psnr_db"].get(name), 1, BAR.get(name)) for name in REGIONS]
        told = [entry[key] for key in ("scene", "taken_from", "laid_over", "method")]
        lines.append([*told, str(entry["frames"]), *cells, f"{entry['wall_s']:.0f}"])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _keep(file: Path, entry: Mapping[str, Any]) -> None:
    """Put an entry into the file in place of the one that was measured in the same way."""
    runs = json.loads(file.read_text())["runs"] if file.exists() else []
    kept = {_key(run): run for run in runs} | {_key(entry): entry}
    file.write_text(json.dumps({"runs": [kept[key] for key in sorted(kept)]}, indent=1) + "\n")


def _key(run: Mapping[str, Any]) -> tuple:
    return run["scene"], run["taken_from"], run["laid_over"], run.get("steps", 0), run["frames"]


def main(arguments: Sequence[str] | None = None) -> None:
    config = tyro.cli(TransplantConfig, args=arguments)
    entries = []
    for name, source, target in directions(config):
        for entry in examine(name, source, target, config):
            entries.append(entry)
            _keep(config.out, entry)
            print(json.dumps({key: entry[key] for key in ("scene", "taken_from", "method", "psnr_db")}), flush=True)
    print(table(entries))


if __name__ == "__main__":
    main()
