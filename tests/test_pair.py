"""The unit of training: what it accepts, and what is said when it is not right."""

from dataclasses import replace

import jaxtyping
import numpy as np
import pytest
from pair_makers import ToySource, known_pair, toy_pair

from lamina.synth.pair import LARGEST_SEED, PairSource, chance


@pytest.fixture
def without_shape_checks():
    """As users run it: only in tests does jaxtyping look at shapes first."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def test_a_pair_says_what_it_is():
    assert repr(toy_pair(7)) == "Pair('toy', seed=7, t=5 h=16 w=24, caption='toy 7')"
    assert isinstance(ToySource(), PairSource)


KNOWN = {"known": np.zeros((5, 16, 24, 3), np.uint8)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": np.zeros((5, 16, 24), np.uint8)}, r"Pair 3 of 'toy': input must be 't h w 3' .*got \(5, 16, 24\)"),
        ({"input": np.zeros((5, 16, 24, 4), np.uint8)}, r"input must be 't h w 3' .*got \(5, 16, 24, 4\)"),
        ({"target": np.zeros((0, 16, 24, 3), np.uint8)}, "target must be 't h w 3' with at least one pixel"),
        ({"target": np.zeros((5, 16, 24, 3), np.float32)}, "target must be uint8, got float32"),
        ({"trimask": np.zeros((5, 16, 24, 1), np.uint8)}, "trimask must be 't h w'"),
        ({"target": np.zeros((4, 16, 24, 3), np.uint8)}, r"got input \(5, 16, 24\), target \(4, 16, 24\), trimask"),
        ({"trimask": np.full((5, 16, 24), 255, np.uint8)}, "trimask holds the value 255; its values are KEEP 0"),
        ({"seed": -1}, "Pair -1 of 'toy': a seed is within"),
        ({"seed": LARGEST_SEED + 1}, "a seed is within"),
        ({"source": ""}, "source must have a name"),
        ({"known": np.zeros((5, 16, 24, 3), np.uint8)}, "known and sure belong together, got one of them"),
        ({"sure": np.zeros((5, 16, 24), np.uint8)}, "known and sure belong together, got one of them"),
        ({"sure": np.zeros((5, 16, 24, 3), np.uint8)} | KNOWN, "sure must be 't h w' with at least one pixel"),
        ({"sure": np.zeros((5, 16, 20), np.uint8)} | KNOWN, r"clips of one size wanted.*sure \(5, 16, 20\)"),
    ],
)
def test_what_is_wrong_with_a_pair(without_shape_checks, change: dict, message: str):
    with pytest.raises(ValueError, match=message):
        replace(toy_pair(3), **change)


def test_its_clips_by_name():
    assert [*toy_pair().parts] == ["input", "target", "trimask"]
    assert [*known_pair().parts] == ["input", "target", "trimask", "known", "sure"]


def test_chance_is_of_source_and_seed():
    draws = {chance(name, seed).integers(2**60) for name in ("a", "b") for seed in (0, 1, LARGEST_SEED)}
    assert len(draws) == 6
    assert chance("a", 1).integers(2**60) in draws
