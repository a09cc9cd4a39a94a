"""Files of models: where they are found, what is refused and how that is said, and how the command tells of them."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from toy_backbones import (
    WAN_TRANSFORMER,
    cogvideox_folder,
    published,
    random_lora,
    random_tensors,
    random_weights,
    wan_folder,
    write_json,
)
from toy_small import small_folder, toy_network

from lamina.backbones import cogvideox, wan
from lamina.backbones.checkpoint import open_checkpoint
from lamina.backbones.lora import Merged
from lamina.backbones.open import Loading, check_encoders, load_wan_vae, open_backbone
from lamina.backbones.renaming import renamed
from lamina.backbones.small import small_hash
from lamina.backbones.small_files import FILE
from lamina.backbones.specs import BACKBONES, COG_5B, WAN_1_3B, WAN_14B, BackboneSpec
from lamina.backbones.survey import WeightsConfig, survey_weights
from lamina.backbones.tokenizer import open_tokenizer
from lamina.backbones.wan_names import TRANSFORMER, vae
from lamina.backbones.wan_vae import VaeSizes, build_vae, vae_sizes
from lamina.backbones.weights import find_casper, find_weights, get_spec, sha256_of, snapshots
from lamina.cli.main import main
from lamina.errors import InputError, WeightsError

EXACT = Loading(storage="fp32")
COG_BASE, WAN_BASE, WAN_14B_BASE = (spec.base.rpartition("/")[2] for spec in (COG_5B, WAN_1_3B, WAN_14B))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    cogvideox_folder(root)
    wan_folder(root)
    return wan_folder(root, lora=True)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be broken."""
    return shutil.copytree(whole, tmp_path / "models")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CACHE_HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp("cache")))
    for name in ("HF_HUB_CACHE", "LAMINA_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    return Path(str(tmp_path_factory.getbasetemp()))


def open_model(folder: Path, spec: BackboneSpec) -> None:
    weights = find_weights(spec, folder)
    open_backbone(weights, EXACT)
    check_encoders(weights, EXACT)


def published_config(layers: int, **more: int) -> dict:
    return WAN_TRANSFORMER | {"num_layers": layers, "text_dim": 4096, "freq_dim": 256} | more


def test_counts_of_tensors():
    """Of the published files (on meta: no memory is taken)."""
    cog = cogvideox.build_transformer(
        {"num_attention_heads": 48, "attention_head_dim": 64, "num_layers": 42, "in_channels": 33, "out_channels": 16}
        | {"patch_size": 2, "patch_size_t": 2, "use_rotary_positional_embeddings": True, "patch_bias": False}
    )
    assert len(cog.state_dict()) == 1024 and all(p.is_meta for p in cog.parameters())
    assert sum(p.numel() for p in cog.parameters()) == pytest.approx(COG_5B.parameters, rel=0.01)
    sizes = {WAN_1_3B: (30, 1536, 12, 8960), WAN_14B: (40, 5120, 40, 13824)}
    for (spec, (layers, dim, heads, inner)), tensors in zip(sizes.items(), (983, 1303), strict=True):
        module = wan.build_transformer(published_config(layers, dim=dim, num_heads=heads, ffn_dim=inner), 1280)
        assert len(module.state_dict()) == tensors
        assert sum(p.numel() for p in module.parameters()) == pytest.approx(spec.parameters, rel=0.01)


def test_counts_of_a_lora():
    """Three tensors for each of the 488 Linears of Wan 14B: 1464, and all of them find their place."""
    module = wan.build_transformer(published_config(40, dim=64, num_heads=2, ffn_dim=96, freq_dim=32), 80)
    back = {ours: theirs for theirs, ours in TRANSFORMER.items() if isinstance(ours, str)}
    base = {renamed(back, name)[0]: torch.zeros(tensor.shape) for name, tensor in module.state_dict().items()}
    lora = random_lora(base)
    assert len(lora) == 1464
    assert len(Merged(base, lora, 1.0, "toy")) == 1303


@pytest.mark.parametrize("spec", BACKBONES.values(), ids=BACKBONES)
def test_everything_is_read(folder: Path, spec: BackboneSpec):
    open_model(folder, spec)


def broken_name(file: Path) -> None:
    tensors = load_file(file)
    name = sorted(tensors)[0]
    save_file({("x." + n if n == name else n): t for n, t in tensors.items()}, file)


def broken_shape(file: Path) -> None:
    tensors = load_file(file)
    tensors["patch_embedding.bias"] = torch.zeros(7)
    save_file(tensors, file)


def one_too_many(file: Path) -> None:
    save_file(load_file(file) | {"blocks.9.extra": torch.zeros(2)}, file)


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


def not_json(file: Path) -> None:
    file.write_text("{")


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, touched: Path):
        self.touched = touched

    def __reduce__(self):
        return Path.touch, (self.touched,)


