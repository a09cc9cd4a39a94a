"""Everything of the town square that stands still."""

import math
import random

import bpy  # must come first: it makes bmesh and mathutils importable

# isort: split
import bmesh
from mathutils import Vector

from toytown.materials import CREAM, Color, Shader, draw_once, material, mottled
from toytown.shapes import ball, box, cone, prism, solid

SEED = 7
GROUND_SIZE, GROUND_PIXELS = (32.0, 16.0), (4096, 2048)  # metres, pixels
WALL_COLORS: list[Color] = [(0.70, 0.33, 0.18), (0.80, 0.58, 0.27), (0.28, 0.44, 0.46), (0.72, 0.62, 0.48),
                            (0.52, 0.16, 0.12), (0.36, 0.43, 0.26), (0.76, 0.44, 0.36)]
HOUSES = [(-10.6, 1.9, 2.2), (-8.5, 2.0, 2.6), (-6.4, 1.9, 2.0), (-4.4, 1.8, 2.8), (-2.5, 1.7, 2.1),
          (-0.6, 1.8, 2.5), (1.4, 1.9, 1.9), (3.4, 1.8, 2.7), (5.4, 1.9, 2.2), (7.4, 1.9, 2.7),
          (9.5, 1.9, 2.1)]  # x, width, height in m
TREES = [(-5.3, 3.0, 1.2), (-1.75, 3.5, 0.95), (2.55, 3.4, 1.05), (6.1, 3.0, 1.25)]  # x, y, size in m
LAMPS = [(-3.5, 2.3), (0.45, 2.8), (4.3, 2.2)]  # x, y in m


def build_square() -> None:
    """Everything that stands still: ground, houses, trees, lamps, crates and light."""
    build_ground()
    dice = random.Random(SEED)
    walls = [mottled(f"wall{k}", color, 3.0, 0.28) for k, color in enumerate(WALL_COLORS)]
    roofs = [mottled(f"roof{k}", color, 9.0, 0.5) for k, color in
             enumerate([(0.36, 0.11, 0.06), (0.16, 0.13, 0.14), (0.42, 0.20, 0.10)])]
    trim, glass = material("trim", CREAM, 0.6), material("glass", (0.03, 0.05, 0.08), 0.06)
    doors = [material(f"door{k}", color, 0.4) for k, color in enumerate([(0.05, 0.20, 0.18), (0.30, 0.05, 0.04)])]
    for k, (x, width, height) in enumerate(HOUSES):
        place = (x, 6.0 + 0.35 * dice.random())
        build_house(place, (width, height), [walls[k % len(walls)], roofs[k % 3], trim, glass, doors[k % 2]])
    build_trees()
    build_lamps()
    build_market()
    build_light()


def build_ground() -> None:
    """A flat square whose look is drawn once into two pictures: evaluating its nodes in every ray is far slower."""
    shape = bmesh.new()
    shape.loops.layers.uv.new("place")
    bmesh.ops.create_grid(shape, x_segments=1, y_segments=1, size=1.0, calc_uvs=True)
    ground = solid("ground", shape, material("paving", (0.5, 0.5, 0.5)))
    ground.scale = (GROUND_SIZE[0] / 2, GROUND_SIZE[1] / 2, 1.0)
    made = ground.data.materials[0]
    shader = Shader(made.node_tree)
    color, relief, rough, wet = draw_paving(shader)
    packed = shader.node("ShaderNodeCombineColor", {0: relief, 1: rough, 2: wet}).outputs[0]
    color, packed = [draw_once(ground, shader, value, GROUND_PIXELS) for value in (color, packed)]

    parts = shader.node("ShaderNodeSeparateColor", {0: packed}).outputs
    strength = shader.math("MULTIPLY_ADD", parts[2], -0.55, 0.55)
    bump = shader.node("ShaderNodeBump", {"Strength": strength, "Distance": 0.05, "Height": parts[0]}).outputs[0]
    inputs = {"Base Color": color, "Roughness": parts[1], "Normal": bump}
    shader.feed(made.node_tree.nodes["Principled BSDF"], inputs)


