"""One endless data set over all sources of pairs, the same for every number of workers, resumed exactly.

Pairs have places in one global order: 0, 1, 2, ... A place alone, with the seed, decides on source and pair; ranks and
workers only share the places out. Every block of places has its sources in exact proportion, in random order.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from lamina.errors import InputError
from lamina.synth.augment import AugmentConfig, augment
from lamina.synth.pair import DRAWS, Pair, PairSource

STATE_VERSION = 1
BLOCK = 100
"""Places in which sources have their exact proportions; more where a weight is below a hundredth."""

LEAST_WEIGHT = 1e-6

PAPER_WEIGHTS = {"real": 0.50, "rendered": 0.48, "pasted": 0.02}
"""Generative Omnimatte, section "Training data": Omnimatte and Tripod clips together, Kubric scenes, Object-Paste."""

Kind = Literal["real", "rendered", "pasted"]


@dataclass(frozen=True)
class MixConfig:
    """What is drawn, and this process's part of it."""

    seed: int = 0
    augment: AugmentConfig | None = AugmentConfig()
    """None hands pairs out as their sources make them."""
    rank: int = 0
    """Number of this process of `ranks` that train together; each gets pairs of its own."""
    ranks: int = 1
    batch: int = 1
    """Pairs the loader makes one batch of (its `batch_size`): workers take turns batch by batch."""
    length: int | None = None
    """Pairs of one pass over the mix, for this rank; None is without end. The next pass begins at the same place."""

    def __post_init__(self):
        if not (0 <= self.rank < self.ranks and self.batch >= 1 and 0 <= self.seed < 2**63):
            raise ValueError(f"Expected rank within 0..ranks-1, batch >= 1 and seed within 0..2**63-1: {self}.")
        if self.length is not None and self.length < 0:
            raise ValueError(f"Expected a length that is not negative, or None: {self}.")


def paper_mix(sources: Mapping[Kind, Sequence[PairSource]]) -> list[tuple[PairSource, float]]:
    """Sources with the paper's weights by kind, shared out evenly within a kind.

    "real" are omnimatte results and tripod clips, "rendered" synthetic scenes, "pasted" object paste. Weights are
    relative, so a kind without sources leaves the proportion of the others as it is.
    """
    return [
        (source, PAPER_WEIGHTS[kind] / len(of_kind)) for kind, of_kind in sources.items() for source in of_kind
    ]


