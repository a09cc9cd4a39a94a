"""The recorded steps of the optimiser, from the recorded start values of the network."""

from dataclasses import replace

import torch
from recorded import LOSS_NAMES, Recorded, losses_of

from lamina.layers.fit import FitState, finish, fit_steps, make_optimizer, start_fit
from lamina.layers.fit_clip import BATCHES
from lamina.layers.fit_config import PRESETS, FitConfig, OptimizerConfig
from lamina.layers.fit_models import RgbaNetwork


def config_of(recorded: Recorded) -> FitConfig:
    config = recorded.text["config"]
    assert {config["rgb_module_type"], config["alpha_module_type"]} == {"unet"}
    reference = PRESETS["reference"]
    stage = replace(
        reference.stages[0],
        losses=losses_of(config),
        optimizer=optimizer_of(recorded),
        steps=recorded.text["steps"],
        batch_frames=config["batch_size"],
    )
    return replace(reference, stages=(stage,), width=recorded.text["unet"]["base_width"], erode_px=1)


def optimizer_of(recorded: Recorded) -> OptimizerConfig:
    config = recorded.text["config"]
    milestones = tuple(config["lr_schedule_milestones"])
    reference = PRESETS["reference"].stages[0].optimizer
    factor = float(config["lr_schedule_gamma"])
    return replace(reference, network_lr=float(config["rgb_lr"]), factor=factor, at=milestones)


def start(recorded: Recorded) -> FitState:
    picture, plate, mask = (recorded[f"in/{name}"].float() / 255 for name in ("XY", "Y", "mask"))
    state = start_fit(config_of(recorded), picture, plate, mask)
    assert isinstance(state.model, RgbaNetwork)
    state.model.network.load_state_dict(recorded.under("init/"), strict=True)
    state.draws = iter(recorded["in/batch_start"].tolist())
    return state


def test_fit(stage2_fit: Recorded):
    state = start(stage2_fit)
    reports = list(fit_steps(state))
    assert len(reports) == stage2_fit.text["steps"]
    loss = torch.tensor([r.total for r in reports])
    stage2_fit.compare("out/loss", loss)
    # rounding grows with the steps; at the first there is none yet, and on average it stays small
    assert abs(loss[0] - stage2_fit["out/loss"][0]) <= stage2_fit.noted("out/loss", "step 0 should agree to")
    stage2_fit.compare("out/terms", torch.tensor([[r.terms[name] for name in LOSS_NAMES] for r in reports]))
    stage2_fit.compare("out/lr", torch.tensor([r.lr["network"] for r in reports]))
    rgba = finish(state)
    final = rgba[stage2_fit.text["saved_frames"]]
    stage2_fit.compare("out/final_rgba", final)
    off = (final - stage2_fit["out/final_rgba"]).abs().mean()
    assert off <= stage2_fit.noted("out/final_rgba", "also mean abs")
    stage2_fit.compare("out/final_rgba_frame_mean", rgba.mean((2, 3)))


def test_first_picture(stage2_fit: Recorded):
    state = start(stage2_fit)
    frames = BATCHES[state.stage.batches](next(state.draws), state.model.frames, state.stage.batch_frames)
    [part] = state.model.parts(frames)
    stage2_fit.compare("out/first_forward", part.rgba.detach()[stage2_fit.text["first_forward_frames"]])


def test_optimizer(stage2_fit: Recorded):
    probe = torch.nn.Parameter(stage2_fit["in/probe_start"].clone())
    config = optimizer_of(stage2_fit)
    optimizer, scheduler = make_optimizer([{"params": [probe], "lr": config.network_lr}], config)
    places = []
    for gradient in stage2_fit["in/probe_grad"]:
        probe.grad = gradient.clone()
        optimizer.step()
        scheduler.step()
        places.append(probe.detach().clone())
    stage2_fit.compare("out/probe_param", torch.stack(places))


def test_nothing_else_is_recorded(stage2_fit: Recorded):
    kinds = ("loss", "terms", "lr", "final_rgba", "final_rgba_frame_mean", "first_forward", "probe_param")
    assert set(stage2_fit.under("out/")) == set(kinds)
