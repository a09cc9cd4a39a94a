"""Draws scenes: six families, each of them hard for removal in a way of its own.

In the spirit of Kubric (Greff et al., CVPR 2022) and of the Kubric scenes of Generative Omnimatte (Lee et al., CVPR
2025, supplement): a few objects, often of one kind, physics, grazing light, mirrors.
"""

import colorsys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Literal, get_args

from lamina.synth.blender.recipe import Actor, Camera, Color, Ground, Light, Motion, Point, Prop, Recipe

Family = Literal["tripod-shadow", "moving-camera", "reflection", "dynamic-background", "static-object", "look-alikes"]
FAMILIES: tuple[Family, ...] = get_args(Family)
GROUNDS = ("bricks", "tiles", "planks", "carpet", "concrete", "sand", "terrazzo", "meadow")
RIGID = ("ball", "crate", "barrel", "ring", "monkey", "gem", "mug", "pumpkin")
STANDING = ("chair", "sign", "barrel", "crate", "mug", "monkey", "pumpkin", "vase")
WALKING = ("person", "dog", "caterpillar")
DRIVING = ("car", "cart", "wheel")
FLOATING = ("duck", "boat", "buoy")


@dataclass(frozen=True)
class DrawConfig:
    """Size and make of the scenes that are drawn.

    Raises:
        ValueError: a number is out of its range.
    """

    frames: int = 48
    width: int = 480
    height: int = 272
    fps: int = 24
    objects: tuple[int, int] = (1, 3)
    """So few and so many objects; families with several look-alikes may add others that stay in the plate."""
    assets: tuple[Path, ...] = field(default=())
    """GLB files to take for half of the objects."""
    hdris: tuple[Path, ...] = field(default=())
    """Equirectangular pictures to light half of the scenes with."""

    def __post_init__(self):
        if not (1 <= self.frames <= 1000 and 1 <= self.fps <= 240 and 1 <= self.objects[0] <= self.objects[1] <= 6):
            raise ValueError(f"Expected 1 to 1000 frames, 1 to 240 fps and 1 to 6 objects: {self}.")
        if not (16 <= self.width <= 8192 and 16 <= self.height <= 8192):
            raise ValueError(f"Expected 16 to 8192 pixels on a side: {self.width}x{self.height}.")

    @property
    def seconds(self) -> float:
        return self.frames / self.fps


def draw_recipe(family: Family, seed: int, config: DrawConfig = DrawConfig()) -> Recipe:
    """The scene of a family and a seed; always the same for the same arguments."""
    rng = Random(f"{family} {seed}")
    recipe = _DRAW[family](Draw(rng, config), f"{family}-{seed:04d}", seed)
    return replace(recipe, actors=_with_assets(recipe.actors, rng, config.assets))


