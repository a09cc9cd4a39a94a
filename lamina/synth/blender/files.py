"""A rendered scene on disk: the folder that `lamina evaluate scene` reads and training takes pairs from."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np

from lamina.color import ColorDescription
from lamina.media.landing import whole_folder
from lamina.media.movie import MovieKind, Times, write_pictures
from lamina.media.yuv import to_yuv444
from lamina.synth.blender.passes import FramePictures
from lamina.synth.blender.recipe import Recipe, recipe_text
from lamina.synth.blender.render import Quality
from lamina.synth.blender.truth import effect_alpha

ALPHA_CRF = 4


class SceneWriter:
    """Collects the pictures of a scene and writes its folder, whole, when its block ends without error.

    ``input``, ``background``, ``transplant_background``; for every object ``mask_NN`` (the part that is seen),
    ``object_alpha_NN``, ``effect_alpha_NN``, ``effects_NN`` (the scene with the object itself invisible),
    ``transplant_NN`` (its solo over the other ground), and ``solo_NN`` where there are several; all `.mp4`, H.264
    4:4:4 in BT.709. With three objects or more, ``stacked_NN``: the scene with the NN farthest of them.
    ``depth/0000.exr`` where asked for. ``scene.json`` with names and the order of every frame; ``recipe.json``.
    Without `Quality.layers` there are no effects and no transplants.

    Memory does not grow with the scene's length: frames wait in raw files.
    """

    def __init__(self, out: Path, recipe: Recipe, quality: Quality):
        self.out, self.recipe, self.quality = out, recipe, quality
        self.count, self._orders = 0, []
        self._closing = ExitStack()

    def __enter__(self) -> "SceneWriter":
        self._folder = self._closing.enter_context(whole_folder(self.out))
        self._raw = Path(self._closing.enter_context(tempfile.TemporaryDirectory()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                self._finish()
            except BaseException as failed:
                self._closing.__exit__(type(failed), failed, failed.__traceback__)
                raise
        self._closing.__exit__(kind, error, trace)

    def add(self, shot: FramePictures) -> None:
        """One frame."""
        plate, alphas = shot.background.picture, [solo.alphas[k] for k, solo in enumerate(shot.solos)]
        self._orders.append([self.recipe.objects[k].name for k in shot.order])
        self._keep("input", shot.input.picture)
        self._keep("background", plate)
        for k, (solo, alpha) in enumerate(zip(shot.solos, alphas, strict=True)):
            self._keep(f"mask_{k:02}", shot.input.alphas[k])
            self._keep(f"object_alpha_{k:02}", alpha)
            if len(alphas) > 1:
                self._keep(f"solo_{k:02}", solo.picture)
        self._add_layers(shot)
        for count, some in enumerate(shot.stacked[1:-1], 2):
            self._keep(f"stacked_{count:02}", some.picture)
        if self.quality.depth:
            self._write_depth(shot.input.depth)
        self.count += 1

    def _add_layers(self, shot: FramePictures) -> None:
        if shot.other_ground is not None:
            self._keep("transplant_background", shot.other_ground)
        for k, (effects, transplant) in enumerate(zip(shot.effects, shot.transplants, strict=True)):
            self._keep(f"effect_alpha_{k:02}", effect_alpha(effects, shot.background.picture))
            self._keep(f"effects_{k:02}", effects)
            self._keep(f"transplant_{k:02}", transplant)

    def _write_depth(self, depth: np.ndarray) -> None:
        import OpenEXR

        (self._folder / "depth").mkdir(exist_ok=True)
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        far = np.minimum(depth, np.float32(65504)).astype(np.float16)  # half floats hold no more
        OpenEXR.File(header, {"Z": far}).write(str(self._folder / "depth" / f"{self.count:04}.exr"))

    def _keep(self, name: str, picture: np.ndarray) -> None:
        with (self._raw / name).open("ab") as file:
            file.write(np.ascontiguousarray(picture).tobytes())

    def _finish(self) -> None:
        for raw in sorted(self._raw.iterdir()):
            sharp = raw.name.startswith(("mask", "object_alpha"))
            channels = 1 if sharp or raw.name.startswith("effect_alpha") else 3
            self._encode(raw, channels, min(ALPHA_CRF, self.quality.crf) if sharp else self.quality.crf)
        recipe = self.recipe
        told = {
            "name": recipe.name,
            "family": recipe.family,
            "seed": recipe.seed,
            "objects": [actor.name for actor in recipe.objects],
            "frames": self.count,
            "size": [recipe.width, recipe.height],
            "fps": recipe.fps,
            "order": self._orders,
        }
        (self._folder / "scene.json").write_text(json.dumps(told) + "\n", encoding="utf-8")
        (self._folder / "recipe.json").write_text(recipe_text(recipe), encoding="utf-8")

    def _encode(self, raw: Path, channels: int, crf: int) -> None:
        # one thread: with more, the bytes depend on their number
        options = {"crf": str(crf), "preset": "slow", "threads": "1", "movflags": "+faststart"}
        kind = MovieKind("mp4", "libx264", partial(to_yuv444, bits=8), options)
        times = Times(range(self.count), Fraction(1, self.recipe.fps))
        write_pictures(self._folder / f"{raw.name}.mp4", kind, self._frames(raw, channels), times, ColorDescription())

    def _frames(self, raw: Path, channels: int) -> Iterator[np.ndarray]:
        shape = self.recipe.height, self.recipe.width, channels
        with raw.open("rb") as file:
            for _ in range(self.count):
                picture = np.frombuffer(file.read(int(np.prod(shape))), np.uint8).reshape(shape)
                yield picture if channels == 3 else np.repeat(picture, 3, axis=2)
