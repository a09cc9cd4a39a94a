"""The actors: rigid things, and people, animals and vehicles whose limbs and wheels follow the way travelled.

A figure is built about one metre tall, standing on the origin and looking along x.
"""

import colorsys
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from lamina.errors import InputError
from lamina.synth.blender.bridge import Matrix, Vector, bpy
from lamina.synth.blender.recipe import Color
from lamina.synth.blender.shader import mottled, striped, surface
from lamina.synth.blender.shapes import Part, ball, between, box, cone, gem, monkey, ring, rod

Limbs = Callable[[float, float], dict[Part, Any]]
"""From metres travelled and seconds to the places of the parts that move within the figure."""


@dataclass(frozen=True)
class Figure:
    parts: list[Part]
    rests: list[Any]
    """Where every part stands in the figure, matrices."""
    limbs: Limbs | None = None
    radius: float = 0.0
    """Of what rolls as a whole, around its middle at this height."""

    def place(self, base: Any, travelled: float, seconds: float) -> None:
        """Put the figure somewhere; `base` is a matrix, lengths are those of the figure."""
        moved = self.limbs(travelled, seconds) if self.limbs else {}
        roll = Matrix.Identity(4)
        if self.radius:
            up = Matrix.Translation((0, 0, self.radius))
            roll = up @ Matrix.Rotation(travelled / self.radius, 4, "Y") @ up.inverted()
        for part, rest in zip(self.parts, self.rests, strict=True):
            part.matrix_basis = base @ roll @ moved.get(part, rest)


@dataclass(frozen=True)
class Paint:
    """Colours of one actor."""

    rng: Random

    def color(self, saturation: float = 0.75, value: float = 0.55) -> Color:
        hsv = self.rng.random(), saturation * self.rng.uniform(0.6, 1.1), value * self.rng.uniform(0.7, 1.25)
        red, green, blue = colorsys.hsv_to_rgb(hsv[0], min(1, hsv[1]), min(1, hsv[2]))
        return red, green, blue

    def any(self, name: str) -> Any:
        """A surface of some make."""
        kind = self.rng.randrange(4)
        if kind == 0:
            return striped(name, self.color(), self.color(0.3, 0.8), self.rng.uniform(2.5, 6), self.rng.randrange(3))
        if kind == 1:
            return mottled(name, self.color(0.6, 0.5), self.rng.uniform(3, 8))
        return surface(name, self.color(), self.rng.uniform(0.25, 0.7), self.rng.uniform(0.0, 0.4))

    def plain(self, name: str, saturation: float = 0.75, value: float = 0.55) -> Any:
        return surface(name, self.color(saturation, value), self.rng.uniform(0.3, 0.7))

    @property
    def dark(self) -> Any:
        return surface("dark", (0.04, 0.04, 0.045), 0.5)


def build_figure(kind: str, seed: int) -> Figure:
    """The figure of a kind; the same kind and seed look the same.

    Raises:
        InputError: `kind` is a path that cannot be read as GLB.
    """
    if kind in FIGURES:
        return FIGURES[kind](Paint(Random(f"{kind} {seed}")))
    return _from_file(Path(kind))


def _rigid(parts: list[Part], radius: float = 0.0) -> Figure:
    return Figure(parts, [part.matrix_basis.copy() for part in parts], radius=radius)


def _ball(paint: Paint) -> Figure:
    look = striped("ball", paint.color(), paint.color(0.2, 0.85), paint.rng.uniform(2, 4), paint.rng.randrange(2))
    return _rigid([ball("ball", (0, 0, 0.34), (0.34,) * 3, look)], 0.34)


def _crate(paint: Paint) -> Figure:
    wood, edge = paint.any("wood"), paint.plain("edge", 0.5, 0.3)
    parts = [box("crate", (0, 0, 0.32), (0.58, 0.58, 0.58), wood, 0.01)]
    parts += [box("edge", (x * 0.3, y * 0.3, 0.32), (0.05, 0.05, 0.64), edge, 0.008) for x in (-1, 1) for y in (-1, 1)]
    parts += [box("edge", (0, y * 0.3, z), (0.62, 0.05, 0.05), edge, 0.008) for y in (-1, 1) for z in (0.025, 0.615)]
    return _rigid(parts)


def _barrel(paint: Paint) -> Figure:
    body, hoop = paint.any("barrel"), paint.dark
    parts = [
        cone("belly", (0, 0, 0.0), (0.26, 0.31), 0.36, body),
        cone("belly", (0, 0, 0.36), (0.31, 0.26), 0.36, body),
    ]
    return _rigid(parts + [cone("hoop", (0, 0, z), (r, r), 0.04, hoop) for z, r in ((0.1, 0.295), (0.58, 0.295))])


