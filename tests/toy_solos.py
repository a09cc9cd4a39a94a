"""Two tinted squares with shadows that cross twice, changing places in between; with true plate and solos."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from media_makers import write_images
from toy_scenes import stored, texture

SIZE = (128, 72)
SIDE = 22
SHADE = np.float32([0.45, 0.55, 0.65])
"""What a shadow leaves of red, green and blue."""
COLORS = {"near": (0.85, 0.35, 0.2), "far": (0.2, 0.45, 0.85)}
"""Named by their places at the first crossing; at the second it is the other way round."""


@dataclass(frozen=True)
class Crossing:
    """Pictures of one number type, masks of what is visible, and what the clip would be with only one of the two."""

    frames: list[np.ndarray]
    plate: np.ndarray
    solos: dict[str, list[np.ndarray]]
    masks: dict[str, list[np.ndarray]]
    silhouettes: dict[str, list[np.ndarray]]
    """bool: all of an object, seen or hidden."""


def crossing(frames: int = 32, dtype: str = "uint8") -> Crossing:
    ground = texture(SIZE, seed=5)
    made = Crossing(
        [], stored(ground, dtype), {n: [] for n in COLORS}, {n: [] for n in COLORS}, {n: [] for n in COLORS}
    )
    for t in range(frames):
        behind, front = ("far", "near") if t < frames // 2 else ("near", "far")
        whole = {name: _square(_left(name, t, frames), 18) for name in COLORS}
        shades = {name: _shade(_left(name, t, frames)) for name in COLORS}
        paint = {name: _paint(name, _left(name, t, frames)) for name in COLORS}
        picture = ground * shades["near"] * shades["far"]
        for name in (behind, front):
            picture = np.where(whole[name][..., None], paint[name], picture)
            alone = np.where(whole[name][..., None], paint[name], ground * shades[name])
            made.solos[name].append(stored(alone, dtype))
            made.silhouettes[name].append(whole[name])
        seen = {front: whole[front], behind: whole[behind] & ~whole[front]}
        for name in COLORS:
            made.masks[name].append(seen[name].astype(np.uint8) * 255)
        made.frames.append(stored(picture, dtype))
    return made


def save(toy: Crossing, folder: Path) -> dict:
    """Write everything as PNG runs; returns the arguments of `LayersConfig` but `out`."""
    folders = {
        kind: tuple(f"{name}={write_images(folder / f'{kind}_{name}', runs)}" for name, runs in pictures.items())
        for kind, pictures in (("mask", toy.masks), ("solo", toy.solos))
    }
    plate = write_images(folder / "plate", [toy.plate] * len(toy.frames))
    return {"input": write_images(folder / "clip", toy.frames), "plate": plate, **folders}


def _left(name: str, t: int, frames: int) -> float:
    """There and back again: the two meet in the first half and in the second."""
    share = 1 - abs(2 * t / (frames - 1) - 1)
    return 8 + (SIZE[0] - SIDE - 16) * (share if name == "near" else 1 - share)


def _square(left: float, top: int) -> np.ndarray:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    return (x >= round(left)) & (x < round(left) + SIDE) & (y >= top) & (y < top + SIDE)


def _shade(left: float) -> np.ndarray:
    soft = cv2.GaussianBlur(_square(left, 44).astype(np.float32), (0, 0), 2.5)
    return 1 - (1 - SHADE) * soft[..., None]


def _paint(name: str, left: float) -> np.ndarray:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    pattern = 0.9 + 0.1 * np.sin((x - round(left)) / 1.7) * np.cos(y / 2.3)
    return (np.float32(COLORS[name]) * pattern[..., None]).astype(np.float32)
