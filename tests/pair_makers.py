"""Small clips with masks on disk, and sources of pairs made by hand."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from media_makers import write_images

from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.synth.masked_clip import MaskedClip
from lamina.synth.pair import Pair

SIZE = (64, 40)


def ground(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """`h w 3` uint8: soft random blobs of middle levels."""
    rng = np.random.default_rng(seed)
    small = rng.integers(60, 190, (5, 8, 3)).astype(np.uint8)
    return cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)


def walk(t: int, size: tuple[int, int] = SIZE, first: int = 4) -> np.ndarray:
    """Mask of an object 8x12 that comes in from the left and goes out at the right; out of view before `first`."""
    mask = np.zeros((size[1], size[0]), np.uint8)
    left = (t - first) * 4 - 4
    if t >= first:
        mask[14:26, max(0, left) : max(0, left + 8)] = 255
    return mask


def masked_clip(
    folder: Path, name: str, frames: list[np.ndarray], masks: list[list[np.ndarray]], caption: str = ""
) -> MaskedClip:
    """Frames and, per object, masks as PNG files."""
    video = write_images(folder / name / "frames", frames, "{:05d}.png")
    paths = tuple(write_images(folder / name / f"mask_{k:02}", own, "{:05d}.png") for k, own in enumerate(masks))
    return MaskedClip(name, video, paths, caption)


RED = (220, 30, 40)


def walker(folder: Path, name: str = "walker", seed: int = 0, colour: tuple[int, int, int] = RED) -> MaskedClip:
    """20 frames of an object over soft ground, in view from the start."""
    masks = [walk(t, first=-1) for t in range(20)]
    frames = [np.where(mask[..., None] > 0, np.uint8(colour), ground(seed)) for mask in masks]
    return masked_clip(folder, name, frames, [masks], f"a {name}")


def toy_pair(seed: int = 0, frames: int = 5, size: tuple[int, int] = (24, 16), source: str = "toy") -> Pair:
    """Random pictures; something to remove in every frame, something to keep beside it."""
    rng = np.random.default_rng([seed, frames])
    shape = (frames, size[1], size[0])
    trimask = np.full(shape, UNKNOWN, np.uint8)
    row, column = rng.integers(size[1] - 4), rng.integers(size[0] - 8)
    trimask[:, row : row + 4, column : column + 4] = REMOVE
    trimask[:, row : row + 4, column + 4 : column + 8] = KEEP
    pictures = rng.integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    return Pair(pictures[0], pictures[1], trimask, source, seed, f"toy {seed}")


def known_pair(seed: int = 0, frames: int = 5, size: tuple[int, int] = (24, 16)) -> Pair:
    """The same, and what other frames show of the answer: all but a box that wanders, where it is black."""
    pair = toy_pair(seed, frames, size)
    sure = np.full(pair.trimask.shape, 255, np.uint8)
    for t in range(frames):
        sure[t, 2 + t % 4 : 9, 3 : 12 + t % 5] = 0
    return replace(pair, known=np.where(sure[..., None] > 0, pair.target, np.uint8(0)), sure=sure)


@dataclass(frozen=True)
class ToySource:
    """Endless random pairs."""

    name: str = "toy"
    frames: int = 5
    size: tuple[int, int] = (24, 16)

    def pair(self, seed: int) -> Pair:
        return toy_pair(seed, self.frames, self.size, self.name)


def same(first: Pair, second: Pair) -> bool:
    """Every byte and every word alike."""
    if (first.source, first.seed, first.caption) != (second.source, second.seed, second.caption):
        return False
    return first.parts.keys() == second.parts.keys() and all(
        np.array_equal(part, second.parts[name]) for name, part in first.parts.items()
    )
