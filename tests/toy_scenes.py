"""Toy clips with truth: a textured ground, a square that moves over it and throws a shadow, a camera that may turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from media_makers import write_images

SHADE = 0.6
"""What a shadow leaves of the light."""


@dataclass(frozen=True)
class Toy:
    """A clip with truth; pictures are uint8 unless made with another type."""

    frames: list[np.ndarray]
    masks: dict[str, list[np.ndarray]]
    truth: list[np.ndarray]
    """The clip without the objects."""
    changed: list[np.ndarray]
    """bool: what objects and shadows truly changed."""


def texture(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """`h w 3` float32 in 0.2..0.8 with detail at several scales, no two places alike."""
    width, height = size
    chance = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for sigma in (1.2, 3.0, 8.0):
        layer = cv2.GaussianBlur(chance.normal(size=(height, width, 3)).astype(np.float32), (0, 0), sigma)
        total += layer / layer.std()
    low, high = np.quantile(total, [0.001, 0.999])
    return (0.2 + 0.6 * ((total - low) / (high - low)).clip(0, 1)).astype(np.float32)


def walk(
    frames: int = 20, size: tuple[int, int] = (64, 48), dtype: str = "uint8", names: Sequence[str] = ("box",)
) -> Toy:
    """A tripod. Every named object is a square on a row of its own, walking right (the second one left)."""
    grounds = [texture(size)] * frames
    return _with_objects(grounds, names, dtype)


def pan(frames: int = 20, size: tuple[int, int] = (160, 120), dtype: str = "uint8") -> Toy:
    """The same with a camera that pans and rolls a little over a ground larger than the picture."""
    width, height = size
    wide = texture((2 * width, 2 * height), seed=3)
    grounds = [
        cv2.warpPerspective(wide, look_at(t, frames, size), size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        for t in range(frames)
    ]
    return _with_objects([g.clip(0, 1) for g in grounds], ("box",), dtype)


def look_at(t: int, frames: int, size: tuple[int, int]) -> np.ndarray:
    """Where the pixels of frame `t` lie on the wide ground of `pan`."""
    share = t / max(1, frames - 1)
    angle = 0.04 * share
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [1e-5 * t, 0, 1]])
    place = np.array([[1, 0, size[0] * (0.2 + 0.4 * share)], [0, 1, size[1] * (0.4 + 0.1 * share)], [0, 0, 1]])
    return place @ turn


def _with_objects(grounds: list[np.ndarray], names: Sequence[str], dtype: str) -> Toy:
    height, width = grounds[0].shape[:2]
    side = max(4, round(0.2 * height))
    pictures, masks, changed = [], {name: [] for name in names}, []
    paint = 0.15 + 0.7 * np.random.default_rng(7).random((len(names), side, side, 3), np.float32)
    for t, ground in enumerate(grounds):
        picture, touched = ground.copy(), np.zeros((height, width), bool)
        for k, name in enumerate(names):
            left, top = _place(t, k, len(grounds), (width, height), side)
            shadow = np.zeros((height, width), np.float32)
            shadow[top + side : top + side + side // 2, left : left + side] = 1
            shadow = cv2.GaussianBlur(shadow, (0, 0), max(0.6, side / 12))
            picture *= (1 - (1 - SHADE) * shadow)[..., None]
            mask = np.zeros((height, width), np.uint8)
            mask[top : top + side, left : left + side] = 255
            picture[top : top + side, left : left + side] = paint[k]
            masks[name].append(mask)
            touched |= (mask > 0) | (shadow > 0.004)
        pictures.append(picture)
        changed.append(touched)
    return Toy([stored(p, dtype) for p in pictures], masks, [stored(g, dtype) for g in grounds], changed)


def _place(t: int, k: int, frames: int, size: tuple[int, int], side: int) -> tuple[int, int]:
    """Left and top of object `k`: over the whole width in the clip's time, each on a row of its own."""
    share = t / max(1, frames - 1)
    left = round((size[0] - side) * (share if k % 2 == 0 else 1 - share))
    return left, round(size[1] * (0.15 + 0.4 * k))


def stored(levels: np.ndarray, dtype: str) -> np.ndarray:
    """Levels 0..1 as stored numbers."""
    return np.rint(levels * {"uint8": 255, "uint16": 65535}[dtype]).astype(dtype)


def save(toy: Toy, folder: Path, first: int = 0) -> tuple[Path, tuple[str, ...]]:
    """Write clip and masks as PNG runs; returns the clip's path and the values of `--mask`."""
    clip = write_images(folder / "clip", toy.frames, first=first)
    return clip, tuple(
        f"{name}={write_images(folder / f'mask_{name}', masks, first=first)}" for name, masks in toy.masks.items()
    )


def psnr(found: np.ndarray, wanted: np.ndarray) -> float:
    """Peak signal to noise ratio in dB of two pictures of one number type; 99 where they are the same."""
    white = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}[found.dtype.name]
    error = np.mean(np.square((found.astype(np.float64) - wanted.astype(np.float64)) / white))
    return float(min(99.0, -10 * np.log10(max(error, 1e-12))))
