"""Solids to build with; each becomes an object of the scene and stands where its maker puts it."""

from collections.abc import Sequence
from typing import Any

from lamina.synth.blender.bridge import Matrix, Vector, bmesh, bpy

Part = Any
"""A `bpy.types.Object`."""


def solid(name: str, shape: Any, look: Any, bevel: float = 0.0) -> Part:
    mesh = bpy.data.meshes.new(name)
    shape.to_mesh(mesh)
    shape.free()
    mesh.materials.append(look)
    made = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(made)
    if bevel:
        rounding = made.modifiers.new("bevel", "BEVEL")
        rounding.width, rounding.segments, rounding.limit_method = bevel, 2, "ANGLE"
    return made


def box(name: str, center: Sequence[float], size: Sequence[float], look: Any, bevel: float = 0.02) -> Part:
    shape = bmesh.new()
    bmesh.ops.create_cube(shape, size=1.0)
    bmesh.ops.scale(shape, vec=Vector(size), verts=shape.verts)
    return at(solid(name, shape, look, bevel), center)


def cone(name: str, base: Sequence[float], radii: tuple[float, float], height: float, look: Any) -> Part:
    """A cone or cylinder standing on `base`; its sides are smooth."""
    shape = bmesh.new()
    bmesh.ops.create_cone(shape, cap_ends=True, segments=32, radius1=radii[0], radius2=radii[1], depth=height)
    bmesh.ops.translate(shape, vec=(0, 0, height / 2), verts=shape.verts)
    for face in shape.faces:
        face.smooth = len(face.verts) <= 4
    return at(solid(name, shape, look), base)


def ball(name: str, center: Sequence[float], radii: Sequence[float], look: Any) -> Part:
    """An ellipsoid."""
    shape = bmesh.new()
    bmesh.ops.create_uvsphere(shape, u_segments=40, v_segments=20, radius=1.0)
    bmesh.ops.scale(shape, vec=Vector(radii), verts=shape.verts)
    _smooth(shape)
    return at(solid(name, shape, look), center)


def ring(name: str, center: Sequence[float], radius: float, thickness: float, look: Any) -> Part:
    """A torus around the y axis."""
    bpy.ops.mesh.primitive_torus_add(major_radius=radius, minor_radius=thickness, major_segments=56, minor_segments=14)
    made = bpy.context.object
    made.name, made.data.name = name, name
    made.data.transform(Matrix.Rotation(1.5707963, 4, "X"))
    made.data.polygons.foreach_set("use_smooth", [True] * len(made.data.polygons))
    made.data.materials.append(look)
    return at(made, center)


def rod(name: str, start: Sequence[float], end: Sequence[float], radius: float, look: Any) -> Part:
    """A round limb with ball ends."""
    length = (Vector(end) - Vector(start)).length
    shape = bmesh.new()
    bmesh.ops.create_cone(shape, cap_ends=True, segments=20, radius1=radius, radius2=radius, depth=length)
    for side in (-1, 1):
        place = Matrix.Translation((0, 0, side * length / 2))
        bmesh.ops.create_uvsphere(shape, u_segments=20, v_segments=10, radius=radius, matrix=place)
    _smooth(shape)
    made = solid(name, shape, look)
    made.matrix_basis = between(Vector(start), Vector(end))
    return made


def monkey(name: str, center: Sequence[float], size: float, look: Any) -> Part:
    bpy.ops.mesh.primitive_monkey_add(size=size)
    made = bpy.context.object
    made.name, made.data.name = name, name
    made.modifiers.new("round", "SUBSURF").render_levels = 2
    made.data.polygons.foreach_set("use_smooth", [True] * len(made.data.polygons))
    made.data.materials.append(look)
    return at(made, center)


def gem(name: str, center: Sequence[float], radius: float, look: Any) -> Part:
    shape = bmesh.new()
    bmesh.ops.create_icosphere(shape, subdivisions=1, radius=radius)
    return at(solid(name, shape, look), center)


def at(made: Part, place: Sequence[float]) -> Part:
    made.matrix_basis = Matrix.Translation(place)
    return made


def between(start: Any, end: Any) -> Any:
    """Where a thing built along z stands when it reaches from start to end."""
    return Matrix.Translation((start + end) / 2) @ (end - start).to_track_quat("Z", "Y").to_matrix().to_4x4()


def _smooth(shape: Any) -> None:
    for face in shape.faces:
        face.smooth = True
