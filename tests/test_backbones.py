"""From a folder of files to a backbone that runs: both layouts, all ways to hold weights, batches, windows, tiles."""

from pathlib import Path

import numpy as np
import pytest
import torch
from toy_backbones import COG_TRANSFORMER, T5, clip, cogvideox_folder, umt5, wan_folder
from twins.wan_encoders_slow import clip_slow, umt5_slow

from lamina.backbones import text_encoders
from lamina.backbones.image_encoder import MEAN, STD, embed_with_clip, load_clip
from lamina.backbones.inputs import model_frames, model_trimask
from lamina.backbones.interface import Backbone
from lamina.backbones.memory import MODES, in_tiles
from lamina.backbones.open import Loading, open_backbone
from lamina.backbones.specs import BACKBONES
from lamina.backbones.timing import plan_timing
from lamina.backbones.weights import find_weights
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.sampling import sample, seeded, start_noise, windowed

SIZE = (32, 48)
FP32 = torch.float32
EXACT = Loading(storage="fp32")
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    cogvideox_folder(root)
    wan_folder(root)
    return wan_folder(root, lora=True)


def opened(folder: Path, name: str, loading: Loading = EXACT) -> Backbone:
    return open_backbone(find_weights(BACKBONES[name], folder), loading)


def run(backbone: Backbone, trimask_values: tuple[int, ...], frames: int = 9, steps: int = 2) -> torch.Tensor:
    """Frames of one removal per trimask, `n t 3 h w`."""
    random = np.random.default_rng(0)
    timing = plan_timing(backbone.geometry, frames)
    clip = model_frames(random.integers(0, 256, (frames, 20, 30, 3), np.uint8), SIZE, timing)
    trimasks = [model_trimask(patched(value, frames), timing) for value in trimask_values]
    text, image = backbone.embed_text("empty scene"), backbone.embed_image(clip[0])
    condition = backbone.condition(clip, trimasks, text, image, seeded(1))
    shape = backbone.geometry.latent_shape(timing.padded_frames, *SIZE)
    noise = start_noise(seeded(2), shape, len(trimasks))
    denoise = windowed(lambda window: backbone.denoiser(condition.window(window)), timing.windows)
    *_, last = sample(denoise, noise, backbone.schedule.moves(steps))
    return torch.stack([backbone.decode(latents)[:frames] for latents in last.latents])


def patched(value: int, frames: int) -> np.ndarray:
    trimask = np.full((frames, *SIZE), UNKNOWN, np.uint8)
    trimask[:, 8:24, 8:24] = value
    return trimask


@pytest.mark.parametrize("name", BACKBONES)
def test_a_whole_run(folder: Path, name: str):
    found = run(opened(folder, name), (REMOVE,))
    assert found.shape == (1, 9, 3, *SIZE) and found.dtype == FP32
    assert torch.isfinite(found).all() and 0 <= found.min() and found.max() <= 1 and found.std() > 1e-3


@pytest.mark.parametrize("name", BACKBONES)
def test_a_batch_is_its_items(folder: Path, name: str):
    """The same noise, the same text: a trimask's result does not depend on what is sampled beside it."""
    backbone = opened(folder, name)
    together = run(backbone, (REMOVE, KEEP))
    for item, value in enumerate((REMOVE, KEEP)):
        torch.testing.assert_close(together[item], run(backbone, (value,))[0], rtol=0, atol=1e-4)
    assert (together[0] - together[1]).abs().max() > 1e-4, "the mask makes no difference"


@pytest.mark.parametrize("name", ["casper-cog-5b", "casper-wan-1.3b"])
def test_small_numbers_are_near_large_ones(folder: Path, name: str):
    """bfloat16 and fp8 say about the same; what is stored in fp8 is half as much."""
    wanted = run(opened(folder, name), (REMOVE,))
    for storage, within in (("bf16", 0.02), ("fp8", 0.05)):
        backbone = opened(folder, name, Loading(storage=storage))
        assert (run(backbone, (REMOVE,)) - wanted).abs().mean() < within
    blocks = backbone.network.transformer_blocks if name == "casper-cog-5b" else backbone.network.blocks
    assert next(p for n, p in blocks.named_parameters() if "to_q.weight" in n).dtype == torch.float8_e4m3fn


@pytest.mark.parametrize("name", ["casper-cog-5b", "casper-wan-1.3b"])
def test_fetching_blocks_changes_nothing(folder: Path, name: str):
    wanted = run(opened(folder, name), (REMOVE,))
    found = run(opened(folder, name, Loading(storage="fp32", mode="offload")), (REMOVE,))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    small = run(opened(folder, name, Loading(storage="fp8", mode="offload")), (REMOVE,))
    assert (small - wanted).abs().mean() < 0.05


def test_kept_in_float32(folder: Path):
    """What diffusers computes in float32 is float32, with the numbers of the bfloat16 file."""
    exact = dict(opened(folder, "casper-wan-1.3b").network.named_parameters())
    held = dict(opened(folder, "casper-wan-1.3b", Loading(storage="bf16")).network.named_parameters())
    kept = {name for name, tensor in held.items() if tensor.dtype == FP32}
    assert {"scale_shift_table", "blocks.0.scale_shift_table", "blocks.1.norm2.weight"} < kept
    assert any("time_embedder" in name for name in kept) and "blocks.0.attn1.to_q.weight" not in kept
    assert all(torch.equal(held[name], exact[name]) for name in kept)


