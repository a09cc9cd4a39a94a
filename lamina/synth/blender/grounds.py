"""The ground: its patterns, a clear coat on it, and waves."""

from collections.abc import Callable
from random import Random
from typing import Any

from lamina.synth.blender.bridge import bpy
from lamina.synth.blender.recipe import Ground
from lamina.synth.blender.shader import Shader, Socket, surface

SIZE = 60.0
"""Metres on a side; ends in the haze beyond everything that stands on it."""
Pattern = Callable[[Shader, Socket, Ground], Socket]
"""Draws the colour at a place in metres."""


def lay_ground(ground: Ground, mirrored: bool) -> tuple[Any, Callable[[float], None]]:
    """Build the ground: its object, and what moves its waves to a time in seconds. `mirrored`: mirrors show it."""
    bpy.ops.mesh.primitive_plane_add(size=SIZE)
    made = bpy.context.object
    made.name = "ground"
    # else actors, which shine a little, would look different on every ground
    made.visible_glossy = mirrored
    made.data.materials.append(surface("ground", ground.colors[0], 0.9, 0.0))
    shader = Shader(made.data.materials[0].node_tree)
    place = shader.node("ShaderNodeNewGeometry", {}).outputs["Position"]
    rng = Random(ground.seed)
    shift = (rng.uniform(-9, 9), rng.uniform(-9, 9), rng.uniform(-9, 9))
    spread = shader.stretched(place, (1 / ground.scale,) * 3, shift)
    shader.feed(shader.surface, {"Base Color": PATTERNS[ground.kind](shader, spread, ground)})
    index = 1.9 if ground.ripples else 2.6  # far above real varnish, so that reflections are seen at this viewing angle
    shader.feed(shader.surface, {"Coat Weight": ground.coat, "Coat Roughness": ground.roughness, "Coat IOR": index})
    return made, _waves(shader, place, ground) if ground.ripples else lambda seconds: None


def _waves(shader: Shader, place: Socket, ground: Ground) -> Callable[[float], None]:
    clocks: list[Any] = []
    height: Socket = 0.0
    for scale, share in ((1.1, 0.7), (3.4, 0.3)):
        wave = shader.node(
            "ShaderNodeTexNoise", {"Vector": place, "Scale": scale, "Detail": 1.0}, noise_dimensions="4D"
        )
        clocks.append(wave.inputs["W"])
        height = shader.math("MULTIPLY_ADD", wave.outputs[0], share, height)
    bump = shader.node("ShaderNodeBump", {"Strength": 0.6 * ground.ripples, "Distance": 0.15, "Height": height})
    shader.feed(shader.surface, {"Coat Normal": bump.outputs[0], "Normal": bump.outputs[0]})

    def move(seconds: float) -> None:
        for clock in clocks:
            clock.default_value = 0.8 * seconds

    return move


def _grained(shader: Shader, place: Socket, color: Socket, fine: float, strength: float) -> Socket:
    """A colour with fine grain and large stains."""
    color = shader.shaded(color, shader.noise(place, fine, 4.0), 1 - strength, 1 + 0.8 * strength)
    return shader.shaded(color, shader.noise(place, 0.7, 2.0), 0.86, 1.1)


def _cells(
    shader: Shader, place: Socket, ground: Ground, size: tuple[float, float], offset: float, joint: float
) -> Socket:
    """Rows of stones or boards, each of another shade, with joints."""
    inputs = {
        "Vector": place,
        "Color1": (0, 0, 0, 1),
        "Color2": (1, 1, 1, 1),
        "Mortar": (0.5, 0.5, 0.5, 1),
        "Scale": 1.0,
        "Mortar Size": joint,
        "Mortar Smooth": 0.2,
        "Brick Width": size[0],
        "Row Height": size[1],
    }
    stones = shader.node("ShaderNodeTexBrick", inputs, offset=offset)
    shade = shader.node("ShaderNodeSeparateColor", {0: stones.outputs[0]}).outputs[0]
    first, second, light = ground.colors
    color = shader.ramp(shade, [(0.0, first), (1.0, second)])
    return shader.mix(stones.outputs[1], color, (*light, 1.0))


def _bricks(shader: Shader, place: Socket, ground: Ground) -> Socket:
    return _grained(shader, place, _cells(shader, place, ground, (0.5, 0.25), 0.5, 0.02), 15.0, 0.25)