class PairMix(IterableDataset):
    """Pairs of all sources in proportion to their weights.

    Hand it to a DataLoader with any number of workers, with `batch_size` equal to `config.batch` and
    `collate_fn=stack_pairs`, or with `batch_size=None` for single pairs.

    To resume: `state_dict(taken)` after `taken` pairs were trained on, later `load_state_dict` into a mix of the same
    sources and seed. What workers had prepared beyond that is prepared again. The number of ranks, of workers and the
    batch may be others then; all ranks must have taken equally many.

    Raises InputError when there is no source, two have one name, or a weight is not above 0.
    """

    def __init__(self, sources: Sequence[tuple[PairSource, float]], config: MixConfig = MixConfig()):
        self.sources = tuple(source for source, _ in sources)
        self.config = config
        self.plan = _Plan(config.seed, _names(self.sources), _exact([weight for _, weight in sources]))
        self.start = 0
        """The place in the global order that comes next, of all ranks together."""

    def __iter__(self) -> Iterator[Pair]:
        return (self.at(place) for place in self._places())

    def at(self, place: int) -> Pair:
        """The pair at a place of the global order; the same in every process."""
        which, draw = self.plan.at(place)
        source = self.sources[which]
        pair = source.pair(_number(self.config.seed, source.name, 31) * DRAWS + draw)
        if self.config.augment is None:
            return pair
        return augment(pair, self.config.augment, np.random.default_rng([self.config.seed, place]))

    def state_dict(self, taken: int) -> dict[str, Any]:
        """Where training stands after this rank took `taken` pairs since it began or was last resumed; JSON values."""
        if taken < 0:
            raise ValueError(f"Expected taken >= 0, got {taken}.")
        return {"version": STATE_VERSION, "place": self.start + taken * self.config.ranks, **self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on after the last pair that `state` counts. Raises InputError when it is of another mix."""
        wanted = {"version": STATE_VERSION, **self._identity()}
        differing = [key for key in wanted if state.get(key) != wanted[key]]
        if differing or not isinstance(state.get("place"), int):
            keys = differing or ["place"]
            raise InputError(
                "state of a mix",
                got=", ".join(f"{key} = {json.dumps(state.get(key))}" for key in keys),
                wanted=", ".join(f"{key} = {json.dumps(wanted.get(key, 'a whole number'))}" for key in keys),
                do="Resume with the sources, weights, seed and augmentation it was saved with.",
            )
        self.start = state["place"]

    def _identity(self) -> dict[str, Any]:
        return {
            "seed": self.config.seed,
            "sources": list(self.plan.names),
            "weights": [str(weight) for weight in self.plan.weights],
            "augment": self.config.augment and asdict(self.config.augment),
        }

    def _places(self) -> Iterator[int]:
        """This worker's places: its batches of this rank's places."""
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        if worker:
            cv2.setNumThreads(0)  # OpenCV's threads do not survive the fork that made this process
        own = 0
        while self.config.length is None or own < self.config.length:
            if own // self.config.batch % workers == number:
                yield self.start + own * self.config.ranks + self.config.rank
            own += 1


@dataclass(frozen=True)
class _Plan:
    """Which source is drawn at a place, for the how-manieth time."""

    seed: int
    names: tuple[str, ...]
    weights: tuple[Fraction, ...]

    @property
    def block(self) -> int:
        return max(BLOCK, *(ceil(1 / weight) for weight in self.weights))

    def at(self, place: int) -> tuple[int, int]:
        """Number of the source, and how often it was drawn before."""
        number, within = divmod(place, self.block)
        order, before = _draws_of_block(self, number)
        which = int(order[within])
        return which, before[which] + int(np.count_nonzero(order[:within] == which))

    def drawn(self, blocks: int) -> list[int]:
        """How often each source is drawn in the first so many blocks: off by one at most from its weight."""
        ends, total = [], Fraction(0)
        for weight in self.weights:
            total += weight
            ends.append(int(total * blocks * self.block + Fraction(1, 2)))
        return [end - start for start, end in zip([0, *ends], ends, strict=False)]


@lru_cache(maxsize=256)
def _draws_of_block(plan: _Plan, number: int) -> tuple[np.ndarray, list[int]]:
    before, after = plan.drawn(number), plan.drawn(number + 1)
    order = np.repeat(np.arange(len(before)), np.subtract(after, before))
    return np.random.default_rng([plan.seed, number]).permutation(order), before


def stack_pairs(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Pairs of one size as a batch: "input" and "target" `b t h w 3`, "trimask" `b t h w`, uint8; lists of the rest.

    Raises InputError when their sizes differ.
    """
    shapes = sorted({pair.trimask.shape for pair in pairs})
    if len(shapes) != 1:
        got = " and ".join("x".join(map(str, shape)) for shape in shapes[:2]) or "nothing"
        do = "Let the mix augment them to one size, or use batches of one."
        raise InputError("pairs of one batch", got=got, wanted="one size (frames x height x width)", do=do)
    batch = {part: np.stack([getattr(pair, part) for pair in pairs]) for part in ("input", "target", "trimask")}
    tensors = {part: torch.from_numpy(pixels) for part, pixels in batch.items()}
    return tensors | {name: [getattr(pair, name) for pair in pairs] for name in ("caption", "source", "seed")}


def _names(sources: Sequence[PairSource]) -> tuple[str, ...]:
    names = tuple(source.name for source in sources)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        do = "Name them, for instance PasteSource(..., name='paste_street')."
        raise InputError("sources", got=f"two of the name {twice[0]!r}", wanted="a name for each", do=do)
    return names


def _exact(weights: Sequence[float]) -> tuple[Fraction, ...]:
    """Shares of the whole."""
    total = sum(weights)
    if not weights or not all(LEAST_WEIGHT * total <= weight < float("inf") for weight in weights) or total <= 0:
        raise InputError(
            "weights of a mix",
            got=", ".join(f"{weight:g}" for weight in weights) or "no source",
            wanted="at least one source, every weight above 0 and no less than a millionth of all",
            do="Leave out what is not to be drawn.",
        )
    exact = [Fraction(str(weight)) for weight in weights]
    return tuple(weight / sum(exact) for weight in exact)


def _number(seed: int, name: str, bits: int) -> int:
    """A whole number of so many bits that differs from seed to seed and name to name."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - bits)
