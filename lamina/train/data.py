"""A recipe's pairs as one endless stream, this process's share of it, and the fixed pairs of validation."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch
from torch.utils.data import DataLoader, IterableDataset

from lamina.errors import InputError, LaminaError
from lamina.synth.augment import AugmentConfig
from lamina.synth.mix import MixConfig, PairMix
from lamina.synth.pair import Pair, PairSource
from lamina.synth.scene import SpriteConfig
from lamina.synth.shards import ShardSource, read_index
from lamina.synth.sprite_pairs import SpriteSource
from lamina.train.recipe import DataConfig, Recipe, SourceConfig

SPRITE_SCALE = 1.25
"""Sprites are drawn so much larger than what is cut out of them."""


@dataclass(frozen=True)
class Share:
    """Which of the processes this is."""

    rank: int = 0
    ranks: int = 1


def open_mix(recipe: Recipe, folder: Path, share: Share = Share()) -> PairMix:
    """All pairs of a recipe; `folder` is what the command is given as `--data`.

    Raises:
        InputError: a source holds no pair, or processes cannot share the batch evenly.
        MediaError: there are no shards where a source has them.
    """
    if recipe.batch % (share.ranks * recipe.at_once):
        raise InputError(
            "recipe: batch",
            got=f"{recipe.batch}",
            wanted=f"a multiple of {share.ranks} processes times {recipe.at_once} at once",
            do="Change batch, at_once, or the number of processes.",
        )
    sources = [(_open_source(source, recipe.data, folder), source.weight) for source in recipe.data.used]
    return PairMix(sources, MixConfig(recipe.seed, _augment(recipe.data), share.rank, share.ranks))


def validation_pairs(recipe: Recipe, folder: Path) -> list[Pair]:
    """The same few pairs in every process and at every call.

    Raises what `open_mix` raises.
    """
    augment = replace(_augment(recipe.data), flip=0.0, reverse=0.0, forget_keep=0.0, grade=0.0)
    if recipe.validation.path is None:
        sources = [(_open_source(source, recipe.data, folder), source.weight) for source in recipe.data.used]
    else:
        shards = SourceConfig("validation", "omnimatte", "shards", 1.0, recipe.validation.path)
        sources = [(_open_source(shards, recipe.data, folder), 1.0)]
    # a seed that no training has: draws of endless sources are others than those that are trained on
    mix = PairMix(sources, MixConfig((recipe.seed + 2**62) % 2**63, augment))
    return list(islice(mix, recipe.validation.pairs))


def pairs_identity(recipe: Recipe, folder: Path) -> dict[str, str]:
    """Which pairs are trained on: of every source that lies on disk, a checksum over its pairs' own.

    Raises MediaError when there are no shards where a source has them.
    """
    on_disk = {source.name: folder / source.path for source in recipe.data.used if source.path is not None}
    return {name: _sum_of(entry.sha256 for entry in read_index(place).entries) for name, place in on_disk.items()}


def _sum_of(words: Iterable[str]) -> str:
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]


def stream(mix: PairMix, workers: int) -> Iterator[Pair]:
    """This process's pairs from where the mix stands, made ahead by so many processes.

    Raises MediaError when a pair cannot be read, InputError when it does not fit, whichever process found that out.
    """
    for made in DataLoader(_Carried(mix), batch_size=None, num_workers=workers, generator=torch.Generator()):
        if isinstance(made, LaminaError):
            raise made
        yield made


class _Carried(IterableDataset):
    """A mix whose errors come in the place of pairs: a loader hands on those that are raised as text alone."""

    def __init__(self, mix: PairMix):
        self.mix = mix

    def __iter__(self) -> Iterator[Pair | LaminaError]:
        try:
            yield from self.mix
        except LaminaError as error:
            yield error


def _augment(data: DataConfig) -> AugmentConfig:
    varied = data.flip, data.reverse, data.forget_keep, data.grade
    return AugmentConfig(data.frames, data.height, data.width, *varied)


def _open_source(source: SourceConfig, data: DataConfig, folder: Path) -> PairSource:
    return SOURCES[source.kind](source, data, folder)


def _shards(source: SourceConfig, data: DataConfig, folder: Path) -> PairSource:
    assert source.path is not None
    place = folder / source.path
    if not read_index(place).entries:
        raise InputError(f"shards {place}", got="no pairs", wanted="at least one", do="Make the shards first.")
    return ShardSource(place, source.name)


def _sprites(source: SourceConfig, data: DataConfig, folder: Path) -> PairSource:
    width, height = (round(SPRITE_SCALE * side) for side in (data.width, data.height))
    return SpriteSource(SpriteConfig(width, height, data.frames), name=source.name)


SOURCES = {"shards": _shards, "sprites": _sprites}
