"""The unit of training: what an effect remover sees, what it shall answer, and whoever can make such pairs."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from lamina.masks.trimask import Region

DRAWS = 2**32
"""A seed is `stream * DRAWS + draw`: draws of one stream count from 0. Small seeds are draws of stream 0."""
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, eq=False, repr=False)
class Pair:
    """A clip and the same clip without the objects marked REMOVE and without their shadows and reflections.

    Raises:
        ValueError: shapes, number types or trimask values are not as said; the message names the source and the seed.
    """

    input: UInt8[np.ndarray, "t h w 3"]
    """sRGB, red first."""
    target: UInt8[np.ndarray, "t h w 3"]
    """The plate, or a solo where the trimask has KEEP."""
    trimask: UInt8[np.ndarray, "t h w"]
    """`lamina.masks.trimask.Region` values."""
    source: str
    """Name of the source that made it."""
    seed: int
    """What the source made it from: the same source and seed give the same pair."""
    caption: str = ""
    """What the target shows, in words; "" is none."""
    known: UInt8[np.ndarray, "t h w 3"] | None = None
    """The target as far as other frames of the input show it, else anything; None where nobody has looked."""
    sure: UInt8[np.ndarray, "t h w"] | None = None
    """255 where `known` is truly seen, 0 elsewhere; there where `known` is."""

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """All of its clips by name."""
        parts = {name: getattr(self, name) for name in ("input", "target", "trimask", "known", "sure")}
        return {name: part for name, part in parts.items() if part is not None}

    def __post_init__(self):
        who = f"Pair {self.seed} of {self.source!r}"
        if not self.source:
            raise ValueError("Pair: source must have a name.")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ValueError(f"{who}: a seed is within 0..2**63-1.")
        _check_pixels(who, self)
        if (largest := int(self.trimask.max())) > max(Region):
            names = ", ".join(f"{region.name} {region.value}" for region in Region)
            raise ValueError(f"{who}: trimask holds the value {largest}; its values are {names}.")

    def __repr__(self) -> str:
        frames, height, width = self.trimask.shape
        return f"Pair({self.source!r}, seed={self.seed}, t={frames} h={height} w={width}, caption={self.caption!r})"


@runtime_checkable
class PairSource(Protocol):
    """Anything that makes pairs: a renderer, a maker from real clips, shards on disk."""

    @property
    def name(self) -> str:
        """Tells this source from the others of a mix."""
        ...

    def pair(self, seed: int) -> Pair:
        """The pair of a seed, 0..2**63-1; always the same for the same source, in every process.

        A source that holds a finite number n of pairs hands out each of them once in the draws 0..n-1 of a stream, once
        more in n..2n-1, and so on.
        """
        ...


def chance(source: str, seed: int) -> np.random.Generator:
    """The random numbers of one pair; two sources given one seed do not draw alike."""
    return np.random.default_rng([*source.encode(), seed])


SHAPES = {"input": "t h w 3", "target": "t h w 3", "trimask": "t h w", "known": "t h w 3", "sure": "t h w"}


def _check_pixels(who: str, pair: Pair) -> None:
    if (pair.known is None) != (pair.sure is None):
        raise ValueError(f"{who}: known and sure belong together, got one of them.")
    for name, pixels in pair.parts.items():
        shape = SHAPES[name]
        fits = pixels.ndim == len(shape.split()) and 0 not in pixels.shape
        if not fits or (pixels.ndim == 4 and pixels.shape[3] != 3):
            raise ValueError(f"{who}: {name} must be '{shape}' with at least one pixel, got {pixels.shape}.")
        if pixels.dtype != np.uint8:
            raise ValueError(f"{who}: {name} must be uint8, got {pixels.dtype}.")
    if len({part.shape[:3] for part in pair.parts.values()}) > 1:
        sizes = [f"{name} {part.shape[:3]}" for name, part in pair.parts.items()]
        raise ValueError(f"{who}: clips of one size wanted, got {', '.join(sizes)}.")