@dataclass(frozen=True)
class Draw:
    """Chance, and the parts that scenes of all families are drawn from."""

    rng: Random
    config: DrawConfig

    def within(self, low: float, high: float) -> float:
        return round(self.rng.uniform(low, high), 4)

    def color(self, saturation: tuple[float, float] = (0.2, 0.75), value: tuple[float, float] = (0.15, 0.6)) -> Color:
        hsv = self.rng.random(), self.rng.uniform(*saturation), self.rng.uniform(*value)
        red, green, blue = colorsys.hsv_to_rgb(*hsv)
        return round(red, 4), round(green, 4), round(blue, 4)

    def grounds(self, **surface: float) -> tuple[Ground, Ground]:
        """Two grounds alike in brightness and gloss, and of different kinds."""
        made = [
            Ground(kind, self.rng.randrange(10**6), self._earth(), self.within(0.8, 1.3), **surface)
            for kind in self.rng.sample(GROUNDS, 2)
        ]
        return made[0], made[1]

    def waters(self) -> tuple[Ground, Ground]:
        """Two waters of other colours, with the same waves."""
        height, clear = self.within(0.5, 1.0), self.within(0.02, 0.06)
        made = []
        for hue in self.rng.sample([0.33, 0.45, 0.56, 0.62], 2):
            shades = [
                colorsys.hsv_to_rgb(hue + by, 0.6, value) for by, value in ((0.0, 0.12), (0.05, 0.07), (0.0, 0.2))
            ]
            colors = tuple((round(r, 4), round(g, 4), round(b, 4)) for r, g, b in shades)
            made.append(Ground("lake", self.rng.randrange(10**6), colors, 1.0, 1.0, clear, height))  # type: ignore[arg-type]
        return made[0], made[1]

    def _earth(self) -> tuple[Color, Color, Color]:
        """Three colours that go together: two close ones, and a lighter one for joints and stripes."""
        hue = self.rng.choice([0.02, 0.06, 0.09, 0.12, 0.3, 0.55, 0.62]) + self.rng.uniform(-0.02, 0.02)
        strength, value = self.rng.uniform(0.15, 0.55), self.rng.uniform(0.26, 0.46)
        shades = [
            (hue, strength, value),
            (hue + 0.03, 0.8 * strength, 0.72 * value),
            (hue, 0.35 * strength, 1.3 * value),
        ]
        made = [colorsys.hsv_to_rgb(h % 1, s, v) for h, s, v in shades]
        return tuple((round(r, 4), round(g, 4), round(b, 4)) for r, g, b in made)  # type: ignore[return-value]

    def light(self, elevation: tuple[float, float] = (20.0, 50.0), softness: tuple[float, float] = (0.5, 5.0)) -> Light:
        """A sun beside the camera rather than behind it, so that shadows are seen; low ones are warm."""
        side = self.rng.choice([-1, 1])
        height = self.within(*elevation)
        warm = max(0.0, 1 - height / 60)
        hdris = self.config.hdris
        hdri = str(self.rng.choice(hdris)) if hdris and self.rng.random() < 0.5 else ""
        return Light(
            side * self.within(45.0, 130.0),
            height,
            self.within(*softness),
            self.within(4.2, 5.4),
            (1.0, round(0.97 - 0.18 * warm, 4), round(0.92 - 0.4 * warm, 4)),
            (round(0.72 + 0.2 * warm, 4), 0.85, 1.0),
            self.within(0.28, 0.45),
            hdri,
        )

    def tripod(self) -> Camera:
        start, aim = self._view()
        return Camera(start, start, aim, aim, self.within(36.0, 46.0))

    def moving(self, reach: float, shake: float = 0.0) -> Camera:
        """A smooth move of up to `reach` metres that keeps the middle in view."""
        start, aim = self._view()
        by = reach * self.rng.choice([-1, 1]) * self.rng.uniform(0.6, 1.0)
        end = (round(start[0] + by, 4), round(start[1] + self.within(-0.3, 0.8) * reach, 4), start[2])
        first = (round(start[0] - by, 4), start[1], round(start[2] + self.within(-0.1, 0.15), 4))
        turned = (round(aim[0] + 0.3 * by * self.rng.uniform(-1, 1), 4), aim[1], aim[2])
        return Camera(first, end, aim, turned, self.within(36.0, 44.0), shake)

    def _view(self) -> tuple[Point, Point]:
        place = (self.within(-0.4, 0.4), self.within(-6.2, -5.2), self.within(1.5, 2.5))
        return place, (self.within(-0.15, 0.15), 0.4, self.within(0.45, 0.65))

    def props(self, count: int, kinds: tuple[str, ...] = ("wall", "hedge", "houses")) -> tuple[Prop, ...]:
        """A backdrop, and things that stand in front of it, out of the actors' way."""
        backdrop = Prop(self.rng.choice(kinds), self.rng.randrange(10**6), (0.0, self.within(3.6, 5.0), 0.0), 1.0)
        things = [
            Prop(
                self.rng.choice(["crates", "post", "tree", "pot", "bench", "stone"]),
                self.rng.randrange(10**6),
                (round((k + 0.5) * 7.0 / count - 3.5 + self.rng.uniform(-0.4, 0.4), 4), self.within(2.0, 3.2), 0.0),
                self.within(0.7, 1.25),
                self.within(0.0, 360.0),
            )
            for k in range(count)
        ]
        return backdrop, *things

    def still_props(self, count: int, kinds: tuple[str, ...] = ("wall", "houses")) -> tuple[Prop, ...]:
        """The same, with nothing that the wind moves."""
        return tuple(replace(prop, kind="stone") if prop.kind == "tree" else prop for prop in self.props(count, kinds))

    def crossing(self, kinds: tuple[str, ...], lane: int, lanes: int, reach: float = 2.2) -> tuple[str, float, Motion]:
        """Kind, size and way of an actor that crosses the picture in a lane of its own, 0 the nearest."""
        kind, side = self.rng.choice(kinds), 1 if (lane + self.rng.randrange(2)) % 2 else -1
        depth = -0.7 + 2.0 * (lane + 0.5) / lanes
        start = (
            round(-side * reach * self.rng.uniform(0.7, 1.0), 4),
            round(depth + self.rng.uniform(-0.2, 0.2), 4),
            0.0,
        )
        end = (round(side * reach * self.rng.uniform(0.5, 1.0), 4), round(depth + self.rng.uniform(-0.3, 0.3), 4), 0.0)
        motion = Motion("walk", start, end, self.within(-0.35, 0.35), phase=self.within(0.0, 1.0))
        return kind, self.within(0.85, 1.2), motion

    def thrown(self, lane: int, lanes: int) -> tuple[str, float, Motion]:
        """A rigid thing thrown into the picture from a side."""
        side, depth = self.rng.choice([-1, 1]), -0.7 + 2.0 * (lane + 0.5) / lanes
        start = (round(-side * self.rng.uniform(1.2, 2.0), 4), round(depth, 4), self.within(0.7, 1.5))
        velocity = (round(side * self.rng.uniform(1.2, 2.4), 4), self.within(-0.3, 0.3), self.within(-0.5, 1.2))
        spin = (self.within(-2.0, 2.0), round(side * self.rng.uniform(1, 4), 4), self.within(-3.0, 3.0))
        return (
            self.rng.choice(RIGID),
            self.within(0.8, 1.2),
            Motion("physics", start, turn=self.within(0.0, 360.0), velocity=velocity, spin=spin),
        )

    def standing(self, x: float, y: float) -> tuple[str, float, Motion]:
        place = (round(x + self.rng.uniform(-0.2, 0.2), 4), round(y + self.rng.uniform(-0.2, 0.2), 4), 0.0)
        return self.rng.choice(STANDING), self.within(0.85, 1.2), Motion("still", place, turn=self.within(0.0, 360.0))

    def cast(self, parts: list[tuple[str, float, Motion]], seeds: list[int] | None = None) -> tuple[Actor, ...]:
        """Objects named by their kinds; those of one kind are numbered."""
        made, seen = [], {}
        for k, (kind, size, motion) in enumerate(parts):
            seen[kind] = seen.get(kind, 0) + 1
            alone = sum(other[0] == kind for other in parts) == 1
            name = kind if alone else f"{kind}_{seen[kind]}"
            made.append(Actor(name, kind, seeds[k] if seeds else self.rng.randrange(10**6), size, motion))
        return tuple(made)

    def count(self) -> int:
        return self.rng.randint(*self.config.objects)

    def recipe(self, name: str, family: str, seed: int, parts: dict) -> Recipe:
        size = self.config
        return Recipe(name, family, seed, size.frames, size.fps, size.width, size.height, **parts)