def code(file: Path) -> None:
    torch.save({"weight": Trap(file.with_name("touched"))}, file)


def not_tensors(file: Path) -> None:
    torch.save({"step": 3}, file)


def remove(file: Path) -> None:
    file.unlink()


CASPER_WAN, WAN_VAE = "casper-wan-1.3b.safetensors", f"{WAN_BASE}/Wan2.1_VAE.pth"
CLIP_FILE = f"{WAN_BASE}/models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth"


@pytest.mark.parametrize(
    ("spec", "file", "breaking", "message"),
    [
        (
            WAN_1_3B,
            CASPER_WAN,
            broken_name,
            r"weights .*1.3b.safetensors: got no blocks.0.attn2.to_k.bias; it holds x.bl",
        ),
        (WAN_1_3B, CASPER_WAN, broken_shape, r"casper-wan-1.3b.*got patch_embedding.bias of shape 7, wanted 32"),
        (WAN_1_3B, CASPER_WAN, one_too_many, r"got blocks.9.extra beside, wanted the 87 tensors of this model alone"),
        (
            WAN_1_3B,
            CASPER_WAN,
            cut_off,
            r"wan-1.3b.safetensors: got .* bytes\), wanted a whole .safetensors file",
        ),
        (WAN_1_3B, CASPER_WAN, remove, r"model casper-wan-1.3b: got no .*casper-wan-1.3b.safetensors, wanted all its"),
        (WAN_1_3B, WAN_VAE, cut_off, r"Wan2.1_VAE.pth: got .* wanted a whole file of tensors and nothing else"),
        (WAN_1_3B, WAN_VAE, code, r"Wan2.1_VAE.pth: got .* wanted a whole file of tensors and nothing else"),
        (WAN_1_3B, WAN_VAE, not_tensors, r"Wan2.1_VAE.pth: got dict, wanted tensors by name"),
        (WAN_1_3B, WAN_VAE, remove, r"got no .*Wan2.1_VAE.pth, wanted all its files. `lamina weights where casper-wan"),
        (WAN_1_3B, CLIP_FILE, cut_off, r"models_clip.*got .* wanted a whole file"),
        (WAN_1_3B, f"{WAN_BASE}/config.json", not_json, r"config.json: got .*, wanted JSON"),
        (
            WAN_1_3B,
            f"{WAN_BASE}/google/umt5-xxl/tokenizer.json",
            not_json,
            r"tokenizer .*tokenizer.json: got .* whole",
        ),
        (
            COG_5B,
            "casper-cog-5b.safetensors",
            cut_off,
            r"casper-cog-5b.safetensors: got .* wanted a whole .safe",
        ),
        (COG_5B, f"{COG_BASE}/tokenizer/spiece.model", remove, r"got no .*tokenizer/\*, wanted all its files"),
        (
            COG_5B,
            f"{COG_BASE}/text_encoder/model-00002-of-00002.safetensors",
            remove,
            r"got no \S*model-00002-of-00002.safetensors, wanted all its files",
        ),
        (
            WAN_14B,
            f"{WAN_14B_BASE}/diffusion_pytorch_model-00002-of-00002.safetensors",
            remove,
            r"got no \S*00002-of-00002.safetensors, w",
        ),
    ],
)
def test_what_is_wrong_is_named(
    folder: Path, spec: BackboneSpec, file: str, breaking: Callable[[Path], None], message: str
):
    breaking(folder / file)
    with pytest.raises(WeightsError, match=message):
        open_model(folder, spec)
    assert not list(folder.rglob("touched")), "code in a file was run"


def test_a_file_of_another_model(folder: Path):
    shutil.copy(folder / "casper-cog-5b.safetensors", folder / CASPER_WAN)
    with pytest.raises(WeightsError, match=r"got no img_emb.proj.0.weight; it holds norm_final.bias, .* instead"):
        open_model(folder, WAN_1_3B)
    shutil.copy(folder / f"{WAN_BASE}/Wan2.1_VAE.pth", folder / CLIP_FILE)
    with pytest.raises(WeightsError, match=r"no visual.patch_embedding.weight"):
        check_encoders(find_weights(WAN_1_3B, folder), EXACT)


