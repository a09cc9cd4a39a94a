"""What a sample shows: a frozen description with no pixel in it. `drawing.py` draws one from a seed.

The world is y up, lengths are in metres or so, the ground is y = 0, the camera looks along +z. Every object is a flat
picture ("card") that stands parallel to the backdrop, on the ground or above it.
"""

from dataclasses import dataclass, field

import numpy as np

from lamina.errors import InputError
from lamina.synth.assets import NOTHING_GIVEN, Assets
from lamina.synth.motions import Pose
from lamina.synth.textures import Sky, Surface

SMALLEST_PX, MOST_OBJECTS = 32, 6


@dataclass(frozen=True)
class SpriteConfig:
    """What samples are like. Chances are 0..1.

    Raises:
        InputError: a size, a number or a chance outside what can be drawn.
    """

    width: int = 224
    height: int = 128
    frames: int = 24
    objects: tuple[int, int] = (1, 6)
    """Fewest and most."""
    degraded: float = 0.6
    """Chance that a sample has noise, compression, or both."""
    motion_blur: float = 0.35
    assets: Assets = field(default=NOTHING_GIVEN)

    def __post_init__(self):
        for name in ("width", "height"):
            if getattr(self, name) < SMALLEST_PX:
                raise _outside(name, getattr(self, name), f"at least {SMALLEST_PX} pixels")
        if self.frames < 1:
            raise _outside("frames", self.frames, "at least 1")
        if not 1 <= self.objects[0] <= self.objects[1] <= MOST_OBJECTS:
            raise _outside("objects", self.objects, f"fewest and most, within 1..{MOST_OBJECTS}")
        for name in ("degraded", "motion_blur"):
            if not 0 <= getattr(self, name) <= 1:
                raise _outside(name, getattr(self, name), "a chance, 0..1")


def _outside(name: str, got: object, wanted: str) -> InputError:
    return InputError(f"sprite {name}", got=str(got), wanted=wanted, do="Change it in the SpriteConfig.")


@dataclass(frozen=True, eq=False)
class CameraPath:
    """A pin-hole camera over time."""

    position: np.ndarray
    """`t 3`."""
    angles: np.ndarray
    """`t 3` radians: yaw to the right, pitch up, roll."""
    focal: np.ndarray
    """`t`: focal length in picture widths."""


@dataclass(frozen=True, eq=False)
class Lamp:
    """A sun (`position[3]` = 0: the direction towards it) or a lamp (1: where it is)."""

    position: np.ndarray
    colour: np.ndarray
    """`3`: its share of the light on the ground, linear; all lamps and the ambient light make 1."""
    softness: float
    """Width of the half-shadow per distance between caster and ground: the lamp's angular size, in radians."""


@dataclass(frozen=True, eq=False)
class Floor:
    """The ground."""

    kind: str
    surface: Surface
    tile_m: float
    reflects: float
    """Share of mirrored light seen from above; more at grazing angles."""
    roughness: float
    """How fast a reflection blurs with distance; 0 is a mirror."""
    puddles: float
    """0 reflects everywhere; above, only in patches."""
    ripples: float
    """Height of waves."""
    wind: float
    """How far the surface itself is moved by wind, in metres."""


@dataclass(frozen=True, eq=False)
class Backdrop:
    """The plane behind everything."""

    view: Surface | Sky
    distance: float
    tile_m: float
    wind: float
    haze: float
    """How much of the far ground is lost in the backdrop's own light."""
    movie: np.ndarray | None = None
    """`t 3 h w` float32: frames of a user's clip, shown on the plane."""


@dataclass(frozen=True, eq=False)
class Actor:
    """One object: its shape over time, its colours, its way."""

    name: str
    kind: str
    pose: Pose
    palette: np.ndarray
    skin: Surface
    side: float
    """Height of its unit square in metres."""
    facing: float
    """1 or -1: which way its x axis points."""
    place: np.ndarray
    """`t 3`: x, height above ground, z."""
    glow: np.ndarray
    """`3`: light it sheds on the ground, display-referred; zero for most."""
    veil: np.ndarray
    """`8`: strength, red, green, blue, width, height, drift, seed of its splash or dust; strength 0 has none."""
    moves: bool
    cutout: np.ndarray | None = None
    """`4 s s` float32 straight RGBA from the user, taken instead of the shape."""


@dataclass(frozen=True, eq=False)
class Wear:
    """What the recording adds to the picture, alike to input, plate and solos."""

    noise: float
    """Standard deviation of sensor noise at mid grey, in levels 0..1."""
    quality: float
    """1 not compressed, lower is coarser."""


@dataclass(frozen=True, eq=False)
class Scene:
    """All of one sample."""

    seed: int
    width: int
    height: int
    frames: int
    rate: float
    camera: CameraPath
    ambient: np.ndarray
    """`3`, linear."""
    lamps: tuple[Lamp, ...]
    floor: Floor
    backdrop: Backdrop
    actors: tuple[Actor, ...]
    scenery: tuple[Actor, ...]
    """Belong to the plate; stand behind all actors."""
    exposure: np.ndarray
    """`t`: factor on all display-referred levels."""
    shutter: float
    """Share of a frame's time during which it is open; 0 gives no motion blur."""
    wear: Wear
