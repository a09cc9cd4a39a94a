"""The pictures of one frame: the empty scene, and all else only where it differs from that.

Without light that goes from surface to surface, a renderer's answer at a pixel depends on what that pixel's own rays
meet, and on the seed. Two renders therefore agree to the last bit wherever an object changes nothing. A coarse look
tells where that is; only the rest is rendered in full, which takes a third of the time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lamina.errors import LaminaError
from lamina.media.image_file import read_image
from lamina.synth.blender.bridge import bpy
from lamina.synth.blender.render import Quality
from lamina.synth.blender.shader import Shader
from lamina.synth.blender.stage import Stage
from lamina.synth.blender.truth import back_to_front

COARSE = 4
"""The coarse look is smaller by this factor."""
COARSE_SAMPLES = 12
NOTICED = 0.75
"""Levels of 255 by which the coarse look must differ on average over 7 x 7 of its pixels to count."""
MARGIN_PX, FEATHER_PX = 10, 4


@dataclass(frozen=True)
class Shot:
    """One rendered picture."""

    picture: np.ndarray
    """`h w 3` uint8, sRGB, red first."""
    alphas: list[np.ndarray]
    """`h w` uint8 per object: how much of the pixel it covers; empty where not asked for."""
    depth: np.ndarray
    """`h w` float32, metres along the view."""


@dataclass(frozen=True)
class FramePictures:
    """All pictures of one frame; lists have one entry per object."""

    input: Shot
    background: Shot
    solos: list[Shot]
    effects: list[np.ndarray]
    """Empty, as `transplants`, where nobody is to measure layers."""
    other_ground: np.ndarray | None
    transplants: list[np.ndarray]
    order: list[int]
    """Numbers of the objects, back to front."""
    stacked: list[Shot]
    """The scene with the first object of the order, the first two, and so on; the last one is the input."""


class Renderer:
    """Renders the pictures of a stage, one frame at a time."""

    def __init__(self, stage: Stage, quality: Quality, work: Path):
        self.stage, self.quality, self.work = stage, quality, work
        self.size = stage.recipe.width, stage.recipe.height
        _set_up(self.size, quality)
        self._outputs = _wire_outputs(stage, work)

    def plate(self, other_ground: bool = False) -> Shot:
        self.stage.show([], other_ground)
        return self._full(None)

    def over(
        self,
        plate: Shot,
        objects: Sequence[int],
        where: np.ndarray,
        effects_only: bool = False,
        other_ground: bool = False,
    ) -> Shot:
        """Some objects, rendered where `where` (`h w`, 0 to 1) is not 0, with the plate elsewhere."""
        self.stage.show(objects, other_ground, effects_only)
        box = _bounds(where) if not self.quality.bounces else (0, 0, *self.size)
        if box is None:
            return Shot(plate.picture, [np.zeros(where.shape, np.uint8) for _ in self.stage.objects], plate.depth)
        inside = self._full(box)
        x0, y0, x1, y1 = box
        spot, picture = np.s_[y0:y1, x0:x1], plate.picture.copy()
        weight = np.ones_like(where[spot]) if self.quality.bounces else where[spot]
        mixed = picture[spot] + weight[..., None] * (inside.picture.astype(np.float32) - picture[spot])
        picture[spot] = np.rint(mixed).astype(np.uint8)
        alphas = [np.zeros(where.shape, np.uint8) for _ in inside.alphas]
        for alpha, part in zip(alphas, inside.alphas, strict=True):
            alpha[spot] = part
        depth = plate.depth.copy()
        depth[spot] = inside.depth
        return Shot(picture, alphas, depth)

    def touched(self) -> list[np.ndarray]:
        """Where each object changes the picture: `h w` float32, 1 there and falling to 0 around it."""
        scene = bpy.context.scene
        scene.render.resolution_percentage, scene.cycles.samples = round(100 / COARSE), COARSE_SAMPLES
        scene.cycles.use_denoising, scene.use_nodes = False, False
        self.stage.show([])
        empty = self._picture(None).astype(np.float32)
        found = []
        for number in range(len(self.stage.objects)):
            self.stage.show([number])
            changed = cv2.blur(self._picture(None).astype(np.float32) - empty, (7, 7))
            found.append(_widened(np.abs(changed).max(2) > NOTICED, self.size))
        scene.render.resolution_percentage, scene.cycles.samples = 100, self.quality.samples
        scene.cycles.use_denoising, scene.use_nodes = self.quality.denoise, True
        return found

    def _full(self, box: tuple[int, int, int, int] | None) -> Shot:
        for old in self.work.glob("out*"):
            old.unlink()
        picture = self._picture(box)
        alphas = [_read(self.work, f"out_alpha{number}_")[..., 0] for number in range(len(self.stage.objects))]
        depth = _read_depth(self.work)
        wanted = self.size[::-1] if box is None else (box[3] - box[1], box[2] - box[0])
        sizes = [part.shape[:2] for part in (picture, depth, *alphas)]
        if set(sizes) != {wanted}:
            raise LaminaError(
                f"rendering {self.stage.recipe.name}",
                got=f"pictures of {sizes}",
                wanted=f"{wanted}",
                do="Report this: the renderer rounds its borders otherwise.",
            )
        return Shot(picture, alphas, depth)

    def _picture(self, box: tuple[int, int, int, int] | None) -> np.ndarray:
        render = bpy.context.scene.render
        render.use_border = box is not None
        if box is not None:
            x0, y0, x1, y1 = box
            width, height = self.size
            render.border_min_x, render.border_max_x = (x0 + 0.01) / width, (x1 + 0.01) / width
            render.border_min_y, render.border_max_y = (height - y1 + 0.01) / height, (height - y0 + 0.01) / height
        path = self.work / "picture.png"
        render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        return read_image(path)[..., :3]


def render_frames(stage: Stage, quality: Quality, frames: Sequence[int], work: Path) -> Iterator[FramePictures]:
    """The pictures of some frames, in order."""
    renderer, held = Renderer(stage, quality, work), None
    for frame in frames:
        stage.pose(frame)
        if held is None or not stage.recipe.still:
            held = renderer.plate(), renderer.plate(other_ground=True) if quality.layers else None
        yield _frame(renderer, *held)


def _frame(renderer: Renderer, plate: Shot, other: Shot | None) -> FramePictures:
    touched = renderer.touched()
    solos = [renderer.over(plate, [k], where) for k, where in enumerate(touched)]
    effects, transplants = [], []
    if other is not None:
        effects = [renderer.over(plate, [k], where, effects_only=True).picture for k, where in enumerate(touched)]
        transplants = [renderer.over(other, [k], where, other_ground=True).picture for k, where in enumerate(touched)]
    order = back_to_front([solo.depth for solo in solos], [solo.alphas[k] for k, solo in enumerate(solos)])
    stacked = [solos[order[0]]]
    for count in range(2, len(order) + 1):
        some = order[:count]
        stacked.append(renderer.over(plate, some, np.maximum.reduce([touched[k] for k in some])))
    return FramePictures(stacked[-1], plate, solos, effects, other and other.picture, transplants, order, stacked)


def _set_up(size: tuple[int, int], quality: Quality) -> None:
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine, render.use_persistent_data, render.use_crop_to_border = "CYCLES", True, True
    render.resolution_x, render.resolution_y, render.resolution_percentage = *size, 100
    render.threads_mode, render.threads = "FIXED", 1  # processes share the cores out: that wastes less
    images = render.image_settings
    images.file_format, images.color_mode, images.compression, render.dither_intensity = "PNG", "RGB", 0, 0.0
    cycles.device, cycles.samples, cycles.seed, cycles.use_adaptive_sampling = "CPU", quality.samples, 0, False
    cycles.use_denoising, cycles.denoiser, cycles.denoising_prefilter = quality.denoise, "OPENIMAGEDENOISE", "NONE"
    cycles.denoising_input_passes = "RGB_ALBEDO"
    cycles.diffuse_bounces, cycles.glossy_bounces, cycles.max_bounces = (
        quality.bounces,
        2 + quality.bounces,
        4 + quality.bounces,
    )
    cycles.caustics_reflective = cycles.caustics_refractive = False
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"
    layer = scene.view_layers[0]
    layer.use_pass_cryptomatte_object, layer.use_pass_z = True, True


def _wire_outputs(stage: Stage, work: Path) -> Any:
    """Let renders with the compositor on write each object's coverage (cryptomatte: exact, no noise), and depth."""
    scene = bpy.context.scene
    scene.use_nodes = True
    shader = Shader(scene.node_tree)
    files = shader.node("CompositorNodeOutputFile", {}, base_path=str(work))
    files.file_slots.clear()
    layers = shader.node("CompositorNodeRLayers", {})
    for number, parts in enumerate(stage.objects):
        names = ",".join(part.name for part in parts)
        matte = shader.node("CompositorNodeCryptomatteV2", {}, scene=scene, matte_id=names)
        _slot(files, f"out_alpha{number}_", "PNG", "8")
        scene.node_tree.links.new(matte.outputs["Matte"], files.inputs[number])
    _slot(files, "out_depth_", "OPEN_EXR", "32")
    scene.node_tree.links.new(layers.outputs["Depth"], files.inputs[len(stage.objects)])
    composite = shader.node("CompositorNodeComposite", {})
    scene.node_tree.links.new(layers.outputs["Image"], composite.inputs["Image"])
    return files


