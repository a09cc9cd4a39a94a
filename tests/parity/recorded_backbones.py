"""Backbones made from recorded weights by the same functions that read published files."""

from dataclasses import replace
from typing import Any

import torch
from recorded import Recorded

from lamina.backbones import cogvideox
from lamina.backbones.checkpoint import load_strictly
from lamina.backbones.cogvideox import CogVideoX
from lamina.backbones.interface import Condition, Geometry
from lamina.backbones.memory import MODES
from lamina.backbones.open import load_wan_transformer, load_wan_vae
from lamina.backbones.specs import COG_GEOMETRY, WAN_GEOMETRY
from lamina.backbones.wan import Wan
from lamina.schedule import DdimSchedule, FlowSchedule

CPU, FP32 = torch.device("cpu"), torch.float32


class NoVae:
    dtype = FP32


def cogvideox_of(recorded: Recorded, geometry: Geometry = COG_GEOMETRY) -> CogVideoX:
    config, weights = recorded.text["config"], recorded.under
    transformer, vae = None, NoVae()
    if "transformer" in config:
        module = cogvideox.build_transformer(config["transformer"])
        transformer = load_strictly(module, weights("transformer/"), "recorded", FP32)
    if "vae" in config:
        vae = load_strictly(cogvideox.build_vae(config["vae"]), weights("vae/"), "recorded", FP32)
    schedule = DdimSchedule.from_config(config.get("scheduler", {}))
    strength = recorded.text.get("run", {}).get("noise_aug_strength", cogvideox.VIDEO_NOISE)
    full = MODES["full"]
    return CogVideoX(transformer, vae, geometry, schedule, CPU, full, place, no_encoder, {}, strength)


def wan_of(recorded: Recorded, geometry: Geometry = WAN_GEOMETRY) -> Wan:
    config, weights = recorded.text["config"], recorded.under
    transformer, vae = None, NoVae()
    if "transformer" in config:
        transformer = load_wan_transformer(config["transformer"], weights("transformer/"), "recorded", FP32)
    if "vae" in config:
        vae = load_wan_vae(weights("vae/"), "recorded", FP32)
    scheduler = recorded.text.get("run", {}).get("scheduler", {})
    schedule = FlowSchedule(scheduler.get("num_train_timesteps", 1000), scheduler.get("shift", 5.0))
    return Wan(transformer, vae, geometry, schedule, CPU, MODES["full"], place, no_encoder, no_encoder, {})


def windowed_geometry(geometry: Geometry, window_frames: int, overlap_latents: int = 4) -> Geometry:
    return replace(geometry, window_frames=window_frames, overlap_frames=overlap_latents * geometry.temporal)


def condition_of(beside: torch.Tensor, mask_channels: int, text: torch.Tensor, image: torch.Tensor | None) -> Condition:
    """`1 c t h w`: mask and video latents as they were recorded."""
    return Condition(beside[:, :mask_channels], beside[0, mask_channels:], text, image)


def image_features(recorded: Recorded, item: int = 0) -> torch.Tensor | None:
    """What CLIP says of a first frame; None where the run was recorded without."""
    return recorded.of_item("in/clip_features", item) if "in/clip_features" in recorded.tensors else None


def place(transformer: Any) -> Any:
    return transformer


def no_encoder(given: Any) -> Any:
    raise AssertionError("features are recorded, no encoder is asked")