def _ring(paint: Paint) -> Figure:
    look = striped("ring", paint.color(), paint.color(0.2, 0.85), paint.rng.uniform(1.5, 3), 0)
    return _rigid([ring("ring", (0, 0, 0.42), 0.32, 0.1, look)], 0.42)


def _monkey(paint: Paint) -> Figure:
    made = monkey("monkey", (0, 0, 0.0), 0.85, paint.any("monkey"))
    made.matrix_basis = Matrix.Translation((0, 0, 0.4)) @ Matrix.Rotation(1.2, 4, "Z")
    return _rigid([made])


def _gem(paint: Paint) -> Figure:
    return _rigid([gem("gem", (0, 0, 0.36), 0.38, paint.plain("gem"))])


def _mug(paint: Paint) -> Figure:
    look = paint.any("mug")
    return _rigid(
        [
            cone("cup", (0, 0, 0), (0.24, 0.27), 0.56, look),
            ring("handle", (0.33, 0, 0.28), 0.16, 0.035, look),
            cone("drink", (0, 0, 0.555), (0.23, 0.23), 0.012, paint.dark),
        ]
    )


def _pumpkin(paint: Paint) -> Figure:
    rind, stalk = mottled("rind", (0.72, 0.27 * paint.rng.uniform(0.7, 1.4), 0.03), 5.0, 0.3), paint.dark
    parts = [
        ball("rib", (0.13 * math.cos(k * math.pi / 4), 0.13 * math.sin(k * math.pi / 4), 0.27), (0.2, 0.2, 0.27), rind)
        for k in range(8)
    ]
    return _rigid([*parts, rod("stalk", (0, 0, 0.46), (0.04, 0, 0.62), 0.035, stalk)])


def _vase(paint: Paint) -> Figure:
    clay, leaf = paint.any("clay"), paint.plain("leaf", 0.8, 0.35)
    parts = [ball("belly", (0, 0, 0.22), (0.2, 0.2, 0.22), clay), cone("neck", (0, 0, 0.36), (0.1, 0.13), 0.16, clay)]
    for k in range(7):
        turn, lean = k * 2.4, 0.12 + 0.03 * k
        parts.append(rod("stem", (0, 0, 0.5), (lean * math.cos(turn), lean * math.sin(turn), 0.95), 0.014, leaf))
    return _rigid(parts)


def _chair(paint: Paint) -> Figure:
    wood, seat = paint.plain("wood", 0.6, 0.4), paint.any("seat")
    parts = [box("seat", (0, 0, 0.46), (0.46, 0.46, 0.06), seat)]
    parts += [
        rod("leg", (x * 0.19, y * 0.19, 0.02), (x * 0.19, y * 0.19, 0.44), 0.025, wood)
        for x in (-1, 1)
        for y in (-1, 1)
    ]
    parts += [rod("post", (-0.2, y * 0.19, 0.46), (-0.24, y * 0.19, 0.98), 0.022, wood) for y in (-1, 0, 1)]
    return _rigid([*parts, box("back", (-0.24, 0, 0.93), (0.05, 0.46, 0.16), seat)])


def _sign(paint: Paint) -> Figure:
    pole, board = paint.plain("pole", 0.2, 0.5), paint.any("board")
    return _rigid(
        [
            rod("pole", (0, 0, 0), (0, 0, 1.05), 0.025, pole),
            cone("foot", (0, 0, 0), (0.17, 0.13), 0.05, pole),
            box("board", (0.035, 0, 0.88), (0.03, 0.46, 0.34), board),
        ]
    )


