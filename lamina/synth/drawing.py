"""A scene drawn from a seed: what stands where, how it moves, from where the light comes."""

from dataclasses import dataclass

import numpy as np

from lamina.synth import materials
from lamina.synth.motions import FLYING, SHAPES, STANDING, Gait
from lamina.synth.scene import Actor, Backdrop, CameraPath, Floor, Lamp, Scene, SpriteConfig, Wear

OPEN_M = 20.0
"""Backdrops further than this are landscapes."""


def draw_scene(seed: int, config: SpriteConfig) -> Scene:
    """The scene of a seed. The same seed and config give the same scene, whatever was drawn before."""
    rng = np.random.default_rng(seed)
    rate = float(rng.choice([10, 12, 15, 24]))
    seconds = np.arange(config.frames) / rate
    outdoors = bool(rng.random() < 0.55)
    floor = _floor(rng, config, outdoors)
    backdrop = _backdrop(rng, config, outdoors)
    ambient, lamps = _lights(rng, outdoors, backdrop.distance)
    camera = _camera(rng, seconds, backdrop.distance)
    view = _View(camera, config.width / config.height, min(backdrop.distance - 1.5, 9.5))
    count = int(rng.integers(config.objects[0], config.objects[1] + 1))
    if config.objects[0] < config.objects[1] and rng.random() < 0.4:
        count = max(config.objects[0], min(count, 2))
    cast = _cast(rng, config, seconds, count, view, floor)
    scenery = _scenery(rng, config, seconds, view, backdrop, outdoors)
    drift = rng.normal() * 0.06 * np.sin(rng.uniform(0.5, 3) * seconds + rng.uniform(0, 6)) * (rng.random() < 0.4)
    return Scene(
        seed, config.width, config.height, config.frames, rate, camera, ambient, lamps, floor, backdrop, cast, scenery,
        exposure=rng.uniform(0.9, 1.05) * np.exp(drift),
        shutter=float(rng.uniform(0.3, 0.9) * (rng.random() < config.motion_blur)),
        wear=_wear(rng, config),
    )  # fmt: skip


def _floor(rng: np.random.Generator, config: SpriteConfig, outdoors: bool) -> Floor:
    names = ("grass", "asphalt", "sand", "earth", "snow", "paving", "water") if outdoors else (
        "tiles", "checks", "planks", "carpet", "paving", "asphalt")  # fmt: skip
    kind = names[rng.integers(len(names))]
    picture = config.assets.texture(rng)
    surface = materials.surface(rng, materials.FLOORS[kind], picture)
    reflects = roughness = puddles = ripples = 0.0
    if kind == "water":
        reflects, roughness, ripples = rng.uniform(0.3, 0.6), rng.uniform(0.0, 0.3), rng.uniform(0.2, 1.0)
    elif kind in ("tiles", "checks", "planks") and rng.random() < 0.6:
        reflects, roughness = rng.uniform(0.08, 0.4), rng.choice([0.0, rng.uniform(0.2, 1.0)])
    elif kind in ("asphalt", "paving", "earth") and rng.random() < 0.4:
        reflects, roughness, puddles = rng.uniform(0.15, 0.4), rng.uniform(0, 0.4), rng.uniform(0.4, 1.0)
        ripples = rng.uniform(0.0, 0.25) * outdoors
    wind = rng.uniform(0.01, 0.04) if kind == "grass" and rng.random() < 0.6 else 0.0
    return Floor(kind, surface, rng.uniform(2.2, 4.5), float(reflects), float(roughness), float(puddles),
                 float(ripples), float(wind))  # fmt: skip


def _backdrop(rng: np.random.Generator, config: SpriteConfig, outdoors: bool) -> Backdrop:
    movie = config.assets.movie(rng, config.frames)
    if outdoors and rng.random() < 0.75:
        distance = rng.uniform(45, 90)
        return Backdrop(materials.sky(rng, rng.random() ** 2), distance, distance * rng.uniform(0.8, 1.1), 0.0,
                        rng.uniform(0.2, 0.8), movie)  # fmt: skip
    names = ("bricks", "hedge", "rock", "boards") if outdoors else (
        "plaster", "tiled", "wallpaper", "boards", "bricks", "curtain")  # fmt: skip
    kind = names[rng.integers(len(names))]
    wind = rng.uniform(0.02, 0.06) if kind in ("hedge", "curtain") and rng.random() < 0.7 else 0.0
    return Backdrop(materials.surface(rng, materials.WALLS[kind], config.assets.texture(rng)), rng.uniform(7, 12),
                    rng.uniform(3.5, 6), wind, 0.0, movie)  # fmt: skip