def _tripod_shadow(draw: Draw, name: str, seed: int) -> Recipe:
    """A camera that stands; objects cross under the sun and show what was behind them."""
    ground, other = draw.grounds()
    count = draw.count()
    parts = [
        draw.thrown(k, count) if draw.rng.random() < 0.2 else draw.crossing(WALKING + DRIVING, k, count)
        for k in range(count)
    ]
    return draw.recipe(
        name,
        "tripod-shadow",
        seed,
        dict(
            ground=ground,
            other_ground=other,
            light=draw.light(),
            camera=draw.tripod(),
            props=draw.still_props(3),
            actors=draw.cast(parts),
        ),
    )


def _moving_camera(draw: Draw, name: str, seed: int) -> Recipe:
    """The camera travels or is held in a hand, with parallax between things near and far."""
    ground, other = draw.grounds()
    count = draw.count()
    parts = [
        draw.thrown(k, count) if draw.rng.random() < 0.3 else draw.crossing(WALKING + DRIVING, k, count, 1.6)
        for k in range(count)
    ]
    camera = draw.moving(draw.within(0.3, 0.9), draw.rng.choice([0.0, 0.0, 1.0]))
    near = Prop("post", draw.rng.randrange(10**6), (draw.rng.choice([-1.6, 1.6]), -1.6, 0.0), 0.7)
    return draw.recipe(
        name,
        "moving-camera",
        seed,
        dict(
            ground=ground,
            other_ground=other,
            light=draw.light(),
            camera=camera,
            props=(*draw.props(4), near),
            actors=draw.cast(parts),
        ),
    )


