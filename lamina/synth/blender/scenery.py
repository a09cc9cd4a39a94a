"""What belongs to the background: backdrops, things that stand about, plants and flags in the wind, sky and sun."""

import math
from collections.abc import Callable
from random import Random
from typing import Any

from lamina.errors import InputError
from lamina.synth.blender.bridge import Matrix, Vector, bpy
from lamina.synth.blender.figures import Paint
from lamina.synth.blender.recipe import Light, Prop
from lamina.synth.blender.shader import Shader, mottled, surface
from lamina.synth.blender.shapes import Part, at, ball, box, cone, rod

Clock = Callable[[float], None]
"""Moves something to a time in seconds."""


def set_prop(prop: Prop) -> Clock | None:
    """Build a piece of scenery where it stands; the answer moves it, where the wind does."""
    parts, sway = PROPS[prop.kind](Paint(Random(f"{prop.kind} {prop.seed}")))
    turn = Matrix.Rotation(math.radians(prop.turn), 4, "Z")
    base = Matrix.Translation(prop.place) @ turn @ Matrix.Scale(prop.size, 4)
    rests = [part.matrix_basis.copy() for part in parts]

    def place(seconds: float) -> None:
        moved = sway(seconds) if sway else {}
        for part, rest in zip(parts, rests, strict=True):
            part.matrix_basis = base @ moved.get(part, rest)

    place(0.0)
    return place if sway else None


Built = tuple[list[Part], Callable[[float], dict[Part, Any]] | None]


def _wall(paint: Paint) -> Built:
    look = _wall_look(paint)
    return [
        box("wall", (0, 0.1, 1.6), (24, 0.2, 3.2), look, 0.0),
        box("foot", (0, -0.03, 0.1), (24, 0.06, 0.2), paint.plain("foot", 0.3, 0.35), 0.0),
    ], None


def _wall_look(paint: Paint) -> Any:
    """Plaster, or bricks."""
    if paint.rng.random() < 0.5:
        return mottled("plaster", paint.color(0.35, 0.5), 1.3, 0.25)
    look = surface("bricks", (0.4, 0.2, 0.1), 0.9, 0.0)
    shader = Shader(look.node_tree)
    place = shader.node("ShaderNodeTexCoord", {}).outputs["Object"]
    x, y, z = shader.node("ShaderNodeSeparateXYZ", {0: place}).outputs
    flat = shader.node("ShaderNodeCombineXYZ", {0: shader.math("ADD", x, y), 1: z}).outputs[0]
    colors = {f"Color{k}": (*paint.color(0.5, 0.35), 1) for k in (1, 2)}
    inputs = {
        "Vector": flat,
        "Mortar": (0.4, 0.38, 0.35, 1),
        "Scale": 1.0,
        "Mortar Size": 0.015,
        "Brick Width": 0.45,
        "Row Height": 0.16,
        **colors,
    }
    shader.feed(shader.surface, {"Base Color": shader.node("ShaderNodeTexBrick", inputs).outputs[0]})
    return look


def _hedge(paint: Paint) -> Built:
    leaf = mottled("leaf", (0.06, 0.16 * paint.rng.uniform(0.7, 1.3), 0.04), 9.0, 0.65)
    parts = [
        ball(
            "bush",
            (0.75 * k + paint.rng.uniform(-0.2, 0.2), paint.rng.uniform(-0.2, 0.2), 0.5),
            (paint.rng.uniform(0.5, 0.8), 0.5, paint.rng.uniform(0.7, 1.4)),
            leaf,
        )
        for k in range(-9, 10)
    ]
    return parts, None


def _houses(paint: Paint) -> Built:
    parts: list[Part] = []
    x = -8.0
    while x < 8:
        width, height = paint.rng.uniform(1.4, 2.4), paint.rng.uniform(2.2, 4.0)
        parts.append(box("house", (x + width / 2, 0.8, height / 2), (width, 1.6, height), _wall_look(paint), 0.0))
        pane = surface("pane", (0.08, 0.1, 0.13), 0.2, 0.4)
        for row in range(int(height / 1.0)):
            parts += [
                box("window", (x + width * share, -0.01, 0.6 + row), (0.28, 0.05, 0.42), pane, 0.0)
                for share in (0.28, 0.72)
            ]
        x += width + paint.rng.choice([0.0, 0.5])
    return parts, None


