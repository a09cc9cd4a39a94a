"""Several objects: whose change is whose, and a stack that adds up to the input."""

import cv2
import numpy as np
import pytest

from lamina.alpha import lay_over
from lamina.layers.overlap import LayerInputs, share_change
from lamina.layers.solve import SolveConfig
from lamina.layers.window import solve_window
from lamina.levels import to_levels

SIZE = (100, 160)


def two_shadows(frames=12):
    """Two balls pass each other; each throws a neutral shadow of its own lamp, so that shadows multiply."""
    rng = np.random.default_rng(7)
    ground = cv2.GaussianBlur(rng.uniform(0.3, 0.9, (*SIZE, 3)).astype(np.float32), (0, 0), 2)
    spec = {"far": (30, 5, 30, (0.2, 0.7, 0.3)), "near": (130, -5, 52, (0.9, 0.4, 0.1))}
    clip, solos = [], {k: [] for k in spec}
    masks, influence = {k: [] for k in spec}, {k: [] for k in spec}
    for t in range(frames):
        balls = {k: _disc((x + dx * t, y), 9) for k, (x, dx, y, _) in spec.items()}
        shades = {k: 1 - np.float32(0.4) * _disc((x + dx * t, 78), 14)[..., None] for k, (x, dx, _, _) in spec.items()}
        picture = ground * shades["far"] * shades["near"]
        for k, (*_, color) in spec.items():
            paint = _texture(color, spec[k][1] * t)
            picture = np.where(balls[k][..., None] > 0, paint, picture)
            solos[k].append(np.where(balls[k][..., None] > 0, paint, ground * shades[k]))
        balls["far"] = balls["far"] * (balls["near"] == 0)
        for k in spec:
            changed = (np.abs(solos[k][t] - ground).max(-1) > 0).astype(np.uint8) * 255
            masks[k].append((balls[k] * 255).astype(np.uint8))
            influence[k].append(np.maximum(cv2.dilate(changed, np.ones((7, 7), np.uint8)), masks[k][t]))
        clip.append(np.rint(picture * 255).astype(np.uint8))
    plate = np.rint(ground * 255).astype(np.uint8)
    return LayerInputs(clip, [plate] * frames, masks, influence, [("far", "near")] * frames, (0, 0)), solos


def _disc(center, radius):
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    return (np.hypot(x - center[0], y - center[1]) <= radius).astype(np.float32)


def _texture(color, moved_px):
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    return np.float32(color) * (0.9 + 0.1 * np.sin(y) * np.cos((x - moved_px) / 2))[..., None]


@pytest.fixture(scope="module")
def solved():
    inputs, solos = two_shadows()
    return inputs, solos, solve_window(inputs, SolveConfig())


def test_layers_back_to_front_over_the_plate_give_the_input(solved):
    inputs, _, layers = solved
    for t, frame in enumerate(inputs.frames):
        picture = to_levels(inputs.plates[t])
        for name in inputs.names:
            picture = lay_over(layers[name][t], picture)
        assert np.abs(picture - to_levels(frame)).max() < 1.6 / 255


def test_crossing_shadows_go_to_the_one_that_throws_them(solved):
    inputs, solos, layers = solved
    for name in inputs.names:
        wrong = [
            np.abs(lay_over(layers[name][t], to_levels(inputs.plates[t])) - solos[name][t])
            for t in range(len(inputs.frames))
        ]
        assert np.mean(np.square(wrong)) < 10 ** (-36 / 10)


def test_no_alpha_without_influence_but_behind_others(solved):
    inputs, _, layers = solved
    for t in range(len(inputs.frames)):
        far, near = (layers[name][t][..., 3] for name in inputs.names)
        assert not near[inputs.influence["near"][t] == 0].any()
        behind = cv2.dilate(inputs.masks["near"][t], np.ones((7, 7), np.uint8)) > 0
        assert not far[(inputs.influence["far"][t] == 0) & ~behind].any()


def test_shares_add_up_to_the_whole():
    rng = np.random.default_rng(3)
    whole = rng.normal(size=(5, 6, 3)).astype(np.float32)
    guesses = {name: rng.normal(size=(5, 6, 3)).astype(np.float32) for name in ("a", "b", "c")}
    parts = [share_change(whole, guesses, name) for name in guesses]
    np.testing.assert_allclose(sum(parts), whole, atol=1e-5)


def test_right_guesses_are_left_as_they_are():
    guesses = {"a": np.full((2, 2, 3), -0.4, np.float32), "b": np.full((2, 2, 3), -0.2, np.float32)}
    np.testing.assert_allclose(
        share_change(np.full((2, 2, 3), -0.6, np.float32), guesses, "a"), guesses["a"], atol=1e-6
    )
