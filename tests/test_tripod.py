"""Tripod pairs: camera moves against slow twins, plates from clear frames, exposure, what is refused; a real clip."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pair_makers import SIZE, ground, masked_clip, same, walk, walker

from lamina.errors import InputError
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.media.source import open_source
from lamina.synth.ken_burns import KenBurns, View, draw_move, film, film_trimask
from lamina.synth.masked_clip import MaskedClip, find_clips, read_small
from lamina.synth.regions import by_majority
from lamina.synth.tone import apply_curve, tone_curve
from lamina.synth.tripod import TripodConfig, TripodSource, clean_plate, clear_frames, exposed_like, robust_mean

SMALL = TripodConfig(frames=6, short_px=40, margin_frames=2)
STILL = KenBurns(View(0.5, 0.5, 1.0), View(0.5, 0.5, 1.0))


def slow_film(pictures: np.ndarray, move: KenBurns, size: tuple[int, int]) -> np.ndarray:
    """Pixel by pixel: what part of the view it is, where that lies in the picture, the four pixels around."""
    count, height, width = pictures.shape[:3]
    filmed = np.empty((count, size[1], size[0], *pictures.shape[3:]))
    for t in range(count):
        even = t / max(1, count - 1)
        way = (1 - move.ease) * even + move.ease * (3 * even**2 - 2 * even**3)
        x, y, share = (
            getattr(move.start, key) * (1 - way) + getattr(move.stop, key) * way for key in ("x", "y", "size")
        )
        for row in range(size[1]):
            for column in range(size[0]):
                # edges of a picture are at -1/2 and size - 1/2
                px = (x - share / 2 + share * (column + 0.5) / size[0]) * width - 0.5
                py = (y - share / 2 + share * (row + 0.5) / size[1]) * height - 0.5
                left, top = int(np.floor(px)), int(np.floor(py))
                fx, fy = px - left, py - top
                columns = [min(max(left + k, 0), width - 1) for k in (0, 1)]
                rows = [min(max(top + k, 0), height - 1) for k in (0, 1)]
                around = [[pictures[t, r, c].astype(float) for c in columns] for r in rows]
                upper = around[0][0] * (1 - fx) + around[0][1] * fx
                lower = around[1][0] * (1 - fx) + around[1][1] * fx
                filmed[t, row, column] = upper * (1 - fy) + lower * fy
    return filmed


@pytest.mark.parametrize("seed", range(3))
def test_filming_equals_its_twin(seed: int):
    rng = np.random.default_rng(seed)
    pictures = np.stack([ground(k, (24, 16)) for k in range(3)])
    move = draw_move(rng, 0.5)
    found, wanted = film(pictures, move, (17, 13)), slow_film(pictures, move, (17, 13))
    # OpenCV may place samples to 1/32 of a pixel
    steepest = np.abs(np.diff(pictures.astype(int), axis=2)).max()
    assert np.abs(found - wanted).max() <= 0.51 + steepest / 32


def test_one_point_goes_where_the_camera_says():
    y, x = np.mgrid[:60, :80]
    point = np.exp(-((x - 42) ** 2 + (y - 26) ** 2) / 18).astype(np.float32)  # soft, so that half the size still has it
    pictures = np.repeat(point[None], 5, axis=0)
    move = KenBurns(View(0.5, 0.45, 0.8), View(0.6, 0.5, 0.6))
    filmed = film(pictures, move, (40, 30))
    rows, columns = np.mgrid[:30, :40]
    for t in range(5):
        share, x, y = 0.8 - 0.05 * t, 0.5 + 0.025 * t, 0.45 + 0.0125 * t
        wanted_x = ((42.5 / 80) - (x - share / 2)) / share * 40 - 0.5
        wanted_y = ((26.5 / 60) - (y - share / 2)) / share * 30 - 0.5
        total = filmed[t].sum()
        found = (filmed[t] * columns).sum() / total, (filmed[t] * rows).sum() / total
        assert found == pytest.approx((wanted_x, wanted_y), abs=0.02)


def test_a_camera_that_stands_still_shows_the_picture():
    pictures = np.stack([ground(k) for k in range(2)])
    assert np.array_equal(film(pictures, STILL, SIZE), pictures)
    trimask = np.random.default_rng(0).integers(0, 3, (2, 40, 64)).astype(np.uint8)
    assert np.array_equal(film_trimask(trimask, STILL, SIZE), trimask)


@given(seed=st.integers(0, 10**6), smallest=st.floats(0.2, 1), t=st.integers(0, 9))
def test_moves_stay_within_the_picture(seed, smallest, t):
    move = draw_move(np.random.default_rng(seed), smallest)
    view = move.view_at(t, 10)  # which refuses to reach beyond
    assert smallest - 1e-9 <= view.size <= 1
    x, y, dx, dy = move.source_of(t, 10, (80, 60), (40, 30))
    assert x > -0.5 and y > -0.5 and x + 39 * dx < 79.5 and y + 29 * dy < 59.5


def test_a_view_beyond_the_picture():
    with pytest.raises(ValueError, match=r"View\(x=0.2, y=0.5, size=0.5\) reaches beyond the picture"):
        View(0.2, 0.5, 0.5)


def test_a_trimask_goes_with_the_majority():
    rng = np.random.default_rng(0)
    trimask = rng.integers(0, 3, (1, 20, 30)).astype(np.uint8)
    found = by_majority(trimask, lambda region: cv2.resize(region[0], (15, 10), interpolation=cv2.INTER_AREA)[None])
    for y, x in np.ndindex(10, 15):
        block = trimask[0, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        counts = [(block == region).sum() for region in (REMOVE, KEEP, UNKNOWN)]
        assert found[0, y, x] == (REMOVE, KEEP, UNKNOWN)[int(np.argmax(counts))]


def test_clear_frames_are_away_from_objects():
    shown = np.array([0, 0, 0, 0, 1, 0, 0, 0, 0, 0], bool)
    assert clear_frames(shown, 2) == [0, 1, 7, 8, 9]
    assert clear_frames(shown, 0) == [0, 1, 2, 3, 5, 6, 7, 8, 9]


def test_a_robust_mean_is_a_mean_without_strangers():
    rng = np.random.default_rng(0)
    frames = (100 + rng.normal(0, 2, (15, 4, 4, 3))).astype(np.float32)
    calm = robust_mean(frames)
    assert np.abs(calm - frames.mean(0)).max() < 1.2
    frames[3:6] = 250
    assert np.abs(robust_mean(frames) - 100).max() < 3


def test_exposure_is_found_and_applied():
    plate = ground(1, (120, 90)).astype(np.float32)
    brighter = 255 * (plate / 255) ** 0.8
    where = np.ones((90, 120), bool)
    where[:30] = False
    seen = brighter.copy()
    seen[:30] = 0  # an object, which is not asked
    curve = tone_curve(plate, seen, where)
    assert np.abs(apply_curve(plate, curve) - brighter).mean() < 0.7
    for before, after in curve:
        assert (np.diff(before) > 0).all() and (np.diff(after) >= 0).all() and after[-1] <= 255
    nothing = tone_curve(plate, seen, np.zeros((90, 120), bool))
    assert np.allclose(apply_curve(plate, nothing), plate, atol=1e-3)


def test_exposure_is_not_taken_from_objects():
    plate = ground(1, (120, 90)).astype(np.float32)
    frames = plate.astype(np.uint8)[None].copy()
    objects = np.zeros((1, 90, 120), bool)
    objects[:, :, :84] = True
    frames[objects] = 20
    assert np.abs(exposed_like(plate, frames, objects)[0] - plate).max() < 3


def test_white_stays_white():
    plate = np.full((40, 60, 3), 255, np.float32)
    plate[:20] = 100
    brighter = np.minimum(plate * 1.3, 255)
    toned = apply_curve(plate, tone_curve(plate, brighter, np.ones((40, 60), bool)))
    assert np.abs(toned - brighter).max() < 1e-3


def tripod(folder: Path, name: str = "street", noise: float = 2.0, drift: float = 0.1) -> tuple[MaskedClip, np.ndarray]:
    """An object with a shadow walks through; exposure drifts. The clip, and its plate frame by frame."""
    rng, count = np.random.default_rng(7), 36
    masks = [walk(t, first=14) for t in range(count)]
    plates, frames = [], []
    for t, mask in enumerate(masks):
        plate = ground(3).astype(float) * (1 + drift * np.sin(t / 5))
        shadow = np.roll(mask, 12, axis=0) > 0
        frame = np.where(mask[..., None] > 0, [220, 30, 40], np.where(shadow[..., None], plate * 0.6, plate))
        plates.append(plate.round().clip(0, 255).astype(np.uint8))
        frames.append((frame + rng.normal(0, noise, frame.shape)).round().clip(0, 255).astype(np.uint8))
    return masked_clip(folder, name, frames, [masks], "a street"), np.stack(plates)


def test_the_plate_is_what_is_behind(tmp_path):
    clip, plates = tripod(tmp_path)
    frames = read_small(clip.source.read(), 36, SIZE)
    objects = clip.objects(0, 36, SIZE)
    found = exposed_like(clean_plate(clip, SMALL), frames, objects)
    assert np.abs(found.astype(int) - plates).mean() < 1.0
    shadows = np.roll(objects, 12, axis=1) & ~objects
    assert np.abs(found.astype(int) - plates)[shadows].mean() < 1.5


@pytest.mark.parametrize("seed", range(4))
def test_pairs_fit_together(tmp_path, seed: int):
    clip, _ = tripod(tmp_path, noise=0.0, drift=0.0)
    source = TripodSource((clip,), replace(SMALL, smallest_view=0.7))
    pair = source.pair(seed)
    assert same(pair, source.pair(seed)) and not same(pair, source.pair(seed + 1))
    assert (pair.caption, pair.input.shape, set(np.unique(pair.trimask))) == ("a street", (6, 40, 64, 3), {1, 2})
    red = (np.abs(pair.input.astype(int) - (220, 30, 40)) < 8).all(-1)
    assert red.any() and (pair.trimask[red] == REMOVE).all()
    assert not (np.abs(pair.target.astype(int) - (220, 30, 40)) < 8).all(-1).any()
    changed = np.abs(pair.input.astype(int) - pair.target).max(-1) > 12
    below = np.zeros_like(changed)  # the shadow is one object below it
    below[:, 8:] = (pair.trimask == REMOVE)[:, :-8]
    near = cv2.dilate((below | (pair.trimask == REMOVE)).astype(np.uint8).max(0), np.ones((19, 19))) > 0
    assert not changed[:, ~near].any()


def test_a_clip_that_is_never_clear(tmp_path):
    with pytest.raises(InputError, match="tripod clip 'walker': got 2 frames at least 3 frames away from any object"):
        TripodSource((walker(tmp_path),), SMALL).check()


def test_a_clip_without_an_object(tmp_path):
    clip = masked_clip(tmp_path, "empty", [ground(0)] * 12, [[np.zeros((40, 64), np.uint8)] * 12])
    with pytest.raises(InputError, match="tripod clip 'empty': got masks that are empty in all frames"):
        TripodSource((clip,), SMALL).pair(0)


def test_a_camera_that_moves(tmp_path):
    clip, _ = tripod(tmp_path)
    frames = [np.roll(ground(3), 3 * t, axis=1) for t in range(36)]
    moving = masked_clip(tmp_path, "pan", frames, [[walk(t, first=14) for t in range(36)]])
    TripodSource((clip,), SMALL).check()
    with pytest.raises(InputError, match=r"tripod clip 'pan': got a background that differs by \d+\.\d levels"):
        TripodSource((clip, moving), SMALL).check()


def test_a_clip_without_masks(tmp_path):
    with pytest.raises(InputError, match="got no mask of walker, wanted tripod clips with masks"):
        TripodSource((replace(walker(tmp_path), masks=()),))


@pytest.mark.parametrize("change", [{"frames": 0}, {"smallest_view": 0.0}, {"least_clear": 9, "most_clear": 8}])
def test_configurations_that_make_no_sense(change: dict):
    with pytest.raises(ValueError, match="Expected"):
        TripodConfig(**change)


def test_a_real_clip_against_its_true_background(shared: Path):
    (clip,) = find_clips(shared / "clips" / "intel_person_a")
    config = TripodConfig(frames=4, short_px=116)
    size, picked = (258, 145), range(0, 84, 12)
    frames, truth = (
        np.concatenate([read_small(source.read(t, t + 1), 1, size) for t in picked])
        for source in (clip.source, open_source(clip.video.parent / "bg_gt.mp4"))
    )
    objects = np.concatenate([clip.objects(t, t + 1, size) for t in picked])
    found = exposed_like(clean_plate(clip, config), frames, objects)
    off = np.abs(found.astype(int) - truth)
    assert off.mean() < 2.0 and off[objects].mean() < 3.0
    assert TripodSource((clip,), config).pair(0).input.shape == (4, 116, 206, 3)
