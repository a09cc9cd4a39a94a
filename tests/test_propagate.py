"""The engine on toy clips whose plate is known."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from media_makers import write_images
from toy_scenes import Toy, pan, psnr, save, walk

from lamina.media.mask_source import open_mask
from lamina.media.source import open_source
from lamina.removal.plates import PlateWindow
from lamina.removal.propagate import propagate
from lamina.removal.scene import windows
from lamina.removal.shot import Shot
from lamina.report import no_report

TOYS = {"tripod": lambda: walk(20, (96, 72)), "pan": lambda: pan(20, (128, 96))}


@pytest.fixture(autouse=True)
def one_thread_in_opencv() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def shot_of(toy: Toy, folder: Path, workers: int = 2, preserve: np.ndarray | None = None) -> Shot:
    clip_path, masks = save(toy, folder)
    clip = open_source(clip_path)
    opened = [open_mask(*pair.split("=", 1), clip.info) for pair in masks]
    kept = None
    if preserve is not None:
        kept = open_mask("preserve", write_images(folder / "keep", [preserve]) / "shot.0000.png", clip.info)
    return Shot(clip, opened, kept, None, folder / f"work{workers}", workers)


def run(shot: Shot) -> list[PlateWindow]:
    return list(propagate(shot, windows(shot.frames), no_report))


@pytest.fixture(scope="module", params=TOYS)
def cleaned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Toy, list[PlateWindow]]:
    toy = TOYS[request.param]()
    return toy, run(shot_of(toy, tmp_path_factory.mktemp(request.param), workers=1))


def plates(found: list[PlateWindow]) -> list[np.ndarray]:
    return [plate for window in found for plate in window.plates]


def test_windows_come_in_order_and_cover_the_clip(cleaned):
    toy, found = cleaned
    assert [(w.start, len(w.plates)) for w in found] == [(0, 16), (16, 4)]
    assert all(p.dtype == f.dtype and p.shape == f.shape for p, f in zip(plates(found), toy.frames, strict=True))


def test_the_plate_is_close_to_the_truth(cleaned):
    toy, found = cleaned
    result = np.stack(plates(found))
    assert psnr(np.stack(toy.frames), np.stack(toy.truth)) < 30 and psnr(result, np.stack(toy.truth)) >= 40
    gone = np.stack(list(toy.masks.values())[0]) > 0
    assert psnr(result[gone], np.stack(toy.truth)[gone]) >= 32
    shadow = np.stack(toy.changed) & ~gone
    assert psnr(result[shadow], np.stack(toy.truth)[shadow]) >= 32


def test_untouched_pixels_are_the_source_s_own(cleaned):
    """All but a margin around what was changed is there bit for bit; the margin is counted, not judged by eye."""
    toy, found = cleaned
    for plate, frame, changed in zip(plates(found), toy.frames, toy.changed, strict=True):
        near = cv2.dilate(changed.astype(np.uint8), np.ones((17, 17))) > 0
        np.testing.assert_array_equal(plate[~near], frame[~near])


def test_effects_are_where_the_shadow_is(cleaned):
    toy, found = cleaned
    effects = np.concatenate([w.effects for w in found])[:, 0] > 0
    gone = np.stack(list(toy.masks.values())[0]) > 0
    shadow = np.stack([cv2.erode(c.astype(np.uint8), np.ones((3, 3))) for c in toy.changed]).astype(bool) & ~gone
    deep = shadow & ~np.stack([cv2.dilate(g.astype(np.uint8), np.ones((7, 7))) for g in gone]).astype(bool)
    assert effects[deep].mean() > 0.8 and effects[~np.stack(toy.changed)].mean() < 0.05


def test_the_number_of_threads_does_not_matter(cleaned, tmp_path: Path):
    toy, alone = cleaned
    for one, other in zip(alone, run(shot_of(toy, tmp_path, workers=3)), strict=True):
        np.testing.assert_array_equal(one.effects, other.effects)
        np.testing.assert_array_equal(np.stack(one.plates), np.stack(other.plates))


def test_part_of_the_windows_is_the_same_as_all(tmp_path: Path):
    toy = TOYS["tripod"]()
    whole = run(shot_of(toy, tmp_path))
    (last,) = propagate(shot_of(toy, tmp_path), windows(20)[1:], no_report)
    np.testing.assert_array_equal(np.stack(last.plates), np.stack(whole[1].plates))


def test_what_is_preserved_stays_outside_the_mask(tmp_path: Path):
    """The lower half is preserved: the shadow stays there to the last bit, the object still goes."""
    toy = walk(18, (96, 72))
    preserve = np.zeros((72, 96), np.uint8)
    preserve[20:] = 255
    found = plates(run(shot_of(toy, tmp_path, preserve=preserve)))
    for t, (plate, frame) in enumerate(zip(found, toy.frames, strict=True)):
        kept = (preserve > 0) & (toy.masks["box"][t] == 0)
        np.testing.assert_array_equal(plate[kept], frame[kept])
    gone = np.stack(toy.masks["box"]) > 0
    assert psnr(np.stack(found)[gone], np.stack(toy.truth)[gone]) > 30


def test_sixteen_bits_stay_sixteen(tmp_path: Path):
    toy = walk(6, (64, 48), "uint16")
    found = plates(run(shot_of(toy, tmp_path)))
    assert all(p.dtype == np.uint16 for p in found)
    low_bits = np.stack(found)[np.stack(toy.masks["box"]) > 0] % 257
    assert len(np.unique(low_bits)) > 50, "what is laid in is not 8-bit material"


@pytest.mark.parametrize(("make", "frames"), [(walk, 170), (pan, 100)])
def test_clips_longer_than_frames_look_at_each_other(make: Callable[..., Toy], frames: int, tmp_path: Path):
    toy = make(frames, (64, 48))
    assert len(plates(run(shot_of(toy, tmp_path)))) == frames
