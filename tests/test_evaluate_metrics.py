"""Every metric of lamina/evaluate against a slow twin, against published implementations, and on bad input."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import metrics_slow as slow

from lamina.errors import InputError, MissingExtra
from lamina.evaluate import layer_metrics, lpips, matting, pixels, temporal
from lamina.evaluate.regions import changed, find_regions, find_rough_regions

CLOSE = 1e-6
PUBLISHED = json.loads((Path(__file__).parent / "published" / "scikit_image.json").read_text())
NUMPY_TYPES = st.sampled_from(["uint8", "uint16", "float32"])


def close(found: float, wanted: float) -> bool:
    return (math.isnan(found) and math.isnan(wanted)) or found == wanted or abs(found - wanted) <= CLOSE


def stored(levels: np.ndarray, dtype: str) -> np.ndarray:
    white = {"uint8": 255, "uint16": 65535}.get(dtype)
    return np.rint(levels * white).astype(dtype) if white else levels.astype(np.float32)


def levels(picture: np.ndarray) -> np.ndarray:
    white = {"uint8": 255, "uint16": 65535, "float32": 1}[picture.dtype.name]
    return picture.astype(np.float64) / white


@st.composite
def pairs(draw: st.DrawFn, channels: int = 3, frames: int = 0, least: int = 1, most: int = 9):
    """Two pictures (clips, alphas) of one size and number type, equal in places, with values at the ends too."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(least, most)), draw(st.integers(least, most)), *((channels,) if channels > 1 else ()))
    shape = ((frames,) if frames else ()) + shape
    one, other = (chance.random(shape) for _ in range(2))
    other = np.where(chance.random(shape) < draw(st.sampled_from([0, 0.5, 0.95])), one, other)
    stretch = draw(st.sampled_from([1, 1.6]))
    one, other = (((v - 0.5) * stretch + 0.5).clip(0, 1) for v in (one, other))
    dtype = draw(NUMPY_TYPES)
    return stored(one, dtype), stored(other, dtype)


@st.composite
def masks(draw: st.DrawFn, shape: tuple[int, ...]):
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return chance.random(shape) < draw(st.sampled_from([0, 0.5, 1]))


@given(pairs(), st.data())
def test_psnr(pair, data):
    where = data.draw(masks(pair[0].shape[:2]))
    assert close(pixels.psnr(*pair, where), slow.psnr_slow(*map(levels, pair), where))


@given(pairs(frames=2))
def test_psnr_pools_frames(pair):
    everywhere = np.ones(pair[0].shape[:3], bool)
    assert close(pixels.psnr(*pair), slow.psnr_slow(*map(levels, pair), everywhere))


@settings(max_examples=20)
@given(pairs(least=11, most=14), st.data())
def test_ssim(pair, data):
    where = data.draw(masks(pair[0].shape[:2]))
    assert close(pixels.ssim(*pair, where), slow.ssim_slow(*map(levels, pair), where))


@pytest.mark.parametrize("entry", PUBLISHED["cases"], ids=lambda entry: f"{entry['dtype']}-{entry['size'][0]}")
def test_psnr_and_ssim_as_scikit_image_gives_them(entry: dict):
    """`published/make_scikit_image.py` makes these numbers with that package."""
    truth, found = published_pair(entry["seed"], tuple(entry["size"]), entry["dtype"])
    assert pixels.psnr(found, truth) == pytest.approx(entry["psnr"], abs=CLOSE)
    assert pixels.ssim(found, truth) == pytest.approx(entry["ssim"], abs=CLOSE)


