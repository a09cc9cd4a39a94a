"""Pairs made to one size and length, and varied: crops, flips, time reflected, KEEP forgotten, colours graded.

Generative Omnimatte (Lee et al., CVPR 2025): random crops, horizontal and temporal flips, clips that are too short
padded by reflection in time, labels of kept objects randomly turned to unknown. Whatever is done to the input is done
to the answer and the trimask.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import UInt8

from lamina.errors import InputError
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.synth.pair import Pair
from lamina.synth.regions import by_majority

GAIN_LEAST, TINT_LEAST = 0.6, 0.8
GAMMA_MOST = 0.35
"""The logarithm of the strongest gamma, up or down."""


@dataclass(frozen=True)
class AugmentConfig:
    """One size for all pairs, and how often they are varied."""

    frames: int = 80
    height: int = 128
    width: int = 224
    flip: float = 0.5
    """How often left and right change places."""
    reverse: float = 0.5
    """How often time runs backwards."""
    forget_keep: float = 0.5
    """How often KEEP becomes UNKNOWN, in all of a pair that has it."""
    grade: float = 0.0
    """How often the colours are graded."""

    def __post_init__(self):
        if min(self.frames, self.height, self.width) < 1:
            raise ValueError(f"Expected frames, height and width of at least 1: {self}.")
        if not all(0 <= share <= 1 for share in (self.flip, self.reverse, self.forget_keep, self.grade)):
            raise ValueError(f"Expected flip, reverse, forget_keep and grade within 0..1: {self}.")


@dataclass(frozen=True)
class Crop:
    """A part of a picture, in whole pixels."""

    x: int
    y: int
    width: int
    height: int

    def of(self, pictures: np.ndarray) -> np.ndarray:
        """The part of `t h w ...`, a view."""
        return pictures[:, self.y : self.y + self.height, self.x : self.x + self.width]


def augment(pair: Pair, config: AugmentConfig, rng: np.random.Generator) -> Pair:
    """The pair cut to the size and length asked for and varied at random; all that is random comes from `rng`.

    The crop is of random size, at least that asked for, and is shrunk. A random pixel of what is to be removed, as far
    as the pair has any, is in it and in the frames that are taken of a longer clip, mostly not at their very end.

    Raises:
        InputError: the pair's picture is smaller than the size asked for: nothing is enlarged.
    """
    flip, reverse, forget = rng.random(3) < (config.flip, config.reverse, config.forget_keep)
    t, y, x = _something_to_remove(pair, rng)
    pair = take_frames(pair, _first_frame(len(pair.input), config.frames, t, rng), config.frames)
    pair = take_crop(pair, _draw_crop(pair, config, (y, x), rng), (config.width, config.height))
    pair = flipped(pair) if flip else pair
    pair = reflected(reversed_in_time(pair) if reverse else pair, config.frames)
    pair = forgetful(pair) if forget else pair
    # A pair that is never graded draws no number for it: what was drawn before there were grades stays as it was.
    return graded(pair, Grade.draw(rng)) if config.grade and rng.random() < config.grade else pair


@dataclass(frozen=True)
class Grade:
    """Another exposure and white balance for a whole pair, darker rather than lighter so that nothing is cut off."""

    gains: tuple[float, float, float]
    """Of red, green and blue, at most 1."""
    gamma: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Grade":
        tints = rng.uniform(TINT_LEAST, 1, 3)
        red, green, blue = (rng.uniform(GAIN_LEAST, 1) * tints / tints.max()).tolist()
        return cls((red, green, blue), float(np.exp(rng.uniform(-GAMMA_MOST, GAMMA_MOST))))

    def table(self) -> UInt8[np.ndarray, "1 256 3"]:
        """What each level becomes, channel by channel."""
        levels = np.linspace(0, 1, 256)[:, None] ** self.gamma * self.gains
        return np.rint(levels * 255).astype(np.uint8)[None]


def graded(pair: Pair, grade: Grade) -> Pair:
    """Input, answer and what is known of it in the same other light: a shadow stays a shadow of it."""
    pictures = ("input", "target") if pair.known is None else ("input", "target", "known")
    table = grade.table()
    return replace(pair, **{name: np.stack([cv2.LUT(one, table) for one in pair.parts[name]]) for name in pictures})


def flipped(pair: Pair) -> Pair:
    """Left and right changed."""
    return replace(pair, **{name: np.ascontiguousarray(part[:, :, ::-1]) for name, part in pair.parts.items()})


def reversed_in_time(pair: Pair) -> Pair:
    """The last frame first."""
    return take_order(pair, np.arange(len(pair.input))[::-1])


def reflected(pair: Pair, frames: int) -> Pair:
    """A pair of `frames` frames: a shorter one runs back and forth, its last and first frame shown twice in a turn.

    So the published code pads clips for the network.
    """
    count = len(pair.input)
    return take_order(pair, reflection(count, frames)) if frames > count else pair


def reflection(count: int, frames: int) -> np.ndarray:
    """Numbers of the frames of a clip of `count` frames that runs back and forth.

    >>> reflection(3, 8).tolist()
    [0, 1, 2, 2, 1, 0, 0, 1]
    """
    place = np.arange(frames) % (2 * count)
    return np.minimum(place, 2 * count - 1 - place)


def forgetful(pair: Pair) -> Pair:
    """KEEP becomes UNKNOWN: what is to stay has to be seen from the picture alone."""
    return replace(pair, trimask=np.where(pair.trimask == KEEP, np.uint8(UNKNOWN), pair.trimask))


def take_frames(pair: Pair, start: int, count: int) -> Pair:
    """Frames from `start` on, at most `count`."""
    return take_order(pair, np.arange(len(pair.input))[start : start + count])


def take_order(pair: Pair, order: np.ndarray) -> Pair:
    """The frames of these numbers."""
    return replace(pair, **{name: part[order] for name, part in pair.parts.items()})


def take_crop(pair: Pair, crop: Crop, size: tuple[int, int]) -> Pair:
    """A part of the picture, shrunk to `size` (width, height) by averaging, the trimask by majority.

    What is known is sure where all that is averaged was.
    """
    smaller = {name: _shrunk(crop.of(part), size) for name, part in pair.parts.items() if name != "trimask"}
    if pair.sure is not None:
        smaller["sure"] = np.where(smaller["sure"] == 255, np.uint8(255), np.uint8(0))
    smaller["trimask"] = by_majority(crop.of(pair.trimask), lambda region: _shrunk(region, size))
    return replace(pair, **smaller)


def _shrunk(pictures: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if pictures.shape[2:0:-1] == size:
        return np.ascontiguousarray(pictures)
    return np.stack([cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures])


def _something_to_remove(pair: Pair, rng: np.random.Generator) -> tuple[int, int, int]:
    """Frame, row and column of a random pixel that is to be removed, or of any pixel where nothing is."""
    frames = np.flatnonzero((pair.trimask == REMOVE).any((1, 2)))
    t = int(rng.choice(frames)) if len(frames) else int(rng.integers(len(pair.trimask)))
    pixels = np.flatnonzero(pair.trimask[t] == REMOVE)
    pixel = int(rng.choice(pixels)) if len(pixels) else int(rng.integers(pair.trimask[t].size))
    y, x = divmod(pixel, pair.trimask.shape[2])
    return t, y, x


def _first_frame(count: int, frames: int, shown: int, rng: np.random.Generator) -> int:
    """Where `frames` frames begin that have frame `shown` among them."""
    return _start(count, min(count, frames), shown, rng)


def _draw_crop(pair: Pair, config: AugmentConfig, shown: tuple[int, int], rng: np.random.Generator) -> Crop:
    """A random part of the shape asked for that has pixel `shown` (row, column) in it."""
    height, width = pair.trimask.shape[1:]
    largest = min(width / config.width, height / config.height)
    if largest < 1:
        raise InputError(
            f"pair {pair.seed} of {pair.source!r}",
            got=f"{width}x{height} pixels",
            wanted=f"{config.width}x{config.height} or more, the size of the crop",
            do="Make the source's pairs larger, or ask for smaller crops.",
        )
    scale = np.exp(rng.uniform(0, np.log(largest)))
    size = min(width, round(config.width * scale)), min(height, round(config.height * scale))
    y, x = shown
    return Crop(_start(width, size[0], x, rng), _start(height, size[1], y, rng), *size)


def _start(room: int, size: int, inside: int, rng: np.random.Generator) -> int:
    """A random start of `size` places out of `room`: `inside` is among them and, where it can be, not at their end."""
    margin = size // 8
    first, last = np.clip([inside - size + 1 + margin, inside - margin], 0, room - size)
    return int(rng.integers(first, last + 1))
