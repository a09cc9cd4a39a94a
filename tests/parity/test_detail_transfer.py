"""Layers after taking the source's pixels, laid over checkerboard and white, and whole composites."""

import numpy as np
import torch
from recorded import Recorded

from lamina.clip import numpy_to_frames
from lamina.composite import flatten
from lamina.layers.detail import published_masks, transfer_detail, visible_shares
from lamina.levels import to_levels

SQUARE_PX, LIGHT, DARK = 24, 215, 174


def checker(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width] // SQUARE_PX
    return np.where((x + y) % 2, DARK, LIGHT)[..., None].astype(np.float32)


def laid_over(rgba: np.ndarray, below: np.ndarray | float) -> np.ndarray:
    alpha = to_levels(rgba[..., 3:])
    return np.floor(rgba[..., :3] * alpha + below * (1 - alpha) + np.float32(0.5)).astype(np.uint8)


def composite(plate: np.ndarray, layers: list[np.ndarray]) -> torch.Tensor:
    frames = [numpy_to_frames(layer) for layer in reversed(layers)]
    return flatten(numpy_to_frames(plate), [(f[:, :3], f[:, 3:]) for f in frames])


def test_cases(detail_transfer: Recorded):
    for name in detail_transfer.text["config"]["cases"]:
        _compare_case(detail_transfer, name)
    detail_transfer.assert_all_compared()


def _compare_case(recorded: Recorded, name: str) -> None:
    case = recorded.text["config"]["cases"][name]
    given = {key: tensor.numpy() for key, tensor in recorded.under(f"in/{name}/").items()}
    count, size = case["num_fgs"], tuple(case["sample_size"])
    layers = [given[f"layer_{k}"] for k in range(count)]
    order = [int(number) for number in case["composite_order"].split(",")]
    order = order if len(order) == count else list(range(count))
    masks = [given[f"mask_{k}"] for k in range(count)]
    masks = published_masks(masks, size) if case["detail_transfer_use_input_mask"] else None
    done = transfer_detail(given["frames"], layers, order, masks, float(case["detail_transfer_transmission_thresh"]))
    for k, layer in enumerate(done):
        recorded.compare(f"out/{name}/dt_layer_{k}", layer)
        recorded.compare(f"out/{name}/dt_layer_{k}_over_checker", laid_over(layer, checker(*size)))
        recorded.compare(f"out/{name}/dt_layer_{k}_over_white", laid_over(layer, 255))
    front_to_back = [layers[k] for k in order]
    recorded.compare(f"out/{name}/transmission", np.stack(visible_shares(front_to_back))[:, :, None])
    recorded.compare(f"out/{name}/composite_before", composite(given["bg"], front_to_back))
    recorded.compare(f"out/{name}/composite_after", composite(given["bg"], [done[k] for k in order]))