def test_cogvideox_reads_the_video_noisily_and_the_seed_decides(folder: Path):
    backbone = opened(folder, "casper-cog-5b")
    clip, trimask = torch.full((5, 3, *SIZE), 0.5), patched(REMOVE, 5)
    text = backbone.embed_text("empty scene")
    once, again, other = (backbone.condition(clip, [trimask], text, None, seeded(seed)).video for seed in (1, 1, 2))
    assert torch.equal(once, again) and not torch.equal(once, other)
    black = torch.zeros_like(clip)
    silent = backbone.condition(black, [trimask], text, None, seeded(1)).video
    torch.testing.assert_close(silent, backbone.encode(black), rtol=0, atol=0)


def test_text_of_cogvideox_is_padded_and_padding_is_read(folder: Path):
    backbone = opened(folder, "casper-cog-5b")
    text = backbone.embed_text("empty scene")
    assert text.shape == (COG_TRANSFORMER["max_text_seq_length"], T5["d_model"])
    assert text[-1].abs().max() > 0.01
    cut = backbone.embed_text("a very long prompt that goes on and on")
    assert cut.shape == text.shape


def test_umt5_is_its_twin():
    weights, numbers = umt5(), [5, 80, 7, 9, 1]
    encoder = text_encoders.load_umt5(weights, "toy", FP32)
    found = text_encoders.embed_with_umt5(encoder, lambda prompt: numbers, "")
    torch.testing.assert_close(found, umt5_slow(weights, numbers, padded_to=24), rtol=0, atol=1e-5)


def test_umt5_over_long_distances():
    weights, numbers = umt5(), [3 + k % 180 for k in range(150)]
    encoder = text_encoders.load_umt5(weights, "toy", FP32)
    found = text_encoders.embed_with_umt5(encoder, lambda prompt: numbers, "")
    torch.testing.assert_close(found, umt5_slow(weights, numbers, padded_to=150), rtol=0, atol=1e-4)


def test_clip_is_its_twin():
    weights = clip(width=160)
    frame = torch.rand(3, 90, 130, generator=torch.Generator().manual_seed(0))
    found = embed_with_clip(load_clip(weights, "toy", FP32), frame)
    square = torch.nn.functional.interpolate(frame[None], (224, 224), mode="bicubic", align_corners=False)[0]
    normal = (square - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    torch.testing.assert_close(found, clip_slow(weights, normal, heads=2), rtol=0, atol=1e-4)


def test_no_image_is_zeros(folder: Path):
    backbone = opened(folder, "casper-wan-1.3b")
    clip = torch.zeros(5, 3, *SIZE)
    text = backbone.embed_text("empty scene")
    condition = backbone.condition(clip, [patched(REMOVE, 5)], text, None, seeded(0))
    assert condition.image is not None and condition.image.shape == (257, 80) and not condition.image.any()
    assert condition.text.shape == (512, 24) and not condition.text[len(text) :].any()


@pytest.mark.parametrize("name", ["casper-cog-5b", "casper-wan-1.3b"])
def test_tiles_of_one_size_with_the_picture_are_the_picture(folder: Path, name: str):
    full, tiled = (opened(folder, name, Loading(storage="fp32", mode=mode)) for mode in ("full", "tiled"))
    latents = torch.randn(full.geometry.latent_shape(5, *SIZE), generator=torch.Generator().manual_seed(0))
    assert MODES["tiled"].tiles and torch.equal(full.decode(latents), tiled.decode(latents))


def test_tiles_cross_over_without_a_trace():
    """A coder that looks at single pixels makes the same of tiles as of the whole."""
    given = torch.rand(2, 3, 50, 37, generator=torch.Generator().manual_seed(0))
    for scale, coder in ((2, lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3) ** 2), (1, lambda x: 3 * x)):
        torch.testing.assert_close(in_tiles(coder, given, 16, 4, scale), coder(given), rtol=0, atol=1e-5)
    blocks = torch.rand(2, 3, 48, 40, generator=torch.Generator().manual_seed(1))
    pooled = torch.nn.functional.avg_pool2d
    found = in_tiles(lambda x: pooled(x, 8), blocks, 16, 8, 1 / 8)
    torch.testing.assert_close(found, pooled(blocks, 8), rtol=0, atol=1e-6)


def test_the_record_says_what_was_read(folder: Path):
    record = opened(folder, "casper-wan-14b", Loading(storage="fp32", lora_strength=0.5)).record
    assert record["model"] == "casper-wan-14b" and record["lora_strength"] == 0.5 and record["storage"] == "fp32"
    assert len(record["sha256"]["diffusion_pytorch_model-00001-of-00002.safetensors"]) == 64
    assert len([name for name in record["sha256"] if "casper" in name]) == 1


def test_the_strength_of_a_lora_counts(folder: Path):
    none, half = (opened(folder, "casper-wan-14b", Loading(storage="fp32", lora_strength=s)) for s in (0.0, 0.5))
    assert not torch.equal(none.network.blocks[0].attn1.to_q.weight, half.network.blocks[0].attn1.to_q.weight)
    assert torch.equal(none.network.patch_embedding.weight, half.network.patch_embedding.weight)
