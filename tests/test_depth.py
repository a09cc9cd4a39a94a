"""Order from a depth model: a toy one of random weights, loaded as any other, and what is said when there is none."""

import json
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lamina.errors import InputError, MissingExtra
from lamina.layers.depth import depth_of, nearness_of

transformers = pytest.importorskip("transformers", reason="the extra `models` is not installed")

PREPROCESSING = {
    "image_processor_type": "DPTImageProcessor",
    "size": {"height": 56, "width": 56},
    "keep_aspect_ratio": True,
    "ensure_multiple_of": 14,
    "resample": 3,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


def backbone() -> "transformers.Dinov2Config":
    return transformers.Dinov2Config(
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
    )


def toy_config(kind: str) -> "transformers.PretrainedConfig":
    """relative and metric are Depth Anything's two kinds."""
    sizes = {"neck_hidden_sizes": [8] * 4, "fusion_hidden_size": 8}
    if kind == "dpt":
        return transformers.DPTConfig(backbone_config=backbone(), hidden_size=24, is_hybrid=False, **sizes)
    if kind == "glpn":
        return transformers.GLPNConfig(
            depths=[1] * 4, hidden_sizes=[8, 8, 16, 16], num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=8
        )
    return transformers.DepthAnythingConfig(
        backbone_config=backbone(),
        reassemble_hidden_size=24,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=10 if kind == "metric" else 1,
        **sizes,
    )


def save_toy(folder: Path, kind: str = "relative") -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = transformers.AutoModelForDepthEstimation.from_config(toy_config(kind))
        for name, weights in network.named_parameters():
            weights.data.normal_(0, 0.3)
            if name.startswith("head") and name.endswith("bias"):
                weights.data.fill_(1.0)  # before a ReLU, which would leave nothing
        network.save_pretrained(folder)
    glpn = {"image_processor_type": "GLPNImageProcessor", "size_divisor": 32}
    (folder / "preprocessor_config.json").write_text(json.dumps(glpn if kind == "glpn" else PREPROCESSING))
    return folder


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def frames(dtype: str = "uint8", count: int = 2) -> list[np.ndarray]:
    levels = np.random.default_rng(0).random((count, 45, 80, 3)).astype(np.float32)
    return list(levels if dtype == "float32" else np.rint(levels * np.iinfo(dtype).max).astype(dtype))


def by_hand(folder: Path, frame: np.ndarray) -> np.ndarray:
    """The documented way, step by step, without `depth_of`."""
    kind = transformers.GLPNImageProcessorPil if "glpn" in folder.name else transformers.DPTImageProcessorPil
    network = transformers.AutoModelForDepthEstimation.from_pretrained(folder).eval()
    with torch.no_grad():
        depth = network(**kind.from_pretrained(folder)(images=frame, return_tensors="pt")).predicted_depth
    sized = torch.nn.functional.interpolate(depth[None], frame.shape[:2], mode="bicubic", align_corners=False)
    return sized[0, 0].numpy()


def test_a_model_in_a_folder_is_used(toy: Path, no_network):
    found = list(depth_of(iter(frames()), toy))
    assert [f.shape for f in found] == [(45, 80)] * 2 and found[0].dtype == np.float32
    raw = by_hand(toy, frames()[0])
    low, high = np.percentile(raw, (2, 98))
    np.testing.assert_allclose(found[0], (raw - low) / (high - low), atol=2e-4)
    assert np.percentile(found[0], 2) == pytest.approx(0, abs=1e-3)
    assert np.percentile(found[0], 98) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kind", ["metric", "glpn", "dpt"])
def test_metres_are_turned_into_nearness(tmp_path: Path, no_network, kind: str):
    folder = save_toy(tmp_path / kind, kind)
    near = 1 / np.maximum(by_hand(folder, frames()[0]), 1e-3)
    low, high = np.percentile(near, (2, 98))
    assert high > 1.05 * low
    np.testing.assert_allclose(next(depth_of(frames(), folder)), (near - low) / (high - low), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_every_number_type_is_taken(toy: Path, dtype: str):
    difference = next(depth_of(frames(dtype), toy)) - next(depth_of(frames("uint8"), toy))
    assert np.abs(difference).max() < 0.02


def test_objects_have_the_median_of_their_pixels(toy: Path):
    masks = {name: [np.zeros((45, 80), np.uint8) for _ in range(2)] for name in ("left", "right", "speck")}
    for t in range(2):
        masks["left"][t][10:30, 5:25] = 255
        masks["speck"][t][0, :5] = 255
    masks["right"][1][5:40, 50:70] = 255
    near = nearness_of(frames(), masks, toy)
    depths = list(depth_of(frames(), toy))
    assert near["left"] == pytest.approx([float(np.median(d[10:30, 5:25])) for d in depths])
    assert np.isnan(near["right"][0]) and near["right"][1] == pytest.approx(float(np.median(depths[1][5:40, 50:70])))
    assert np.isnan(near["speck"]).all()


def test_masks_may_be_smaller(toy: Path):
    masks = {"left": [np.full((15, 20), 255, np.uint8)] * 2}
    near = nearness_of(frames(), masks, toy)
    assert near["left"][0] == pytest.approx(float(np.median(next(depth_of(frames(), toy)))), abs=0.05)
    with pytest.raises(ValueError, match="zip"):
        nearness_of(frames(count=1), masks, toy)


def test_no_model_there(tmp_path: Path, no_network):
    for nothing in (tmp_path / "gone", tmp_path):
        with pytest.raises(
            InputError, match="depth model .*: got .*, wanted a depth model of the kinds depth_anything"
        ):
            depth_of(frames(), nothing)
    with pytest.raises(InputError, match="depth model nobody/no-such-model: got .*nothing is downloaded"):
        depth_of(frames(), "nobody/no-such-model")


def test_a_model_of_another_kind(tmp_path: Path, toy: Path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "zoedepth"}))
    with pytest.raises(InputError, match="got a model of the kind zoedepth, wanted a depth model of the kinds"):
        depth_of(frames(), tmp_path)
    broken = save_toy(tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(InputError, match="depth model .*broken: got "):
        depth_of(frames(), broken)
    unprepared = save_toy(tmp_path / "unprepared")
    (unprepared / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match="depth model .*unprepared: got "):
        depth_of(frames(), unprepared)


def test_without_the_extra(toy: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"got no package transformers.*pip install 'lamina\[models\]'"):
        depth_of(frames(), toy)


def test_nothing_is_printed(toy: Path, capfd: pytest.CaptureFixture[str]):
    list(depth_of(frames(), toy))
    assert capfd.readouterr() == ("", "")
