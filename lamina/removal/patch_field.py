"""For every patch at a hole, the known patch most like it, and the picture these propose together.

The randomised search of Barnes et al., "PatchMatch", 2009, done for all patches at once, and the voting of Wexler,
Shechtman and Irani, "Space-Time Completion of Video", 2007. Patches are compared by their cosine transforms.

Matrices hold whole numbers small enough that their products are exact. A linear algebra library adds up in an order
that depends on its threads, and a search would turn the least difference into another picture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int, Int32

REACH_PX = 3
SIDE_PX = 2 * REACH_PX + 1
"""Patches are squares of this side."""
LUMA_ORDER, CHROMA_ORDER = 4, 2
"""Patches are compared by their waves up to these sums of half periods across and down."""
WHITE = 255
"""Levels are compared in steps of this many to 1."""
BASIS_UNIT = 64
FAR = 0.5 * WHITE**2
"""Cost of copying from across the whole picture, in squared steps summed over a patch: nearby is more alike."""
EXHAUSTIVE = 3_000_000
"""Up to this many pairs of patches all are compared before the search at random."""
SWEEPS = 2
STEPS_PX = (4, 1)
"""How far a good match spreads in one sweep."""
BELIEF = 0.77
"""How much less a patch counts per pixel it lies deeper in the hole, where nothing known supports it."""
FAVOUR, FAVOUR_LAST = 3, 4
"""How strongly better matches are favoured in a vote (a power of their cost): strong enough not to blur."""
NOWHERE = np.iinfo(np.int32).min // 4


def whole_steps(rgb: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w 3"]:
    """Levels as whole numbers 0..255."""
    return np.rint(rgb.clip(0, 1) * WHITE)


def patches_of(rgb: Float32[np.ndarray, "h w c"]) -> Float32[np.ndarray, "h w c p p"]:
    """A view: the patch around every pixel, continued beyond the picture's border by mirroring."""
    padded = np.pad(rgb, ((REACH_PX, REACH_PX), (REACH_PX, REACH_PX), (0, 0)), mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, (SIDE_PX, SIDE_PX), axis=(0, 1))