def _person(paint: Paint) -> Figure:
    """Two legs, two arms; the feet stand where they are set while the body passes over them."""
    skin, shirt, trousers = paint.plain("skin", 0.45, 0.55), paint.any("shirt"), paint.plain("trousers", 0.6, 0.3)
    body = rod("body", (0, 0, 0.6), (0, 0, 0.82), 0.12, shirt)
    head = ball("head", (0, 0, 1.06), (0.1, 0.09, 0.115), skin)
    hair = ball("hair", (-0.02, 0, 1.1), (0.105, 0.098, 0.1), paint.dark)
    legs = [
        (
            rod("thigh", (0, 0, 0), (0, 0, 0.28), 0.062, trousers),
            rod("shin", (0, 0, 0), (0, 0, 0.28), 0.05, trousers),
            ball("shoe", (0, 0, 0), (0.095, 0.05, 0.04), paint.dark),
        )
        for _ in range(2)
    ]
    arms = [
        (rod("arm", (0, 0, 0), (0, 0, 0.2), 0.042, shirt), rod("hand", (0, 0, 0), (0, 0, 0.18), 0.035, skin))
        for _ in range(2)
    ]
    parts = [body, head, hair, *(p for leg in legs for p in leg), *(p for arm in arms for p in arm)]

    def limbs(travelled: float, seconds: float) -> dict[Part, Any]:
        step, places = 2 * math.pi * travelled / 0.9, {}
        lift = 0.015 * math.cos(2 * step)
        places[body] = between(Vector((0, 0, 0.6 + lift)), Vector((0.03, 0, 0.82 + lift)))
        places[head], places[hair] = (Matrix.Translation((0.03, 0, z + lift)) for z in (1.06, 1.1))
        for side, leg, arm in zip((-1, 1), legs, arms, strict=True):
            swing = step + (math.pi if side > 0 else 0)
            ankle = Vector((0.22 * math.sin(swing), 0.07 * side, 0.06 + 0.09 * max(0.0, math.cos(swing))))
            places |= _bent(leg[:2], Vector((0, 0.07 * side, 0.56 + lift)), ankle, 0.28, 1)
            places[leg[2]] = Matrix.Translation(ankle + Vector((0.035, 0, -0.02)))
            wrist = Vector((0.02 - 0.17 * math.sin(swing), 0.19 * side, 0.5 + lift + 0.04 * abs(math.sin(swing))))
            places |= _bent(arm, Vector((0.02, 0.15 * side, 0.85 + lift)), wrist, 0.2, -1)
        return places

    return Figure(parts, [part.matrix_basis.copy() for part in parts], limbs)


def _bent(limb: tuple[Part, Part], top: Any, tip: Any, length: float, forward: int) -> dict[Part, Any]:
    """Upper and lower limb with a joint between them, which bends forwards (1) or backwards (-1)."""
    middle, reach = (top + tip) / 2, (tip - top).length
    out = math.sqrt(max(0.0, length * length - reach * reach / 4))
    joint = middle + Vector((forward * out, 0, 0))
    return {limb[0]: between(top, joint), limb[1]: between(joint, tip)}


