"""A scene built in Blender from its recipe."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from lamina.synth.blender.bridge import Vector, bpy
from lamina.synth.blender.figures import Figure, build_figure
from lamina.synth.blender.grounds import lay_ground
from lamina.synth.blender.motion import Pose, act, fall
from lamina.synth.blender.recipe import Camera, Recipe
from lamina.synth.blender.scenery import haze, light_scene, set_prop
from lamina.synth.blender.shapes import Part


@dataclass(frozen=True)
class Stage:
    recipe: Recipe
    objects: list[list[Part]]
    """Parts of every object, in the order of the recipe's objects."""
    grounds: tuple[Part, Part]
    poses: list[Pose]

    def pose(self, frame: int) -> None:
        for pose in self.poses:
            pose(frame)

    def show(self, objects: Sequence[int], other_ground: bool = False, effects_only: bool = False) -> None:
        """Let only these objects be rendered, over one of the grounds; or only what they do to the picture."""
        for number, parts in enumerate(self.objects):
            for part in parts:
                part.hide_render = number not in objects
                part.visible_camera = not effects_only
        for ground, hidden in zip(self.grounds, (other_ground, not other_ground), strict=True):
            ground.hide_render = hidden


def build_stage(recipe: Recipe) -> Stage:
    """Build the scene anew.

    Raises:
        InputError: an asset or HDR picture of the recipe cannot be read.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    light_scene(recipe.light)
    haze()
    mirrored = any(prop.kind == "mirror" for prop in recipe.props)
    grounds = [lay_ground(ground, mirrored) for ground in (recipe.ground, recipe.other_ground)]
    clocks = [move for _, move in grounds] + [sway for prop in recipe.props if (sway := set_prop(prop))]
    figures = [build_figure(actor.kind, actor.seed) for actor in recipe.actors]
    _name_parts(figures)
    poses = [_timed(clock, recipe.fps) for clock in clocks] + _direct(recipe, figures)
    poses.append(_film(recipe.camera, recipe))
    objects = [figure.parts for actor, figure in zip(recipe.actors, figures, strict=True) if actor.name]
    return Stage(recipe, objects, (grounds[0][0], grounds[1][0]), poses)


def _name_parts(figures: Sequence[Figure]) -> None:
    """Cryptomatte tells parts apart by their names."""
    for number, figure in enumerate(figures):
        for k, part in enumerate(figure.parts):
            part.name = f"actor{number}-{k}"


def _timed(clock: Callable[[float], None], fps: int) -> Pose:
    return lambda frame: clock(frame / fps)


def _direct(recipe: Recipe, figures: Sequence[Figure]) -> list[Pose]:
    cast = list(zip(recipe.actors, figures, strict=True))
    thrown = [(actor, figure) for actor, figure in cast if actor.motion.way == "physics"]
    poses = [act(figure, actor, recipe.frames, recipe.fps) for actor, figure in cast if actor.motion.way != "physics"]
    if thrown:
        actors, bodies = zip(*thrown, strict=True)
        poses += fall(bodies, actors, recipe.frames, recipe.fps)
    return poses


def _film(camera: Camera, recipe: Recipe) -> Pose:
    made = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    made.data.lens, made.data.sensor_width = camera.lens_mm, 36.0
    bpy.context.scene.collection.objects.link(made)
    bpy.context.scene.camera = made
    rng = Random(recipe.seed)
    waves = [[(rng.uniform(0.4, 2.4), rng.uniform(0, 7), 1 / (k + 1)) for k in range(4)] for _ in range(3)]

    def pose(frame: int) -> None:
        along = frame / max(1, recipe.frames - 1)
        along = 0.5 * along + 0.5 * along * along * (3 - 2 * along)  # sets off and arrives gently
        place = Vector(camera.start).lerp(Vector(camera.end), along)
        aim = Vector(camera.aim_start).lerp(Vector(camera.aim_end), along)
        shake = [sum(a * math.sin(6 * f * frame / recipe.fps + p) for f, p, a in wave) for wave in waves]
        aim += Vector((0.035 * shake[0], 0, 0.03 * shake[1])) * camera.shake
        place += Vector((0.02 * shake[1], 0, 0.02 * shake[2])) * camera.shake
        made.location, made.rotation_euler = place, (aim - place).to_track_quat("-Z", "Y").to_euler()

    return pose
