"""What is hidden behind another object comes back from the frames that show it."""

import cv2
import numpy as np
import pytest

from lamina.alpha import lay_over
from lamina.layers.complete import complete
from lamina.layers.overlap import LayerInputs, find_overlaps
from lamina.layers.solve import SolveConfig
from lamina.layers.window import solve_window
from lamina.levels import to_levels

SIZE = (96, 160)
STEP_PX = 5


def behind_pole(frames=24, pole_px=14):
    """A textured square moves at a known speed behind a grey pole: inputs and the true RGBA of the square."""
    rng = np.random.default_rng(4)
    ground = cv2.GaussianBlur(rng.uniform(0, 255, (*SIZE, 3)).astype(np.float32), (0, 0), 3).astype(np.uint8)
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (40, 40, 3)).astype(np.float32), (0, 0), 1.5)
    texture = cv2.normalize(texture, None, 20, 235, cv2.NORM_MINMAX).astype(np.uint8)
    pole = np.zeros(SIZE, np.uint8)
    pole[4:92, 73 : 73 + pole_px] = 255
    clip, squares, truth = [], [], []
    for t in range(frames):
        whole = np.zeros((*SIZE, 4), np.uint8)
        left = 8 + STEP_PX * t
        whole[30:70, left : left + 40, :3] = texture[:, : SIZE[1] - left]
        whole[30:70, left : left + 40, 3] = 255
        frame = np.where(whole[..., 3:] > 0, whole[..., :3], ground)
        clip.append(np.where(pole[..., None] > 0, np.uint8(120), frame))
        squares.append(np.where(pole > 0, 0, whole[..., 3]))
        truth.append(whole)
    masks = {"square": squares, "pole": [pole] * frames}
    influence = {k: [cv2.dilate(m, np.ones((9, 9), np.uint8)) for m in v] for k, v in masks.items()}
    plates = [
        np.where((influence["square"][t] | influence["pole"][t])[..., None] > 0, ground, clip[t]) for t in range(frames)
    ]
    return LayerInputs(clip, plates, masks, influence, [("square", "pole")] * len(clip), (0, 0)), truth


@pytest.mark.parametrize("pole_px", [14, 30])
def test_a_square_behind_a_pole_is_whole(pole_px):
    inputs, truth = behind_pole(pole_px=pole_px)
    layers = solve_window(inputs, SolveConfig())
    for t in range(4, 20):
        behind = (truth[t][..., 3] > 0) & (inputs.masks["pole"][t] > 0)
        if not behind.any():
            continue
        rgba = layers["square"][t]
        assert (rgba[..., 3] > 127)[behind].mean() > 0.95
        inside = behind & (cv2.erode(truth[t][..., 3], np.ones((9, 9), np.uint8)) > 0)
        if inside.any():
            assert np.abs(rgba[..., :3].astype(int) - truth[t][..., :3])[inside].mean() < 10
        beyond = (cv2.dilate(truth[t][..., 3], np.ones((7, 7), np.uint8)) == 0) & (inputs.masks["pole"][t] > 0)
        assert rgba[..., 3][beyond].mean() < 3


def test_the_stack_still_adds_up():
    inputs, _ = behind_pole()
    layers = solve_window(inputs, SolveConfig())
    for t, frame in enumerate(inputs.frames):
        picture = to_levels(inputs.plates[t])
        for name in inputs.names:
            picture = lay_over(layers[name][t], picture)
        assert np.abs(picture - to_levels(frame)).max() < 1.6 / 255


def test_what_no_frame_shows_stays_empty():
    inputs, truth = behind_pole()
    still = LayerInputs(
        [inputs.frames[13]] * 4,
        [inputs.plates[13]] * 4,
        {k: [v[13]] * 4 for k, v in inputs.masks.items()},
        {k: [v[13]] * 4 for k, v in inputs.influence.items()},
        inputs.order[:4],
        (0, 0),
    )
    alpha = solve_window(still, SolveConfig())["square"][1][..., 3]
    deep = cv2.erode(inputs.masks["pole"][13], np.ones((9, 9), np.uint8)) > 0
    assert not alpha[deep].any()


def test_nothing_is_completed_for_the_front_object():
    inputs, _ = behind_pole(frames=6)
    overlaps = find_overlaps(inputs, edge_px=3, reach_frames=6)
    assert complete(overlaps, "pole", 3) is None
