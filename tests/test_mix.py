"""The mix: one global order for any number of workers, ranks that share it out, exact proportions, exact resume."""

import pickle
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pair_makers import ToySource, same, toy_pair, walker
from torch.utils.data import DataLoader

from lamina.errors import InputError
from lamina.synth.augment import AugmentConfig
from lamina.synth.mix import MixConfig, PairMix, paper_mix, stack_pairs
from lamina.synth.pair import DRAWS, Pair, PairSource
from lamina.synth.paste import PasteConfig, PasteSource

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),  # on small machines
]

SMALL = AugmentConfig(frames=4, height=8, width=12)
SOURCES = [(ToySource("real"), 0.5), (ToySource("rendered"), 0.48), (ToySource("pasted"), 0.02)]


def a_mix(**changes) -> PairMix:
    return PairMix(SOURCES, replace(MixConfig(seed=3, augment=SMALL, length=14), **changes))


def key(pair: Pair) -> tuple[str, int]:
    return pair.source, pair.seed


def alike(first: list[Pair], second: list[Pair]) -> bool:
    return len(first) == len(second) and all(map(same, first, second))


def loaded(mix: PairMix, workers: int) -> list[Pair]:
    return list(DataLoader(mix, batch_size=None, num_workers=workers, generator=torch.Generator()))


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_any_number_of_workers_gives_the_same_pairs(workers: int):
    assert alike(loaded(a_mix(), workers), list(a_mix()))


def test_any_number_of_workers_gives_the_same_batches():
    def batches(workers: int) -> list[dict]:
        three = {"batch_size": 3, "collate_fn": stack_pairs, "generator": torch.Generator()}
        return list(DataLoader(a_mix(batch=3), num_workers=workers, **three))

    alone, shared = batches(0), batches(2)
    assert [len(batch["seed"]) for batch in alone] == [3, 3, 3, 3, 2]
    for first, second in zip(alone, shared, strict=True):
        assert first["seed"] == second["seed"] and first["caption"] == second["caption"]
        assert all(torch.equal(first[part], second[part]) for part in ("input", "target", "trimask"))


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_share_the_order_out(ranks: int):
    whole = list(a_mix(length=ranks * 8))
    parts = [list(a_mix(length=8, rank=rank, ranks=ranks)) for rank in range(ranks)]
    assert alike([pair for step in zip(*parts, strict=True) for pair in step], whole)
    assert len({key(pair) for pair in whole}) == len(whole)


@dataclass(frozen=True)
class Always:
    """One pair for every seed."""

    name: str = "always"

    def pair(self, seed: int) -> Pair:
        return toy_pair(0, frames=9, size=(60, 40))


def test_chance_of_augmentation_is_of_seed_and_place():
    found = {
        pair.input.tobytes() for seed in (1, 2) for pair in PairMix(
            [(Always(), 1.0)], MixConfig(seed=seed, augment=SMALL, length=20)
        )
    }  # fmt: skip
    assert len(found) == 40


def test_seeds_differ():
    orders = [[a_mix(seed=seed).plan.at(place)[0] for place in range(100)] for seed in (3, 4)]
    assert orders[0] != orders[1]
    assert [key(pair) for pair in a_mix(seed=4)] != [key(pair) for pair in a_mix()]
    assert alike(list(a_mix()), list(a_mix()))


@pytest.mark.parametrize("taken", [0, 1, 5, 14])
def test_resume_is_exact(taken: int):
    whole = list(a_mix(length=24))
    state = pickle.loads(pickle.dumps(a_mix().state_dict(taken)))
    resumed = a_mix(length=24 - taken)
    resumed.load_state_dict(state)
    assert alike(list(resumed), whole[taken:])
    assert alike(loaded(resumed, 2), whole[taken:])
    again = a_mix(length=3)
    again.load_state_dict(resumed.state_dict(2))
    assert alike(list(again), whole[taken + 2 : taken + 5])


def test_resume_on_other_ranks():
    whole = list(a_mix(length=12))
    state = a_mix(rank=1, ranks=2).state_dict(3)
    parts = []
    for rank in range(3):
        part = a_mix(length=2, rank=rank, ranks=3)
        part.load_state_dict(state)
        parts.append(list(part))
    assert alike([pair for step in zip(*parts, strict=True) for pair in step], whole[6:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 4}, "got seed = 4, wanted seed = 3"),
        ({"weights": ["1"]}, 'got weights = ..1.., wanted weights = ."1/2", "12/25", "1/50".'),
        ({"place": "far"}, 'got place = "far", wanted place = "a whole number"'),
        ({"version": 0, "augment": None}, "got version = 0, augment = null, wanted version = 1, augment = {"),
    ],
)
def test_the_state_of_another_mix(change: dict, message: str):
    with pytest.raises(InputError, match=message):
        a_mix().load_state_dict(a_mix().state_dict(1) | change)


