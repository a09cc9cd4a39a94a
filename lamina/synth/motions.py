"""How articulated and deforming shapes move: parts per frame in the shape's own coordinates.

A shape lives in x -0.5..0.5 (right), y 0..1 (up), its lowest point on y = 0. It is the union of `CAPSULES` tapered
capsules `ax ay ra bx by rb` and one round outline `cx cy rx ry turn hole`, whose radius is
`1 + sum_k cosines_k cos(k angle) + sines_k sin(k angle)`, k = 1..`HARMONICS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CAPSULES, HARMONICS = 14, 8
NOWHERE = 50.0
"""Where parts that a shape does not use are put."""


@dataclass(frozen=True, eq=False)
class Pose:
    """The parts of one shape over time."""

    capsules: np.ndarray
    """`t 14 6`."""
    outline: np.ndarray
    """`t 6`."""
    waves: np.ndarray
    """`t 2 8`: cosines, sines."""
    groups: tuple[int, ...]
    """Which colour each of the 14 capsules and the outline has."""


@dataclass(frozen=True)
class Gait:
    """What a shape is told about its own motion."""

    distance: np.ndarray
    """`t`: travelled so far, in units of the shape's height; feet and wheels follow it, so that nothing slides."""
    seconds: np.ndarray
    """`t`."""
    vigour: float
    """0 hardly moves, 1 moves widely."""


def walker(rng: np.random.Generator, gait: Gait) -> Pose:
    """A person: two legs with feet, two arms, body, head."""
    leg, swing = rng.uniform(0.2, 0.25), 0.25 + 0.35 * gait.vigour
    build, head = rng.uniform(0.8, 1.25), rng.uniform(0.06, 0.085)
    phase = 2 * np.pi * gait.distance / (8 * leg * np.sin(swing)) + rng.uniform(0, 2 * np.pi)
    idle = 0.02 * np.sin(1.7 * gait.seconds + rng.uniform(0, 6))
    hip = _point(idle * 0.3, np.full_like(phase, 2 * leg + 0.02))
    neck = hip + _point(0.03 + idle, np.full_like(phase, rng.uniform(0.27, 0.33)))
    parts = []
    for side in (0, np.pi):
        thigh = swing * np.sin(phase + side)
        knee_bend = 0.15 + 0.9 * gait.vigour * np.clip(np.cos(phase + side), 0, 1)
        knee = hip + leg * _point(np.sin(thigh), -np.cos(thigh))
        ankle = knee + leg * _point(np.sin(thigh - knee_bend), -np.cos(thigh - knee_bend))
        toe = ankle + _point(np.full_like(phase, 0.06), np.full_like(phase, -0.005))
        parts += [(hip, 0.055 * build, knee, 0.04 * build, 1), (knee, 0.04 * build, ankle, 0.026, 1)]
        parts += [(ankle, 0.024, toe, 0.018, 3)]
    arms = []
    for side in (0, np.pi):
        lift = -0.8 * swing * np.sin(phase + side) + (gait.vigour > 0.85) * 1.2
        elbow = neck + _point(0.0 * phase, -0.03 + 0 * phase) + 0.15 * _point(np.sin(lift), -np.cos(lift))
        hand = elbow + 0.14 * _point(np.sin(lift + 0.4), -np.cos(lift + 0.4))
        arms += [(elbow, 0.03, hand, 0.022, 2), (neck, 0.034 * build, elbow, 0.03, 0)]
    top = neck + _point(0.02 + 0 * phase, head + 0.035 + 0 * phase)
    body = [(hip, 0.062 * build, neck, 0.075 * build, 0)]
    hair = top + _point(-0.012 + 0 * phase, 0.014 + 0 * phase)
    face = top + _point(0.014 + 0 * phase, -0.01 + 0 * phase)
    crown = [(hair, head, hair, head, 3), (face, head * 0.9, top, 0.02, 2)]
    return _grounded(arms[:2] + parts[:3] + body + crown + parts[3:] + arms[2:], len(phase))


