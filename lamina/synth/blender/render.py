"""Renders many scenes: several at once, each in a process of its own, going on where an earlier call stopped."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from lamina.errors import InputError, LaminaError, MissingExtra, OutputError
from lamina.media.landing import whole_file
from lamina.report import Report, no_report
from lamina.synth.blender.recipe import Recipe, read_recipe, recipe_text

MANIFEST = "scenes.json"


@dataclass(frozen=True)
class Quality:
    """How carefully scenes are rendered, and stored.

    Raises:
        ValueError: a number is out of its range.
    """

    samples: int = 16
    """Light paths per pixel."""
    denoise: bool = True
    """With Open Image Denoise."""
    bounces: int = 0
    """Of light from surface to surface. From 1 on objects take colour from the ground, and every pass is rendered whole
    rather than where it differs from the empty scene."""
    crf: int = 10
    """Of the H.264 files; 0 is lossless."""
    depth: bool = True
    """Whether `depth/0000.exr` and so on are written: metres along the view, channel Z."""
    layers: bool = True
    """Whether what only layers are measured by is rendered: effects without their object, and another ground. Pairs to
    train removal on need none of it."""

    def __post_init__(self):
        if not (1 <= self.samples <= 4096 and 0 <= self.bounces <= 16 and 0 <= self.crf <= 51):
            raise ValueError(f"Expected 1 to 4096 samples, 0 to 16 bounces and crf 0 to 51: {self}.")


def render_scenes(
    recipes: Sequence[Recipe],
    out: str | Path,
    quality: Quality = Quality(),
    workers: int | None = None,
    report: Report = no_report,
) -> dict[str, Any]:
    """Render scenes into OUT/NAME, and say in OUT/scenes.json what is there.

    A scene that is there already is not rendered again; one that was stopped begins anew. The same recipe and quality
    give the same pictures on the same kind of processor, nearly always to the byte.

    Args:
        workers: processes at once, each busy on one core; None is one per core.

    Returns:
        what scenes.json holds: quality, and per scene family, seed, and the SHA-256 of every file.

    Raises:
        MissingExtra: Blender's module `bpy` is not installed.
        InputError: two recipes of one name; an asset or HDR picture cannot be read.
        OutputError: a folder holds something else, or a scene of another recipe or quality.
    """
    if find_spec("bpy") is None:
        raise MissingExtra(
            "rendering scenes",
            got="no package 'bpy'",
            wanted="the extra `render`",
            do="Run, with Python 3.11: pip install 'lamina[render]'.",
        )
    names = [recipe.name for recipe in recipes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError("recipes", got=f"{twice[0]!r} twice", wanted="each name once", do="Draw other seeds.")
    kitchen = _Kitchen(Path(out), quality, report, len(names))
    waiting = [recipe for recipe in recipes if not kitchen.has(recipe)]
    pool = ThreadPoolExecutor(workers or os.cpu_count() or 1)
    try:
        for _ in pool.map(kitchen.render, waiting):
            pass
    except BaseException:
        kitchen.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return kitchen.manifest


class _Kitchen:
    """Scenes in the making, and the list of those that are done."""

    def __init__(self, out: Path, quality: Quality, report: Report, total: int):
        self.out, self.quality, self.report, self.total = out, quality, report, total
        self._lock, self._running, self._stopped = Lock(), [], False
        self.manifest = self._read_manifest()

    def _read_manifest(self) -> dict[str, Any]:
        path = self.out / MANIFEST
        own = {"version": 1, "quality": asdict(self.quality), "scenes": {}}
        if not path.exists():
            return own
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            same = told["version"] == 1 and told["quality"] == own["quality"] and isinstance(told["scenes"], dict)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(
                f"{path}", got=str(error), wanted="a list of scenes", do="Take another folder."
            ) from error
        if not same:
            wanted = f"quality {own['quality']}"
            raise OutputError(
                f"scenes in {self.out}",
                got=f"quality {told['quality']}",
                wanted=wanted,
                do="Take another folder, or the same quality.",
            )
        return told

    def has(self, recipe: Recipe) -> bool:
        """Whether the scene is done. Raises OutputError when something else has its name."""
        folder = self.out / recipe.name
        if not folder.exists() or not any(folder.iterdir()):
            return False
        try:
            same = recipe_text(read_recipe(folder / "recipe.json")) == recipe_text(recipe)
        except InputError:
            same = False
        if not same:
            raise OutputError(
                f"scene {folder}",
                got="a folder of something else, or of another recipe",
                wanted=f"the scene of seed {recipe.seed}",
                do="Remove it, or take another folder.",
            )
        if recipe.name not in self.manifest["scenes"]:
            self._enter(recipe)
        return True

    def render(self, recipe: Recipe) -> None:
        """Run one process to its end."""
        with tempfile.TemporaryDirectory() as folder:
            text = Path(folder) / "recipe.json"
            text.write_text(recipe_text(recipe), encoding="utf-8")
            command = [
                sys.executable,
                "-m",
                "lamina.synth.blender.worker",
                str(text),
                str(self.out / recipe.name),
                json.dumps(asdict(self.quality)),
            ]
            with (Path(folder) / "said").open("w+") as said:
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True)
                self._follow(process, recipe)
                said.seek(0)
                self._judge(process.wait(), said.read(), recipe)
        self._enter(recipe)

    def _follow(self, process: subprocess.Popen, recipe: Recipe) -> None:
        with self._lock:
            self._running.append(process)
            if self._stopped:
                process.kill()
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("frame "):
                self.report(recipe.name, int(line.split()[1]), recipe.frames)
        process.stdout.close()

    def _judge(self, code: int, said: str, recipe: Recipe) -> None:
        if code == 0 or self._stopped:
            return
        lines = [line for line in said.splitlines() if line.startswith("error: ")]
        if code == 2 and lines:
            what, _, rest = lines[-1][len("error: ") :].partition("\t")
            got, wanted, do = rest.split("\t")
            raise InputError(what, got=got, wanted=wanted, do=do)
        last = " ".join(said.split())[-300:]
        raise LaminaError(
            f"rendering {recipe.name}",
            got=f"exit code {code}: {last}",
            wanted="a rendered scene",
            do="Call again to go on with the other scenes; if it stays, report this.",
        )

    def _enter(self, recipe: Recipe) -> None:
        folder = self.out / recipe.name
        files = {str(path.relative_to(folder)): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
        with self._lock:
            scenes = self.manifest["scenes"]
            scenes[recipe.name] = {"family": recipe.family, "seed": recipe.seed, "files": files}
            self.manifest["scenes"] = dict(sorted(scenes.items()))
            with whole_file(self.out / MANIFEST) as part:
                part.write_text(json.dumps(self.manifest, indent=1) + "\n", encoding="utf-8")
            self.report("scenes", len(scenes), self.total)

    def stop(self) -> None:
        """Kill what runs; half-made scenes leave nothing."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.kill()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
