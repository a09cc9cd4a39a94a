"""The loss terms, their weights, the total and its gradient, at the recorded steps."""

import torch
from recorded import LOSS_NAMES, Recorded, losses_of

from lamina.composite import over
from lamina.layers.fit_config import TERMS
from lamina.layers.fit_losses import Batch, loss_terms, next_weights, start_weights, total_loss

OURS = [TERMS.index(name) for name in LOSS_NAMES]


def test_composite(stage2_losses: Recorded):
    rgba = stage2_losses["in/pred_rgba"]
    stage2_losses.compare("out/composite", over(rgba[:, :3], rgba[:, 3:], stage2_losses["in/Y"]))


def test_losses(stage2_losses: Recorded):
    for name in stage2_losses.text["variants"]:
        _compare_variant(stage2_losses, name)
    stage2_losses.compared.add("out/composite")
    stage2_losses.assert_all_compared()


def _compare_variant(recorded: Recorded, name: str) -> None:
    variant = recorded.text["variants"][name]
    config = losses_of(recorded.text["config"] | variant["config"])
    batch = Batch(recorded["in/XY"], recorded["in/Y"], recorded[f"in/{variant['mask']}"])
    weights = start_weights(config, recorded["in/clip_mask"])
    rows = []
    for step in variant["steps"]:
        rgba = recorded["in/pred_rgba"].clone().requires_grad_()
        weights = next_weights(weights, config, step)
        terms = loss_terms(rgba, batch, config, weights)
        total = total_loss(terms, weights)
        total.backward()
        rows.append((terms.detach()[OURS], torch.tensor(weights)[OURS], total.detach()))
        if step in variant["grad_steps"]:
            recorded.compare(f"out/{name}/grad_step{step}", rgba.grad)
    for what, column in zip(("terms", "weights", "total"), zip(*rows, strict=True), strict=True):
        recorded.compare(f"out/{name}/{what}", torch.stack(column))
