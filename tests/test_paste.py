"""Object paste: against slow, obvious twins; what may change and what may not; filters; errors; a real clip."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pair_makers import SIZE, ground, masked_clip, same, walk, walker

from lamina.errors import InputError
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.synth.cutout import (
    Place,
    cut_sides,
    edge_colour,
    lay_over,
    mask_area,
    mask_motion,
    place_cut,
    soft_edge,
)
from lamina.synth.masked_clip import find_clips, read_small
from lamina.synth.paste import PasteConfig, PasteSource, paste, placed_mask

EASY = PasteConfig(frames=8, short_px=40, scale=(0.5, 0.9), area=(0.001, 0.9), least_motion=0.0)


def random_mask(seed: int, shape: tuple[int, ...] = (12, 15)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.kron(rng.random((*shape[:-2], shape[-2] // 3, shape[-1] // 3)) < 0.5, np.ones((3, 3))) > 0


def test_paste_of_one_pixel():
    plate = np.full((1, 5, 7, 3), 10, np.uint8)
    donor = np.zeros((1, 3, 3, 3), np.uint8)
    donor[0, 1, 2] = (200, 100, 50)
    mask = np.zeros((1, 3, 3), bool)
    mask[0, 1, 2] = True
    for x in range(-4, 8):
        for y in range(-4, 7):
            pasted, covered = paste(plate, donor, mask, Place(x, y), edge_px=0.0)
            wanted = plate.copy()
            if 0 <= y + 1 < 5 and 0 <= x + 2 < 7:
                wanted[0, y + 1, x + 2] = (200, 100, 50)
            assert np.array_equal(pasted, wanted)
            assert np.array_equal(covered, (wanted != plate).any(-1))


@pytest.mark.parametrize("seed", range(3))
def test_laying_over_equals_its_formula(seed: int):
    rng = np.random.default_rng(seed)
    below = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    rgb = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    alpha = np.where(rng.random((6, 8)) < 0.3, 0, rng.random((6, 8))).astype(np.float32)
    place = Place(int(rng.integers(-4, 8)), int(rng.integers(-4, 6)))
    picture, covered = lay_over(below, rgb, alpha, place)
    for y in range(9):
        for x in range(11):
            iy, ix = y - place.y, x - place.x
            share = float(alpha[iy, ix]) if 0 <= iy < 6 and 0 <= ix < 8 else 0.0
            assert covered[y, x] == (share > 0)
            wanted = share * rgb[iy, ix] + (1 - share) * below[y, x] if share else below[y, x]
            assert np.abs(picture[y, x] - wanted).max() <= 0.51


@pytest.mark.parametrize("edge_px", [0.0, 1.5, 3.0])
def test_soft_edge_equals_its_formula(edge_px: float):
    inside = random_mask(5)
    alpha = soft_edge(inside, edge_px)
    wide = np.pad(inside, 12, mode="edge").astype(float)
    rows, columns = np.mgrid[: wide.shape[0], : wide.shape[1]]
    for y, x in np.ndindex(*inside.shape):
        weights = np.exp(-((rows - y - 12) ** 2 + (columns - x - 12) ** 2) / (2 * max(edge_px / 2, 1e-3) ** 2))
        blurred = (weights * wide).sum() / weights.sum()
        # OpenCV cuts the Gaussian off at four deviations
        assert alpha[y, x] == pytest.approx(np.clip((blurred - 0.5) / 0.48, 0, 1) * inside[y, x], abs=0.02)
    assert not alpha[~inside].any()
    assert (soft_edge(np.ones((4, 4), bool), edge_px) == 1).all()


def test_edges_are_coloured_from_inside():
    inside = np.zeros((20, 20), bool)
    inside[5:15, 5:15] = True
    rgb = np.where(inside[..., None], np.uint8([200, 10, 10]), np.uint8([0, 255, 0]))
    rgb[5, 5:15] = (90, 130, 5)  # the outermost row is mixed with what was behind
    alpha = soft_edge(inside, 1.5)
    mended = edge_colour(rgb, alpha)
    assert (mended[inside] == (200, 10, 10)).all()
    assert np.array_equal(mended[~inside], rgb[~inside])
    nothing_opaque = np.full((20, 20), 0.5, np.float32)
    assert np.array_equal(edge_colour(rgb, nothing_opaque), rgb)


def test_edge_colour_is_the_nearest_opaque_ones():
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (12, 15, 3), dtype=np.uint8)
    alpha = soft_edge(random_mask(1), 2.5)
    opaque = np.argwhere(alpha >= 1)
    mended = edge_colour(rgb, alpha)
    for y, x in np.argwhere((alpha > 0) & (alpha < 1)):
        distances = np.sqrt(((opaque - (y, x)) ** 2).sum(1))
        # OpenCV's labels go with distances good to a twentieth
        nearest = opaque[distances <= distances.min() * 1.05 + 0.05]
        assert any(np.array_equal(mended[y, x], rgb[tuple(near)]) for near in nearest)


def slow_motion(mask: np.ndarray) -> float:
    half, found = len(mask) // 2, []
    for t in range(len(mask) - half):
        both = either = 0
        for a, b in zip(mask[t].ravel(), mask[t + half].ravel(), strict=True):
            both, either = both + (a and b), either + (a or b)
        if either:
            found.append(1 - both / either)
    return float(np.mean(found)) if found and half else 0.0


@pytest.mark.parametrize("frames", [1, 2, 5, 6])
def test_motion_equals_its_twin(frames: int):
    mask = random_mask(frames, (frames, 6, 9))
    assert mask_motion(mask) == pytest.approx(slow_motion(mask), abs=1e-12)


def test_size_and_motion_are_of_the_mask():
    moving = np.stack([walk(t, first=-1) for t in range(8)]) > 0
    assert mask_motion(moving) == 1.0
    assert mask_motion(np.repeat(moving[3:4], 8, axis=0)) == 0.0
    assert mask_motion(np.zeros((8, 4, 4), bool)) == 0.0
    assert mask_area(moving[3:4]) == 8 * 12 / (SIZE[0] * SIZE[1])


sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(inner=sizes, outer=sizes, at=st.tuples(st.integers(-12, 12), st.integers(-12, 12)))
def test_parts_fit_each_other(inner, outer, at):
    seen, there = Place(*at).parts(inner, outer)
    source = np.arange(inner[0] * inner[1]).reshape(inner[1], inner[0])
    found = np.full((outer[1], outer[0]), -1)
    found[there] = source[seen]
    for y, x in np.ndindex(*found.shape):
        iy, ix = y - at[1], x - at[0]
        inside = 0 <= iy < inner[1] and 0 <= ix < inner[0]
        assert found[y, x] == (source[iy, ix] if inside else -1)


@given(cut=st.tuples(*[st.booleans()] * 4), inner=sizes, outer=sizes, at=st.tuples(*[st.integers(-12, 12)] * 2))
def test_cut_sides_are_hidden(cut, inner, outer, at):
    place = place_cut(Place(*at), cut, inner, outer)
    if place is None:
        assert (cut[0] and cut[2] and inner[0] < outer[0]) or (cut[1] and cut[3] and inner[1] < outer[1])
        return
    left, upper, right, lower = place.x, place.y, place.x + inner[0], place.y + inner[1]
    assert all(
        hidden or not is_cut
        for is_cut, hidden in zip(cut, (left <= 0, upper <= 0, right >= outer[0], lower >= outer[1]), strict=True)
    )
    assert any(cut) or place == Place(*at)


def test_cut_sides():
    mask = np.zeros((2, 5, 6), bool)
    mask[0, 2, 0] = mask[1, 4, 3] = True
    assert cut_sides(mask) == (True, False, False, True)


def test_placed_mask():
    mask = np.stack([walk(t, first=-1) for t in range(3)]) > 0
    placed = placed_mask(mask, Place(-3, 2), (50, 30))
    assert np.array_equal(placed[:, 2:], mask[:, :28, 3:53])
    assert not placed[:, :2].any()


@pytest.fixture
def two(tmp_path: Path) -> PasteSource:
    clips = (walker(tmp_path, "one", 1), walker(tmp_path, "two", 2))
    return PasteSource(clips, clips, EASY)


def test_a_pasted_edge_shows_nothing_of_its_background():
    mask = np.zeros((1, 16, 16), bool)
    mask[0, 4:12, 4:12] = True
    donor = np.where(mask[..., None], np.uint8([200, 10, 10]), np.uint8([0, 255, 0]))
    donor[0, 4, 4:12] = donor[0, 4:12, 4] = (100, 130, 5)
    plate = np.full((1, 16, 16, 3), 10, np.uint8)
    pasted, _ = paste(plate, donor, mask, Place(0, 0), edge_px=1.5)
    assert pasted[..., 1].max() <= 10 and pasted[..., 0].max() == 200


@pytest.mark.parametrize("seed", range(14))
def test_no_clip_is_pasted_over_itself(tmp_path: Path, seed: int):
    blue = (20, 30, 230)
    clips = (walker(tmp_path, "red", 1), walker(tmp_path, "blue", 2, colour=blue))
    pair = PasteSource(clips, clips, EASY).pair(seed)
    wanted = blue if pair.caption == "a red" else (220, 30, 40)
    changed = np.abs(pair.input.astype(int) - pair.target).max(-1)
    assert np.abs(pair.input[changed == changed.max()].astype(int) - wanted).max() < 40


@pytest.mark.parametrize("seed", range(4))
def test_nothing_changes_but_what_is_to_be_removed(two: PasteSource, seed: int):
    pair = two.pair(seed)
    removed = pair.trimask == REMOVE
    assert np.array_equal(pair.input[~removed], pair.target[~removed])
    assert removed.any() and (pair.input != pair.target)[removed].any()
    originals = {clip.caption: read_small(clip.source.read(), 20, SIZE) for clip in two.targets}
    frames = [frame.tobytes() for frame in originals[pair.caption]]
    start = frames.index(pair.target[0].tobytes())
    assert any(
        np.array_equal(pair.target, originals[pair.caption][first : first + 8])
        for first in range(13)
        if frames[first] == frames[start]
    )


def test_the_same_seed_gives_the_same_pair(two: PasteSource, tmp_path: Path):
    again = PasteSource(tuple(find_clips(tmp_path)), two.targets, EASY)
    assert same(two.pair(5), replace(again, donors=two.donors).pair(5))
    assert not same(two.pair(5), two.pair(6))
    assert not same(two.pair(5), replace(two, name="other").pair(5))


@pytest.mark.parametrize(("share", "rest"), [(1.0, KEEP), (0.0, UNKNOWN)])
def test_the_rest_is_kept_or_unknown(two: PasteSource, share: float, rest: int):
    trimask = replace(two, config=replace(EASY, keep_background=share)).pair(1).trimask
    assert set(np.unique(trimask)) == {rest, REMOVE}


def test_own_objects_are_kept(two: PasteSource):
    pair = replace(two, config=replace(EASY, keep_background=0.0, keep_objects=1.0)).pair(1)
    red = (pair.target == (220, 30, 40)).all(-1)
    assert red.any()
    assert np.array_equal(pair.trimask == KEEP, red & (pair.trimask != REMOVE))


def test_what_does_not_move_is_not_pasted(tmp_path: Path):
    still = masked_clip(tmp_path, "still", [ground(0)] * 8, [[walk(5)] * 8])
    source = PasteSource((still,), (walker(tmp_path),), replace(EASY, least_motion=0.2))
    with pytest.raises(InputError, match="pair 0 of 'paste': got 24 hardly moving, wanted an object within the bounds"):
        source.pair(0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"area": (0.5, 0.9)}, "24 too small"),
        ({"area": (0.02, 0.9), "scale": (0.5, 0.5)}, "24 too small"),
        ({"area": (0.0, 0.001)}, "24 too large"),
        ({"short_px": 80}, "24 too small in their clip"),
    ],
)
def test_sizes_that_are_not_wanted(tmp_path: Path, change: dict, reason: str):
    donor = masked_clip(tmp_path, "d", [ground(0)] * 8, [[walk(10 + t % 2) for t in range(8)]])
    large = masked_clip(tmp_path, "large", [ground(0, (320, 200))] * 8, [])
    target = large if "short_px" in change else walker(tmp_path)
    config = replace(EASY, **({"scale": (1.0, 1.0)} | change))
    with pytest.raises(InputError, match=reason):
        PasteSource((donor,), (target,), config).pair(0)


def test_an_object_cut_off_on_both_sides_is_not_shrunk(tmp_path: Path):
    wide = np.zeros((40, 64), np.uint8)
    wide[10:20] = 255
    donor = masked_clip(tmp_path, "d", [ground(0)] * 8, [[wide] * 8])
    with pytest.raises(InputError, match="24 cut off on both sides"):
        PasteSource((donor,), (walker(tmp_path),), EASY).pair(0)


def test_what_is_needed(tmp_path: Path):
    clip = walker(tmp_path)
    with pytest.raises(InputError, match="got no mask of walker, wanted clips with masks to cut objects out of"):
        PasteSource((replace(clip, masks=()),), (clip,))
    with pytest.raises(InputError, match="got no clip, wanted clips to paste objects on"):
        PasteSource((clip,), ())
    with pytest.raises(InputError, match="got only one clip, wanted an object and another clip"):
        PasteSource((clip,), (clip,))


@pytest.mark.parametrize(
    "change", [{"frames": 1}, {"scale": (0.9, 0.5)}, {"area": (0.5, 0.1)}, {"keep_objects": 2.0}, {"edge_px": -1.0}]
)
def test_configurations_that_make_no_sense(change: dict):
    with pytest.raises(ValueError, match="Expected"):
        replace(EASY, **change)


def test_real_clips(shared: Path):
    cows = find_clips(shared / "clips" / "davis_cows")
    person = find_clips(shared / "clips" / "intel_person_a")
    pair = PasteSource(cows, person, PasteConfig(frames=6, short_px=144)).pair(1)
    removed = pair.trimask == REMOVE
    assert pair.input.shape == (6, 144, 256, 3)
    assert 0.005 < removed.mean() < 0.4
    assert np.array_equal(pair.input[~removed], pair.target[~removed])