def _reflection(draw: Draw, name: str, seed: int) -> Recipe:
    """Objects over a polished or wet floor, half of the time with a mirror behind them."""
    ground, other = draw.grounds(coat=1.0, roughness=draw.within(0.0, 0.12))
    count = draw.count()
    parts = [
        draw.thrown(k, count) if draw.rng.random() < 0.3 else draw.crossing(WALKING + DRIVING, k, count, 1.8)
        for k in range(count)
    ]
    props = draw.still_props(2, ("wall",))
    if draw.rng.random() < 0.5:
        spot = (draw.within(-0.5, 0.5), 2.0, 0.0)
        props += (
            Prop("mirror", draw.rng.randrange(10**6), spot, 1.0, draw.within(-8.0, 8.0)),
            Prop("houses", draw.rng.randrange(10**6), (0.0, -12.0, 0.0), 1.0, 180.0),
        )
    camera = draw.tripod() if draw.rng.random() < 0.6 else draw.moving(0.35)
    return draw.recipe(
        name,
        "reflection",
        seed,
        dict(
            ground=ground,
            other_ground=other,
            light=draw.light((30.0, 60.0), (1.0, 8.0)),
            camera=camera,
            props=props,
            actors=draw.cast(parts),
        ),
    )


def _dynamic_background(draw: Draw, name: str, seed: int) -> Recipe:
    """Water, or plants and flags in the wind, behind and around the objects."""
    camera = draw.tripod() if draw.rng.random() < 0.7 else draw.moving(0.3)
    if draw.rng.random() < 0.5:
        ground, other = draw.waters()
        count = draw.count()
        parts = [draw.crossing(FLOATING, k, max(2, count), 1.7) for k in range(count)]
        parts = [(kind, size, replace(motion, way="float")) for kind, size, motion in parts]
        props = draw.props(3, ("hedge", "hills"))
    else:
        ground, other = draw.grounds()
        count = draw.count()
        parts = [draw.crossing(WALKING + DRIVING, k, count) for k in range(count)]
        winds = [
            Prop(
                draw.rng.choice(["reeds", "flag", "tree"]),
                draw.rng.randrange(10**6),
                (round(-2.6 + 1.3 * k + draw.rng.uniform(-0.3, 0.3), 4), draw.within(1.6, 2.6), 0.0),
                draw.within(0.8, 1.2),
            )
            for k in range(5)
        ]
        props = (*draw.props(1, ("hedge", "hills"))[:1], *winds)
    return draw.recipe(
        name,
        "dynamic-background",
        seed,
        dict(
            ground=ground, other_ground=other, light=draw.light(), camera=camera, props=props, actors=draw.cast(parts)
        ),
    )