def _lights(rng: np.random.Generator, outdoors: bool, far: float) -> tuple[np.ndarray, tuple[Lamp, ...]]:
    """Ambient light and lamps; shadows of cards would be lines for light from exactly beside them."""
    if outdoors:
        low = rng.random()
        azimuth, up = rng.uniform(-1, 1) * 1.05, np.radians(rng.uniform(24, 62))
        # From behind the camera, or against it; but a wall there would shade everything.
        against = 1 if far > OPEN_M and rng.random() < 0.45 else -1
        direction = np.array([np.sin(azimuth) * np.cos(up), np.sin(up), against * np.cos(azimuth) * np.cos(up), 0.0])
        overcast = rng.random() < 0.2
        ambient = materials.hsv(0.6, rng.uniform(0.05, 0.3), 1.0) * (rng.uniform(0.6, 0.8) if overcast
                                                                      else rng.uniform(0.22, 0.42))  # fmt: skip
        sun = materials.hsv(0.1, 0.25 * low, 1.0) * (1 - ambient.mean())
        total = ambient + sun
        return ambient / total, (Lamp(direction, sun / total, 0.4 if overcast else rng.uniform(0.012, 0.05)),)
    ambient = materials.hsv(rng.uniform(0.05, 0.65), rng.uniform(0, 0.15), 1.0) * rng.uniform(0.18, 0.42)
    count = int(rng.choice([1, 2, 3], p=[0.45, 0.35, 0.2]))
    shares = rng.dirichlet(np.full(count, 3.0)) * (1 - ambient.mean())
    spots = []
    for share in shares:
        # Before the actors or behind them: beside one, a lamp would see its card from the edge.
        depth = far - rng.uniform(0.2, 0.8) if far > 10.5 and rng.random() < 0.4 else rng.uniform(-3.0, 1.5)
        place = np.array([rng.uniform(-6, 6), rng.uniform(2.6, 5.5), depth, 1.0])
        spots.append((place, materials.hsv(rng.uniform(0.05, 0.15), rng.uniform(0, 0.3), 1.0) * share))
    total = ambient + sum(colour for _, colour in spots)
    return ambient / total, tuple(Lamp(p, c / total, float(rng.uniform(0.02, 0.11))) for p, c in spots)


def _camera(rng: np.random.Generator, seconds: np.ndarray, far: float) -> CameraPath:
    """A tripod, a hand, a pan, a dolly, or a slow approach, always looking at the place of the action."""
    height, target = rng.uniform(0.8, 2.6), np.array([0.0, rng.uniform(0.45, 1.1), min(6.0, far * 0.6)])
    frames = len(seconds)
    kind = rng.choice(["tripod", "hand", "pan", "dolly", "approach"], p=[0.25, 0.2, 0.2, 0.25, 0.1])
    run = (seconds - seconds.mean())[:, None]
    position = np.tile([rng.uniform(-0.6, 0.6), height, 0.0], (frames, 1))
    if kind == "dolly":
        position = position + run * np.array([rng.choice([-1, 1]) * rng.uniform(0.3, 1.0), rng.normal() * 0.08, 0.0])
    if kind == "approach":
        position = position + run * np.array([rng.normal() * 0.15, 0.0, rng.uniform(0.15, 0.5) * rng.choice([-1, 1])])
    look = target - position
    yaw, pitch = np.arctan2(look[:, 0], look[:, 2]), np.arctan2(look[:, 1], np.hypot(look[:, 0], look[:, 2]))
    angles = np.stack([yaw, pitch, np.full(frames, rng.normal() * 0.012)], 1)
    if kind == "pan":
        angles[:, 0] += run[:, 0] * rng.choice([-1, 1]) * rng.uniform(0.03, 0.13)
    if kind != "tripod":
        shake = rng.uniform(0.002, 0.008) if kind == "hand" else 0.0008
        for axis in range(3):
            beats, starts = rng.uniform(2, 9, 3), rng.uniform(0, 6.3, 3)
            angles[:, axis] += shake * np.sin(beats * seconds[:, None] + starts).sum(1)
    zoom = 1 + 0.08 * rng.normal() * run[:, 0] * (rng.random() < 0.15)
    return CameraPath(position, angles, rng.uniform(0.85, 1.15) * np.clip(zoom, 0.8, 1.25))