def draw_paving(shader: Shader) -> tuple[bpy.types.NodeSocket, ...]:
    """Irregular warm paving stones with mortar, stains and a puddle: colour, relief, roughness and standing water."""
    place = shader.node("ShaderNodeNewGeometry", {}).outputs["Position"]
    wobble = shader.node("ShaderNodeTexNoise", {"Vector": place, "Scale": 2.5, "Detail": 2.0}).outputs["Color"]
    bent = shader.node("ShaderNodeMix", {0: 0.10, 4: place, 5: wobble}, data_type="VECTOR").outputs[1]
    cells = {"Vector": bent, "Scale": 3.4, "Randomness": 0.85}
    stone = shader.node("ShaderNodeTexVoronoi", cells).outputs["Color"]
    gap = shader.node("ShaderNodeTexVoronoi", cells, feature="DISTANCE_TO_EDGE").outputs["Distance"]
    grain, stains, slab = shader.noise(place, 21.0, 6.0), shader.noise(place, 0.8), shader.step(gap, 0.015, 0.075)
    wet, damp = draw_puddle(shader, place, shader.noise(place, 1.7, 3.0))

    tint = shader.node("ShaderNodeSeparateColor", {0: stone}).outputs[0]
    color = shader.ramp(tint, [(0.0, (0.24, 0.16, 0.10)), (0.35, (0.46, 0.33, 0.21)), (0.7, (0.54, 0.42, 0.30)),
                               (1.0, (0.38, 0.20, 0.12))])
    for pattern, dark, light in [(grain, 0.52, 1.25), (stains, 0.68, 1.08)]:
        color = shader.mix(1.0, color, shader.ramp(pattern, [(0.34, (dark,) * 3), (0.64, (light,) * 3)]), "MULTIPLY")
    color = shader.mix(slab, (0.085, 0.07, 0.05, 1.0), color)
    for amount, tone in [(damp, (0.42, 0.42, 0.44, 1.0)), (wet, (0.45, 0.48, 0.50, 1.0))]:
        color = shader.mix(amount, color, shader.mix(1.0, color, tone, "MULTIPLY"))
    rough = shader.math("MULTIPLY_ADD", wet, -0.44, shader.math("MULTIPLY_ADD", damp, -0.35, 0.8))
    return color, shader.math("MULTIPLY_ADD", grain, 0.3, slab), rough, wet


def draw_puddle(shader: Shader, place: object, ripple: object) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """Two 0..1 masks on the ground: standing water, and the darker wet stone around it."""
    moved = shader.node("ShaderNodeMapping", {"Vector": place, "Location": (-0.02, 0.62, 0.0),
                                              "Scale": (1 / 2.7, 1 / 1.25, 1.0)}).outputs[0]
    radius = shader.node("ShaderNodeVectorMath", {0: moved}, operation="LENGTH").outputs["Value"]
    edge = shader.math("MULTIPLY_ADD", shader.math("SUBTRACT", ripple, 0.5), 1.5, radius)
    return shader.step(edge, 0.96, 0.86), shader.step(edge, 1.14, 0.90)


def build_house(place: tuple[float, float], size: tuple[float, float], looks: list[bpy.types.Material]) -> None:
    (x, y), (width, height) = place, size
    wall, roof, trim, glass, door = looks
    front = y - 1.0
    box("house", (x, y, height / 2), (width, 2.0, height), wall)
    prism("roof", (x, y, height), (width + 0.3, 2.3, 0.85), roof)
    box("chimney", (x + width * 0.28, y, height + 0.75), (0.24, 0.24, 0.7), wall)
    box("ledge", (x, front - 0.03, 1.12), (width, 0.10, 0.09), trim)
    box("plinth", (x, front - 0.02, 0.1), (width, 0.08, 0.2), roof)
    box("door", (x - width * 0.26, front - 0.02, 0.45), (0.42, 0.10, 0.9), door)
    spots = [(x + width * 0.2, 0.62)] + [(x + side * width * 0.24, 1.12 + 0.5 * (height - 1.12)) for side in (-1, 1)]
    for u, v in spots:
        box("frame", (u, front, v), (0.50, 0.12, 0.62), trim)
        box("pane", (u, front - 0.035, v), (0.38, 0.10, 0.50), glass, 0.0)
        box("bar", (u, front - 0.06, v), (0.03, 0.08, 0.50), trim, 0.0)
        box("sill", (u, front - 0.08, v - 0.33), (0.58, 0.14, 0.05), trim)