def _dog(paint: Paint) -> Figure:
    coat, dark = mottled("coat", paint.color(0.5, 0.45), 5.0, 0.5), paint.dark
    body = ball("body", (0, 0, 0.48), (0.36, 0.15, 0.16), coat)
    chest = ball("chest", (0.22, 0, 0.5), (0.17, 0.16, 0.18), coat)
    head, snout = (
        ball("head", (0.47, 0, 0.7), (0.14, 0.11, 0.12), coat),
        ball("snout", (0.6, 0, 0.66), (0.1, 0.06, 0.06), dark),
    )
    neck, tail = (
        rod("neck", (0.3, 0, 0.56), (0.44, 0, 0.68), 0.08, coat),
        rod("tail", (0, 0, 0), (0, 0, 0.3), 0.028, coat),
    )
    ears = [ball("ear", (0.43, 0.1 * side, 0.77), (0.04, 0.025, 0.09), dark) for side in (-1, 1)]
    legs = [
        (
            rod("thigh", (0, 0, 0), (0, 0, 0.22), 0.05, coat),
            rod("shin", (0, 0, 0), (0, 0, 0.22), 0.038, coat),
            ball("paw", (0, 0, 0), (0.055, 0.04, 0.03), dark),
        )
        for _ in range(4)
    ]
    parts = [body, chest, head, snout, neck, tail, *ears, *(p for leg in legs for p in leg)]

    def limbs(travelled: float, seconds: float) -> dict[Part, Any]:
        step, places = 2 * math.pi * travelled / 0.7, {}
        wag = 0.1 * math.sin(14 * seconds)
        places[tail] = between(Vector((-0.34, 0, 0.54)), Vector((-0.52, wag, 0.76)))
        for k, leg in enumerate(legs):
            front, side = (1, -1)[k // 2], (-1, 1)[k % 2]
            swing = step + math.pi * ((k % 2) ^ (k // 2))
            foot = Vector((0.24 * front + 0.15 * math.sin(swing), 0.1 * side, 0.04 + 0.07 * max(0.0, math.cos(swing))))
            places |= _bent(leg[:2], Vector((0.24 * front, 0.1 * side, 0.44)), foot, 0.22, -front)
            places[leg[2]] = Matrix.Translation(foot + Vector((0.015, 0, -0.01)))
        return places

    return Figure(parts, [part.matrix_basis.copy() for part in parts], limbs)


def _caterpillar(paint: Paint) -> Figure:
    looks = [paint.plain("body"), paint.plain("body")]
    rings = [ball("ring", (0, 0, 0), (0.17 - 0.008 * k,) * 3, looks[k % 2]) for k in range(7)]
    feelers = [rod("feeler", (0, 0, 0), (0, 0, 0.18), 0.014, paint.dark) for _ in range(2)]

    def limbs(travelled: float, seconds: float) -> dict[Part, Any]:
        wave = [max(0.0, math.sin(6 * travelled - 0.9 * k)) * 0.16 for k in range(len(rings))]
        spots = [
            Vector((0.45 - 0.17 * k, 0.04 * math.sin(3 * travelled + k), 0.17 + wave[k])) for k in range(len(rings))
        ]
        places = {part: Matrix.Translation(spot) for part, spot in zip(rings, spots, strict=True)}
        for side, feeler in zip((-1, 1), feelers, strict=True):
            root = spots[0] + Vector((0.08, 0.05 * side, 0.12))
            places[feeler] = between(root, root + Vector((0.06, 0.05 * side, 0.17)))
        return places

    parts = [*rings, *feelers]
    return Figure(parts, [part.matrix_basis.copy() for part in parts], limbs)


def _wheels(spots: list[tuple[float, float]], radius: float, looks: tuple[Any, Any]) -> tuple[list[Part], Limbs]:
    """Wheels at (x, y), which turn with the way travelled."""
    made: list[tuple[Part, Part, Part]] = []
    for _ in spots:
        tyre = ring("tyre", (0, 0, 0), radius - 0.05, 0.05, looks[0])
        bars = [box("spoke", (0, 0, 0), (2 * radius - 0.1, 0.03, 0.045), looks[1], 0.0) for _ in range(2)]
        made.append((tyre, *bars))

    def limbs(travelled: float, seconds: float) -> dict[Part, Any]:
        places = {}
        for (x, y), wheel in zip(spots, made, strict=True):
            for k, part in enumerate(wheel):
                turn = Matrix.Rotation(travelled / radius + (math.pi / 2 if k == 2 else 0), 4, "Y")
                places[part] = Matrix.Translation((x, y, radius)) @ turn
        return places

    return [part for wheel in made for part in wheel], limbs


def _on_wheels(body: list[Part], spots: list[tuple[float, float]], radius: float, looks: tuple[Any, Any]) -> Figure:
    wheels, limbs = _wheels(spots, radius, looks)
    parts = [*body, *wheels]
    return Figure(parts, [part.matrix_basis.copy() for part in parts], limbs)


def _car(paint: Paint) -> Figure:
    paintwork, glass = paint.any("paintwork"), surface("glass", (0.05, 0.08, 0.1), 0.1, 0.6)
    lamp = surface("lamp", (0.85, 0.8, 0.6), 0.3)
    body = [
        box("body", (0, 0, 0.3), (1.15, 0.56, 0.24), paintwork, 0.06),
        box("cabin", (-0.08, 0, 0.52), (0.62, 0.48, 0.24), paintwork, 0.08),
        box("window", (-0.08, 0, 0.53), (0.64, 0.4, 0.14), glass, 0.02),
        box("window", (-0.08, 0, 0.53), (0.5, 0.5, 0.14), glass, 0.02),
    ]
    body += [ball("lamp", (0.57, 0.18 * side, 0.32), (0.03, 0.06, 0.05), lamp) for side in (-1, 1)]
    return _on_wheels(
        body,
        [(x, y) for x in (-0.36, 0.36) for y in (-0.27, 0.27)],
        0.17,
        (paint.dark, surface("rim", (0.5, 0.5, 0.52), 0.3)),
    )


def _cart(paint: Paint) -> Figure:
    wood, load = paint.plain("wood", 0.6, 0.4), paint.any("load")
    body = [
        box("tray", (0, 0, 0.44), (0.8, 0.44, 0.06), wood, 0.01),
        ball("sack", (-0.12, 0, 0.58), (0.22, 0.17, 0.15), load),
        ball("sack", (0.2, 0.03, 0.56), (0.16, 0.14, 0.12), paint.any("load")),
    ]
    body += [box("rail", (0, 0.21 * side, z), (0.8, 0.02, 0.03), wood, 0.005) for side in (-1, 1) for z in (0.56, 0.68)]
    body += [
        rod("post", (x, 0.21 * y, 0.44), (x, 0.21 * y, 0.7), 0.014, wood) for x in (-0.36, 0, 0.36) for y in (-1, 1)
    ]
    body += [rod("shaft", (0.38, 0.15 * side, 0.44), (0.85, 0.1 * side, 0.62), 0.02, wood) for side in (-1, 1)]
    return _on_wheels(body, [(0.0, -0.3), (0.0, 0.3)], 0.3, (paint.plain("rim", 0.7, 0.3), wood))


def _wheel(paint: Paint) -> Figure:
    tyre, spoke = paint.dark, paint.plain("spoke", 0.3, 0.6)
    parts = [ring("tyre", (0, 0, 0.4), 0.34, 0.06, tyre), ball("hub", (0, 0, 0.4), (0.06, 0.08, 0.06), spoke)]
    for k in range(8):
        out = Vector((math.cos(k * math.pi / 4), 0, math.sin(k * math.pi / 4)))
        parts.append(rod("spoke", Vector((0, 0, 0.4)) + 0.05 * out, Vector((0, 0, 0.4)) + 0.31 * out, 0.014, spoke))
    return _rigid(parts, 0.4)


def _duck(paint: Paint) -> Figure:
    body, bill = paint.plain("body", 0.8, 0.75), surface("bill", (0.75, 0.25, 0.03), 0.4)
    return _rigid(
        [
            ball("body", (0, 0, 0.14), (0.36, 0.24, 0.2), body),
            ball("head", (0.24, 0, 0.46), (0.17, 0.15, 0.16), body),
            ball("bill", (0.42, 0, 0.43), (0.1, 0.08, 0.03), bill),
            ball("tail", (-0.32, 0, 0.26), (0.12, 0.08, 0.08), body),
            *(ball("eye", (0.34, 0.1 * side, 0.51), (0.025,) * 3, paint.dark) for side in (-1, 1)),
        ]
    )


def _boat(paint: Paint) -> Figure:
    hull, sail, wood = paint.any("hull"), surface("sail", (0.75, 0.72, 0.65), 0.8, 0.0), paint.plain("mast", 0.5, 0.35)
    return _rigid(
        [
            ball("hull", (0, 0, 0.06), (0.5, 0.2, 0.14), hull),
            box("deck", (0, 0, 0.17), (0.7, 0.22, 0.04), wood),
            rod("mast", (0.05, 0, 0.15), (0.05, 0, 1.05), 0.018, wood),
            cone("sail", (-0.14, 0, 0.28), (0.2, 0.005), 0.7, sail),
        ]
    )


def _buoy(paint: Paint) -> Figure:
    look = striped("buoy", paint.color(), (0.8, 0.8, 0.78), 3.0)
    return _rigid(
        [
            ball("float", (0, 0, 0.1), (0.28, 0.28, 0.2), look),
            cone("tower", (0, 0, 0.2), (0.14, 0.06), 0.5, look),
            ball("lamp", (0, 0, 0.75), (0.07,) * 3, paint.plain("lamp", 0.9, 0.7)),
        ]
    )


FIGURES: dict[str, Callable[[Paint], Figure]] = {
    "ball": _ball,
    "crate": _crate,
    "barrel": _barrel,
    "ring": _ring,
    "monkey": _monkey,
    "gem": _gem,
    "mug": _mug,
    "pumpkin": _pumpkin,
    "vase": _vase,
    "chair": _chair,
    "sign": _sign,
    "person": _person,
    "dog": _dog,
    "caterpillar": _caterpillar,
    "car": _car,
    "cart": _cart,
    "wheel": _wheel,
    "duck": _duck,
    "boat": _boat,
    "buoy": _buoy,
}


def _from_file(path: Path) -> Figure:
    """A GLB file, scaled to one metre and set on the ground."""
    before = set(bpy.context.scene.objects)
    try:
        bpy.ops.import_scene.gltf(filepath=str(path))
    except (RuntimeError, OSError) as error:
        said = " ".join(str(error).split())[-200:]
        raise InputError(
            f"asset {path}", got=said, wanted="a GLB or glTF file", do="Check or leave out this asset."
        ) from error
    found = [thing for thing in bpy.context.scene.objects if thing not in before and thing.type == "MESH"]
    if not found:
        raise InputError(
            f"asset {path}", got="no mesh in it", wanted="a GLB file with a mesh", do="Leave out this asset."
        )
    bpy.context.view_layer.update()
    corners = [thing.matrix_world @ Vector(corner) for thing in found for corner in thing.bound_box]
    low, high = (Vector([choose(corner[axis] for corner in corners) for axis in range(3)]) for choose in (min, max))
    scale = Matrix.Scale(1.0 / max(1e-6, *(high - low)), 4)
    rests = [
        scale @ Matrix.Translation((-(low.x + high.x) / 2, -(low.y + high.y) / 2, -low.z)) @ thing.matrix_world
        for thing in found
    ]
    for thing in found:
        thing.parent = None
    return Figure(found, rests)
