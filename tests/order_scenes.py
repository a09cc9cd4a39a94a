"""Toy clips of objects that hide each other, drawn with the true order known in every frame."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SIZE = (90, 160)
COLORS = ((200, 40, 40), (40, 160, 60), (50, 60, 210), (220, 200, 40))


@dataclass(frozen=True)
class Drawn:
    """A toy clip: visible masks, solos and plate as `order_per_frame` wants them, and the input frames."""

    masks: dict[str, list[np.ndarray]]
    solos: dict[str, list[np.ndarray]]
    plate: list[np.ndarray]
    frames: list[np.ndarray]

    def touching(self, a: str, b: str) -> list[bool]:
        """Whether the silhouettes lie within two pixels of each other, or one is hidden."""
        return [_near(x, y) for x, y in zip(self.masks[a], self.masks[b], strict=True)]


def draw(
    shapes: Mapping[str, Callable[[int], np.ndarray]], order: Callable[[int], Sequence[str]], frames: int
) -> Drawn:
    """shapes: per object its whole silhouette, `bool h w`, in a frame; order: names back to front in a frame."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    ground = np.stack([90 + rows // 2, 120 + columns // 4, np.full(SIZE, 140)], -1).astype(np.uint8)
    drawn = Drawn({name: [] for name in shapes}, {name: [] for name in shapes}, [ground] * frames, [])
    colors = dict(zip(sorted(shapes), COLORS, strict=False))
    for t in range(frames):
        picture, visible = ground.copy(), {name: shape(t) for name, shape in shapes.items()}
        for k, name in enumerate(order(t)):
            picture[visible[name]] = colors[name]
            drawn.solos[name].append(_solo(ground, visible[name], colors[name]))
            for farther in order(t)[:k]:
                visible[farther] = visible[farther] & ~shapes[name](t)
        for name, seen in visible.items():
            drawn.masks[name].append(seen.astype(np.uint8) * 255)
        drawn.frames.append(picture)
    return drawn


def disk(center: tuple[float, float], radius: float) -> np.ndarray:
    """Around x, y."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return (columns - center[0]) ** 2 + (rows - center[1]) ** 2 <= radius**2


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return (columns >= left) & (columns < right) & (rows >= top) & (rows < bottom)


def _solo(ground: np.ndarray, shape: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    picture = ground.copy()
    picture[shape] = color
    return picture


def _near(a: np.ndarray, b: np.ndarray) -> bool:
    if not (a.any() and b.any()):
        return True
    return bool((cv2.dilate(a, np.ones((5, 5), np.uint8)) & b).any())
