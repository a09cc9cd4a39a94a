"""Solids to build with; each becomes an object of the scene and stands where its maker puts it."""

from collections.abc import Sequence

import bpy  # must come first: it makes bmesh and mathutils importable

# isort: split
import bmesh
from mathutils import Matrix, Vector

Point = Sequence[float]


def solid(name: str, shape: bmesh.types.BMesh, look: bpy.types.Material, bevel: float = 0.0) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    shape.to_mesh(mesh)
    shape.free()
    mesh.materials.append(look)
    made = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(made)
    if bevel:
        rounding = made.modifiers.new("bevel", "BEVEL")
        rounding.width, rounding.segments, rounding.limit_method = bevel, 3, "ANGLE"
    return made


def box(name: str, center: Point, size: Point, look: bpy.types.Material, bevel: float = 0.02) -> bpy.types.Object:
    shape = bmesh.new()
    bmesh.ops.create_cube(shape, size=1.0)
    bmesh.ops.scale(shape, vec=Vector(size), verts=shape.verts)
    made = solid(name, shape, look, bevel)
    made.location = center
    return made


def cone(name: str, base: Point, radii: tuple[float, float], height: float,
         look: bpy.types.Material) -> bpy.types.Object:
    """A cone or cylinder standing on `base`; its sides are smooth."""
    shape = bmesh.new()
    bmesh.ops.create_cone(shape, cap_ends=True, segments=28, radius1=radii[0], radius2=radii[1], depth=height)
    bmesh.ops.translate(shape, vec=(0, 0, height / 2), verts=shape.verts)
    for face in shape.faces:
        face.smooth = len(face.verts) <= 4
    made = solid(name, shape, look)
    made.location = base
    return made


def ball(name: str, center: Point, radius: float, look: bpy.types.Material) -> bpy.types.Object:
    shape = bmesh.new()
    bmesh.ops.create_uvsphere(shape, u_segments=48, v_segments=24, radius=radius)
    for face in shape.faces:
        face.smooth = True
    made = solid(name, shape, look)
    made.location = center
    return made


def prism(name: str, center: Point, size: Point, look: bpy.types.Material) -> bpy.types.Object:
    """A gable roof: `center` is the middle of its lower face, the ridge runs along y."""
    w, d, h = size[0] / 2, size[1] / 2, size[2]
    shape = bmesh.new()
    corners = [shape.verts.new(p) for p in
               [(-w, -d, 0), (w, -d, 0), (0, -d, h), (-w, d, 0), (w, d, 0), (0, d, h)]]
    for face in [(0, 1, 2), (5, 4, 3), (0, 3, 4, 1), (1, 4, 5, 2), (2, 5, 3, 0)]:
        shape.faces.new([corners[k] for k in face])
    made = solid(name, shape, look, 0.02)
    made.location = center
    return made


def rod(name: str, length: float, radius: float, look: bpy.types.Material) -> bpy.types.Object:
    """A round limb along its own z axis, `length` long, with ball ends."""
    shape = bmesh.new()
    bmesh.ops.create_cone(shape, cap_ends=True, segments=24, radius1=radius, radius2=radius, depth=length)
    for end in (-1, 1):
        bmesh.ops.create_uvsphere(shape, u_segments=24, v_segments=12, radius=radius,
                                  matrix=Matrix.Translation((0, 0, end * length / 2)))
    for face in shape.faces:
        face.smooth = True
    return solid(name, shape, look)


def stretch(part: bpy.types.Object, start: Vector, end: Vector) -> None:
    turn = (end - start).to_track_quat("Z", "Y").to_matrix().to_4x4()
    part.matrix_basis = Matrix.Translation((start + end) / 2) @ turn
