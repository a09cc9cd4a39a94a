"""Makes scikit_image.json, PSNR and SSIM as scikit-image gives them; the package is too heavy to be a test's need.

python -m venv other && other/bin/pip install scikit-image==0.26.0 && other/bin/python make_scikit_image.py
"""

import json
from pathlib import Path

import numpy as np
import skimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

CASES = [(0, (48, 40), "uint8"), (1, (31, 57), "uint8"), (2, (64, 33), "uint16"), (3, (20, 11), "float32")]


def pair(seed: int, size: tuple[int, int], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """As `published_pair` in test_evaluate_metrics.py."""
    width, height = size
    chance = np.random.default_rng(seed)
    rows, columns = np.indices((height, width))
    waves = np.stack([np.sin(columns / (3 + c) + seed) * np.cos(rows / (4 + c)) for c in range(3)], -1) * 0.45 + 0.5
    noisy = (waves + 0.1 * chance.standard_normal(waves.shape)).clip(0, 1)
    white = {"uint8": 255, "uint16": 65535}.get(dtype)
    return tuple(np.rint(v * white).astype(dtype) if white else v.astype(np.float32) for v in (waves, noisy))


def entry(seed: int, size: tuple[int, int], dtype: str) -> dict:
    truth, found = (
        v.astype(np.float64) / {"uint8": 255, "uint16": 65535}.get(dtype, 1) for v in pair(seed, size, dtype)
    )
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": -1}
    return {
        "seed": seed,
        "size": size,
        "dtype": dtype,
        "psnr": float(peak_signal_noise_ratio(truth, found, data_range=1)),
        "ssim": float(structural_similarity(truth, found, data_range=1, **options)),
    }


if __name__ == "__main__":
    made = {"scikit-image": skimage.__version__, "cases": [entry(*case) for case in CASES]}
    Path(__file__).with_name("scikit_image.json").write_text(json.dumps(made, indent=1) + "\n")
