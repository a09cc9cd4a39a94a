"""Sprites as a source of pairs."""

import numpy as np
import pytest

from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.synth.pair import PairSource
from lamina.synth.scene import SpriteConfig
from lamina.synth.sprite_pairs import SpriteSource

SMALL = SpriteConfig(48, 32, 3, objects=(2, 3), degraded=0.0)


def test_a_seed_is_a_pair():
    source = SpriteSource(SMALL)
    first, again, other = source.pair(3), source.pair(3), source.pair(4)
    assert isinstance(source, PairSource) and first.input.shape == (3, 32, 48, 3)
    assert np.array_equal(first.input, again.input) and np.array_equal(first.trimask, again.trimask)
    assert not np.array_equal(first.input, other.input)


@pytest.mark.parametrize(("solo", "regions"), [(0.0, {REMOVE, UNKNOWN}), (1.0, {REMOVE, KEEP, UNKNOWN})])
def test_what_is_kept_is_in_the_target(solo: float, regions: set[int]):
    found, kept, removed = set(), [], []
    for seed in range(8):
        pair = SpriteSource(SMALL, solo).pair(seed)
        found |= set(np.unique(pair.trimask))
        change = np.abs(pair.input.astype(int) - pair.target).max(axis=-1)
        kept.append(change[pair.trimask == KEEP])
        removed.append(change[pair.trimask == REMOVE])
    assert found == regions
    assert np.median(np.concatenate(removed)) > 10
    assert not solo or np.median(np.concatenate(kept)) <= 2


def test_one_object_is_never_kept():
    one = SpriteSource(SpriteConfig(48, 32, 2, objects=(1, 1)), solo=1.0)
    assert all(KEEP not in one.pair(seed).trimask for seed in range(4))