def published_pair(seed: int, size: tuple[int, int], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """A picture of smooth waves and a noisy copy; the same in the file that makes the numbers."""
    width, height = size
    chance = np.random.default_rng(seed)
    rows, columns = np.indices((height, width))
    waves = np.stack([np.sin(columns / (3 + c) + seed) * np.cos(rows / (4 + c)) for c in range(3)], -1) * 0.45 + 0.5
    noisy = (waves + 0.1 * chance.standard_normal(waves.shape)).clip(0, 1)
    return stored(waves, dtype), stored(noisy, dtype)


@given(pairs(frames=3, most=6))
def test_flicker(pair):
    assert close(temporal.flicker(*pair), slow.flicker_slow(*map(levels, pair)))


@given(pairs(least=2), st.integers(0, 2**32 - 1), st.sampled_from([0.3, 2.0]))
def test_warping_error(pair, seed, reach):
    shape = (*pair[0].shape[:2], 2)
    chance = np.random.default_rng(seed)
    back = (reach * chance.standard_normal(shape)).astype(np.float32)
    forth = (-back + 0.5 * chance.standard_normal(shape)).astype(np.float32)
    assert close(temporal.warping_error(*pair, back, forth), slow.warping_slow(*map(levels, pair), back, forth))


def test_what_only_moves_has_no_warping_error():
    wide = np.random.default_rng(3).random((80, 120, 3)).astype(np.float32)
    wide = cv2.GaussianBlur(wide, (0, 0), 2)
    wide = (wide - wide.min()) / np.ptp(wide)
    before, now = wide[8:72, 8:104], wide[8:72, 11:107]
    flows = temporal.dense_motion(now, before), temporal.dense_motion(before, now)
    assert np.median(flows[0][..., 0]) == pytest.approx(3, abs=0.1)
    assert (
        temporal.warping_error(now, before, *flows) < 0.5 < temporal.warping_error(now, before, *(0 * f for f in flows))
    )


@given(pairs(channels=1))
def test_mad_and_mse(pair):
    assert close(matting.mad(*pair), slow.mad_slow(*map(levels, pair)))
    assert close(matting.mse(*pair), slow.mse_slow(*map(levels, pair)))


@settings(max_examples=30)
@given(pairs(channels=1, most=12), st.booleans())
def test_gradient_error(pair, stretched):
    found = matting.gradient_error(*pair, stretched)
    assert close(found, slow.gradient_error_slow(*map(levels, pair), stretched))


def test_flat_alphas_have_no_gradient_when_stretched():
    flat, other = np.full((6, 7), 90, np.uint8), np.full((6, 7), 40, np.uint8)
    assert matting.gradient_error(flat, other, stretched=True) == 0


@given(pairs(channels=1, most=12), st.sampled_from([1, 4]))
def test_connectivity_error(pair, coarse):
    """Also in larger blocks, so that there are parts to be the largest."""
    pair = tuple(np.kron(alpha, np.ones((coarse, coarse))).astype(alpha.dtype)[:16, :16] for alpha in pair)
    assert close(matting.connectivity_error(*pair), slow.connectivity_error_slow(*map(levels, pair)))


@given(pairs(channels=1, frames=2))
def test_dtssd(pair):
    assert close(matting.dtssd(*pair), slow.dtssd_slow(*map(levels, pair)))


@settings(max_examples=30)
@given(pairs(channels=1, least=6, most=20), st.data())
def test_mad_t(pair, data):
    found, truth = pair
    white = 1 if truth.dtype == np.float32 else np.iinfo(truth.dtype).max
    full, empty = (data.draw(masks((2, 2))) for _ in range(2))
    grow = [np.kron(m, np.ones((10, 10)))[: truth.shape[0], : truth.shape[1]] > 0 for m in (full, empty)]
    truth = np.where(grow[0], white, np.where(grow[1], 0, truth)).astype(truth.dtype)
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (10, 10))
    assert close(matting.mad_t(found, truth), slow.mad_t_slow(levels(found), levels(truth), ellipse))


def test_published_scalings():
    """Half of the picture off by 0.1: MAD 50, MSE 5; all of it changing by 0.1 from frame to frame: dtSSD 10."""
    truth = np.zeros((10, 20))
    found = truth.copy()
    found[:, :10] = 0.1
    assert matting.mad(found, truth) == pytest.approx(50) and matting.mse(found, truth) == pytest.approx(5)
    assert matting.dtssd(np.stack([truth, truth + 0.1]), np.stack([truth, truth])) == pytest.approx(10)
    step = np.repeat((np.arange(20) >= 10)[None].astype(float), 10, 0)
    assert matting.gradient_error(step, truth, stretched=False) == pytest.approx(
        2 * matting.gradient_error(step[:5], truth[:5], stretched=False)
    )
    island = np.zeros((10, 20))
    island[2:8, 2:8], island[4, 15] = 1, 1
    assert matting.connectivity_error(island, np.where(island > 0, island, 0)) == 0
    joined = island.copy()
    joined[4, 8:15] = 1
    assert matting.connectivity_error(joined, island) == pytest.approx(7 / 1000)


