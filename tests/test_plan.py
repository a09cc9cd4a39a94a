"""What a run will take: formulas against counts on modules of the published sizes, and how it is said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from memory_peak import peak_bytes
from torch.utils.flop_counter import FlopCounterMode
from toy_backbones import cogvideox_folder, wan_folder

from benchmarks.casper_models import COG_TRANSFORMER as COG
from benchmarks.casper_models import COG_VAE
from benchmarks.casper_models import WAN_TRANSFORMER as WAN
from lamina.backbones import cogvideox, wan
from lamina.backbones.cogvideox_vae import decode_video
from lamina.backbones.machine import measure_machine
from lamina.backbones.plan import (
    Machine,
    Model,
    Run,
    choose_mode,
    coding_bytes,
    cogvideox_sizes,
    grid,
    network_bytes,
    network_operations,
    plan_run,
    wan_sizes,
)
from lamina.backbones.specs import BACKBONES, COG_5B, COG_GEOMETRY, WAN_1_3B, WAN_14B, WAN_GEOMETRY
from lamina.backbones.timing import plan_timing
from lamina.backbones.weights import find_weights
from lamina.errors import InputError

GB = 10**9
WAN_BIG = WAN | {"dim": 5120, "num_heads": 40, "num_layers": 40, "ffn_dim": 13824}
H200 = Machine(operations_per_second=700e12, device_bytes=140 * GB, host_bytes=128 * GB)


def model_of(config: dict) -> Model:
    if "attention_head_dim" in config:
        sizes = COG_5B.casper.bytes, int(0.431 * GB), int(9.52 * GB)
        return Model("cogvideox", cogvideox_sizes(config), *sizes, COG_GEOMETRY)
    transformer = WAN_14B.files[-1].bytes if config is WAN_BIG else WAN_1_3B.casper.bytes
    return Model("wan", wan_sizes(config), transformer, int(0.508 * GB), int(11.4 * GB), WAN_GEOMETRY)


def run_of(model: Model, frames: int, size: tuple[int, int], items: int = 1, steps: int = 50) -> Run:
    return Run.of(plan_timing(model.geometry, frames), size, items, steps)


def network_of(config: dict, layers: int, dtype: torch.dtype) -> torch.nn.Module:
    config = config | {"num_layers": layers}
    is_cog = "attention_head_dim" in config
    module = cogvideox.build_transformer(config) if is_cog else wan.build_transformer(config, 1280)
    for parameter in module.parameters():
        parameter.data = parameter.data.to(dtype)
    return module.to("meta")


def asked(config: dict, run: Run, model: Model, dtype: torch.dtype) -> Callable[[torch.nn.Module], object]:
    """One call of a network for the largest window, on meta."""

    def empty(*shape: int, kind: torch.dtype = dtype) -> torch.Tensor:
        return torch.empty(*shape, device="meta", dtype=kind)

    t, h, w = max(run.windows), run.height // 8, run.width // 8
    time = empty(run.items, kind=torch.float32)
    if model.kind == "cogvideox":
        table = empty(grid(model, run, t), config["attention_head_dim"], kind=torch.float32)
        text = empty(run.items, config["max_text_seq_length"], config["text_embed_dim"])
        given = {"image_rotary_emb": (table, table), "hidden_states": empty(run.items, t, 33, h, w)}
        return lambda network: network(encoder_hidden_states=text, timestep=time, **given)
    text, image = empty(run.items, 512, config["text_dim"]), empty(run.items, 257, 1280)
    given = {"hidden_states": empty(run.items, 36, t, h, w), "encoder_hidden_states_image": image}
    return lambda network: network(encoder_hidden_states=text, timestep=time, **given)


@pytest.mark.parametrize("config", [COG, WAN, WAN_BIG], ids=["cogvideox", "wan", "wan-14b"])
def test_operations_are_those_that_torch_counts(config: dict):
    """Of one layer more, at a size that a plain matrix of attention can be counted at."""
    model = model_of(config)
    run = run_of(model, 13, (128, 192))
    counts = []
    for layers in (1, 2):
        network = network_of(config, layers, torch.float32)
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            asked(config, run, model, torch.float32)(network)
        counts.append(counter.get_total_flops())
    one, two = (
        network_operations(replace(model.network, layers=k), grid(model, run, max(run.windows))) for k in (1, 2)
    )
    assert two - one == pytest.approx(counts[1] - counts[0], rel=0.01)
    assert one == pytest.approx(counts[0], rel=0.3)


@pytest.mark.parametrize(
    ("config", "frames", "size", "items"),
    [(COG, 85, (384, 672), 1), (COG, 85, (384, 672), 3), (COG, 29, (256, 448), 1), (WAN, 81, (480, 832), 1)]
    + [(WAN, 81, (480, 832), 2), (WAN_BIG, 81, (480, 832), 1)],
)
def test_memory_of_a_network(
    config: dict, frames: int, size: tuple[int, int], items: int, monkeypatch: pytest.MonkeyPatch
):
    model = model_of(config)
    run = run_of(model, frames, size, items)
    network = network_of(config, 2, torch.bfloat16)
    counted = peak_bytes(lambda: asked(config, run, model, torch.bfloat16)(network), monkeypatch)
    assert network_bytes(model, run, "bf16") == pytest.approx(counted, rel=0.1)


@pytest.mark.parametrize(("frames", "size"), [(85, (384, 672)), (21, (384, 672)), (85, (192, 336))])
def test_memory_of_the_vae_of_cogvideox(frames: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch):
    model = model_of(COG)
    vae = cogvideox.build_vae(COG_VAE).to("meta", torch.bfloat16)
    run = run_of(model, frames, size)
    latents = torch.empty(*model.geometry.latent_shape(frames, *size), device="meta", dtype=torch.bfloat16)
    video = torch.empty(1, 3, frames, *size, device="meta", dtype=torch.bfloat16)
    decoding = peak_bytes(lambda: decode_video(vae, latents), monkeypatch)
    encoding = peak_bytes(lambda: vae.encode(video), monkeypatch)
    assert coding_bytes(model, run, "bf16", False, decoding=True) == pytest.approx(decoding, rel=0.15)
    assert coding_bytes(model, run, "bf16", False, decoding=False) == pytest.approx(encoding, rel=0.15)


def test_tiles_take_less():
    model = model_of(COG)
    run = run_of(model, 85, (384, 672))
    whole, tiled = (coding_bytes(model, run, "bf16", tiles, decoding=True) for tiles in (False, True))
    assert tiled < 0.4 * whole


def test_a_plan_of_the_published_run():
    """85 frames of 384 x 672, 50 steps: it fits, and takes well under a minute there; three items take three times."""
    model = model_of(COG)
    one, three = (plan_run(model, run_of(model, 85, (384, 672), items), H200) for items in (1, 3))
    assert 20 * GB < one.peak_device_bytes < 40 * GB and 5 < one.seconds < 60
    assert three.seconds == pytest.approx(3 * one.seconds, rel=0.05)
    assert choose_mode(model, run_of(model, 85, (384, 672)), H200).mode == "full"


def test_modes_and_storage_take_less_and_less():
    model = model_of(COG)
    run = run_of(model, 85, (384, 672))
    full, tiled, offload = (plan_run(model, run, H200, "bf16", mode) for mode in ("full", "tiled", "offload"))
    assert full.peak_device_bytes > tiled.peak_device_bytes > offload.peak_device_bytes
    assert plan_run(model, run, H200, "fp8").device_bytes["denoise"] < full.device_bytes["denoise"]
    assert offload.seconds >= tiled.seconds == full.seconds
    small = replace(H200, device_bytes=24 * GB)
    assert choose_mode(model, run, small).mode == "tiled"
    assert choose_mode(model, run, replace(H200, device_bytes=13 * GB)).mode == "offload"


def test_fetching_blocks_takes_the_time_of_moving_them():
    model = model_of(WAN_BIG)
    run = run_of(model, 5, (64, 64), steps=10)
    plan = plan_run(model, run, H200, "bf16", "offload")
    assert plan.seconds == pytest.approx(10 * model.transformer_bytes / 12e9, rel=0.2)


def test_too_little_memory_says_the_plan():
    model = model_of(WAN_BIG)
    machine = replace(H200, device_bytes=6 * GB)
    with pytest.raises(InputError, match=r"memory: got 6.0 GB on the device .* wanted mode offload: \d+\.\d GB on"):
        choose_mode(model, run_of(model, 81, (480, 832)), machine)


def test_a_processor_alone_takes_hours():
    model = model_of(COG)
    processor = Machine(operations_per_second=0.3e12, device_bytes=64 * GB, host_bytes=64 * GB)
    assert str(plan_run(model, run_of(model, 85, (384, 672)), processor, "fp32")).endswith("about 16 h")


@pytest.mark.parametrize("name", BACKBONES)
def test_a_plan_from_files(tmp_path: Path, name: str):
    cogvideox_folder(tmp_path) if name == "casper-cog-5b" else wan_folder(tmp_path, lora=name == "casper-wan-14b")
    model = Model.of(find_weights(BACKBONES[name], tmp_path))
    assert model.transformer_bytes > 50_000 and model.vae_bytes > 10_000 and model.network.layers == 2
    plan = choose_mode(model, run_of(model, 9, (32, 48), 2, 4), measure_machine("cpu"))
    assert plan.mode == "full" and plan.seconds < 60


def test_a_machine_is_measured():
    machine = measure_machine("cpu", "fp32")
    assert 1e8 < machine.operations_per_second < 1e15 and machine.host_bytes == machine.device_bytes > 10**8
