"""The whole job where objects hide each other: who is in front frame by frame, and what is behind comes out whole."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from media_makers import write_images
from toy_scenes import psnr, stored, texture
from toy_solos import crossing
from toy_solos import save as save_crossing

import lamina
from lamina.alpha import lay_over
from lamina.levels import to_levels

SIZE = (128, 72)
FRAMES = 24
SOLID = {"propagate": 0.9, "casper-s": 0.8}
"""By engine: the least alpha of what a pole hides. Where a network has half painted it, it is half there."""


def behind_a_pole(folder: Path) -> dict:
    """A square walks behind a pole that stands in the picture from the first frame to the last."""
    ground, pole = texture(SIZE, seed=9), np.zeros(SIZE[::-1], bool)
    pole[4:68, 60:70] = True
    frames, walker = [], []
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    for t in range(FRAMES):
        left = 10 + 4 * t
        square = (x >= left) & (x < left + 20) & (y >= 26) & (y < 46)
        paint = np.float32([0.85, 0.75, 0.2]) * (0.85 + 0.15 * np.sin((x - left) / 1.5) * np.cos(y / 2))[..., None]
        picture = np.where(square[..., None], paint, ground)
        frames.append(stored(np.where(pole[..., None], np.float32([0.2, 0.25, 0.2]), picture), "uint8"))
        walker.append((square & ~pole).astype(np.uint8) * 255)
    masks = {"walker": walker, "pole": [pole.astype(np.uint8) * 255] * FRAMES}
    return {
        "input": write_images(folder / "clip", frames),
        "mask": tuple(f"{name}={write_images(folder / name, run)}" for name, run in masks.items()),
    }


def decomposed(out: Path, given: dict, engine: str) -> lamina.StackReader:
    config = lamina.DecomposeConfig(out=out, engine=engine, **given)  # type: ignore[arg-type]
    return lamina.open_stack(lamina.decompose(config))


@pytest.fixture(scope="module", params=SOLID)
def pole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> lamina.StackReader:
    folder = tmp_path_factory.mktemp("pole")
    return decomposed(folder / "out", behind_a_pole(folder), request.param)


def test_the_pole_is_in_front(pole: lamina.StackReader):
    assert [run.back_to_front for run in pole.manifest.order] == [("walker", "pole")]


@pytest.mark.parametrize("t", [9, 11, 13])
def test_the_walker_comes_out_whole_behind_the_pole(pole: lamina.StackReader, t: int):
    layer = next(pole.read_layer("walker", t, t + 1))
    left = 10 + 4 * t
    inside = to_levels(layer[30:42, left + 4 : left + 16])
    assert inside[..., 3].min() > SOLID[pole.manifest.engine]
    np.testing.assert_allclose(inside[..., 0].mean(), 0.85 * 0.85, atol=0.06)


def test_the_pole_is_whole_too(pole: lamina.StackReader):
    for t in (0, 12, 23):
        layer = next(pole.read_layer("pole", t, t + 1))
        assert to_levels(layer[8:64, 62:68, 3]).min() > 0.99


@pytest.mark.parametrize("engine", SOLID)
def test_objects_that_change_places_add_up_in_both_orders(engine: str, tmp_path: Path):
    toy = crossing(32)
    given = save_crossing(toy, tmp_path)
    stack = decomposed(tmp_path / "out", {"input": given["input"], "mask": given["mask"]}, engine)
    assert [run.back_to_front for run in stack.manifest.order] == [("far", "near"), ("near", "far")]
    for t in range(32):
        picture = to_levels(next(stack.read_plate(t, t + 1)))
        for name in stack.manifest.order_at(t):
            picture = lay_over(next(stack.read_layer(name, t, t + 1)), picture)
        assert psnr(picture.astype(np.float32), to_levels(toy.frames[t])) > 40, t
    for name, t in (("far", 8), ("near", 24)):  # at their meetings
        inside = cv2.erode(toy.silhouettes[name][t].astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        assert to_levels(next(stack.read_layer(name, t, t + 1))[..., 3])[inside].mean() > 0.9, name