def four_legs(rng: np.random.Generator, gait: Gait) -> Pose:
    """An animal: body, neck, head, tail, four legs of two parts."""
    leg, swing, long = rng.uniform(0.17, 0.26), 0.2 + 0.35 * gait.vigour, rng.uniform(0.2, 0.3)
    fat = rng.uniform(0.08, 0.13)
    phase = 2 * np.pi * gait.distance / (8 * leg * np.sin(swing)) + rng.uniform(0, 2 * np.pi)
    bob = 0.01 * np.sin(2 * phase)
    height = 2 * leg + fat * 0.5
    rear, front = _point(-long + 0 * phase, height + bob), _point(long * 0.8 + 0 * phase, height + 0.02 - bob)
    parts = []
    for root, offset in ((rear, 0.0), (front, 2.1), (rear, np.pi), (front, np.pi + 2.1)):
        thigh = swing * np.sin(phase + offset)
        bend = 0.1 + 0.7 * gait.vigour * np.clip(np.cos(phase + offset), 0, 1)
        knee = root + leg * _point(np.sin(thigh), -np.cos(thigh))
        foot = knee + leg * _point(np.sin(thigh - bend), -np.cos(thigh - bend))
        parts.append([(root, fat * 0.55, knee, 0.035, 0), (knee, 0.034, foot, 0.024, 1)])
    nod = 0.05 * np.sin(phase) + rng.uniform(0.0, 0.14)
    head = front + _point(0.12 + 0 * phase, 0.1 + nod)
    snout = head + _point(0.09 + 0 * phase, -0.03 + 0 * phase)
    ear = head + _point(-0.035 + 0 * phase, 0.075 + 0 * phase)
    wag = 0.4 * np.sin(5 * gait.seconds * (0.3 + gait.vigour))
    tail = rear + 0.2 * _point(-np.cos(wag), 0.6 + np.sin(wag))
    trunk = [(rear, fat, front, fat * 1.05, 0), (front, fat * 0.75, head, 0.06, 0)]
    trunk += [(head, 0.06, snout, 0.035, 1), (head, 0.03, ear, 0.016, 3), (rear, 0.03, tail, 0.015, 0)]
    return _grounded([*parts[0], *parts[1], *trunk, *parts[2], *parts[3]], len(phase))


def wheel(rng: np.random.Generator, gait: Gait) -> Pose:
    """A rolling rim with spokes and a hub."""
    spokes, radius = int(rng.integers(3, 7)), rng.uniform(0.36, 0.46)
    turn = -gait.distance / radius + rng.uniform(0, 6)
    centre = _point(0 * turn, radius + 0 * turn)
    parts = []
    for spoke in range(spokes):
        arm = 0.88 * radius * _point(np.cos(turn + np.pi * spoke / spokes), np.sin(turn + np.pi * spoke / spokes))
        parts.append((centre - arm, 0.018, centre + arm, 0.018, 1))
    parts.append((centre, 0.07, centre, 0.07, 2))
    outline = _outline(centre, radius, radius, hole=rng.uniform(0.74, 0.86))
    return _grounded(parts, len(turn), outline)


def cart(rng: np.random.Generator, gait: Gait) -> Pose:
    """A vehicle: a body, a cabin with a window, two wheels whose spokes show that they turn."""
    radius, zero = rng.uniform(0.08, 0.12), 0 * gait.distance
    turn, high, cabin = -gait.distance / radius, rng.uniform(0.1, 0.16), rng.uniform(0.08, 0.13)
    sway = 0.006 * np.sin(9 * gait.distance)
    floor = radius + 0.5 * high + sway
    parts = [(_point(-0.32 + zero, floor), high * 0.8, _point(0.34 + zero, floor - 0.02), high * 0.66, 0)]
    back, front = rng.uniform(-0.26, -0.12), rng.uniform(0.06, 0.16)
    roof = floor + high * 0.8 + cabin * 0.35
    parts += [(_point(back + zero, roof), cabin, _point(front + zero, roof), cabin * 0.9, 0)]
    pane = _point(back + 0.02 + zero, roof + 0.01), _point(front + zero, roof + 0.01)
    parts += [(pane[0], cabin * 0.55, pane[1], cabin * 0.5, 3)]
    for x in (-0.24, 0.25):
        hub = _point(x + zero, radius + zero)
        parts += [(hub, radius, hub, radius, 1), (hub, radius * 0.55, hub, radius * 0.55, 2)]
        for angle in (0, np.pi / 2):
            arm = 0.5 * radius * _point(np.cos(turn + angle), np.sin(turn + angle))
            parts.append((hub - arm, 0.011, hub + arm, 0.011, 1))
    return _grounded(parts, len(turn))