def test_a_lora_of_another_base(folder: Path):
    lora = load_file(folder / "casper-wan-14b.safetensors")
    first = "lora_unet__blocks_0_ffn_0.lora_up.weight"
    save_file(lora | {first: lora[first][:-1].clone()}, folder / "casper-wan-14b.safetensors")
    with pytest.raises(WeightsError, match=r"LoRA .*: got 1 of 32 layers .* size: lora_unet__blocks_0_ffn_0, want"):
        open_model(folder, WAN_14B)
    save_file({name.replace("__", "_"): t for name, t in lora.items()}, folder / "casper-wan-14b.safetensors")
    with pytest.raises(WeightsError, match=r"got 32 of 32 layers that the base does not have .*, \.\.\., wanted"):
        open_model(folder, WAN_14B)
    save_file({}, folder / "casper-wan-14b.safetensors")
    with pytest.raises(WeightsError, match="got no layers, wanted a LoRA that was trained on this base"):
        open_model(folder, WAN_14B)


def test_numbers_of_another_kind(folder: Path):
    tensors = load_file(folder / CASPER_WAN)
    save_file({name: tensor.to(torch.int32) for name, tensor in tensors.items()}, folder / CASPER_WAN)
    with pytest.raises(WeightsError, match=r"got \S+ of torch.int32, wanted torch.float32 or the like"):
        open_model(folder, WAN_1_3B)


def test_a_lora_whose_alpha_is_no_number(folder: Path):
    lora = load_file(folder / "casper-wan-14b.safetensors")
    first = "lora_unet__blocks_0_ffn_0.alpha"
    save_file(lora | {first: torch.ones(2)}, folder / "casper-wan-14b.safetensors")
    with pytest.raises(WeightsError, match=r"LoRA .*: got 1 of 32 layers .* size: lora_unet__blocks_0_ffn_0, want"):
        open_model(folder, WAN_14B)


@pytest.mark.parametrize("listed", [3, None, {"x": 3}])
def test_an_index_that_lists_nothing(folder: Path, listed: object):
    file = folder / COG_BASE / "text_encoder" / "model.safetensors.index.json"
    write_json(file, {"weight_map": listed})
    with pytest.raises(WeightsError, match=r"model.safetensors.index.json: got weight_map .*, wanted files by the na"):
        open_model(folder, COG_5B)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_heads": None}, "sizes of the transformer: got"),
        ({"num_layers": 3}, "got no blocks.2.attn1.norm_k.wei"),
    ],
)
def test_sizes_of_another_model(folder: Path, changed: dict, message: str):
    write_json(folder / WAN_BASE / "config.json", {k: v for k, v in (WAN_TRANSFORMER | changed).items() if v})
    with pytest.raises(WeightsError, match=message):
        open_model(folder, WAN_1_3B)


def test_a_schedule_that_no_casper_file_was_trained_with(folder: Path):
    path = folder / COG_BASE / "scheduler" / "scheduler_config.json"
    write_json(path, json.loads(path.read_text()) | {"prediction_type": "epsilon"})
    with pytest.raises(InputError, match=r"prediction_type: got 'epsilon', wanted 'v_prediction'"):
        open_model(folder, COG_5B)


def test_an_unknown_model():
    with pytest.raises(
        InputError, match="got 'casper-9b', wanted one of casper-s, casper-cog-5b, casper-wan-1.3b, casper-wan-14b"
    ):
        get_spec("casper-9b")


def test_a_base_in_the_cache_of_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub_home"))
    home = tmp_path / "hub_home" / "hub" / f"models--{WAN_1_3B.base.replace('/', '--')}"
    for revision in ("aaa", "bbb"):
        (home / "snapshots" / revision).mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("bbb")
    assert [path.name for path in snapshots(WAN_1_3B.base)] == ["bbb", "aaa"]
    shutil.move(folder / WAN_BASE, home / "snapshots" / "aaa" / "x")
    for file in (home / "snapshots" / "aaa" / "x").iterdir():
        shutil.move(file, home / "snapshots" / "aaa")
    assert find_weights(WAN_1_3B, folder).base.name == "aaa"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    assert not snapshots(WAN_1_3B.base)


