"""Where actors are at every frame: walked paths, and falls computed by Blender's rigid-body solver (Bullet)."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from lamina.synth.blender.bridge import Matrix, Vector, bmesh, bpy
from lamina.synth.blender.figures import Figure
from lamina.synth.blender.recipe import Actor, Motion

Pose = Callable[[int], None]
"""Puts an actor where it is at a frame."""
HELD = 3
"""Frames in which the solver is shown how a thrown thing moves before it lets go of it."""


def act(figure: Figure, actor: Actor, frames: int, fps: int) -> Pose:
    """The pose of an actor that walks, floats or stands still."""
    motion, scale = actor.motion, Matrix.Scale(actor.size, 4)
    if motion.way == "still":
        base = Matrix.Translation(motion.start) @ Matrix.Rotation(math.radians(motion.turn), 4, "Z") @ scale
        return lambda frame: figure.place(base, motion.phase, frame / fps)
    spots = [_spot(motion, frame / max(1, frames - 1)) for frame in range(frames + 1)]
    ways = [0.0]
    for here, there in zip(spots, spots[1:], strict=False):
        ways.append(ways[-1] + (there - here).length)

    def pose(frame: int) -> None:
        ahead = spots[frame + 1] - spots[frame]
        base = Matrix.Translation(spots[frame]) @ Matrix.Rotation(math.atan2(ahead.y, ahead.x), 4, "Z")
        if motion.way == "float":
            base = base @ _bob(frame / fps, motion.phase)
        figure.place(base @ scale, motion.phase + ways[frame] / actor.size, frame / fps)

    return pose


def _spot(motion: Motion, along: float) -> Any:
    start, end = Vector(motion.start), Vector(motion.end)
    aside = Vector((-(end - start).y, (end - start).x, 0)).normalized()
    return start.lerp(end, along) + aside * motion.bend * math.sin(math.pi * along)


def _bob(seconds: float, phase: float) -> Any:
    swing = 2 * math.pi * (0.7 * seconds + phase)
    tilt = Matrix.Rotation(0.07 * math.sin(swing), 4, "X") @ Matrix.Rotation(0.05 * math.cos(1.3 * swing), 4, "Y")
    return Matrix.Translation((0, 0, 0.03 * math.sin(1.7 * swing))) @ tilt


def fall(figures: Sequence[Figure], actors: Sequence[Actor], frames: int, fps: int) -> list[Pose]:
    """Poses of thrown things, which also hit each other."""
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = fps, 1, HELD + frames + 1
    bpy.ops.rigidbody.world_add()
    scene.rigidbody_world.substeps_per_frame, scene.rigidbody_world.solver_iterations = 20, 20
    scene.rigidbody_world.point_cache.frame_end = HELD + frames + 1
    floor = _hull([Vector((x, y, z)) for x in (-30, 30) for y in (-30, 30) for z in (-1, 0)])
    _give_body(floor, "PASSIVE")
    hulls = [_thrown(figure, actor, fps) for figure, actor in zip(figures, actors, strict=True)]
    tracks: list[list[Any]] = [[] for _ in hulls]
    for frame in range(1, HELD + frames + 1):
        scene.frame_set(frame)
        if frame > HELD:
            for track, (hull, middle) in zip(tracks, hulls, strict=True):
                track.append(hull.matrix_world @ middle)
    bpy.ops.rigidbody.world_remove()
    for hull in (floor, *(hull for hull, _ in hulls)):
        bpy.data.objects.remove(hull)
    return [_replay(figure, track) for figure, track in zip(figures, tracks, strict=True)]


def _replay(figure: Figure, track: Sequence[Any]) -> Pose:
    return lambda frame: figure.place(track[frame], 0.0, 0.0)


def _thrown(figure: Figure, actor: Actor, fps: int) -> tuple[Any, Any]:
    """The solver's stand-in of an actor, and where the figure stands relative to it."""
    motion, scale = actor.motion, Matrix.Scale(actor.size, 4)
    figure.place(scale, 0.0, 0.0)
    corners = [part.matrix_basis @ vertex.co for part in figure.parts for vertex in part.data.vertices]
    middle = sum(corners, Vector()) / len(corners)
    hull = _hull([corner - middle for corner in corners])
    _give_body(hull, "ACTIVE")
    turn, rate = Matrix.Rotation(math.radians(motion.turn), 4, "Z"), Vector(motion.spin)
    hull.rotation_mode = "QUATERNION"
    for frame in range(1, HELD + 1):
        seconds = (frame - HELD) / fps
        hull.location = Vector(motion.start) + middle + Vector(motion.velocity) * seconds
        spun = Matrix.Rotation(rate.length * seconds, 4, rate) if rate.length else Matrix.Identity(4)
        hull.rotation_quaternion = (spun @ turn).to_quaternion()
        hull.keyframe_insert("location", frame=frame)
        hull.keyframe_insert("rotation_quaternion", frame=frame)
    for frame, held in ((1, True), (HELD, True), (HELD + 1, False)):
        hull.rigid_body.kinematic = held
        hull.rigid_body.keyframe_insert("kinematic", frame=frame)
    return hull, Matrix.Translation(-middle) @ scale


def _hull(corners: Sequence[Any]) -> Any:
    shape = bmesh.new()
    for corner in corners:
        shape.verts.new(corner)
    bmesh.ops.convex_hull(shape, input=shape.verts)
    mesh = bpy.data.meshes.new("hull")
    shape.to_mesh(mesh)
    shape.free()
    made = bpy.data.objects.new("hull", mesh)
    bpy.context.scene.collection.objects.link(made)
    made.hide_render = True
    return made


def _give_body(thing: Any, kind: str) -> None:
    bpy.context.view_layer.objects.active = thing
    bpy.ops.rigidbody.object_add(type=kind)
    body = thing.rigid_body
    body.collision_shape, body.friction, body.restitution = "CONVEX_HULL", 0.6, 0.5
    body.use_margin, body.collision_margin = True, 0.0
    body.angular_damping = 0.25