def ball(rng: np.random.Generator, gait: Gait) -> Pose:
    """A ball with patches that turn with it."""
    radius = rng.uniform(0.4, 0.47)
    turn = -gait.distance / radius
    centre, parts = _point(0 * turn, radius + 0 * turn), []
    for patch in range(int(rng.integers(3, 6))):
        spot = centre + 0.55 * radius * _point(np.cos(turn + 2.3 * patch), np.sin(turn + 2.3 * patch))
        parts.append((spot, radius * 0.22, spot, radius * 0.22, 1 + patch % 2))
    return _grounded([(centre, radius, centre, radius, 0), *parts], len(turn))


def blob(rng: np.random.Generator, gait: Gait) -> Pose:
    """A soft body that deforms and creeps, with two eyes."""
    phases, rates = rng.uniform(0, 6.3, 4), rng.uniform(0.6, 2.2, 4) * (0.2 + gait.vigour)
    amounts = rng.uniform(0.03, 0.13, 4) * (0.3 + gait.vigour)
    t = gait.seconds[:, None]
    waves = np.zeros((len(t), 2, HARMONICS))
    waves[:, 0, 1:5] = amounts * np.sin(rates * t + phases)
    waves[:, 1, 1:5] = amounts * np.cos(rates * t * 0.7 + phases)
    squash = 1 + 0.16 * gait.vigour * np.sin(6 * gait.distance + 2.5 * gait.seconds)
    wide, high = rng.uniform(0.28, 0.4) / squash, rng.uniform(0.26, 0.4) * squash
    centre = _point(0 * squash, high)
    outline = np.stack([centre[:, 0], centre[:, 1], wide, high, 0 * wide, 0 * wide], 1)
    parts = []
    for x in (0.02, 0.18):
        eye = centre + _point(x + 0 * high, 0.3 * high)
        parts += [(eye, 0.06, eye, 0.06, 2), (eye + 0.02, 0.028, eye + 0.02, 0.028, 3)]
    return _grounded(parts, len(t), outline, waves)


def crate(rng: np.random.Generator, gait: Gait) -> Pose:
    """A box, rather upright, with bands."""
    zero = 0 * gait.seconds
    wide, high = rng.uniform(0.2, 0.42), rng.uniform(0.3, 0.46)
    waves = np.zeros((len(zero), 2, HARMONICS))
    # The first terms of a square's radius.
    waves[:, 0, 3], waves[:, 0, 7] = -0.145, 0.04
    outline = _outline(_point(zero, high + zero), wide, high)
    bands = rng.uniform(-0.6, 0.6, int(rng.integers(1, 3)))
    reach = wide * 0.9
    parts = [
        (_point(zero - reach, high + high * b + zero), 0.02, _point(zero + reach, high + high * b + zero), 0.02, 1)
        for b in bands
    ]
    return _grounded(parts, len(zero), outline, waves)