def test_a_folder_that_is_the_base_itself(folder: Path):
    shutil.move(folder / CASPER_WAN, folder / WAN_BASE)
    assert find_weights(WAN_1_3B, folder / WAN_BASE).base == folder / WAN_BASE


def test_a_casper_file_in_shards(folder: Path):
    tensors = load_file(folder / CASPER_WAN)
    (folder / CASPER_WAN).unlink()
    (folder / "casper-wan-1.3b").mkdir()
    for number, names in enumerate((sorted(tensors)[:30], sorted(tensors)[30:])):
        save_file({name: tensors[name] for name in names}, folder / "casper-wan-1.3b" / f"part{number}.safetensors")
    open_model(folder, WAN_1_3B)
    [state] = survey_weights(WeightsConfig(action="check", model="casper-wan-1.3b", weights=folder))
    assert set(state.files[0].sha256) == {f"casper-wan-1.3b/part{number}.safetensors" for number in (0, 1)}


def test_files_of_one_name_in_base_and_casper_are_both_recorded(folder: Path):
    """Downloaded, both may be called diffusion_pytorch_model.safetensors."""
    part = sorted((folder / WAN_14B_BASE).glob("diffusion_pytorch_model*"))[0]
    (folder / "casper-wan-14b").mkdir()
    shutil.move(folder / "casper-wan-14b.safetensors", folder / "casper-wan-14b" / part.name)
    # its name counts shards, of which the second is missing
    names = {path.name for path in find_casper(WAN_14B, folder)}
    shutil.copy(folder / "casper-wan-14b" / part.name, folder / "casper-wan-14b" / sorted(names)[1])
    files = find_weights(WAN_14B, folder).all_files()
    assert {f"casper-wan-14b/{part.name}", part.name} <= set(files)


def test_hashes_are_remembered_until_a_file_changes(tmp_path: Path):
    file, remembered = tmp_path / "a" / "weights.bin", tmp_path / "cache" / "sha256.json"
    file.parent.mkdir()
    file.write_bytes(b"abc")
    wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of({"a": file}, remembered) == {"a": wanted}
    known = json.loads(remembered.read_text())
    remembered.write_text(json.dumps(dict.fromkeys(known, "remembered")))
    assert sha256_of({"a": file}, remembered) == {"a": "remembered"}
    file.write_bytes(b"abcd")
    assert sha256_of({"a": file}, remembered)["a"] not in ("remembered", wanted)
    assert sha256_of({"a": file}, None) == sha256_of({"a": file}, Path("/proc/none/x"))


def test_both_files_of_a_tokenizer_say_the_same(folder: Path):
    sentencepiece = open_tokenizer(folder / COG_BASE / "tokenizer", 20)
    as_json = open_tokenizer(folder / WAN_BASE / "google" / "umt5-xxl", 20)
    for prompt in ("empty scene", "a dog", "x", ""):
        assert sentencepiece(prompt) == as_json(prompt)
    assert sentencepiece("empty scene") == [30, 31, 1]
    assert len(open_tokenizer(folder / COG_BASE / "tokenizer", 4)("abcdefgh")) == 4
    assert open_tokenizer(folder / COG_BASE / "tokenizer", 4)("abcdefgh")[-1] == 1


