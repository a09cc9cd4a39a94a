"""Scoring a stack against a scene with truth: its plate, and each layer."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lamina.errors import InputError
from lamina.evaluate.averages import mean_of
from lamina.evaluate.case import Case, Figures, Scored
from lamina.evaluate.layer_metrics import lay_over
from lamina.evaluate.layer_tally import LAYER_SCORES, NEED_EXTRAS, LayerTally, SceneFrame, layer_figure
from lamina.evaluate.lpips import Distance
from lamina.evaluate.pixels import ssim_gray
from lamina.evaluate.reading import open_inside, read_alphas
from lamina.evaluate.regions import Regions, changed, find_regions, find_rough_regions
from lamina.evaluate.removal_scores import RemovedTally, left_out
from lamina.evaluate.scene import Scene, open_scene
from lamina.evaluate.stack_folder import StackFolder, open_stack_folder
from lamina.evaluate.tally import Mean, MotionTally, PictureTally, Pool, RegionTally, WorstTally
from lamina.media.source import open_source


def score_scene(case: Case, lpips: Distance | None) -> Scored:
    """Files "scene" and "result", the folder of a stack."""
    scene = open_scene(case.files["scene"])
    stack = open_stack_folder(case.files["result"], scene.clip.info)
    _check_names(scene, stack, case.files["result"])
    tally = SceneTally(scene, lpips)
    for t, moment in enumerate(_moments(scene, stack)):
        tally.add(moment, stack.order_at(t))
    return Scored(
        scene.clip.info,
        scores=tally.figures,
        baseline=tally.baseline,
        worst=tally.worst.moment,
        regions=tally.covers.percent,
        notes=left_out(scene.clip.info, lpips) + _scene_notes(scene),
    )


def _check_names(scene: Scene, stack: StackFolder, folder: Path) -> None:
    missing = [name for name in scene.names if name not in stack.names]
    if scene.solos and missing:
        raise InputError(
            f"stack {folder}",
            got=f"the layers {', '.join(stack.names) or '(none)'}",
            wanted=f"one for each object of the scene: {', '.join(scene.names)}",
            do="Name the layers as scene.json names the objects (obj_00, obj_01, .. where there is none).",
        )


def _scene_notes(scene: Scene) -> list[str]:
    return [] if scene.solos else ["Layers were not measured: several objects without their solos."]


def _moments(scene: Scene, stack: StackFolder) -> Iterator[SceneFrame]:
    """All files side by side, one frame at a time in memory."""
    layers = [stack.read_layer(name) for name in stack.names]
    extras = {name: [_read_extra(name, path) for path in paths] for name, paths in scene.extras.items()}
    grounds = scene.other_ground.read() if scene.other_ground else None
    solos = [solo.read() for solo in scene.solos]
    masks_of = open_inside(scene.masks, scene.clip.info)
    frames = zip(scene.clip.read(), scene.truth.read(), masks_of, stack.read_plate(), strict=True)
    for picture, ground, masks, plate in frames:
        yield SceneFrame(
            picture,
            ground,
            masks,
            [next(solo) for solo in solos],
            plate,
            {name: next(layer) for name, layer in zip(stack.names, layers, strict=True)},
            {name: [next(reader) for reader in readers] for name, readers in extras.items()},
            next(grounds) if grounds else None,
        )


def _read_extra(name: str, path: Path) -> Iterator[np.ndarray]:
    return open_source(path).read() if name == "transplant" else read_alphas(path)


class SceneTally:
    """All figures of one scene, frame by frame."""

    def __init__(self, scene: Scene, lpips: Distance | None):
        self.scene = scene
        self.plate, self.untouched = PictureTally(lpips), PictureTally(lpips)
        self.whole = {name: Pool() for name in ("input", "plate", "plate_rest", "recompose")}
        self.ssim, self.untouched_ssim = Mean(), Mean()
        self.layers = {name: LayerTally() for name in scene.names} if scene.solos else {}
        self.empty = [LayerTally() for _ in self.layers]
        self.motion, self.covers, self.removed, self.worst = MotionTally(), RegionTally(), RemovedTally(), WorstTally()

    def add(self, frame: SceneFrame, order: Sequence[str]) -> None:
        picture, ground, plate = frame.picture, frame.ground, frame.plate
        find = find_rough_regions if self.scene.shot else find_regions
        regions, moved = find(picture, ground, np.any(frame.masks, axis=0)), self.motion.add(ground)
        self.plate.add(plate, ground, regions, moved)
        self.untouched.add(picture, ground, regions, moved)
        self.ssim.add(ssim_gray(plate, ground))
        self.untouched_ssim.add(ssim_gray(picture, ground))
        self.whole["input"].add_pictures(picture, ground)
        self.whole["plate"].add_pictures(plate, ground)
        self.whole["plate_rest"].add_pictures(plate, picture, regions.rest)
        self.whole["recompose"].add_pictures(_laid(frame, order), picture)
        self.covers.add(regions)
        self.removed.add(plate, picture, ground, regions)
        self.worst.add(picture, ground, plate)
        for k, (name, tally) in enumerate(self.layers.items()):
            where = self._touched(frame, k, regions)
            tally.add(frame, k, frame.layers[name], *where)
            self.empty[k].add(frame, k, np.zeros_like(frame.layers[name]), *where)

    def _touched(self, frame: SceneFrame, k: int, regions: Regions) -> tuple[np.ndarray, np.ndarray]:
        clear = regions.object | regions.effect | regions.rest
        if self.scene.shot:
            return regions.effect, clear
        return changed(frame.solos[k], frame.ground), clear

    @property
    def figures(self) -> Figures:
        own = self.plate.figures
        return {
            **{name: pool.db for name, pool in self.whole.items()},
            "plate_mask": own["psnr_object"],
            "plate_effect": own["psnr_effect"],
            "input_effect": self.untouched.figures["psnr_effect"],
            "plate_ssim": self.ssim.value,
            **{name: own[name] for name in ("flicker", "warping", "lpips")},
            **self.removed.figures,
            **_over_objects(list(self.layers.values())),
        }

    @property
    def baseline(self) -> Figures:
        """The input handed in as the plate, with empty layers."""
        own, perfect = self.untouched.figures, Pool(0.0, 1).db
        return {
            "plate": self.whole["input"].db,
            "plate_rest": perfect,
            "recompose": perfect,
            "plate_mask": own["psnr_object"],
            "plate_effect": own["psnr_effect"],
            "plate_ssim": self.untouched_ssim.value,
            **{name: own[name] for name in ("flicker", "warping", "lpips")},
            **self.removed.untouched,
            **_over_objects(self.empty),
        }


def _over_objects(tallies: Sequence[LayerTally]) -> Figures:
    """Figures of layers, the mean over the scene's objects; those that the scene has no truth for are left out."""
    means = mean_of([{name: layer_figure(tally, name) for name in LAYER_SCORES} for tally in tallies])
    return {name: value for name, value in means.items() if value is not None or name not in NEED_EXTRAS}


def _laid(frame: SceneFrame, order: Sequence[str]) -> np.ndarray:
    """All layers over the plate, levels `h w 3`."""
    below = frame.plate
    for name in order:
        below = lay_over(frame.layers[name], below)
    return np.asarray(below)