def _static_object(draw: Draw, name: str, seed: int) -> Recipe:
    """The object never leaves, so no frame shows what its shadow lies on; half of the time somebody walks by."""
    ground, other = draw.grounds()
    objects = [draw.standing(draw.within(-0.7, 0.7), 0.1)]
    looks, passers = [draw.rng.randrange(10**6)], ()
    if draw.rng.random() < 0.5:
        kind, size, motion = draw.crossing(WALKING, 1, 2)
        far = replace(motion, start=(motion.start[0], 1.5, 0.0), end=(motion.end[0], 1.6, 0.0))
        passers = (Actor("", kind, draw.rng.randrange(10**6), size, far),)
    camera = draw.tripod() if draw.rng.random() < 0.35 else draw.moving(draw.within(0.3, 0.8))
    light, props = draw.light(), draw.still_props(3)
    for k in range(1, draw.count()):  # beside the first, to the right and left of it in turn
        x = objects[0][2].start[0] + (-1) ** k * 0.9 * ((k + 1) // 2)
        objects.append(draw.standing(x, -0.3 if k % 2 else 0.4))
        looks.append(draw.rng.randrange(10**6))
    return draw.recipe(
        name,
        "static-object",
        seed,
        dict(
            ground=ground,
            other_ground=other,
            light=light,
            camera=camera,
            props=props,
            actors=draw.cast(objects, looks) + passers,
        ),
    )


def _look_alikes(draw: Draw, name: str, seed: int) -> Recipe:
    """Several things that look the same; some are the objects, the others stay."""
    ground, other = draw.grounds(coat=draw.rng.choice([0.0, 0.0, 0.6]), roughness=0.12)
    looks, kind = draw.rng.randrange(10**6), draw.rng.choice([*RIGID, "person", "dog", "car", "chair"])
    moves = kind in WALKING + DRIVING
    marked = draw.count()
    parts = []
    for k in range(marked):
        _, size, motion = draw.crossing((kind,), k, marked, 1.7) if moves else draw.thrown(k, marked)
        parts.append((kind, 1.0, motion if kind != "chair" else draw.standing(0.9 * k - 0.4, 0.0)[2]))
    actors = draw.cast(parts, [looks] * marked)
    for k, x in enumerate(draw.rng.sample([-1.9, -1.0, 1.0, 1.9], 2)):
        motion = Motion(
            "still",
            (round(x + draw.rng.uniform(-0.2, 0.2), 4), draw.within(1.35, 1.8), 0.0),
            turn=draw.within(0.0, 360.0),
            phase=0.5 * k,
        )
        actors += (Actor("", kind, looks, 1.0, motion),)
    camera = draw.tripod() if draw.rng.random() < 0.6 else draw.moving(0.5)
    return draw.recipe(
        name,
        "look-alikes",
        seed,
        dict(
            ground=ground,
            other_ground=other,
            light=draw.light(),
            camera=camera,
            props=draw.still_props(2),
            actors=actors,
        ),
    )


_DRAW: dict[Family, Callable[[Draw, str, int], Recipe]] = {
    "tripod-shadow": _tripod_shadow,
    "moving-camera": _moving_camera,
    "reflection": _reflection,
    "dynamic-background": _dynamic_background,
    "static-object": _static_object,
    "look-alikes": _look_alikes,
}


def _with_assets(actors: tuple[Actor, ...], rng: Random, assets: tuple[Path, ...]) -> tuple[Actor, ...]:
    """Half of the actors as files of the user's, look-alikes alike."""
    if not assets:
        return actors
    chosen = {
        key: rng.choice(assets) if rng.random() < 0.5 else None for key in sorted({(a.kind, a.seed) for a in actors})
    }
    return tuple(
        replace(actor, kind=str(chosen[actor.kind, actor.seed])) if chosen[actor.kind, actor.seed] else actor
        for actor in actors
    )
