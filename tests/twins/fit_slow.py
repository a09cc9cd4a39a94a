"""The layer network and its losses, one number at a time."""

import math
from collections.abc import Mapping

import numpy as np

KERNEL = 4
# name, stride, dilation, has a norm, slope of the activation below zero
ENCODER = [
    ("encoder.0", 2, 1, False, 0.0),
    ("encoder.1", 2, 1, True, 0.2),
    ("encoder.2", 2, 1, True, 0.2),
    ("encoder.3", 2, 1, True, 0.2),
    ("encoder.4", 2, 1, True, 0.2),
    ("encoder.5", 1, 2, True, 0.2),
    ("encoder.6", 1, 2, True, 0.2),
]
SKIPS = [4, 3, 2, 1, 0]
"""Which encoder layer's output each decoder layer is given beside the one before."""

Weights = Mapping[str, np.ndarray]


def unet_slow(weights: Weights, pictures: np.ndarray) -> np.ndarray:
    """`t c h w` through the network, norms with the statistics of this very batch."""
    features, outputs = pictures, []
    for name, stride, dilation, normed, slope in ENCODER:
        features = same_conv_slow(
            features, weights[f"{name}.conv.weight"], weights[f"{name}.conv.bias"], stride, dilation
        )
        features = norm_slow(features, weights, name) if normed else features
        features = np.where(features > 0, features, slope * features)
        outputs.append(features)
    for number, skip in enumerate(SKIPS):
        name = f"decoder.{number}"
        both = np.concatenate([features, outputs[skip]], 1)
        features = double_slow(both, weights[f"{name}.conv.weight"], weights[f"{name}.conv.bias"])
        features = np.maximum(norm_slow(features, weights, name), 0)
    return same_conv_slow(features, weights["out_conv.conv.weight"], weights["out_conv.conv.bias"], 1, 1)


def same_conv_slow(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int, dilation: int) -> np.ndarray:
    """Output pixel (y, x) is centred on input pixel (y, x) * stride; an even kernel reaches further right and down."""
    t, _, height, width = x.shape
    reach = dilation * (KERNEL - 1) + 1
    before = (reach - stride) // 2
    out = np.zeros((t, len(weight), height // stride, width // stride))
    for place in np.ndindex(*out.shape[2:]):
        total = np.zeros((t, len(weight)))
        for i, j in np.ndindex(KERNEL, KERNEL):
            row, column = (p * stride - before + k * dilation for p, k in zip(place, (i, j), strict=True))
            if 0 <= row < height and 0 <= column < width:
                total += x[:, :, row, column] @ weight[:, :, i, j].T
        out[:, :, place[0], place[1]] = total + bias
    return out


def double_slow(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Every input pixel paints a 4x4 patch around its 2x2 pixels of the output."""
    t, _, height, width = x.shape
    out = np.zeros((t, weight.shape[1], 2 * height + 2, 2 * width + 2))
    for y, z in np.ndindex(height, width):
        for i, j in np.ndindex(KERNEL, KERNEL):
            out[:, :, 2 * y + i, 2 * z + j] += x[:, :, y, z] @ weight[:, :, i, j]
    return out[:, :, 1:-1, 1:-1] + bias[:, None, None]


def norm_slow(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        scale, shift = weights[f"{name}.norm.weight"][c], weights[f"{name}.norm.bias"][c]
        out[:, c] = (x[:, c] - x[:, c].mean()) / math.sqrt(x[:, c].var() + 1e-5) * scale + shift
    return out


def terms_slow(rgba: np.ndarray, picture: np.ndarray, plate: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """The squared terms, `t c h w`, pixel by pixel; mask_inside as if the mask's weight were 0."""
    t, _, height, width = rgba.shape
    recon = l0 = l1 = inside = outside = 0.0
    for n, y, x in np.ndindex(t, height, width):
        alpha, m = float(rgba[n, 3, y, x]), float(mask[n, 0, y, x])
        for c in range(3):
            seen = alpha * float(rgba[n, c, y, x]) + (1 - alpha) * float(plate[n, c, y, x])
            recon += (float(picture[n, c, y, x]) - seen) ** 2
        l0 += 2 * (1 / (1 + math.exp(-5 * alpha)) - 0.5)
        l1 += abs(alpha)
        inside += (alpha - m) ** 2 * m
        outside += (alpha - m) ** 2 * (1 - m)
    pixels, area = t * height * width, float(mask.sum())
    inside, outside = inside / (area + 1e-9), outside / (pixels - area + 1e-9)
    return {
        "recon": recon / (3 * pixels),
        "sparsity_l0": l0 / pixels,
        "sparsity_l1": l1 / pixels,
        "mask": inside + outside,
        "mask_inside": inside,
        "smoothness": _roughness(rgba[:, 3]),
    }


def _roughness(alpha: np.ndarray) -> float:
    t, height, width = alpha.shape
    across = [abs(alpha[n, y, x + 1] - alpha[n, y, x]) for n, y, x in np.ndindex(t, height, width - 1)]
    down = [abs(alpha[n, y + 1, x] - alpha[n, y, x]) for n, y, x in np.ndindex(t, height - 1, width)]
    return float(np.mean(across) + np.mean(down))