def _hills(paint: Paint) -> Built:
    parts = [
        ball(
            "hill",
            (2.6 * k, 1.5 + paint.rng.uniform(0, 2), -0.4),
            (paint.rng.uniform(2, 3.5), 1.5, paint.rng.uniform(0.9, 2.0)),
            mottled("hill", paint.color(0.4, 0.3), 2.0, 0.4),
        )
        for k in range(-4, 5)
    ]
    return parts, None


def _crates(paint: Paint) -> Built:
    spots = [(0, 0, 0.25, 0.5), (0.45, 0.15, 0.18, 0.36), (0.05, 0.02, 0.66, 0.32)]
    return [
        box("crate", (x, y, z), (s, s, s), paint.any("wood"), 0.015) for x, y, z, s in spots[: paint.rng.randint(1, 3)]
    ], None


def _post(paint: Paint) -> Built:
    look = paint.plain("post", 0.3, 0.4)
    return [
        rod("post", (0, 0, 0), (0, 0, 1.9), 0.045, look),
        cone("foot", (0, 0, 0), (0.12, 0.08), 0.12, look),
        ball("lamp", (0, 0, 1.98), (0.12, 0.12, 0.12), surface("glass", (0.7, 0.68, 0.6), 0.3)),
    ], None


def _pot(paint: Paint) -> Built:
    clay, leaf = paint.any("clay"), mottled("leaf", (0.07, 0.2, 0.05), 7.0, 0.6)
    return [cone("pot", (0, 0, 0), (0.2, 0.28), 0.4, clay), ball("bush", (0, 0, 0.6), (0.34, 0.34, 0.3), leaf)], None


def _bench(paint: Paint) -> Built:
    wood, iron = paint.plain("wood", 0.6, 0.4), paint.dark
    parts = [box("plank", (0, 0.13 * k, 0.42), (1.3, 0.1, 0.04), wood, 0.008) for k in (-1, 0, 1)]
    parts += [box("back", (0, 0.22, z), (1.3, 0.03, 0.1), wood, 0.008) for z in (0.62, 0.76)]
    return parts + [box("leg", (x, 0, 0.2), (0.05, 0.36, 0.4), iron, 0.008) for x in (-0.52, 0.52)], None


def _stone(paint: Paint) -> Built:
    look = mottled("stone", paint.color(0.2, 0.35), 4.0, 0.4)
    return [ball("stone", (0, 0, 0.18), (paint.rng.uniform(0.3, 0.5), 0.3, paint.rng.uniform(0.2, 0.4)), look)], None


def _mirror(paint: Paint) -> Built:
    glass = surface("glass", (0.9, 0.92, 0.92), 0.0)
    Shader(glass.node_tree).feed(Shader(glass.node_tree).surface, {"Metallic": 1.0})
    frame, sizes = paint.plain("frame", 0.5, 0.35), ((0, 0.03, 0.9, 2.6, 0.05, 1.7),)
    parts = [box("frame", (x, y, z), (w, d, h), frame, 0.01) for x, y, z, w, d, h in sizes]
    return [*parts, box("glass", (0, -0.005, 0.9), (2.44, 0.03, 1.54), glass, 0.0)], None


def _tree(paint: Paint) -> Built:
    bark, leaf = (
        mottled("bark", (0.16, 0.1, 0.06), 8.0),
        mottled("leaf", (0.08, 0.2 * paint.rng.uniform(0.7, 1.3), 0.04), 7.0, 0.6),
    )
    trunk, spots = rod("trunk", (0, 0, 0), (0, 0, 1.1), 0.07, bark), []
    for k in range(11):
        turn, out = 2.4 * k, 0.36 * paint.rng.uniform(0.2, 1.0)
        spots.append(
            Vector((out * math.cos(turn), out * math.sin(turn), 1.15 + 0.07 * k * paint.rng.uniform(0.6, 1.2)))
        )
    tufts = [ball("tuft", spot, (paint.rng.uniform(0.16, 0.28),) * 3, leaf) for spot in spots]

    def sway(seconds: float) -> dict[Part, Any]:
        return {
            tuft: Matrix.Translation(spot + Vector((_gust(seconds, k, 0.05), _gust(seconds, k + 9, 0.03), 0)))
            for k, (tuft, spot) in enumerate(zip(tufts, spots, strict=True))
        }

    return [trunk, *tufts], sway