def usable_centres(usable: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Centres of the patches that lie within `usable` and the picture."""
    kernel = np.ones((SIDE_PX, SIDE_PX), np.uint8)
    return cv2.erode(usable.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0


def nearness_cost(
    dx: Int[np.ndarray, "*s"], dy: Int[np.ndarray, "*s"], shape: tuple[int, int]
) -> Float32[np.ndarray, "*s"]:
    """What copying over this distance costs in a picture of this height and width."""
    return np.float32(FAR / (shape[0] ** 2 + shape[1] ** 2)) * (dx * dx + dy * dy).astype(np.float32)


@dataclass(frozen=True)
class Sources:
    """Every patch of a picture that may be copied."""

    rgb: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    number: np.ndarray
    """`h w`: which source is centred there, -1 for none."""
    features: np.ndarray

    @classmethod
    def of(cls, rgb: Float32[np.ndarray, "h w 3"], usable: Bool[np.ndarray, "h w"]) -> "Sources":
        """The patches of `rgb` that lie within `usable`; there must be one at least."""
        rows, columns = np.nonzero(usable_centres(usable))
        number = np.full(usable.shape, -1, np.int32)
        number[rows, columns] = np.arange(len(rows))
        patches = patches_of(whole_steps(rgb))
        return cls(rgb, rows, columns, number, _project(patches, rows, columns))

    def at(self, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Numbers of the sources at places that may lie outside the picture, -1 where none is."""
        return _look_up(self.number, columns, rows)


class PatchField:
    """The patches that touch a hole, each with the best source known so far."""

    def __init__(self, sources: Sources, hole: Bool[np.ndarray, "h w"], random: np.random.Generator):
        self._sources, self._random = sources, random
        self._shape = hole.shape
        self._rows, self._columns = np.nonzero(cv2.dilate(hole.astype(np.uint8), np.ones((SIDE_PX, SIDE_PX), np.uint8)))
        self._number = np.full(hole.shape, -1, np.int32)
        self._number[self._rows, self._columns] = np.arange(len(self._rows))
        depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        by_depth = np.array([BELIEF**i for i in range(int(depth.max()) + 2)], np.float32)
        self._belief = by_depth[np.rint(depth[self._rows, self._columns]).astype(int)]
        self._best = random.integers(0, len(sources.rows), len(self._rows)).astype(np.int32)

    def start_from(self, offsets: Int32[np.ndarray, "s v 2"]) -> None:
        """Take over the `offsets` of the picture at half the size, where they lead to sources."""
        at = offsets[self._rows // 2, self._columns // 2]
        found = self._sources.at(self._columns + 2 * at[:, 0], self._rows + 2 * at[:, 1])
        self._best = np.where(found >= 0, found, self._best)

    def search(self, current: Float32[np.ndarray, "h w 3"], thorough: bool) -> None:
        """Find better sources for the present filling; `thorough` compares all where they are few."""
        self._features = _project(patches_of(whole_steps(current)), self._rows, self._columns)
        self._cost = self._cost_of(np.arange(len(self._rows)), self._best)
        if thorough and len(self._rows) * len(self._sources.rows) <= EXHAUSTIVE:
            self._search_all()
        for _ in range(SWEEPS):
            for step in STEPS_PX:
                for dx, dy in ((step, 0), (-step, 0), (0, step), (0, -step)):
                    self._spread(dx, dy)
            self._search_around()

    def vote(
        self, values: Float32[np.ndarray, "h w c"], where: Bool[np.ndarray, "h w"], last: bool
    ) -> Float32[np.ndarray, "h w c"]:
        """Every patch proposes its source's `values`; good and well-founded patches count more. Zero outside `where`.

        The `last` vote leans towards the middle of patches, which keeps detail sharp.
        """
        typical = np.float32(0.1 * np.median(self._cost) + 0.01)
        favour = 1 / (1 + self._cost / typical)
        trust = self._belief * math.prod([favour] * (FAVOUR_LAST if last else FAVOUR))
        rows, columns = np.nonzero(where)
        total = np.zeros((len(rows), values.shape[-1]), np.float32)
        weights = np.full((len(rows), 1), 1e-30, np.float32)
        for dy in range(-REACH_PX, REACH_PX + 1):
            for dx in range(-REACH_PX, REACH_PX + 1):
                voter = _look_up(self._number, columns + dx, rows + dy)
                source = self._best[voter]
                weight = np.where(voter >= 0, trust[voter], 0)[:, None]
                if last:
                    weight = weight * np.float32(np.exp(-(dx * dx + dy * dy) / 4))
                total += values[self._sources.rows[source] - dy, self._sources.columns[source] - dx] * weight
                weights += weight
        voted = np.zeros_like(values)
        voted[rows, columns] = total / weights
        return voted

    def offsets(self) -> Int32[np.ndarray, "h w 2"]:
        """From each patch's centre to its source, columns and rows; far outside the picture where no patch is."""
        found = np.full((*self._shape, 2), NOWHERE, np.int32)
        found[self._rows, self._columns, 0] = self._sources.columns[self._best] - self._columns
        found[self._rows, self._columns, 1] = self._sources.rows[self._best] - self._rows
        return found

    def _cost_of(self, which: np.ndarray, source: np.ndarray) -> np.ndarray:
        difference = self._features[which] - self._sources.features[source]
        dx = self._sources.columns[source] - self._columns[which]
        dy = self._sources.rows[source] - self._rows[which]
        return np.einsum("ij,ij->i", difference, difference) + nearness_cost(dx, dy, self._shape)

    def _consider(self, candidates: np.ndarray) -> None:
        """Keep each patch's candidate (a source's number, -1 for none) where it is better."""
        which = np.nonzero((candidates >= 0) & (candidates != self._best))[0]
        cost = self._cost_of(which, candidates[which])
        better = cost < self._cost[which]
        which = which[better]
        self._best[which] = candidates[which]
        self._cost[which] = cost[better]

    def _spread(self, dx: int, dy: int) -> None:
        """What is right for a neighbour is, shifted, perhaps right here."""
        neighbour = _look_up(self._number, self._columns + dx, self._rows + dy)
        source = self._best[neighbour]
        found = self._sources.at(self._sources.columns[source] - dx, self._sources.rows[source] - dy)
        self._consider(np.where(neighbour >= 0, found, -1))

    def _search_around(self) -> None:
        """Try places around the best so far, first anywhere, then nearer and nearer."""
        radius = max(self._shape)
        while radius >= 1:
            jump = np.rint(self._random.uniform(-radius, radius, (2, len(self._rows)))).astype(np.int32)
            x, y = self._sources.columns[self._best] + jump[0], self._sources.rows[self._best] + jump[1]
            self._consider(self._sources.at(x, y))
            radius //= 2

    def _search_all(self) -> None:
        features = self._sources.features.astype(np.float64)
        length = (features * features).sum(1)
        parts = chunks(self._features.astype(np.float64), 512)
        self._consider(np.concatenate([(length - 2 * part @ features.T).argmin(1) for part in parts]).astype(np.int32))


def chunks(values: np.ndarray, length: int) -> Sequence[np.ndarray]:
    """Consecutive parts, so that what is computed from them stays small."""
    return [values[i : i + length] for i in range(0, len(values), length)]


def _make_basis() -> np.ndarray:
    """Colour differences times cosine waves, orthonormal up to rounding, in units of 1 / BASIS_UNIT: `147 k`."""
    half_periods = np.arange(SIDE_PX)
    waves = np.cos(np.pi * (half_periods[:, None] + 0.5) * half_periods / SIDE_PX) * np.sqrt(2 / SIDE_PX)
    waves[:, 0] /= np.sqrt(2)
    colors = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
    orders = (LUMA_ORDER, CHROMA_ORDER, CHROMA_ORDER)
    parts = [
        np.einsum("c,y,x->cyx", color, waves[:, v], waves[:, u]).ravel()
        for color, order in zip(colors, orders, strict=True)
        for v in range(order + 1)
        for u in range(order + 1 - v)
    ]
    return np.rint(np.stack(parts, -1) * BASIS_UNIT).astype(np.float32)


BASIS = _make_basis()


def _project(patches: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    places = zip(chunks(rows, 4096), chunks(columns, 4096), strict=True)
    parts = [patches[r, c].reshape(len(r), -1) @ BASIS for r, c in places]
    return np.rint(np.concatenate(parts) / BASIS_UNIT)


def _look_up(numbers: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    height, width = numbers.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return np.where(inside, numbers[rows.clip(0, height - 1), columns.clip(0, width - 1)], -1)