def _slot(files: Any, name: str, form: str, bits: str) -> None:
    files.file_slots.new(name)
    slot = files.file_slots[len(files.file_slots) - 1]
    slot.use_node_format = False
    chosen = slot.format
    chosen.file_format, chosen.color_depth, chosen.color_mode = form, bits, "BW" if form == "PNG" else "RGB"
    chosen.color_management, chosen.view_settings.view_transform = "OVERRIDE", "Raw"


def _read(work: Path, prefix: str) -> np.ndarray:
    """The one output whose name begins so, `h w c`."""
    return read_image(next(work.glob(f"{prefix}*")))


def _read_depth(work: Path) -> np.ndarray:
    """`h w` float32. Its only channel is called V, which is no picture's."""
    import OpenEXR

    with OpenEXR.File(str(next(work.glob("out_depth_*"))), separate_channels=True) as file:
        return np.asarray(next(iter(file.channels().values())).pixels).astype(np.float32)


def _widened(coarse: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A coarse finding in full size, with a margin and a soft rim around it."""
    full = cv2.resize(coarse.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    reach = 2 * MARGIN_PX + 1
    grown = cv2.dilate(full, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))).astype(np.float32)
    soft = cv2.blur(grown, (2 * FEATHER_PX + 1, 2 * FEATHER_PX + 1))
    return np.maximum(soft, cv2.dilate(full, np.ones((5, 5), np.uint8)).astype(np.float32))


def _bounds(where: np.ndarray) -> tuple[int, int, int, int] | None:
    """The smallest box around all that is not 0, as x0, y0, x1, y1 (x1, y1 outside)."""
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