@dataclass(frozen=True, eq=False)
class _View:
    """How wide the world is where something is to stand."""

    camera: CameraPath
    aspect: float
    farthest: float

    def span(self, z: float) -> tuple[float, float]:
        """Left and right end of what is seen at depth z in the middle of the clip."""
        middle = len(self.camera.focal) // 2
        half = 0.5 * z / self.camera.focal[middle]
        centre = self.camera.position[middle, 0] + z * np.tan(self.camera.angles[middle, 0])
        return centre - half, centre + half

    def largest(self, side: float) -> float:
        """The depth at which a card of this height is a fifth of the picture's; further it would be a speck."""
        return side * self.camera.focal[len(self.camera.focal) // 2] * self.aspect / 0.2

    def nearest(self, side: float) -> float:
        """The least depth at which a card of this height is whole in the picture, and its feet are in it."""
        middle = len(self.camera.focal) // 2
        focal, pitch = self.camera.focal[middle], self.camera.angles[middle, 1]
        down = np.arctan(0.5 / (focal * self.aspect)) - pitch
        return max(side * focal * self.aspect / 0.8, self.camera.position[middle, 1] / np.tan(min(down, 1.4)) * 1.12)


SIZES = {"walker": (1.5, 1.9), "four_legs": (0.9, 1.6), "wheel": (0.7, 1.2), "cart": (1.8, 2.6), "ball": (0.4, 0.9),
         "blob": (0.8, 1.4), "crate": (0.6, 1.2), "plant": (0.9, 1.7), "bush": (1.6, 3.4), "kite": (0.9, 1.3),
         "leaf": (0.35, 0.6), "bird": (0.6, 1.0)}  # fmt: skip
SPEEDS = {"walker": 0.85, "four_legs": 1.2, "wheel": 1.6, "cart": 1.2, "ball": 2.0, "blob": 0.5, "kite": 0.5,
          "leaf": 1.2, "bird": 1.6}  # fmt: skip
"""In heights per second."""


def _cast(
    rng: np.random.Generator, config: SpriteConfig, seconds: np.ndarray, count: int, view: _View, floor: Floor
) -> tuple[Actor, ...]:
    twins = count > 1 and rng.random() < 0.3
    actors: list[Actor] = []
    kinds = [name for name in SHAPES if name != "bush"]
    chances = np.array([4.0 if name in ("walker", "four_legs") else 1.0 for name in kinds])
    depths = _depths(rng, count, view)
    model: tuple | None = None
    for place, depth in enumerate(depths):
        if not (twins and model and rng.random() < 0.8):
            kind = str(rng.choice(kinds, p=chances / chances.sum()))
            model = (kind, int(rng.integers(2**31)), rng.uniform(*SIZES[kind]), materials.palette(rng, kind),
                     materials.skin(rng), config.assets.cutout(rng))  # fmt: skip
        assert model is not None
        actors.append(_actor(rng, f"object{place + 1}", model, depth, seconds, view, floor))
    return tuple(actors)


def _depths(rng: np.random.Generator, count: int, view: _View) -> np.ndarray:
    """One depth per object, far to near, none too close to the next."""
    near, far = 3.6, view.farthest
    steps = near + (far - near) * (np.arange(count)[::-1] + rng.uniform(0.15, 0.85, count)) / count
    return near + (steps - near) * rng.uniform(0.6, 1.0)


def _actor(
    rng: np.random.Generator, name: str, model: tuple, depth: float, seconds: np.ndarray, view: _View, floor: Floor
) -> Actor:
    kind, shape_seed, side, palette, skin, cutout = model
    depth = min(max(min(depth, view.largest(side)), view.nearest(side) * rng.uniform(0.95, 1.2)), view.farthest)
    still = kind in STANDING or rng.random() < 0.15
    vigour = float(rng.uniform(0.25, 1.0))
    place, facing = _way(rng, kind, side, depth, seconds, view, still)
    steps = np.abs(np.diff(np.hypot(place[:, 0], place[:, 2]), prepend=np.hypot(place[0, 0], place[0, 2])))
    gait = Gait(np.cumsum(steps) / side, seconds, vigour if not still or kind in STANDING else 0.25)
    pose = SHAPES[kind](np.random.default_rng(shape_seed), gait)
    glow = materials.hsv(rng.random(), 0.5, rng.uniform(0.15, 0.35)) if rng.random() < 0.07 else np.zeros(3)
    veil = _veil(rng, kind, floor, not still)
    return Actor(name, kind, pose, palette, skin, side, facing, place, glow, veil, not still, cutout)


def _way(
    rng: np.random.Generator, kind: str, side: float, depth: float, seconds: np.ndarray, view: _View, still: bool
) -> tuple[np.ndarray, float]:
    """Where it is in each frame, and which way it looks."""
    left, right = view.span(depth)
    run = seconds - seconds.mean()
    x, z = np.full(len(run), rng.uniform(left + 0.15 * (right - left), right - 0.15 * (right - left))), 0 * run + depth
    facing = float(rng.choice([-1.0, 1.0]))
    lift = 0 * run
    if not still:
        speed = SPEEDS[kind] * side * rng.uniform(0.6, 1.5)
        heading = rng.uniform(-0.35, 0.35) if rng.random() < 0.75 else rng.uniform(-1.1, 1.1)
        x = x + facing * speed * np.cos(heading) * run
        z = np.clip(z + speed * np.sin(heading) * run, min(3.4, depth), view.farthest)
        if rng.random() < 0.25:
            # Turns back on its way: slows down and speeds up again.
            x = x[0] + (x - x[0]) - facing * speed * 0.5 * run * np.abs(run)
    if kind == "ball" and not still:
        lift = rng.uniform(0.2, 1.0) * np.abs(np.sin(rng.uniform(2.5, 5) * seconds + rng.uniform(0, 3)))
    if kind in FLYING:
        lift = rng.uniform(0.4, 1.3) + 0.15 * np.sin(rng.uniform(1, 3) * seconds + rng.uniform(0, 6))
        lift = np.clip(lift - (kind == "leaf") * 0.3 * run, 0.05, None)
    return np.stack([x, lift, z], 1), facing


def _veil(rng: np.random.Generator, kind: str, floor: Floor, moves: bool) -> np.ndarray:
    """Splash on water, dust on sand and earth, behind what moves on the ground."""
    wet = floor.kind == "water" or floor.puddles > 0
    if not moves or kind in FLYING or not (wet or floor.kind in ("sand", "earth", "snow")) or rng.random() < 0.4:
        return np.zeros(8)
    colour = np.array([0.82, 0.86, 0.88]) if wet else np.clip(floor.surface.colours[0] * 1.15 + 0.04, 0, 0.9)
    return np.array([rng.uniform(0.35, 0.8), *colour, rng.uniform(0.16, 0.32), rng.uniform(0.08, 0.2),
                     rng.uniform(0.1, 0.4), rng.integers(1000)])  # fmt: skip


def _scenery(
    rng: np.random.Generator, config: SpriteConfig, seconds: np.ndarray, view: _View, backdrop: Backdrop, outdoors: bool
) -> tuple[Actor, ...]:
    """Things that stand between the actors and the backdrop."""
    found = []
    for place in range(int(rng.integers(0, 4))):
        kind = str(rng.choice(["bush", "bush", "plant", "crate"] if outdoors else ["plant", "crate"]))
        side = rng.uniform(*SIZES[kind])
        depth = rng.uniform(view.farthest + 0.2, min(backdrop.distance - 0.2, 20.0))
        left, right = view.span(depth)
        pose = SHAPES[kind](rng, Gait(0 * seconds, seconds, float(rng.uniform(0, 1))))
        spot = np.tile([rng.uniform(left, right), 0.0, depth], (len(seconds), 1))
        found.append(Actor(f"scenery{place + 1}", kind, pose, materials.palette(rng, kind), materials.skin(rng), side,
                           1.0, spot, np.zeros(3), np.zeros(8), False))  # fmt: skip
    return tuple(sorted(found, key=lambda actor: -actor.place[0, 2]))


def _wear(rng: np.random.Generator, config: SpriteConfig) -> Wear:
    if rng.random() >= config.degraded:
        return Wear(0.0, 1.0)
    noise = float(rng.uniform(0.003, 0.025) * (rng.random() < 0.75))
    quality = float(rng.uniform(0.45, 0.92)) if rng.random() < 0.6 or noise == 0 else 1.0
    return Wear(noise, quality)
