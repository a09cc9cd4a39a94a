"""Where looked-up background is background truly seen."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from test_propagate import run, shot_of
from toy_scenes import SHADE, Toy, pan, stored, texture, walk

from lamina.levels import from_levels, to_levels
from lamina.motion.anchor import Look
from lamina.removal.confidence import seen_background
from lamina.removal.frames import FREE, Small
from lamina.removal.scene import Scene


@pytest.fixture(autouse=True)
def one_thread_in_opencv():
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def seen_of(toy: Toy, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Where it is seen, `t r h w` bool, and plates."""
    found = run(shot_of(toy, folder, workers=1))
    seen = np.concatenate([window.seen for window in found]) == 255
    return seen, np.stack([plate for window in found for plate in window.plates])


@pytest.mark.parametrize("make", [lambda: walk(20, (96, 72)), lambda: pan(20, (128, 96))], ids=["tripod", "pan"])
def test_what_is_seen_is_the_truth(make, tmp_path: Path):
    toy = make()
    seen, plates = seen_of(toy, tmp_path)
    assert seen.shape == (20, 1, *toy.frames[0].shape[:2])
    gone = np.stack(toy.masks["box"]) > 0
    assert seen[:, 0].mean() > 0.5 and (seen[:, 0] & gone).sum() > 0.5 * gone.sum()
    off = np.abs(to_levels(plates) - to_levels(np.stack(toy.truth))).max(-1)
    assert np.quantile(off[seen[:, 0]], 0.99) < 12 / 255, "a shadow would be off by far more"


def standing() -> Toy:
    """A box that stands on its shadow for the whole clip, so that every frame shows the shadow."""
    ground = texture((128, 96), seed=2)
    mask, shade = np.zeros((96, 128), np.uint8), np.ones((96, 128), np.float32)
    mask[20:44, 50:74], shade[44:56, 50:74] = 255, SHADE
    picture = ground * shade[..., None]
    picture[mask > 0] = 0.1
    changed = (mask > 0) | (shade < 1)
    return Toy([stored(picture, "uint8")] * 8, {"box": [mask] * 8}, [stored(ground, "uint8")] * 8, [changed] * 8)


def test_a_shadow_that_stands_is_not_taken_for_ground(tmp_path: Path):
    toy = standing()
    seen, plates = seen_of(toy, tmp_path)
    shadow = np.stack(toy.changed) & (np.stack(toy.masks["box"]) == 0)
    assert (plates[shadow] != np.stack(toy.truth)[shadow]).any(), "propagate cannot know better"
    assert not seen[:, 0][shadow].any()
    assert not seen[:, 0][np.stack(toy.masks["box"]) > 0].any()


def leaving(last: int) -> Toy:
    """A box that stands on its shadow for 14 frames, and for `last` frames more somewhere else, with its shadow."""
    ground = texture((160, 96), seed=2)
    toy = Toy([], {"box": []}, [stored(ground, "uint8")] * (14 + last), [])
    for left in [20] * 14 + [120] * last:
        mask, shade = np.zeros((96, 160), np.uint8), np.ones((96, 160), np.float32)
        mask[30:44, left : left + 14], shade[44:50, left : left + 14] = 255, SHADE
        picture = ground * shade[..., None]
        picture[mask > 0] = 0.1
        toy.frames.append(stored(picture, "uint8"))
        toy.masks["box"].append(mask)
        toy.changed.append((mask > 0) | (shade < 1))
    return toy


def test_frames_that_an_object_has_left_confirm_what_was_close_to_it(tmp_path: Path):
    """They are too few for it to count as one that moves; without them all around it would be in doubt."""
    close = np.s_[:5, 0, 55:66, 10:50]
    toy = leaving(last=6)
    seen, _ = seen_of(toy, tmp_path / "left")
    assert seen[close].mean() > 0.95
    stays = Toy(toy.frames[:14], {"box": toy.masks["box"][:14]}, toy.truth[:14], toy.changed[:14])
    seen, _ = seen_of(stays, tmp_path / "stays")
    assert not seen[close].any()


def test_a_change_that_all_views_have_is_not_taken_for_its_background(monkeypatch: pytest.MonkeyPatch):
    """Views of a slow object's shadow agree on the shadow: what they show is no other than the frame."""
    shape = (12, 20)
    free, masks, rgb = (
        np.full(shape, FREE, np.uint8),
        np.zeros((0, *shape), np.uint8),
        np.full((*shape, 3), 0.5, np.float32),
    )
    free[:, 16:] = 0
    small = Small(0, free, free, rgb, free, from_levels(rgb, np.dtype(np.uint8)), free, masks)
    looked_up = small.rgb.copy()
    looked_up[:, 8:12] += 0.2
    calm = np.zeros(shape, np.float32)
    look = Look(looked_up, calm, calm, np.ones(shape, bool), np.ones(shape, bool))
    effects = np.zeros((1, *shape), bool)
    effects[:, :, 4:12] = True
    monkeypatch.setattr("lamina.removal.confidence._confirmed", lambda *_: np.ones(shape, bool))
    monkeypatch.setattr(Scene, "places", lambda *_: [])
    seen = seen_background(object.__new__(Scene), small, effects, look)[0] == 255
    assert seen[:, :4].all(), "unchanged and confirmed"
    assert not seen[:, 4:8].any(), "changed, and looked up to be the same"
    assert seen[:, 8:12].all(), "changed, and looked up to be otherwise"
    assert seen[:, 16:].all(), "behind the object it may look as it likes"


def test_solos_keep_their_own_object_and_its_shadow(tmp_path: Path):
    toy = walk(20, (160, 120), names=("box", "ball"))
    seen, _ = seen_of(toy, tmp_path)
    assert seen.shape[1] == 3
    for k, name in enumerate(toy.masks, 1):
        own = np.stack(toy.masks[name]) > 0
        below = np.roll(own, 12, axis=1) & ~own  # the shadow lies under its object
        assert not seen[:, k][own].any()
        assert seen[:, k][below].mean() < 0.02
        assert not (seen[:, k] & ~seen[:, 0]).any()
