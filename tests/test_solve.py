"""The closed form and what is stored: exact, in range, black for shadows; and whole windows of one object."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from twins.solve_slow import closed_form_slow

from lamina.alpha import closed_form, color_for, lay_over
from lamina.layers.effect import noise_of
from lamina.layers.overlap import LayerInputs
from lamina.layers.solve import SolveConfig, quantize_up, store
from lamina.layers.window import solve_window
from lamina.levels import WHITE, to_levels

LEVELS = arrays(np.uint8, (3, 4, 3))
TYPES = ("uint8", "uint16", "float32")


@given(LEVELS, LEVELS)
def test_the_closed_form_equals_its_twin(picture, below):
    picture, below = to_levels(picture), to_levels(below)
    color, alpha = closed_form(picture, below)
    color_slow, alpha_slow = closed_form_slow(picture, below)
    np.testing.assert_allclose(alpha, alpha_slow, atol=1e-5)
    # A colour is a quotient by alpha: what counts is its error times alpha.
    np.testing.assert_allclose(color * alpha[..., None], color_slow * alpha_slow[..., None], atol=1e-5)


@given(LEVELS, LEVELS, arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32)), st.sampled_from(TYPES))
def test_a_stored_layer_over_its_ground_is_the_picture(picture, below, wish, kind):
    dtype = np.dtype(kind)
    picture, below = to_levels(picture), to_levels(below)
    _, least = closed_form(picture, below)
    alpha = quantize_up(np.maximum(least, wish), dtype)
    rgba = store(color_for(picture, below, alpha), alpha, dtype)
    assert rgba.dtype == dtype and rgba.shape == (3, 4, 4)
    step = 1e-5 if kind == "float32" else 1 / WHITE[kind]
    assert np.abs(lay_over(rgba, below) - picture).max() <= step


@given(LEVELS, LEVELS)
def test_the_closed_form_stays_in_range(picture, below):
    color, alpha = closed_form(to_levels(picture), to_levels(below))
    assert 0 <= alpha.min() and alpha.max() <= 1
    assert 0 <= color.min() and color.max() <= 1


def test_values_beyond_white_are_kept_in_float_pictures():
    picture, below = np.full((1, 1, 3), 4.0, np.float32), np.full((1, 1, 3), 0.5, np.float32)
    color, alpha = closed_form(picture, below)
    assert alpha == 1
    np.testing.assert_array_equal(color, picture)


@given(LEVELS, st.floats(0.05, 0.95))
def test_a_neutral_darkening_is_black(below, strength):
    below = to_levels(np.maximum(below, 1))
    color, alpha = closed_form(below * np.float32(1 - strength), below)
    np.testing.assert_allclose(alpha, strength, atol=1e-4)
    assert color.max() < 1e-3


def test_noise_is_measured_on_textured_ground():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:80, :120] / np.float32(20)
    ground = np.stack([np.sin(x), np.cos(y), np.sin(x + y)], -1).astype(np.float32) / 4 + 0.5
    ground[20:40, 30:60] = 0.9
    noisy = ground + rng.normal(0, 0.01, ground.shape).astype(np.float32)
    everywhere, space = np.ones((80, 120), bool), np.ones((80, 120, 3), np.float32)
    found = noise_of(noisy, space, everywhere)
    assert found.shape == (80, 120)
    assert found.mean() == pytest.approx(0.01, rel=0.15)
    assert noise_of(noisy, space, ~everywhere).min() > 0


def test_noise_is_told_where_it_is():
    """As a codec leaves it: around what moves, and nowhere else."""
    rng = np.random.default_rng(0)
    change = np.zeros((96, 160, 3), np.float32)
    change[:, 100:] = rng.normal(0, 0.01, (96, 60, 3))
    found = noise_of(change, np.ones_like(change), np.ones((96, 160), bool))
    assert found[:, :80].max() < 0.002 and found[:, 120:].min() > 0.007


def shadowed_disc(dtype="uint8", size=(96, 128), frames=6, noise=0.0):
    """A disc that moves over textured ground with a neutral shadow beside it: frames, plates, masks, influence."""
    rng = np.random.default_rng(1)
    height, width = size
    ground = cv2.GaussianBlur(rng.uniform(0.2, 0.9, (height, width, 3)).astype(np.float32), (0, 0), 2)
    clip, plates, masks, influence = [], [], [], []
    for t in range(frames):
        center = (width // 4 + 4 * t, height // 2)
        disc = smooth_disc(size, center, height // 6)
        shade = smooth_disc(size, (center[0] + height // 4, center[1] + 6), height // 6) * np.float32(0.5)
        frame = (ground * (1 - shade[..., None])) * (1 - disc[..., None]) + np.float32([0.9, 0.3, 0.1]) * disc[
            ..., None
        ]
        changed = ((disc > 0) | (shade > 0)).astype(np.uint8) * 255
        reach = cv2.GaussianBlur(cv2.dilate(changed, np.ones((13, 13), np.uint8)), (0, 0), 1.5)
        grain = rng.normal(0, noise, ground.shape).astype(np.float32)
        clip.append(to_type(np.where(reach[..., None] > 0, frame + grain, ground), dtype))
        plates.append(to_type(ground, dtype))
        masks.append((disc * 255).round().astype(np.uint8))
        influence.append(reach)
    return clip, plates, masks, influence


def smooth_disc(size, center, radius):
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    return np.clip(radius + 0.5 - np.hypot(x - center[0], y - center[1]), 0, 1)


def to_type(image, dtype):
    if dtype == "float32":
        return image.astype(np.float32)
    return np.rint(np.clip(image, 0, 1) * WHITE[dtype]).astype(dtype)


def solve_one(parts, halo=(0, 0), config=None):
    clip, plates, masks, influence = parts
    inputs = LayerInputs(clip, plates, {"disc": masks}, {"disc": influence}, [("disc",)] * len(clip), halo)
    return solve_window(inputs, config or SolveConfig())["disc"]


@pytest.mark.parametrize("dtype", TYPES)
def test_a_window_adds_up_and_its_shadow_is_black(dtype):
    parts = shadowed_disc(dtype)
    layers = solve_one(parts)
    for frame, plate, mask, influence, rgba in zip(*parts, layers, strict=True):
        assert rgba.dtype == frame.dtype and rgba.shape == (*frame.shape[:2], 4)
        assert np.abs(lay_over(rgba, to_levels(plate)) - to_levels(frame)).max() < 1.5 / 255
        layer = to_levels(rgba)
        assert not layer[..., 3][influence == 0].any()
        assert layer[..., 3][cv2.erode(mask, np.ones((9, 9))) == 255].min() == 1
        shadow = (layer[..., 3] > 0.45) & (layer[..., 3] < 0.55) & (cv2.dilate(mask, np.ones((9, 9))) == 0)
        assert shadow.sum() > 100
        assert layer[shadow][:, :3].max() < 0.02


@pytest.mark.parametrize("wrong_px", [-2, 2])
def test_a_mask_that_is_a_little_wrong_leaves_no_fringe(wrong_px):
    clip, plates, masks, influence = shadowed_disc()
    change = cv2.erode if wrong_px < 0 else cv2.dilate
    wrong = [change(m, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(wrong_px) + 1,) * 2)) for m in masks]
    reach = [np.maximum(r, m) for r, m in zip(influence, wrong, strict=True)]
    layers = solve_one((clip, plates, wrong, reach))
    for mask, rgba in zip(masks, layers, strict=True):
        lit_side = (np.arange(mask.shape[1]) < np.nonzero(mask)[1].mean())[None] & (mask < 255)
        assert np.abs(rgba[..., 3].astype(int) - mask)[lit_side].max() < 70
        assert np.abs(rgba[..., 3].astype(int) - mask)[lit_side].mean() < 0.4


def test_noise_makes_no_alpha_and_steadies_in_shadows():
    sigma = 2 / 255
    parts = shadowed_disc(noise=sigma)
    layers = [to_levels(rgba)[..., 3] for rgba in solve_one(parts)]
    for frame, plate, influence, alpha in zip(parts[0], parts[1], parts[3], layers, strict=True):
        clean = (influence == 255) & (np.abs(to_levels(frame) - to_levels(plate)).max(-1) < 3 * sigma)
        assert alpha[clean].mean() < 0.012
    raw = [to_levels(rgba)[..., 3] for rgba in solve_one(parts, config=SolveConfig(smooth_px=0, noise_sigmas=0.0))]
    inside = [smooth_disc((96, 128), (32 + 4 * t + 24, 54), 10) == 1 for t in range(6)]
    inside = [area & (cv2.dilate(m, np.ones((9, 9))) == 0) for area, m in zip(inside, parts[2], strict=True)]
    spread = np.mean([alpha[area].std() for alpha, area in zip(layers, inside, strict=True)])
    spread_raw = np.mean([alpha[area].std() for alpha, area in zip(raw, inside, strict=True)])
    assert spread < 0.6 * spread_raw


def test_a_window_gives_its_inner_frames_only_and_the_same_twice():
    parts = shadowed_disc()
    whole = solve_one(parts)
    inner = solve_one(parts, halo=(2, 2))
    assert len(inner) == 2
    for a, b in zip(inner, whole[2:4], strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_influence_gives_an_empty_layer():
    clip, plates, masks, influence = shadowed_disc(frames=2)
    nothing = [np.zeros_like(m) for m in masks]
    for rgba in solve_one((plates, plates, nothing, nothing)):
        assert not rgba.any()


@pytest.mark.parametrize("size", [(17, 33), (2, 3), (1, 1)])
def test_tiny_pictures_and_masks_that_fill_them_work(size):
    rng = np.random.default_rng(2)
    clip = [rng.integers(0, 256, (*size, 3), np.uint8)]
    full = [np.full(size, 255, np.uint8)]
    rgba = solve_one((clip, [255 - clip[0]], full, full))[0]
    np.testing.assert_array_equal(rgba[..., :3], clip[0])
    assert (rgba[..., 3] == 255).all()


def test_color_goes_on_beyond_the_edge():
    parts = shadowed_disc()
    rgba = solve_one(parts)[0]
    ring = (rgba[..., 3] == 0) & (cv2.dilate(parts[2][0], np.ones((9, 9), np.uint8)) > 0) & (parts[3][0] > 0)
    left = ring & (np.arange(128) < 20)[None]
    assert left.any()
    assert np.abs(rgba[left][:, :3].astype(int) - [230, 76, 26]).mean() < 12
