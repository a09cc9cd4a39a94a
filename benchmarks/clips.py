"""Clips made for measuring: textured background, moving objects with soft shadows, masks, of any size and length.

    python -m benchmarks.clips --width 416 --height 240 --frames 48 --objects 2 --camera moving --out FOLDER

The same specification gives the same files. One frame is in memory at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
import tyro

RATE = 25
MARGIN = 0.25
"""How much wider than the picture the background is on every side, in picture widths."""
PAN, PAN_FRAMES = 0.18, 240
"""A moving camera sways by this share of the picture's width, once in so many frames."""
HORIZON = 0.4
NEARER = 0.5
"""How much faster the ground at the lower edge moves than the wall, as a share: parallax."""
POSTS, POST_NEARER = 3, 0.8
NOISE_LEVELS = 1.5
SHADOW = 0.45
CROSSING_FRAMES = 120
"""Frames in which an object crosses the picture once."""


@dataclass(frozen=True)
class ClipSpec:
    """What a clip shows."""

    width: int = 416
    height: int = 240
    frames: int = 48
    objects: int = 1
    camera: Literal["tripod", "moving"] = "moving"
    """moving: pans with parallax and rolls a little."""

    @property
    def name(self) -> str:
        return f"{self.width}x{self.height}_{self.camera}_{self.objects}"


@dataclass(frozen=True)
class Made:
    """Where a clip and its masks lie."""

    input: Path
    masks: dict[str, Path]


def make_clip(spec: ClipSpec, folder: Path) -> Made:
    """Write `input.mp4` and one `mask_NN.mp4` per object, all H.264 4:2:0."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Made(folder / "input.mp4", {f"obj_{k:02d}": folder / f"mask_{k:02d}.mp4" for k in range(spec.objects)})
    movies = [_Movie(path, spec) for path in (made.input, *made.masks.values())]
    for picture, masks in pictures(spec):
        movies[0].add(picture)
        for movie, mask in zip(movies[1:], masks, strict=True):
            movie.add(cv2.merge([mask] * 3))
    for movie in movies:
        movie.close()
    return made


def pictures(spec: ClipSpec) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Frames `uint8 h w 3` and the objects' visible masks `uint8 h w`, farthest object first."""
    world, chance = _World(spec), np.random.default_rng(7)
    noise = chance.normal(0, NOISE_LEVELS, (spec.height + 64, spec.width + 64)).astype(np.float32)
    for frame in range(spec.frames):
        picture, masks = world.at(frame)
        top, left = chance.integers(0, 64, 2)
        picture = picture + noise[top : top + spec.height, left : left + spec.width, None]
        yield picture.round().clip(0, 255).astype(np.uint8), masks


