"""What an accelerator is asked for beyond plain torch: the same answers, when it is chosen, what it cannot go with."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._dynamo.utils import counters
from toy_backbones import cogvideox_folder, wan_folder

from lamina.backbones import open as opening
from lamina.backbones import tuning
from lamina.backbones.attention import blocks_of, network_of
from lamina.backbones.interface import Backbone, Condition
from lamina.backbones.memory import MODES
from lamina.backbones.open import Loading, open_backbone
from lamina.backbones.specs import BACKBONES
from lamina.backbones.tuning import COMPILING_PAYS, KERNELS, TUNINGS, Tuning, choose_tuning, tuned_vae
from lamina.backbones.weights import find_weights
from lamina.errors import InputError

MODELS = ("casper-cog-5b", "casper-wan-1.3b")
LATENTS, SIZE = 3, (4, 6)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wan_folder(cogvideox_folder(tmp_path_factory.mktemp("models")))


@pytest.fixture(autouse=True)
def one_thread_and_nothing_compiled():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    nothing_compiled()
    yield
    torch.set_num_threads(before)
    nothing_compiled()


def nothing_compiled() -> None:
    torch._dynamo.reset()
    counters.clear()


def opened(models: Path, name: str, chosen: str) -> Backbone:
    return open_backbone(find_weights(BACKBONES[name], models), Loading(storage="fp32", tuning=chosen))


def chance(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def answer(backbone: Backbone, items: int = 2) -> torch.Tensor:
    """What the network says of noise, whatever it is told."""
    frames = LATENTS + LATENTS % backbone.geometry.latent_multiple
    channels = 1 if backbone.geometry.latent_multiple == 2 else 4
    is_cog = backbone.embed_image(torch.zeros(3, 8, 8)) is None
    condition = Condition(
        mask=chance(items, channels, frames, *SIZE, seed=1),
        video=chance(16, frames, *SIZE, seed=2),
        text=chance(10 if is_cog else 512, 24, seed=3),
        image=None if is_cog else chance(257, 80, seed=4),
    )
    latents = chance(items, 16, frames, *SIZE, seed=5)
    with torch.inference_mode():
        return backbone.answer(latents, backbone.schedule.moves(2)[0].start, condition)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_blocks_give_the_same(models: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    """All blocks share a graph or two, in one piece each: they lie differently in memory before the first block."""
    monkeypatch.setattr(opening, "tuned_transformer", lambda made, how: tuning.tuned_transformer(made, how, "eager"))
    plain, compiled = (opened(models, name, chosen) for chosen in ("plain", "compiled"))
    torch.testing.assert_close(answer(compiled), answer(plain))
    assert 1 <= counters["stats"]["unique_graphs"] <= 2 and not counters["graph_break"]


@pytest.mark.parametrize("name", MODELS)
def test_without_asking_nothing_is_compiled(models: Path, name: str):
    for chosen in ("plain", "fused"):
        assert all(block._compiled_call_impl is None for block in blocks_of(network_of(opened(models, name, chosen))))


@pytest.mark.parametrize("name", MODELS)
def test_the_vae_gives_the_same_whichever_way_its_filters_lie(models: Path, name: str):
    plain, fused = (opened(models, name, chosen) for chosen in ("plain", "fused"))
    frames = torch.rand(9, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fused.encode(frames), plain.encode(frames), rtol=1e-4, atol=1e-4)
    latents = chance(16, 3, *SIZE, seed=1)
    torch.testing.assert_close(fused.decode(latents), plain.decode(latents), rtol=1e-4, atol=1e-4)


def test_filters_lie_channels_last():
    vae = torch.nn.Sequential(torch.nn.Conv3d(4, 8, 3, device="meta"), torch.nn.Conv2d(8, 8, 3, device="meta"))
    space, flat = tuned_vae(vae, TUNINGS["fused"])
    assert space.weight.is_contiguous(memory_format=torch.channels_last_3d) and not space.weight.is_contiguous()
    assert flat.weight.is_contiguous()


@pytest.mark.parametrize("name", MODELS)
def test_fused_kernels_give_the_same(models: Path, name: str):
    plain, fused = (opened(models, name, chosen) for chosen in ("plain", "fused"))
    torch.testing.assert_close(answer(fused), answer(plain))


def test_attention_takes_only_what_it_is_told_to():
    q, masked = torch.zeros(1, 2, 4, 8), torch.ones(4, 4, dtype=torch.bool)
    attend = torch.nn.functional.scaled_dot_product_attention
    one = Tuning(("CUDNN_ATTENTION",))
    with pytest.raises(RuntimeError, match="No (viable backend|available kernel)"), one.attention():
        attend(q, q, q)
    with Tuning(KERNELS).attention():
        attend(q, q, q, attn_mask=masked)
    attend(q, q, q)


def test_nothing_on_a_cpu():
    assert choose_tuning("auto", "cpu", "bf16", "full", 100 * COMPILING_PAYS) == "plain"


@given(st.floats(0, 1e20), st.sampled_from(["bf16", "fp8", "fp32"]), st.sampled_from(sorted(MODES)), st.booleans())
def test_blocks_are_compiled_where_it_pays_and_goes(operations: float, storage, mode: str, has_compiler: bool):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "find_spec", lambda name: object() if has_compiler else None)
        found = choose_tuning("auto", "cuda", storage, mode, operations)
    goes = has_compiler and storage != "fp8" and mode != "offload"
    assert found == ("compiled" if goes and operations >= COMPILING_PAYS else "fused")


@pytest.mark.parametrize("wanted", TUNINGS)
def test_what_is_asked_for_is_taken(wanted: str):
    assert choose_tuning(wanted, "cpu", "bf16", "full", 1.0) == wanted


@pytest.mark.parametrize(
    ("device", "storage", "mode", "message"),
    [
        ("cpu", "fp8", "full", "--tuning compiled: got --storage fp8, whose weights .* wanted weights that stay"),
        ("cpu", "bf16", "offload", "got memory mode offload, whose blocks .* Take --tuning fused"),
        ("cuda", "bf16", "full", "got no package triton"),
    ],
)
def test_what_cannot_be_compiled(device: str, storage, mode: str, message: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tuning, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=message):
        choose_tuning("compiled", device, storage, mode, 1.0)