def test_a_state_before_the_start():
    with pytest.raises(ValueError, match="Expected taken >= 0, got -1"):
        a_mix().state_dict(-1)


def test_proportions_are_exact_in_every_block():
    plan = a_mix().plan
    for block in range(3):
        drawn = Counter(plan.at(100 * block + k)[0] for k in range(100))
        assert drawn == {0: 50, 1: 48, 2: 2}
    first, second = ([plan.at(100 * block + k)[0] for k in range(100)] for block in range(2))
    assert first != second


@given(weights=st.lists(st.floats(0.005, 1), min_size=1, max_size=5), blocks=st.integers(1, 20))
def test_every_draw_of_a_source_comes_once(weights: list[float], blocks: int):
    plan = PairMix([(ToySource(str(k)), weight) for k, weight in enumerate(weights)]).plan
    drawn = plan.drawn(blocks)
    assert sum(drawn) == blocks * plan.block
    for share, count in zip(plan.weights, drawn, strict=True):
        assert abs(count - share * blocks * plan.block) <= 1
    counts = [0] * len(weights)
    for place in range(2 * plan.block):
        which, draw = plan.at(place)
        assert draw == counts[which]
        counts[which] += 1


def test_draws_are_counted_from_zero_in_a_stream_of_the_source():
    seeds: dict[str, list[int]] = {}
    for pair in a_mix(length=60, augment=None):
        seeds.setdefault(pair.source, []).append(pair.seed)
    streams = set()
    for own in seeds.values():
        assert [seed % DRAWS for seed in own] == list(range(len(own)))
        streams |= {seed // DRAWS for seed in own}
    assert len(streams) == len(seeds)


def test_the_paper_s_weights():
    first, second, third = (ToySource(name) for name in "abc")
    assert paper_mix({"real": [first, second], "rendered": [third], "pasted": []}) == [
        (first, 0.25),
        (second, 0.25),
        (third, 0.48),
    ]
    assert a_mix().plan.weights == (Fraction(1, 2), Fraction(12, 25), Fraction(1, 50))


def test_without_augmentation_pairs_are_as_made():
    pair = next(iter(a_mix(augment=None)))
    assert same(pair, toy_pair(pair.seed, source=pair.source))


def test_it_is_endless_unless_said():
    pairs = iter(a_mix(length=None))
    assert len([next(pairs) for _ in range(20)]) == 20


def test_real_files_in_workers(tmp_path):
    clips = (walker(tmp_path, "one", 1), walker(tmp_path, "two", 2))
    config = PasteConfig(frames=4, short_px=40, area=(0.001, 0.9), least_motion=0.0)
    mix = PairMix([(PasteSource(clips, clips, config), 1.0)], MixConfig(augment=SMALL, length=4))
    assert isinstance(mix.sources[0], PairSource)
    assert alike(loaded(mix, 2), list(mix))
    assert alike(list(pickle.loads(pickle.dumps(mix))), list(mix))  # as workers get it where processes do not fork


@dataclass(frozen=True)
class Broken:
    name: str = "broken"

    def pair(self, seed: int) -> Pair:
        raise InputError("clip x", got="nothing", wanted="frames", do="Look.")


def test_what_a_source_says_is_passed_on():
    with pytest.raises(InputError, match="clip x: got nothing"):
        next(iter(PairMix([(Broken(), 1.0)])))


def test_batches_are_of_one_size():
    batch = stack_pairs([toy_pair(0), toy_pair(1)])
    assert batch["input"].shape == (2, 5, 16, 24, 3) and batch["trimask"].dtype == torch.uint8
    assert (batch["caption"], batch["seed"]) == (["toy 0", "toy 1"], [0, 1])
    assert np.array_equal(batch["target"][1], toy_pair(1).target)
    with pytest.raises(InputError, match="pairs of one batch: got 4x16x24 and 5x16x24, wanted one size"):
        stack_pairs([toy_pair(0), toy_pair(1, frames=4)])


@pytest.mark.parametrize("weights", [[], [1.0, 0.0], [1.0, -2.0], [float("nan")], [float("inf")], [1.0, 1e-9]])
def test_weights_that_make_no_sense(weights: list[float]):
    with pytest.raises(InputError, match="weights of a mix: got .*, wanted at least one source, every weight above 0"):
        PairMix([(ToySource(str(k)), weight) for k, weight in enumerate(weights)])


def test_a_name_twice():
    with pytest.raises(InputError, match="sources: got two of the name 'toy', wanted a name for each"):
        PairMix([(ToySource(), 1.0), (ToySource(), 1.0)])


@pytest.mark.parametrize("change", [{"rank": 1}, {"batch": 0}, {"seed": -1}, {"length": -1}])
def test_configurations_that_make_no_sense(change: dict):
    with pytest.raises(ValueError, match="Expected"):
        MixConfig(**change)