def _tiles(shader: Shader, place: Socket, ground: Ground) -> Socket:
    inputs = {"Vector": place, "Color1": (*ground.colors[0], 1), "Color2": (*ground.colors[2], 1), "Scale": 1.4}
    squares = shader.node("ShaderNodeTexChecker", inputs).outputs[0]
    return _grained(shader, place, squares, 5.0, 0.12)


def _planks(shader: Shader, place: Socket, ground: Ground) -> Socket:
    boards = _cells(shader, place, ground, (2.2, 0.2), 0.37, 0.006)
    grain = shader.noise(shader.stretched(place, (1.2, 14.0, 1.0)), 2.0, 4.0)
    return shader.shaded(boards, grain, 0.72, 1.2)


def _carpet(shader: Shader, place: Socket, ground: Ground) -> Socket:
    x, y, _ = shader.node("ShaderNodeSeparateXYZ", {0: place}).outputs
    first, second, light = ((*color, 1.0) for color in ground.colors)
    color: Socket = first
    for along, period, share, other in ((x, 1.1, 0.45, second), (y, 0.8, 0.14, light), (x, 0.55, 0.07, light)):
        phase = shader.math("FRACT", shader.math("MULTIPLY", along, 1 / period))
        color = shader.mix(shader.math("LESS_THAN", phase, share), color, other)
    return _grained(shader, place, color, 30.0, 0.25)


def _concrete(shader: Shader, place: Socket, ground: Ground) -> Socket:
    blotches = shader.ramp(shader.noise(place, 1.6, 5.0), [(0.35, ground.colors[1]), (0.62, ground.colors[0])])
    slabs = shader.node(
        "ShaderNodeTexBrick",
        {
            "Vector": place,
            "Color1": (1, 1, 1, 1),
            "Color2": (0.92, 0.92, 0.92, 1),
            "Mortar": (0.45, 0.45, 0.45, 1),
            "Scale": 1.0,
            "Mortar Size": 0.012,
            "Brick Width": 1.8,
            "Row Height": 1.8,
        },
        offset=0.0,
    ).outputs[0]
    return _grained(shader, place, shader.mix(1.0, blotches, slabs, "MULTIPLY"), 22.0, 0.2)


def _sand(shader: Shader, place: Socket, ground: Ground) -> Socket:
    bent = shader.node("ShaderNodeTexWave", {"Vector": place, "Scale": 1.8, "Distortion": 5.0, "Detail": 2.0}).outputs[
        1
    ]
    color = shader.ramp(bent, [(0.2, ground.colors[1]), (0.8, ground.colors[2])])
    return _grained(shader, place, color, 40.0, 0.3)


def _terrazzo(shader: Shader, place: Socket, ground: Ground) -> Socket:
    chips = shader.node("ShaderNodeTexVoronoi", {"Vector": place, "Scale": 5.0})
    shade = shader.node("ShaderNodeSeparateColor", {0: chips.outputs["Color"]}).outputs[0]
    first, second, light = ground.colors
    color = shader.ramp(shade, [(0.1, second), (0.45, first), (0.9, light)])
    cement = shader.math("GREATER_THAN", chips.outputs["Distance"], 0.55)
    return _grained(shader, place, shader.mix(cement, color, (*light, 1.0)), 18.0, 0.12)


def _meadow(shader: Shader, place: Socket, ground: Ground) -> Socket:
    tufts = shader.noise(shader.stretched(place, (3.0, 8.0, 1.0)), 3.5, 5.0)
    green = [
        tuple(0.35 * own + 0.65 * leaf for own, leaf in zip(color, (0.1, 0.2, 0.05), strict=True))
        for color in ground.colors
    ]
    return _grained(shader, place, shader.ramp(tufts, [(0.35, green[1]), (0.65, green[2])]), 30.0, 0.35)  # type: ignore[list-item]


def _lake(shader: Shader, place: Socket, ground: Ground) -> Socket:
    depth = shader.noise(place, 0.5, 2.0)
    return shader.ramp(depth, [(0.3, ground.colors[1]), (0.5, ground.colors[0]), (0.75, ground.colors[2])])


PATTERNS: dict[str, Pattern] = {
    "bricks": _bricks,
    "tiles": _tiles,
    "planks": _planks,
    "carpet": _carpet,
    "concrete": _concrete,
    "sand": _sand,
    "terrazzo": _terrazzo,
    "meadow": _meadow,
    "lake": _lake,
}