def test_the_command_lists(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / WAN_VAE).unlink()
    assert main(["weights", "list", "--weights", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "casper-cog-5b" in text and "all there; licence: CogVideoX License" in text
    assert "1 of 6 files missing; licence: Apache-2.0\n  missing: Wan2.1_VAE.pth (VAE, 508 MB)" in text


def test_the_command_says_where(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["weights", "where", "casper-cog-5b", "--weights", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "https://huggingface.co/alibaba-pai/CogVideoX-Fun-V1.5-5b-InP" in text and "drive.google.com" in text
    assert f"{folder}/casper-cog-5b.safetensors" in text and "missing, not needed" in text


def test_the_command_checks(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["weights", "check", "--weights", str(folder), "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [model["name"] for model in last["models"]] == ["casper-s", *BACKBONES]
    assert all(file["sha256"] for file in last["models"][2]["files"] if file["needed"])
    listed = {name: digest for file in last["models"][1]["files"] for name, digest in file["sha256"].items()}
    shards = {name for name in listed if name.startswith("text_encoder/model-")}
    assert len(shards) == 2 and all(len(digest) == 64 for digest in listed.values()), "a hash for every shard"


def test_the_command_names_what_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]):
    broken_shape(folder / CASPER_WAN)
    assert main(["weights", "check", "casper-wan-1.3b", "--weights", str(folder)]) == 2
    assert "patch_embedding.bias of shape 7" in capsys.readouterr().err
    assert main(["weights", "check", "--weights", str(folder / "nowhere")]) == 2
    assert "error: model casper-cog-5b: got no " in capsys.readouterr().err


def test_the_network_that_comes_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for module in ("survey", "small_files"):
        monkeypatch.setattr(f"lamina.backbones.{module}.SHIPPED", tmp_path / "weights")
    assert main(["weights", "list", "casper-s"]) == 0
    assert "1 of 1 files missing; licence: Apache-2.0\n  missing: casper-s.safetensors" in capsys.readouterr().out
    assert main(["weights", "check", "casper-s"]) == 2
    assert "casper-s.safetensors: got no such file" in capsys.readouterr().err
    small_folder(tmp_path / "weights")
    assert main(["weights", "check", "casper-s"]) == 0
    assert re.search(r"casper-s: every tensor is there.*\n  \w{64}  casper-s.safetensors", capsys.readouterr().out)
    assert main(["weights", "check"]) == 0, "of the published ones none is there, and none was named"
    assert capsys.readouterr().out.count("every tensor is there") == 1
    other = small_folder(tmp_path / "other", toy_network(seed=3))
    assert main(["weights", "check", "casper-s", "--weights", str(other)]) == 0
    assert small_hash(other)[FILE] in capsys.readouterr().out
    assert main(["weights", "check", "casper-s", "--weights", str(tmp_path / "nowhere")]) == 2
    assert "nowhere/casper-s.safetensors: got no such file" in capsys.readouterr().err
    assert main(["weights", "where", "casper-s"]) == 0
    assert "comes with Lamina" in capsys.readouterr().out


def test_the_folder_may_be_named_once_for_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("LAMINA_WEIGHTS", str(folder))
    assert main(["weights", "list", "casper-wan-14b"]) == 0
    assert "all there" in capsys.readouterr().out


def test_a_safetensors_file_is_read_only_where_it_is_asked(folder: Path):
    tensors = open_checkpoint([folder / CASPER_WAN])
    assert len(tensors) == 87 and tensors["patch_embedding.bias"].shape == (32,)


@pytest.mark.parametrize(
    "sizes",
    [
        VaeSizes(3, 16, (1, 2, 4, 4), 2, (False, True, True)),
        VaeSizes(4, 16, (1, 1, 2, 2), 1, (True, True, False)),
        VaeSizes(2, 16, (1, 2, 3), 3, (True, False)),
    ],
)
def test_sizes_of_a_vae_are_read_off_its_tensors(sizes: VaeSizes):
    table = vae(len(sizes.multiples), sizes.residuals + 1)
    weights = published(random_weights(build_vae(sizes, "toy"), 0), table)
    assert vae_sizes(weights, "toy") == sizes
    load_wan_vae(weights, "toy", torch.float32)


@pytest.mark.parametrize("strength", [0.0, 0.55, 1.0])
def test_a_lora_adds_its_product(strength: float):
    """W + strength * alpha / rank * up @ down; without alpha the factor is 1; in the base's number type."""
    base = random_tensors({"a.b.weight": (5, 7), "a.c.weight": (5, 7), "a.b.bias": (5,), "conv.weight": (2, 2, 2)}, 0)
    base["a.c.weight"] = base["a.c.weight"].bfloat16()
    lora = random_tensors({f"lora_unet__a_{x}.lora_down.weight": (3, 7) for x in "bc"}, 1)
    lora |= random_tensors({f"lora_unet__a_{x}.lora_up.weight": (5, 3) for x in "bc"}, 2)
    lora["lora_unet__a_b.alpha"] = torch.tensor(2.0)
    merged = Merged(base, lora, strength, "toy")
    for x, factor in (("b", 2 / 3), ("c", 1.0)):
        name, module = f"a.{x}.weight", f"lora_unet__a_{x}"
        product = lora[f"{module}.lora_up.weight"] @ lora[f"{module}.lora_down.weight"]
        wanted = (base[name].float() + strength * factor * product).to(base[name].dtype)
        torch.testing.assert_close(merged[name], wanted, rtol=0, atol=1e-6)
    assert merged["a.b.bias"] is base["a.b.bias"] and set(merged) == set(base)