def plant(rng: np.random.Generator, gait: Gait) -> Pose:
    """A stem with leaves that sway in the wind, in a pot or out of the ground."""
    zero, height = 0 * gait.seconds, rng.uniform(0.55, 0.85)
    lean, rate, first = (0.03 + 0.12 * gait.vigour), rng.uniform(1.5, 3.0), rng.uniform(0, 6)

    def stem(share: float) -> np.ndarray:
        bend = lean * share**2 * (0.6 + np.sin(rate * gait.seconds + first - share))
        return _point(bend, height * share + 0.03 + zero)

    parts = [(stem(0.0), 0.022, stem(0.5), 0.018, 1), (stem(0.5), 0.018, stem(1.0), 0.012, 1)]
    for leaf in range(int(rng.integers(6, 10))):
        root = stem(0.25 + 0.08 * leaf)
        angle = (0.5 + 0.25 * rng.normal()) + 0.2 * gait.vigour * np.sin(rate * 1.3 * gait.seconds + leaf)
        reach = rng.uniform(0.12, 0.24) * (1 if leaf % 2 else -1)
        tip = root + _point(reach * np.cos(angle), abs(reach) * np.sin(angle))
        parts.append((root, 0.012, 0.5 * (root + tip), rng.uniform(0.03, 0.06), 0 if leaf % 3 else 3))
    pot = [(_point(zero - 0.05, 0.05 + zero), 0.07, _point(zero + 0.05, 0.05 + zero), 0.07, 2)]
    return _grounded(parts + pot * bool(rng.random() < 0.6), len(zero))


def bush(rng: np.random.Generator, gait: Gait) -> Pose:
    """A tree or bush: a trunk and a crown of clumps that stir in the wind."""
    zero, trunk = 0 * gait.seconds, rng.uniform(0.05, 0.45)
    parts = [(_point(zero, 0.03 + zero), 0.04, _point(zero, trunk + 0.1 + zero), 0.03, 1)]
    for clump in range(CAPSULES - 1):
        angle, reach = rng.uniform(0, 6.3), 0.26 * np.sqrt(rng.random())
        stir = 0.012 * (0.3 + gait.vigour) * np.sin(2.1 * gait.seconds + 0.7 * clump)
        at = _point(reach * 1.1 * np.cos(angle) + stir, trunk + 0.24 + reach * np.sin(angle) * 0.9 + stir * 0.4)
        parts.append((at, rng.uniform(0.07, 0.14), at, 0.07, 0 if clump % 3 else 2))
    return _grounded(parts, len(zero))


def kite(rng: np.random.Generator, gait: Gait) -> Pose:
    """A diamond with a waving tail, seen flying."""
    waves = np.zeros((len(gait.seconds), 2, HARMONICS))
    waves[:, 0, 3], waves[:, 0, 1] = 0.17, -0.05
    sway = 0.25 * np.sin(1.9 * gait.seconds + rng.uniform(0, 6))
    centre = _point(0.05 * sway, 0.68 + 0 * sway)
    outline = np.stack([centre[:, 0], centre[:, 1], 0.2 + 0 * sway, 0.27 + 0 * sway, 0.5 * sway, 0 * sway], 1)
    return _grounded(_tail(centre - _point(0 * sway, 0.26 + 0 * sway), gait, 8, 0.05), len(sway), outline, waves)


def leaf(rng: np.random.Generator, gait: Gait) -> Pose:
    """A leaf that tumbles."""
    spin = 2.2 * gait.seconds * (0.4 + gait.vigour) + rng.uniform(0, 6)
    waves = np.zeros((len(spin), 2, HARMONICS))
    waves[:, 0, 1], waves[:, 0, 2], waves[:, 0, 0] = 0.22, 0.06, 0.08
    wide = 0.4 * (0.3 + 0.7 * np.abs(np.cos(0.8 * spin)))
    centre = _point(0 * spin, 0.5 + 0 * spin)
    turn = 0.6 * np.sin(spin)
    outline = np.stack([centre[:, 0], centre[:, 1], 0.33 + 0 * spin, wide * 0.75, turn, 0 * spin], 1)
    along = 0.42 * _point(np.cos(turn), np.sin(turn))
    return _grounded([(centre - along, 0.012, centre + along, 0.006, 1)], len(spin), outline, waves)