def _reeds(paint: Paint) -> Built:
    leaf = [mottled("reed", (0.12 * k, 0.24, 0.05), 5.0, 0.4) for k in (1, 2)]
    blades = [rod("blade", (0, 0, 0), (0, 0, 1), 0.016, leaf[k % 2]) for k in range(26)]
    roots = [
        (Vector((paint.rng.uniform(-0.4, 0.4), paint.rng.uniform(-0.2, 0.2), 0)), paint.rng.uniform(0.5, 1.1))
        for _ in blades
    ]

    def sway(seconds: float) -> dict[Part, Any]:
        places = {}
        for k, (blade, (root, height)) in enumerate(zip(blades, roots, strict=True)):
            lean = Matrix.Rotation(_gust(seconds, k, 0.22) + 0.02 * (k - 13), 4, "Y")
            places[blade] = (
                Matrix.Translation(root) @ lean @ Matrix.Diagonal((1, 1, height, 1)) @ Matrix.Translation((0, 0, 0.5))
            )
        return places

    return [*blades], sway


def _flag(paint: Paint) -> Built:
    cloth, pole = paint.any("cloth"), paint.plain("pole", 0.1, 0.5)
    strips = [box("strip", (0, 0, 0), (0.064, 0.012, 0.46), cloth, 0.0) for _ in range(14)]

    def sway(seconds: float) -> dict[Part, Any]:
        places, spot = {}, Vector((0.03, 0, 1.55))
        for k, strip in enumerate(strips):
            heading = 0.75 * math.sin(9 * seconds - 0.55 * k) * min(1.0, 0.15 * (k + 1))
            ahead = Vector((math.cos(heading), math.sin(heading), 0)) * 0.06
            places[strip] = Matrix.Translation(spot + ahead / 2) @ Matrix.Rotation(heading, 4, "Z")
            spot = spot + ahead
        return places

    return [rod("pole", (0, 0, 0), (0, 0, 1.85), 0.025, pole), *strips], sway


def _gust(seconds: float, number: int, strength: float) -> float:
    return strength * (math.sin(3.1 * seconds + 0.7 * number) + 0.5 * math.sin(7.3 * seconds + 2.1 * number))


PROPS: dict[str, Callable[[Paint], Built]] = {
    "wall": _wall,
    "hedge": _hedge,
    "houses": _houses,
    "hills": _hills,
    "crates": _crates,
    "post": _post,
    "pot": _pot,
    "bench": _bench,
    "stone": _stone,
    "mirror": _mirror,
    "tree": _tree,
    "reeds": _reeds,
    "flag": _flag,
}


def light_scene(light: Light) -> None:
    """A sun, and an even sky or an HDR picture around everything."""
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.color, sun.data.angle = light.energy, light.color, math.radians(light.softness)
    # seen from the scene, azimuth 0 is the camera's side and grows to the right
    turn, height = math.radians(light.azimuth), math.radians(light.elevation)
    toward = Vector((-math.sin(turn) * math.cos(height), math.cos(turn) * math.cos(height), -math.sin(height)))
    sun.matrix_basis = toward.to_track_quat("-Z", "Y").to_matrix().to_4x4()
    bpy.context.scene.collection.objects.link(sun)
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    bpy.context.scene.world = world
    shader = Shader(world.node_tree)
    color = (
        shader.node("ShaderNodeTexEnvironment", {}, image=_hdri(light.hdri)).outputs[0]
        if light.hdri
        else (*light.sky, 1.0)
    )
    shader.feed(world.node_tree.nodes["Background"], {0: color, 1: light.sky_strength})


def _hdri(path: str) -> Any:
    picture, said = None, "no picture in it"
    try:
        picture = bpy.data.images.load(path)
    except RuntimeError as error:
        said = " ".join(str(error).split())[-200:]
    if picture is None or not picture.size[0]:
        raise InputError(f"HDR picture {path}", got=said, wanted="an image file", do="Check or leave it out.")
    return picture


def haze() -> Part:
    """Closes the view far behind everything, so that the horizon is no hard edge."""
    return at(box("haze", (0, 0, 0), (80, 0.1, 30), surface("haze", (0.45, 0.5, 0.56), 1.0, 0.0), 0.0), (0, 29.0, 5))
