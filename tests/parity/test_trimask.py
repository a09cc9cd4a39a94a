"""The masks that the layer step is given, and how they are made smaller for it."""

import numpy as np
import torch
from recorded import Recorded

from lamina.layers.detail import object_masks
from lamina.layers.fit_clip import erode
from lamina.layers.fit_config import PRESETS


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