@st.composite
def layer_cases(draw: st.DrawFn):
    """A ground, a solo that changes parts of it, a layer, the object's mask; 8 bits, so that 12 levels are 12."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    ground = chance.integers(0, 256, (*size, 3), np.uint8)
    shift = chance.integers(-16, 17, (*size, 3)) * (chance.random((*size, 1)) < 0.7)
    solo = (ground + shift).clip(0, 255).astype(np.uint8)
    layer = chance.integers(0, 256, (*size, 4), np.uint8)
    layer[..., 3] = np.where(chance.random(size) < 0.4, 0, layer[..., 3])
    return ground, solo, layer, chance.random(size) < 0.3


@given(layer_cases())
def test_layer_metrics(case):
    ground, solo, layer, mask = case
    g, s, rgba = (v / 255 for v in (ground, solo, layer))
    everywhere = np.ones(mask.shape, bool)
    over = slow.over_slow(rgba, g)
    assert np.abs(layer_metrics.lay_over(layer, ground) - over).max() < CLOSE
    assert close(layer_metrics.solo_psnr(layer, ground, solo), slow.psnr_slow(over, s, everywhere))
    assert close(layer_metrics.transplant_psnr(layer, ground, solo, mask), slow.psnr_slow(over, s, mask))
    assert close(layer_metrics.leak(layer, solo, ground, mask), slow.leak_slow(rgba, s, g, mask))
    recall, precision = slow.effect_slow(rgba, s, g, mask)
    assert close(layer_metrics.effect_recall(layer, solo, ground, mask), recall)
    assert close(layer_metrics.effect_precision(layer, solo, ground, mask), precision)


@given(pairs(channels=1), st.data())
def test_alpha_error(pair, data):
    where = data.draw(masks(pair[0].shape))
    assert close(layer_metrics.alpha_error(*pair, where), slow.alpha_error_slow(*map(levels, pair), where))


def test_regions_of_a_rendered_frame():
    ground = np.full((20, 30, 3), 100, np.uint8)
    picture, mask = ground.copy(), np.zeros((20, 30), bool)
    mask[2:6, 2:6] = True
    picture[2:6, 2:6], picture[6:9, 2:6], picture[12, 20] = 10, 87, 112
    found = find_regions(picture, ground, mask)
    assert found.object.sum() == 16 and found.effect.sum() == 12 and found.rest.sum() == 600 - 28
    assert changed(picture, ground).sum() == 28  # 12 levels are not more than 12


def test_regions_of_a_shot_frame_leave_the_rim_and_far_changes_out():
    ground = np.full((40, 160, 3), 100, np.uint8)
    picture, mask = ground.copy(), np.zeros((40, 160), bool)
    mask[10:30, 10:30] = True
    picture[10:30, 30:45] = 60
    picture[10:30, 120:140] = 60
    found = find_rough_regions(picture, ground, mask)
    assert found.object.sum() == 14 * 14
    assert found.effect[20, 40] and not found.effect[:, 110:].any() and found.rest[20, 130]
    assert not (found.object | found.effect | found.rest)[20, 28:33].any()


SMALL = np.zeros((4, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pixels.psnr(SMALL, SMALL[:3]), r"pictures to compare: got the shapes \(4, 5, 3\) and \(3, 5, 3\)"),
        (lambda: pixels.psnr(SMALL[..., :1], SMALL[..., :1]), "picture: got the shape .*, wanted height x width x 3"),
        (lambda: pixels.psnr(SMALL[:0], SMALL[:0]), "got the shape .*, wanted at least one pixel"),
        (lambda: pixels.psnr(SMALL.astype(int), SMALL), "got numbers of type int64, wanted uint8, uint16 or float"),
        (lambda: pixels.psnr(SMALL / np.nan, SMALL), "picture: got NaN or infinite numbers"),
        (lambda: pixels.psnr(SMALL, SMALL + 2.0), "true picture: got values from 2 to 2, wanted levels from 0 to 1"),
        (lambda: pixels.psnr(SMALL, SMALL, SMALL[..., 0]), r"region: got uint8 \(4, 5\), wanted bool \(4, 5\)"),
        (lambda: pixels.psnr(SMALL, SMALL, SMALL[:2, :, 0] > 0), r"region: got bool \(2, 5\), wanted bool \(4, 5\)"),
        (lambda: pixels.ssim(SMALL, SMALL), "SSIM: got the shape .* wanted one picture of at least 11 x 11 pixels"),
        (lambda: temporal.flicker(SMALL, SMALL), "flicker: got the shape .* wanted at least two frames"),
        (lambda: temporal.dense_motion(SMALL, SMALL), "optical flow: got a picture of 5 x 4, wanted at least 32"),
        (lambda: temporal.warping_error(SMALL, SMALL, np.zeros((4, 4, 2)), np.zeros((4, 4, 2))), "frame and motion"),
        (lambda: matting.mad(SMALL, SMALL[:1]), "alphas to compare: got the shapes"),
        (lambda: matting.mad(SMALL[0, 0], SMALL[0, 0]), r"alpha: got the shape \(3,\), wanted height x width"),
        (lambda: matting.mse(SMALL[..., 0] - 0.5, SMALL[..., 0]), "alpha: got values from -0.5 to -0.5"),
        (lambda: matting.dtssd(SMALL[..., 0], SMALL[..., 0] * np.inf), "true alpha: got NaN or infinite"),
        (lambda: layer_metrics.lay_over(SMALL, SMALL[:2]), "layer and ground: got the shapes"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_bad_arrays(call, message: str):
    with pytest.raises(InputError, match=message):
        call()


def made_up_weights(seed: int = 1) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """A backbone and heads of the right shapes, thin where the real one is wide."""
    chance = np.random.default_rng(seed)
    widths, sizes = (3, 6, 7, 5, 4, 4), (11, 5, 3, 3, 3)
    backbone, heads = {}, {}
    for k, name in enumerate((0, 3, 6, 8, 10)):
        shape = widths[k + 1], widths[k], sizes[k], sizes[k]
        scale = 1 / math.sqrt(shape[1] * shape[2] ** 2)
        backbone[f"features.{name}.weight"] = torch.from_numpy(chance.normal(0, scale, shape)).float()
        backbone[f"features.{name}.bias"] = torch.from_numpy(chance.normal(0, 0.1, shape[0])).float()
        heads[f"lin{k}.model.1.weight"] = torch.from_numpy(chance.random((1, shape[0], 1, 1))).float()
    return backbone, heads


@pytest.mark.parametrize("size", [(64, 64), (71, 90)])
def test_lpips_against_its_twin(size: tuple[int, int]):
    backbone, heads = made_up_weights()
    chance = np.random.default_rng(2)
    one, other = (chance.integers(0, 256, (*size, 3), np.uint8) for _ in range(2))
    plain = [{name: tensor.numpy() for name, tensor in weights.items()} for weights in (backbone, heads)]
    wanted = slow.lpips_slow(*plain, one / 255, other / 255)
    assert wanted > 0.1 and lpips.distance(backbone, heads, one, other) == pytest.approx(wanted, abs=CLOSE)
    assert lpips.distance(backbone, heads, one, one) == 0


def test_lpips_wants_the_published_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match=r"--lpips .*a\.pth: got no such file, wanted alexnet-owt-7be5be79\.pth"):
        lpips.open_lpips(tmp_path / "a.pth")
    (tmp_path / "a.pth").write_bytes(b"random numbers")
    with pytest.raises(InputError, match="got a file with SHA-256 .*, wanted alexnet-owt.*begins with 7be5be79"):
        lpips.open_lpips(tmp_path / "a.pth")
    monkeypatch.setattr(lpips, "DIGEST", "")
    monkeypatch.setattr(lpips, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="LPIPS: got no package 'lpips', wanted the extra `metrics`"):
        lpips.open_lpips(tmp_path / "a.pth")