class _World:
    """A wall, a ground that comes nearer downwards, posts in front of it, and objects that cross."""

    def __init__(self, spec: ClipSpec):
        self.spec = spec
        wide = round(spec.width * (1 + 4 * MARGIN)), round(spec.height * (1 + 2 * MARGIN))
        self.canvas = texture(wide, seed=1)
        self.skins = [texture((spec.height // 2, spec.height // 2), seed=10 + k) for k in range(spec.objects)]

    def at(self, frame: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """A frame, float32 0..255, and its masks."""
        picture = self._background(frame)
        masks: list[np.ndarray] = []
        for k in range(self.spec.objects):
            solid, shade = self._shape(k, frame)
            picture = picture * (1 - np.float32(SHADOW) * shade[..., None])
            picture += (self._skin(k, frame) - picture) * solid[..., None]
            here = (solid * 255).astype(np.uint8)
            masks = [np.minimum(mask, 255 - here) for mask in masks] + [here]
        return picture, masks

    @cached_property
    def _grid(self) -> tuple[np.ndarray, np.ndarray]:
        x, y = np.meshgrid(np.arange(self.spec.width, dtype=np.float32), np.arange(self.spec.height, dtype=np.float32))
        return x, y

    def _background(self, frame: int) -> np.ndarray:
        width, height = self.spec.width, self.spec.height
        (x, y), pan, roll = self._grid, *self._camera(frame)
        depth = 1 + NEARER * np.maximum(y / height - HORIZON, 0) / (1 - HORIZON)
        turned_x, turned_y = x - roll * (y - height / 2), y + roll * (x - width / 2)
        across = turned_x + pan * depth + 2 * MARGIN * width
        picture = cv2.remap(self.canvas, across, turned_y + MARGIN * height, cv2.INTER_LINEAR)
        for post in range(POSTS if pan else 0):
            left = width * (0.1 + 0.4 * post) - pan * (1 + POST_NEARER)
            inside = ((np.abs(turned_x - left) < width * 0.02) & (turned_y > height * 0.25)).astype(np.float32)
            near = cv2.remap(self.canvas, turned_x - left + width, turned_y * 0.7, cv2.INTER_LINEAR) * np.float32(0.7)
            picture += (near - picture) * cv2.GaussianBlur(inside, (0, 0), 0.7)[..., None]
        return picture

    def _camera(self, frame: int) -> tuple[float, float]:
        """Pan in pixels and roll in radians."""
        if self.spec.camera == "tripod":
            return 0.0, 0.0
        phase = 2 * np.pi * (frame + 0.5) / PAN_FRAMES
        return float(PAN * self.spec.width * np.sin(phase)), float(0.01 * np.sin(1.7 * phase))

    def _place(self, k: int, frame: int) -> tuple[float, float, float]:
        """Centre of an object's foot and its height, in pixels."""
        turn = (frame / CROSSING_FRAMES + 0.15 + 0.37 * k) % 2
        across = turn if turn < 1 else 2 - turn
        size = self.spec.height * (0.42 + 0.06 * k)
        return self.spec.width * (0.1 + 0.8 * across), self.spec.height * (0.78 + 0.08 * k), size

    def _shape(self, k: int, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Cover and shadow of an object, 0..1, `h w`."""
        x, y, size = self._place(k, frame)
        shape = self.spec.height, self.spec.width
        sway = 0.05 * np.sin(frame * 0.5 + k)
        solid, shade = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        _ellipse(solid, (x, y - 0.4 * size), (0.17 * size, 0.42 * size), 20 * sway)
        _ellipse(solid, (x + sway * size, y - 0.88 * size), (0.1 * size, 0.12 * size), 0)
        _ellipse(shade, (x + 0.45 * size, y - 0.02 * size), (0.55 * size, 0.1 * size), -4)
        soft = cv2.GaussianBlur(shade, (0, 0), 0.02 * size)
        return solid.astype(np.float32) / 255, soft.astype(np.float32) / 255

    def _skin(self, k: int, frame: int) -> np.ndarray:
        """An object's texture over the whole picture, moving with it."""
        x, y, size = self._place(k, frame)
        skin = self.skins[k]
        move = np.array([[1, 0, x - skin.shape[1] / 2], [0, 1, y - size * 0.5 - skin.shape[0] / 2]])
        color = np.float32([[60, 90, 200], [200, 110, 50], [70, 170, 80]][k % 3])
        moved = cv2.warpAffine(skin, move, (self.spec.width, self.spec.height), borderMode=cv2.BORDER_WRAP)
        return moved * np.float32(0.4) + color * np.float32(0.6)


def texture(size: tuple[int, int], seed: int) -> np.ndarray:
    """A picture with detail at every scale, float32 0..255, `h w 3`, of (width, height)."""
    chance = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0], 3), np.float32)
    cell_px = 2
    while cell_px < max(size) / 4:
        shape = size[1] // cell_px + 2, size[0] // cell_px + 2
        grid = chance.normal(0, 1, (*shape, 1)) + 0.4 * chance.normal(0, 1, (*shape, 3))
        total += cv2.resize(grid.astype(np.float32), size, interpolation=cv2.INTER_CUBIC) * np.float32(cell_px**0.3)
        cell_px *= 2
    return (128 + 40 * (total - total.mean()) / total.std()).clip(4, 251)


def _ellipse(image: np.ndarray, center: tuple[float, float], axes: tuple[float, float], degrees: float) -> None:
    """A filled ellipse with smooth edges and sub-pixel place."""
    points = [tuple(round(v * 16) for v in pair) for pair in (center, axes)]
    cv2.ellipse(image, *points, degrees, 0, 360, 255, -1, cv2.LINE_AA, 4)


class _Movie:
    """An H.264 file that takes one picture at a time; one thread, so that every machine writes the same bytes."""

    def __init__(self, path: Path, spec: ClipSpec):
        self._container = av.open(str(path), "w")
        options = {"crf": "18", "preset": "veryfast", "threads": "1"}
        self._stream = self._container.add_stream("libx264", rate=RATE, options=options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = spec.width, spec.height, "yuv420p"

    def add(self, picture: np.ndarray) -> None:
        for packet in self._stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")):
            self._container.mux(packet)

    def close(self) -> None:
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()


@dataclass(frozen=True)
class Options(ClipSpec):
    """Make one clip."""

    out: Path = Path("out/benchmark_clip")


if __name__ == "__main__":
    options = tyro.cli(Options)
    made = make_clip(options, options.out)
    print(made.input, *(f"--mask {name}={path}" for name, path in made.masks.items()))
