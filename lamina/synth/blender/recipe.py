"""What a rendered scene shows, as plain data: the renderer needs nothing else, and it is written beside the pictures.

Lengths are metres, x to the right, y away from the camera, z up; the ground is z = 0. Colours are linear RGB 0..1,
angles degrees, speeds per second.
"""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lamina.errors import InputError

VERSION = 1
Color = tuple[float, float, float]
Point = tuple[float, float, float]
Ways = Literal["still", "walk", "physics", "float"]


@dataclass(frozen=True)
class Ground:
    """How the ground looks. Two grounds of one scene differ in kind, seed and colours alone, not in gloss."""

    kind: str
    seed: int
    colors: tuple[Color, Color, Color]
    scale: float = 1.0
    """Size of its pattern; 1 is that of real bricks or boards."""
    coat: float = 0.0
    """How much of a clear coat lies on it, 0 to 1: reflections that do not take the ground's colour."""
    roughness: float = 0.1
    """Of the coat: 0 is a mirror."""
    ripples: float = 0.0
    """Height of moving waves; 0 is a solid ground."""


@dataclass(frozen=True)
class Light:
    azimuth: float
    elevation: float
    """Of the sun above the horizon."""
    softness: float
    """How large the sun is seen; the real one is 0.5."""
    energy: float
    color: Color
    sky: Color
    sky_strength: float
    hdri: str = ""
    """An equirectangular picture in place of the even sky."""


@dataclass(frozen=True)
class Camera:
    start: Point
    end: Point
    aim_start: Point
    aim_end: Point
    lens_mm: float
    """On a sensor 36 mm wide."""
    shake: float = 0.0
    """A hand's unrest; 0 is a tripod, or a smooth move."""

    @property
    def still(self) -> bool:
        return self.start == self.end and self.aim_start == self.aim_end and not self.shake


@dataclass(frozen=True)
class Prop:
    """Something that belongs to the background."""

    kind: str
    seed: int
    place: Point
    size: float
    turn: float = 0.0


@dataclass(frozen=True)
class Motion:
    """How an actor gets about.

    walk: at constant speed from start to end, bent sideways by `bend` metres in the middle. physics: thrown from start
    with `velocity` and `spin`, then falls, bounces, rolls and slides. float: walk above the ground, bobbing.
    """

    way: Ways
    start: Point
    end: Point = (0.0, 0.0, 0.0)
    bend: float = 0.0
    turn: float = 0.0
    """Of an actor that stands still, or is thrown."""
    velocity: Point = (0.0, 0.0, 0.0)
    spin: Point = (0.0, 0.0, 0.0)
    phase: float = 0.0
    """Where in its step it begins, 0 to 1."""


@dataclass(frozen=True)
class Actor:
    name: str
    """Name of the object; "" is one that belongs to the background."""
    kind: str
    """A figure by name, or the path of a GLB file."""
    seed: int
    """Of its looks: the same kind and seed look the same."""
    size: float
    motion: Motion


@dataclass(frozen=True)
class Recipe:
    """One scene. `seed` alone tells which recipe it is, for a family and a size."""

    name: str
    family: str
    seed: int
    frames: int
    fps: int
    width: int
    height: int
    ground: Ground
    other_ground: Ground
    light: Light
    camera: Camera
    props: tuple[Prop, ...]
    actors: tuple[Actor, ...]
    version: int = VERSION

    @property
    def objects(self) -> tuple[Actor, ...]:
        """The actors that are objects, in the order of their masks."""
        return tuple(actor for actor in self.actors if actor.name)

    @property
    def still(self) -> bool:
        """Whether the empty scene looks the same in every frame."""
        moving = any(not actor.name and actor.motion.way != "still" for actor in self.actors)
        swaying = any(prop.kind in SWAYING for prop in self.props)
        return self.camera.still and not moving and not swaying and not self.ground.ripples


SWAYING = ("reeds", "flag", "tree")
"""Kinds of props that the wind moves."""


def recipe_text(recipe: Recipe) -> str:
    """The recipe as JSON."""
    return json.dumps(dataclasses.asdict(recipe), indent=1) + "\n"


def read_recipe(path: Path) -> Recipe:
    """A recipe from its file.

    Raises:
        InputError: no recipe, or one of another version.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told.get("version") == VERSION:
            return _as(Recipe, told)
        got = f"version {told.get('version')}"
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        got = f"{type(error).__name__}: {error}"
    wanted = f"a recipe of version {VERSION}"
    raise InputError(f"recipe {path}", got=got, wanted=wanted, do="Draw it anew from its seed.")


def _as(kind: Any, told: Any) -> Any:
    """JSON values as the dataclasses and tuples they were."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{key: _as(hints[key], value) for key, value in told.items()})  # type: ignore[operator]
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)
        return tuple(_as(inner[0], value) for value in told)
    return kind(told) if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) else told
