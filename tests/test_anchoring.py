"""Pairs that say what other frames show: found by the engine itself, and told the network as at removal."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pair_makers import ToySource, same
from toy_scenes import Toy, save, walk

import lamina
from lamina.backbones.small import SMALL_SPEC
from lamina.layers.inputs import open_inputs
from lamina.layers.write import seen_of, write_drafts
from lamina.levels import from_levels
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.media.clip_info import FrameSource
from lamina.removal.casper_frames import read_rows
from lamina.removal.casper_job import casper_job
from lamina.removal.propagate import propagate
from lamina.removal.truth import Truth
from lamina.report import no_report
from lamina.synth.pair import Pair, PairSource
from lamina.train.anchoring import AnchoredSource, HeldClip, look_up, with_anchor

SIZE = (96, 64)


@pytest.fixture(scope="module")
def toy() -> Toy:
    return walk(20, SIZE, names=("box", "ball"))


def covered(toy: Toy, name: str) -> np.ndarray:
    return np.stack(toy.masks[name]) > 0


def pair_of(toy: Toy, kept: tuple[str, ...] = ()) -> Pair:
    """Toys are removed but for those to be kept; the answer is told for a plate only."""
    trimask = np.full((20, SIZE[1], SIZE[0]), UNKNOWN, np.uint8)
    for name in toy.masks:
        trimask[covered(toy, name)] = KEEP if name in kept else REMOVE
    return Pair(np.stack(toy.frames), np.stack(toy.truth), trimask, "toy", 3)


def test_what_is_sure_is_the_truth(toy: Toy):
    known, sure = look_up(np.stack(toy.frames), [covered(toy, "box") | covered(toy, "ball")])
    truth, gone = np.stack(toy.truth), np.stack(toy.changed)
    assert known.shape == truth.shape and sure.shape == (1, *truth.shape[:3]) and set(np.unique(sure)) == {0, 255}
    assert (sure[0][gone] == 255).mean() > 0.5
    inside = sure[0] == 255
    assert np.abs(known[inside].astype(int) - truth[inside]).mean() < 2


def test_it_is_what_the_engine_is_told(toy: Toy, tmp_path: Path):
    """Slow twin: the engine's own passes over files, and its own reading of what they found."""
    known, sure = look_up(np.stack(toy.frames), [covered(toy, name) for name in toy.masks])
    clip, masks = save(toy, tmp_path)
    config = lamina.DecomposeConfig(input=clip, mask=masks, out=tmp_path / "out", size=f"{SIZE[1]}x{SIZE[0]}")
    shot = open_inputs(config).shot(tmp_path / "work", 1)
    truth = Truth(write_drafts(shot, propagate, no_report), seen_of(shot))
    rows = list(read_rows(casper_job(shot, SMALL_SPEC, config), truth, range(20)))
    told = from_levels(np.stack([row.known for row in rows]), np.dtype(np.uint8))
    np.testing.assert_array_equal(known, told)
    assert sure.shape[0] == 3
    np.testing.assert_array_equal(sure == 255, np.stack([row.sure for row in rows], axis=1))


def test_a_pair_for_a_plate(toy: Toy):
    pair = pair_of(toy)
    found = with_anchor(pair)
    [sure] = look_up(pair.input, [pair.trimask == REMOVE])[1]
    assert (
        found.sure is not None
        and np.array_equal(found.sure, sure)
        and same(replace(found, known=None, sure=None), pair)
    )


def test_a_pair_for_a_solo(toy: Toy):
    """Where the object that stays may have changed the picture, nothing is sure."""
    pair = pair_of(toy, kept=("ball",))
    found = with_anchor(pair)
    sure = look_up(pair.input, [covered(toy, "box"), covered(toy, "ball")])[1]
    assert found.sure is not None and np.array_equal(found.sure, sure[2])
    assert not found.sure[covered(toy, "ball")].any() and found.sure[covered(toy, "box")].any()


def test_a_source_of_such_pairs():
    source = AnchoredSource(ToySource(frames=4, size=(48, 32)))
    assert isinstance(source, PairSource) and source.name == "toy"
    found = source.pair(2)
    assert same(replace(found, known=None, sure=None), source.source.pair(2)) and same(found, source.pair(2))


def test_pictures_in_memory_are_a_clip(toy: Toy):
    clip = HeldClip(np.stack(toy.frames))
    assert isinstance(clip, FrameSource) and (clip.info.frames, clip.info.height, clip.info.width) == (20, 64, 96)
    assert np.array_equal(np.stack(list(clip.read(3, 5))), np.stack(toy.frames[3:5]))
