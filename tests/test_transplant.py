"""Layers hold objects and shadows, not the ground: laid over another ground, they give that one's picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from media_makers import write_images

from benchmarks.transplant import BAR, RIM_PX, SCENES, Truth, lay, psnr_by_region, read_layers, read_truth, regions
from lamina import LayersConfig, layers_from_solos

FRAMES = slice(11, 14)
"""Around the middle, where shadows overlap and objects cross."""
CASES = [
    ("sun", "brick", "carpet"),
    ("sun", "carpet", "brick"),
    ("window", "brick", "carpet"),
    ("window", "carpet", "brick"),
]
ENOUGH_DB = BAR["effect"]["min"]


@dataclass(frozen=True)
class Case:
    """The scene that layers are taken from, and the one they are laid over."""

    source: Truth
    target: Truth


@pytest.fixture(scope="module", params=CASES, ids=lambda names: "-".join(names))
def case(request: pytest.FixtureRequest) -> Case:
    scene, source, target = request.param
    return Case(*(cut(read_truth(SCENES / scene / ground)) for ground in (source, target)))


def cut(truth: Truth) -> Truth:
    return Truth(truth.picture[FRAMES], truth.ground[FRAMES], truth.masks[:, FRAMES], truth.solos[:, FRAMES])


def solved(truth: Truth, folder: Path) -> list[np.ndarray]:
    """Layers from the true plate and solos, as `lamina layers` makes them."""
    clip, plate = write_images(folder / "clip", truth.picture), write_images(folder / "plate", truth.ground)
    masks = tuple(f"part{k}={write_images(folder / f'mask{k}', mask)}" for k, mask in enumerate(truth.masks))
    solos = tuple(f"part{k}={write_images(folder / f'solo{k}', solo)}" for k, solo in enumerate(truth.solos))
    config = LayersConfig(input=clip, out=folder / "out", plate=plate, mask=masks, solo=solos)
    return read_layers(layers_from_solos(config))


def test_grounds_differ_and_objects_do_not(case: Case):
    assert np.abs(case.source.masks.astype(int) - case.target.masks).max() <= 8
    inside = np.abs(case.source.picture.astype(int) - case.target.picture)[(case.source.masks == 255).any(0)]
    outside = np.abs(case.source.ground.astype(int) - case.target.ground)[regions(case.source)["effect"]]
    assert inside.mean() < 3 and outside.mean() > 25


def test_layers_fit_the_other_ground(case: Case, tmp_path: Path):
    found = psnr_by_region(lay(solved(case.source, tmp_path), case.target.ground), case.target)
    assert found["effect"] >= ENOUGH_DB
    assert found["objects"] >= ENOUGH_DB - 2  # with the edges, whose every mixed pixel is in here


def test_a_layer_that_holds_the_ground_does_not(case: Case):
    """Opaque cut-outs of the picture, shadows and all: perfect where they were taken, useless anywhere else."""
    truth = case.source
    changed = regions(truth)["effect"] | (truth.masks.max(0) > 0)
    cut_out = np.concatenate([truth.picture, np.where(changed, 255, 0)[..., None].astype(np.uint8)], -1)
    assert psnr_by_region(lay([cut_out], truth.ground), truth)["effect"] == 99
    assert psnr_by_region(lay([cut_out], case.target.ground), case.target)["effect"] < ENOUGH_DB - 5


def test_a_layer_without_shadow_does_not(case: Case):
    bare = np.concatenate([case.target.picture, case.target.masks.max(0)[..., None]], -1)
    assert psnr_by_region(lay([bare], case.target.ground), case.target)["effect"] < ENOUGH_DB - 5


def test_regions_are_what_they_say():
    ground = np.full((1, 24, 24, 3), 120, np.uint8)
    picture, mask = ground.copy(), np.zeros((1, 1, 24, 24), np.uint8)
    mask[..., 4:8, 4:8] = 255
    picture[:, 4:8, 4:16] = 60
    found = regions(Truth(picture, ground, mask, picture[None]))
    assert found["objects"].sum() == 16 and found["effect"].sum() == 32
    assert found["rim"].sum() == 4 * RIM_PX and found["shadow"].sum() == 32 - 4 * RIM_PX
    assert found["rest"].sum() == 24 * 24 - 48 and found["all"].all()
