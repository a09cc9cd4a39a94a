"""What is known put in the place of what is made up: where, and what that does to sampling."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_casper import chance

from lamina.backbones.specs import COG_GEOMETRY, WAN_GEOMETRY
from lamina.removal.anchored import anchored, latent_share, pixel_share, shown
from lamina.sampling import sample, step
from lamina.schedule import DdimSchedule, FlowSchedule, Level

LEVEL = Level(0.5, 0.5, 500.0)


def test_nothing_known_is_the_denoiser_itself():
    def denoise(latents, level):
        return latents

    assert anchored(denoise, chance(2, 3, 4, 5), torch.zeros(2, 1, 3, 4, 5)) is denoise


def test_known_latents_are_exact_and_others_untouched():
    known, made_up = chance(2, 3, 4, 5, seed=1), chance(2, 2, 3, 4, 5, seed=2)
    share = (chance(2, 1, 3, 4, 5, seed=3) > 0).float()
    found = anchored(lambda latents, level: made_up, known, share)(torch.zeros(2, 2, 3, 4, 5), LEVEL)
    assert torch.equal(found, torch.where(share.bool(), known[None], made_up))


@pytest.mark.parametrize("schedule", [DdimSchedule(), FlowSchedule()], ids=["ddim", "flow"])
@pytest.mark.parametrize("steps", [4, 50])
def test_it_is_the_same_as_putting_the_known_in_noised_to_the_level(schedule, steps: int):
    """Slow twin: before the network is asked, known latents are made noisy with the very noise of the start."""
    known, gauss = chance(2, 3, 4, 4, seed=1).double(), chance(1, 2, 3, 4, 4, seed=2).double()
    share = torch.zeros(1, 1, 3, 4, 4, dtype=torch.float64)
    share[..., :2] = 1
    moves = schedule.moves(steps)

    def network(latents, level):  # looks at its neighbours, so that what is known has a say
        return torch.tanh(latents + 0.3 * latents.roll(1, -1) - level.noise)

    *_, found = sample(anchored(network, known, share), gauss, moves)
    twin = gauss
    for move in moves:
        noisy = move.start.signal * known + move.start.noise * gauss
        twin = torch.where(share.bool(), noisy, twin)
        twin = step(twin, network(twin, move.start), move)
    made_up = ~share.bool().expand_as(twin)
    np.testing.assert_allclose(found.latents[made_up], twin[made_up], atol=1e-5)
    np.testing.assert_allclose(found.latents[~made_up], known[None][~made_up], atol=1e-5)


@given(st.integers(0, 8), st.integers(0, 31), st.integers(0, 47))
def test_one_doubtful_pixel_makes_its_latents_doubtful(t: int, y: int, x: int):
    sure = np.ones((9, 32, 48), bool)
    sure[t, y, x] = False
    share = latent_share(sure, WAN_GEOMETRY)[0]
    assert share.shape == (3, 4, 6)
    at, row, column = -(-t // 4), y // 8, x // 8
    wanted = torch.ones(3, 4, 6)
    wanted[at, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = 0
    assert torch.equal(share, wanted)


def test_frames_that_follow_a_clips_first_piece():
    sure = np.ones((8, 16, 16), bool)
    sure[4] = False
    assert latent_share(sure, COG_GEOMETRY)[0].amax((1, 2)).tolist() == [1, 0]


def test_pixels_are_mixed_at_the_rim_only():
    sure = np.zeros((20, 40), bool)
    sure[:, 10:] = True
    share = pixel_share(sure)
    assert not share[:, :10].any() and (share[:, 14:] == 1).all() and 0 < share[5, 10] < 1
    known, made_up = np.full((20, 40, 3), 0.3, np.float32), np.full((20, 40, 3), 0.9, np.float32)
    found = shown(made_up, known, share)
    np.testing.assert_array_equal(found[:, 14:], known[:, 14:])
    np.testing.assert_array_equal(found[:, :10], made_up[:, :10])


def test_all_sure_is_all_known():
    assert (pixel_share(np.ones((3, 4), bool)) == 1).all()