def bird(rng: np.random.Generator, gait: Gait) -> Pose:
    """A flying bird that beats its wings."""
    beat = np.sin(2 * np.pi * rng.uniform(1.2, 2.6) * gait.seconds + rng.uniform(0, 6))
    zero = 0 * beat
    body, head = _point(zero - 0.1, 0.5 + 0.02 * beat), _point(zero + 0.16, 0.54 + 0.02 * beat)
    parts = [(body, 0.05, head, 0.07, 0), (head + _point(zero + 0.06, zero + 0.03), 0.045, head, 0.04, 0)]
    parts += [(head + _point(zero + 0.1, zero + 0.03), 0.012, head + _point(zero + 0.16, zero + 0.02), 0.004, 3)]
    parts += [(body, 0.03, body + _point(zero - 0.2, zero - 0.02), 0.05, 1)]
    for lag, shade in ((0.0, 1), (0.35, 2)):
        up = np.clip(beat - lag, -1, 1)
        wrist = body + _point(zero + 0.05 - lag * 0.2, 0.2 * up + 0.03)
        tip = wrist + _point(zero - 0.16, 0.2 * up - 0.02)
        parts += [(body + _point(zero + 0.06, zero), 0.06, wrist, 0.05, shade), (wrist, 0.05, tip, 0.012, shade)]
    return _grounded(parts, len(beat))


SHAPES: dict[str, Callable[[np.random.Generator, Gait], Pose]] = {
    "walker": walker, "four_legs": four_legs, "wheel": wheel, "cart": cart, "ball": ball, "blob": blob,
    "crate": crate, "plant": plant, "bush": bush, "kite": kite, "leaf": leaf, "bird": bird,
}  # fmt: skip
FLYING = frozenset({"kite", "leaf", "bird"})
STANDING = frozenset({"crate", "plant", "bush"})


def _tail(root: np.ndarray, gait: Gait, count: int, step: float) -> list:
    parts, before = [], root
    for link in range(count):
        wave = 0.7 * np.sin(4 * gait.seconds - 0.8 * link)
        here = before + step * _point(np.sin(wave), -np.cos(wave))
        parts.append((before, 0.008, here, 0.018 if link % 2 else 0.006, 1 + link % 2))
        before = here
    return parts


def _point(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack([x, y], 1)


def _outline(centre: np.ndarray, wide: float, high: float, hole: float = 0.0) -> np.ndarray:
    return np.concatenate([centre, np.tile([wide, high, 0.0, hole], (len(centre), 1))], 1)


def _grounded(parts: list, frames: int, outline: np.ndarray | None = None, waves: np.ndarray | None = None) -> Pose:
    """Parts as arrays, moved up or down in every frame so that the lowest point is at y = 0."""
    capsules = np.full((frames, CAPSULES, 6), NOWHERE)
    capsules[..., [2, 5]] = 1e-3
    for place, (a, ra, b, rb, _) in enumerate(parts):
        capsules[:, place] = np.concatenate([a, np.full((frames, 1), ra), b, np.full((frames, 1), rb)], 1)
    outline = _outline(np.full((frames, 2), NOWHERE), 1e-3, 1e-3) if outline is None else outline
    waves = np.zeros((frames, 2, HARMONICS)) if waves is None else waves
    ends = capsules[..., [1, 4]] - capsules[..., [2, 5]]
    lowest = np.minimum(ends.min((1, 2)), _lowest(outline, waves))
    capsules[..., [1, 4]] -= lowest[:, None, None]
    outline = outline.copy()
    outline[:, 1] -= lowest
    groups = tuple(part[4] for part in parts) + (0,) * (CAPSULES - len(parts)) + (0,)
    return Pose(capsules, outline, waves, groups)


def _lowest(outline: np.ndarray, waves: np.ndarray) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    k = np.arange(1, HARMONICS + 1)[:, None] * angle
    radius = 1 + waves[:, 0] @ np.cos(k) + waves[:, 1] @ np.sin(k)
    turn = outline[:, 4:5]
    return (outline[:, 1:2] + radius * outline[:, 3:4] * np.sin(angle + turn)).min(1)