def build_trees() -> None:
    bark, pot = mottled("bark", (0.22, 0.12, 0.06), 8.0), mottled("pot", (0.50, 0.20, 0.10), 6.0)
    leaves = mottled("leaves", (0.13, 0.27, 0.06), 9.0, 0.65)
    for x, y, size in TREES:
        cone("pot", (x, y, 0.0), (0.30 * size, 0.40 * size), 0.45 * size, pot)
        cone("trunk", (x, y, 0.4 * size), (0.07 * size, 0.05 * size), 0.7 * size, bark)
        for k in range(3):
            cone("leaves", (x, y, (0.75 + 0.42 * k) * size), ((0.62 - 0.14 * k) * size, 0.05), 0.75 * size, leaves)


def build_lamps() -> None:
    iron, shine = material("iron", (0.03, 0.035, 0.04), 0.35), material("shine", (1.0, 0.85, 0.6), 0.3, 1.2)
    for x, y in LAMPS:
        cone("foot", (x, y, 0.0), (0.16, 0.08), 0.22, iron)
        cone("pole", (x, y, 0.2), (0.045, 0.035), 2.0, iron)
        ball("globe", (x, y, 2.32), 0.17, shine)
        cone("cap", (x, y, 2.43), (0.15, 0.02), 0.12, iron)


def build_market() -> None:
    """Crates of fruit and a striped barrel: small, colourful things for the plate to bring back."""
    wood, dark = mottled("wood", (0.42, 0.25, 0.11), 5.0, 0.5), material("hoop", (0.10, 0.09, 0.09), 0.4)
    fruit = [material(f"fruit{k}", color, 0.3) for k, color in
             enumerate([(0.75, 0.05, 0.03), (0.90, 0.40, 0.02), (0.45, 0.60, 0.06)])]
    dice = random.Random(SEED + 1)
    for k, (x, y, turn) in enumerate([(-1.1, 2.5, 0.1), (-0.45, 2.75, -0.2), (1.75, 2.4, 0.25), (-4.5, 2.0, -0.1)]):
        crate = box("crate", (x, y, 0.2), (0.62, 0.46, 0.4), wood, 0.03)
        crate.rotation_euler[2] = turn
        for _ in range(22):
            spot = (x + dice.uniform(-0.22, 0.22), y + dice.uniform(-0.15, 0.15), 0.4 + dice.uniform(0.0, 0.07))
            ball("fruit", spot, dice.uniform(0.055, 0.075), fruit[k % 3])
    for x, y in [(3.3, 2.7), (3.85, 2.95), (-2.75, 2.9)]:
        cone("barrel", (x, y, 0.0), (0.27, 0.30), 0.35, wood)
        cone("barrel", (x, y, 0.35), (0.30, 0.27), 0.35, wood)
        for z in (0.12, 0.52):
            cone("hoop", (x, y, z), (0.305, 0.305), 0.05, dark)


def build_light() -> None:
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.color, sun.data.angle = 6.8, (1.0, 0.84, 0.62), math.radians(0.6)
    sun.rotation_euler = Vector((0.86, 0.30, -0.60)).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(sun)
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    shader = Shader(world.node_tree)
    toward = shader.node("ShaderNodeTexCoord", {}).outputs["Generated"]
    up = shader.node("ShaderNodeSeparateXYZ", {0: toward}).outputs["Z"]
    blue = shader.ramp(up, [(0.0, (0.70, 0.72, 0.72)), (0.18, (0.27, 0.50, 0.84)), (0.8, (0.08, 0.26, 0.66))])
    flat = shader.node("ShaderNodeMapping", {"Vector": toward, "Scale": (1.0, 1.0, 3.2)}).outputs[0]
    clouds = shader.step(shader.noise(flat, 3.2, 6.0), 0.50, 0.68)
    clouded = shader.node("ShaderNodeBackground", {0: shader.mix(clouds, blue, (0.95, 0.91, 0.86, 1.0)), 1: 0.75})
    clear = shader.node("ShaderNodeBackground", {0: blue, 1: 0.75})
    ray = shader.node("ShaderNodeLightPath", {}).outputs        # scattered light need not pay for clouds
    seen = shader.math("MAXIMUM", ray["Is Camera Ray"], ray["Is Glossy Ray"])
    sky = shader.node("ShaderNodeMixShader", {0: seen, 1: clear.outputs[0], 2: clouded.outputs[0]})
    shader.feed(world.node_tree.nodes["World Output"], {"Surface": sky.outputs[0]})
    bpy.context.scene.world = world
