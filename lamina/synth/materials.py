"""Surfaces and skies drawn at random, but as the world has them: grass is green, joints run straight, hills hazy."""

import colorsys

import numpy as np

from lamina.synth.textures import Sky, Surface, lattices

FLOORS = {
    "grass": dict(hue=(0.2, 0.33), saturation=(0.35, 0.7), value=(0.3, 0.55), rough=(0.5, 0.8), fibres=(0.3, 0.6)),
    "asphalt": dict(hue=(0.5, 0.7), saturation=(0.0, 0.1), value=(0.25, 0.5), rough=(0.35, 0.7)),
    "sand": dict(hue=(0.07, 0.13), saturation=(0.2, 0.45), value=(0.6, 0.82), rough=(0.3, 0.6)),
    "earth": dict(hue=(0.04, 0.09), saturation=(0.3, 0.55), value=(0.3, 0.5), rough=(0.5, 0.9)),
    "snow": dict(hue=(0.55, 0.62), saturation=(0.02, 0.07), value=(0.78, 0.86), rough=(0.15, 0.35)),
    "paving": dict(hue=(0.02, 0.12), saturation=(0.03, 0.3), value=(0.4, 0.7), rough=(0.2, 0.5), grid="offset"),
    "tiles": dict(hue=(0.0, 1.0), saturation=(0.05, 0.4), value=(0.45, 0.8), rough=(0.05, 0.2), grid="square"),
    "checks": dict(hue=(0.0, 1.0), saturation=(0.05, 0.5), value=(0.5, 0.75), rough=(0.05, 0.2), grid="checks"),
    "planks": dict(hue=(0.05, 0.1), saturation=(0.3, 0.6), value=(0.4, 0.7), rough=(0.05, 0.2), grid="planks",
                   fibres=(0.3, 0.7)),
    "carpet": dict(hue=(0.0, 1.0), saturation=(0.2, 0.6), value=(0.3, 0.65), rough=(0.1, 0.3), grid="stripes"),
    "water": dict(hue=(0.48, 0.6), saturation=(0.3, 0.6), value=(0.22, 0.42), rough=(0.05, 0.2)),
}  # fmt: skip
WALLS = {
    "bricks": dict(hue=(0.0, 0.08), saturation=(0.2, 0.6), value=(0.4, 0.75), rough=(0.1, 0.4), grid="bricks"),
    "plaster": dict(hue=(0.0, 1.0), saturation=(0.03, 0.35), value=(0.5, 0.85), rough=(0.08, 0.3)),
    "boards": dict(hue=(0.04, 0.6), saturation=(0.1, 0.5), value=(0.4, 0.8), rough=(0.05, 0.2), grid="planks",
                   fibres=(0.2, 0.5)),
    "tiled": dict(hue=(0.0, 1.0), saturation=(0.05, 0.35), value=(0.5, 0.85), rough=(0.03, 0.1), grid="square"),
    "wallpaper": dict(hue=(0.0, 1.0), saturation=(0.1, 0.4), value=(0.5, 0.8), rough=(0.03, 0.1), grid="stripes"),
    "hedge": dict(hue=(0.22, 0.36), saturation=(0.35, 0.6), value=(0.2, 0.42), rough=(0.9, 1.3)),
    "rock": dict(hue=(0.03, 0.12), saturation=(0.05, 0.25), value=(0.35, 0.6), rough=(0.8, 1.2)),
    "curtain": dict(hue=(0.0, 1.0), saturation=(0.2, 0.6), value=(0.35, 0.7), rough=(0.02, 0.1), fibres=(0.9, 1.4)),
}  # fmt: skip
SKINS = ("plain", "plain", "noise", "stripes", "checks", "square")


def surface(rng: np.random.Generator, kind: dict, picture: np.ndarray | None = None) -> Surface:
    """A surface of the given kind, an entry of `FLOORS` or `WALLS`."""
    base = hsv(rng.uniform(*kind["hue"]), rng.uniform(*kind["saturation"]), rng.uniform(*kind["value"]))
    second = _near(rng, base, 0.14)
    joint = base * rng.uniform(0.5, 0.75) if rng.random() < 0.7 else np.clip(base * 1.2 + 0.05, 0, 0.9)
    speck = _near(rng, base, 0.2)
    cells, width, weights = _grid(rng, kind.get("grid", "none"))
    rough, fibres = rng.uniform(*kind["rough"]), rng.uniform(*kind.get("fibres", (0.0, 0.0)))
    return Surface(
        np.stack([base, second, joint, speck]), cells, width, (*weights, rough, fibres), rng.uniform(0.3, 1),
        lattices(rng), picture,
    )  # fmt: skip


def skin(rng: np.random.Generator) -> Surface:
    """How an object's colours vary over it: grey around one half, to be multiplied with them."""
    kind = SKINS[rng.integers(len(SKINS))]
    contrast = rng.uniform(0.08, 0.3)
    grey = np.array([0.5 - contrast, 0.5 + contrast, 0.5, 0.5])[:, None].repeat(3, 1)
    count, turn = float(rng.integers(4, 13)), rng.random() < 0.5
    cells = (1.0 if turn else count, count if turn else 1.0, 0.0) if kind == "stripes" else (count, count, 0.0)
    checks, rough = float(kind == "checks") * 0.8, 0.5 if kind == "noise" else 0.12
    vary, stripes = float(kind == "square") * 0.8, float(kind == "stripes") * 0.8
    return Surface(grey, cells, 0.0, (vary, checks, stripes, rough, 0.0), rng.uniform(0.2, 0.8), lattices(rng))


