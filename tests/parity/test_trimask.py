"""Trimasks and what networks are told of them; the masks that the layer step is given, and how they shrink for it."""

from typing import Any

import numpy as np
import torch
from recorded import Recorded
from recorded_backbones import windowed_geometry

from lamina.backbones.inputs import model_trimask
from lamina.backbones.mask_latents import merged_in_time, stacked_in_time
from lamina.backbones.specs import COG_GEOMETRY, WAN_GEOMETRY
from lamina.backbones.timing import plan_timing
from lamina.layers.detail import object_masks
from lamina.layers.fit_clip import erode
from lamina.layers.fit_config import PRESETS
from lamina.masks.published import painted_trimask, published_trimask
from lamina.masks.trimask import published_levels

NETWORKS = {"cogvideox": (COG_GEOMETRY, merged_in_time), "wan": (WAN_GEOMETRY, stacked_in_time)}
MASK_SCALE = 0.7
"""CogVideoX is told of masks on the scale of its latents."""
LEAST_OVERLAP = 1
"""Windows have no say in this; so a recorded window may be as short as it likes."""


def test_masks_of_the_layer_step(trimask: Recorded):
    for name, case in trimask.text["config"]["sets"].items():
        wanted = [key for key in trimask.under(f"out/{name}/") if key.startswith("stage2_mask_")]
        if not wanted:
            continue
        given = [trimask[f"in/{name}/mask_{k}"].numpy() for k in range(case["objects"])]
        for k, mask in enumerate(object_masks(given, tuple(case["sample_size"]))):
            frames = torch.from_numpy(mask.astype(np.float32))[:, None]
            eroded = erode(frames, PRESETS["reference"].erode_px)
            for suffix, found in (("", frames), ("_eroded", eroded)):
                key = f"out/{name}/stage2_mask_{k}{suffix}"
                trimask.compare(key, found.reshape(trimask[key].shape))
        assert {f"out/{name}/{key}" for key in wanted} <= trimask.compared


def test_trimasks_and_what_networks_are_told_of_them(trimask: Recorded):
    for name, case in trimask.text["config"]["sets"].items():
        for run in case["runs"]:
            _compare_run(trimask, name, case, run)
    wanted = {key for key in trimask.under("out/") if "stage2_mask_" not in key}
    assert {f"out/{key}" for key in wanted} <= trimask.compared


def _compare_run(recorded: Recorded, name: str, case: dict[str, Any], run: dict[str, Any]) -> None:
    prefix, size = f"out/{name}/{run['name']}", tuple(case["sample_size"])
    if case["kind"] == "user":
        made = painted_trimask(recorded[f"in/{name}/trimask_0"].numpy(), size)
    else:
        masks = [recorded[f"in/{name}/mask_{k}"].numpy() for k in range(case["objects"])]
        kept = [number for number in run["keep_fg_ids"] if number >= 0]
        made = published_trimask(masks, kept, size, case["dilate_width"])
    recorded.compare(f"{prefix}/loader_u8", published_levels(made))
    for kind, (geometry, channels) in NETWORKS.items():
        geometry = windowed_geometry(geometry, run[kind]["temporal_window_size"], LEAST_OVERLAP)
        padded = model_trimask(made, plan_timing(geometry, case["frames"], "reference"))
        recorded.compare(f"{prefix}/{kind}_padded_u8", published_levels(padded))
        scale = MASK_SCALE if kind == "cogvideox" else 1
        recorded.compare(f"{prefix}/{kind}_latent", channels([padded], geometry) * scale)
