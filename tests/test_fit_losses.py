"""The terms of the loss against plain loops, and their weights from step to step."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from twins.fit_slow import terms_slow

from lamina.layers.fit_config import TERMS, LossConfig, Schedule
from lamina.layers.fit_losses import Batch, Neighbours, loss_terms, next_weights, start_weights, total_loss

ALL = (1.0,) * len(TERMS)
LEVELS = st.floats(0, 1, width=32)


def frames(channels: int, low: float = 0.0, high: float = 1.0):
    return arrays(np.float32, (2, channels, 3, 4), elements=st.floats(low, high, width=32))


def terms_of(rgba, picture, plate, mask, weights=ALL, config=None, **more) -> dict[str, float]:
    given = [torch.from_numpy(np.array(part)) for part in (rgba, picture, plate, mask)]
    found = loss_terms(given[0], Batch(*given[1:], **more), config or LossConfig(), weights)
    return dict(zip(TERMS, found.tolist(), strict=True))


@given(frames(4, -1, 2), frames(3), frames(3), frames(1))
def test_terms_equal_their_twin(rgba, picture, plate, mask):
    wanted = terms_slow(rgba, picture, plate, mask)
    late = tuple(0.0 if name == "mask" else 1.0 for name in TERMS)
    found = terms_of(rgba, picture, plate, mask) | {
        "mask_inside": terms_of(rgba, picture, plate, mask, late)["mask_inside"]
    }
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=1e-4), name


def test_an_alpha_below_zero_earns_something():
    rgba = np.full((1, 4, 2, 2), -0.5, np.float32)
    found = terms_of(rgba, *(np.zeros((1, c, 2, 2), np.float32) for c in (3, 3, 1)))
    assert found["sparsity_l0"] < 0 < found["sparsity_l1"]


def test_absolute_differences():
    rgba = np.concatenate([np.ones((1, 3, 1, 2)), [[[[0.25, 0.75]]]]], 1).astype(np.float32)
    zero, mask = np.zeros((1, 3, 1, 2), np.float32), np.array([[[[0, 1]]]], np.float32)
    config = LossConfig(recon_metric="l1", mask_metric="l1", white=255.0)
    found = terms_of(rgba, zero, zero, mask, config=config)
    assert found["recon"] == pytest.approx(127.5) and found["mask"] == pytest.approx(0.5)


def test_an_empty_mask_is_no_division_by_zero():
    blank = [np.zeros((1, c, 2, 2), np.float32) for c in (4, 3, 3, 1)]
    assert all(np.isfinite(value) for value in terms_of(*blank).values())


def test_terms_without_weight_are_left_out():
    some = [np.full((1, c, 2, 3), 0.5, np.float32) for c in (4, 3, 3, 1)]
    some[0][0, :, 0] = 0.9
    found = terms_of(*some, weights=(0.0,) * len(TERMS))
    assert {name for name, value in found.items() if value} == {"recon", "sparsity_l0", "sparsity_l1", "mask_inside"}


def test_the_guide_counts_where_it_is_trusted():
    rgba, mask = np.full((1, 4, 1, 2), 0.5, np.float32), np.zeros((1, 1, 1, 2), np.float32)
    zero = np.zeros((1, 3, 1, 2), np.float32)
    more = {"guide": torch.zeros(1, 1, 1, 2), "guide_weight": torch.tensor([[[[1.0, 0.0]]]])}
    assert terms_of(rgba, zero, zero, mask, **more)["guide"] == pytest.approx(0.125)


def test_neighbours_are_calm_as_far_as_they_are_alike():
    rgba = np.zeros((1, 4, 1, 3), np.float32)
    rgba[0, 3, 0] = [0.1, 0.4, 1.0]
    zero, mask = np.zeros((1, 3, 1, 3), np.float32), np.zeros((1, 1, 1, 3), np.float32)
    pairs = Neighbours(torch.tensor([0, 1]), torch.tensor([1, 2]), torch.tensor([1.0, 0.5]))
    assert terms_of(rgba, zero, zero, mask, neighbours=(pairs,))["calm"] == pytest.approx((0.3 + 0.5 * 0.6) / 3)


def test_milestones_act_before_their_step_and_for_good():
    config = LossConfig(mask=Schedule(10.0, 0.5, (2, 4)))
    weights, seen = start_weights(config, torch.ones(1, 1, 2, 2)), []
    for step in range(6):
        weights = next_weights(weights, config, step)
        seen.append(weights[TERMS.index("mask")])
    assert seen == [10, 10, 5, 5, 2.5, 2.5]


def test_the_mean_mask_scales_both_sparsity_terms():
    config = LossConfig(sparsity_l0=Schedule(1.0), sparsity_l1=Schedule(2.0), sparsity_scale="mean mask")
    mask = torch.tensor([[[[1.0, 0.0, 0.0, 0.0]]]])
    weights = dict(zip(TERMS, start_weights(config, mask), strict=True))
    assert (weights["recon"], weights["sparsity_l0"], weights["sparsity_l1"]) == (1.0, 0.25, 0.5)


@given(arrays(np.float32, len(TERMS), elements=LEVELS), arrays(np.float64, len(TERMS), elements=LEVELS))
def test_the_total_is_the_weighted_sum(terms, weights):
    found = total_loss(torch.from_numpy(terms), tuple(weights.tolist()))
    assert found.item() == pytest.approx(float((terms * weights).sum()), abs=1e-5)