def _grid(rng: np.random.Generator, grid: str) -> tuple[tuple[float, float, float], float, tuple[float, float, float]]:
    """Cells, joint, and weights of cells, checks, stripes."""
    n = float(2 * rng.integers(2, 5))
    if grid == "offset":
        return (n, n * float(rng.choice([1, 2])), 0.5), rng.uniform(0.04, 0.09), (rng.uniform(0.2, 0.6), 0.0, 0.0)
    if grid == "bricks":
        return (n, 3 * n, 0.5), rng.uniform(0.08, 0.16), (rng.uniform(0.3, 0.7), 0.0, 0.0)
    if grid == "square":
        return (n, n, 0.0), rng.uniform(0.03, 0.08), (rng.uniform(0.1, 0.5), 0.0, 0.0)
    if grid == "checks":
        return (n, n, 0.0), 0.0, (0.1, rng.uniform(0.6, 1.5), 0.0)
    if grid == "planks":
        return (n * 1.5 // 1, float(rng.integers(1, 3)), 0.0), 0.04, (rng.uniform(0.4, 0.8), 0.0, 0.0)
    if grid == "stripes":
        return (2 * n, 1.0, 0.0), 0.0, (0.2, 0.0, rng.uniform(0.5, 1.2))
    return (n, n, 0.0), 0.0, (0.0, 0.0, 0.0)


def sky(rng: np.random.Generator, dusk: float) -> Sky:
    """A sky over two ridges of hills or trees; `dusk` 0 is noon, 1 sunset."""
    zenith = hsv(rng.uniform(0.55, 0.62), rng.uniform(0.25, 0.65), rng.uniform(0.6, 0.85) * (1 - 0.35 * dusk))
    horizon = (1 - dusk) * hsv(0.57, rng.uniform(0.05, 0.2), 0.86) + dusk * hsv(rng.uniform(0.03, 0.11), 0.4, 0.85)
    near = hsv(rng.uniform(0.15, 0.4), rng.uniform(0.2, 0.5), rng.uniform(0.25, 0.45))
    far = 0.55 * near + 0.45 * horizon
    steps = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    ridges = []
    for height, spread in ((rng.uniform(0.05, 0.22), 5), (rng.uniform(0.02, 0.1), 14)):
        waves = sum(rng.normal() / k * np.sin(k * steps + rng.uniform(0, 6.3)) for k in range(1, spread))
        ridges.append(np.clip(height * (1 + 0.35 * waves), 0.01, 0.5))
    cloud = np.clip(horizon * 0.5 + 0.45 + 0.05 * rng.normal(), 0, 0.92)
    colours = np.stack([horizon, zenith, cloud, far, near])
    return Sky(colours, np.stack(ridges), float(rng.uniform(0.1, 0.9)), lattices(rng))


def palette(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Four colours `4 3` of a shape's parts, display-referred."""
    colours = np.stack([hsv(rng.random(), rng.uniform(0.2, 0.85), rng.uniform(0.3, 0.85)) for _ in range(4)])
    if kind == "walker":
        colours[2] = hsv(rng.uniform(0.04, 0.08), rng.uniform(0.3, 0.6), rng.uniform(0.35, 0.85))
        colours[3] = hsv(rng.uniform(0.02, 0.12), rng.uniform(0.1, 0.6), rng.uniform(0.1, 0.5))
    elif kind in ("four_legs", "bird") and rng.random() < 0.8:
        coat = hsv(rng.uniform(0.03, 0.12), rng.uniform(0.0, 0.6), rng.uniform(0.2, 0.85))
        colours = np.stack([coat, coat * 0.8, coat * 0.95, coat * 0.5])
    elif kind in ("plant", "bush"):
        green = hsv(rng.uniform(0.17, 0.4), rng.uniform(0.35, 0.75), rng.uniform(0.3, 0.6))
        bark = hsv(rng.uniform(0.04, 0.1), 0.4, rng.uniform(0.25, 0.45))
        pot = hsv(rng.uniform(0.0, 1.0), 0.4, 0.55) if kind == "plant" else green * 0.85
        colours = np.stack([green, bark, pot, np.clip(green * 1.25, 0, 0.9)])
    elif kind in ("cart", "wheel"):
        colours[1], colours[2] = rng.uniform(0.08, 0.25), rng.uniform(0.45, 0.75)
        colours[3] = hsv(0.57, 0.25, rng.uniform(0.3, 0.7))
    elif kind == "blob":
        colours[2], colours[3] = 0.88, 0.1
    return np.clip(colours, 0.02, 0.9)


def hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """One colour as RGB."""
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))


def _near(rng: np.random.Generator, colour: np.ndarray, spread: float) -> np.ndarray:
    return np.clip(colour * rng.uniform(1 - 2 * spread, 1 + 2 * spread) + spread * 0.25 * rng.normal(size=3), 0.03, 0.9)
