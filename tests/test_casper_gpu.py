"""The benchmark of the engines `casper-*`: all of it runs at toy size, and its models are those that are published."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks import casper_gpu
from benchmarks.casper_gpu import PARTS, SWITCHES, WAYS, GpuConfig, asked, beforehand, main
from benchmarks.casper_models import CASES, TOYS, Chance, Held, build, condition_of, model_of, show
from benchmarks.casper_runs import taken_apart
from benchmarks.cuda_graph import Recorded
from benchmarks.tables import SECTIONS, casper_bars
from lamina.backbones import cogvideox
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN

CPU = torch.device("cpu")
NOT_ON_A_CPU = {"attention cudnn", "attention efficient", "CUDA graph", "tuning compiled, CUDA graph"}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_all_of_it_runs_at_toy_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    main(["--toy", "--device", "cpu", "--repeats", "1", "--out", str(tmp_path / "toy.json")])
    results, said = json.loads((tmp_path / "toy.json").read_text()), capsys.readouterr().out
    assert results["device"] == {"name": "cpu"} and results["matrix_tflop_s"] > 0
    assert {"torch", "diffusers", "cuda", "cudnn"} <= set(results["versions"])
    for found in results["models"].values():
        assert set(PARTS) <= set(found) and found["tflop_per_step"] > 0
        assert all(row["total_s"] > 0 for row in (found["removal"]["all_steps"], found["removal"]["few_steps"]))
        assert found["batch"]["ratio"] > 0 and set(found["memory"]) == set(WAYS)
        assert not any("error" in row for row in found["memory"].values())
        assert set(found["switches"]) == set(SWITCHES)
        failed = {name: row["error"] for name, row in found["switches"].items() if "error" in row}
        assert set(failed) == NOT_ON_A_CPU, failed
        assert found["switches"]["plain"]["step_gain"] == 1 and found["switches"]["plain"]["share_of_matrix_rate"] >= 0
        assert set(found["asked"]) == {"all_steps_s", "few_steps_s", "batch_ratio", "peak_gb", "on_24_gb"}
        assert set(found["asked"]["on_24_gb"]) == set(WAYS) and found["asked"]["all_steps_s"]["met"] is None
    assert "nothing about speed" in said and "cogvideox all_steps_s: " in said and "(<= 2.6 " in said
    tables = SECTIONS["casper_gpu"](results)
    assert "### wan: 9 frames of 32x48, 2 steps" in tables and "| attention cudnn | - |" in tables
    assert "| full bf16 |" in tables and "times one" in tables


def part_of(config: GpuConfig, capsys: pytest.CaptureFixture[str], figure: float) -> dict:
    """Measured anew, as if it took so long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PARTS, "batch", lambda case, config: {"ratio": figure})
        main(["--toy", "--device", "cpu", "--models", *config.models, "--parts", "batch", "--out", str(config.out)])
    capsys.readouterr()
    assert config.out is not None
    return json.loads(config.out.read_text())["models"]


def test_parts_are_measured_one_after_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "toy.json"
    part_of(GpuConfig(models=("wan",), out=out), capsys, 1.0)
    found = part_of(GpuConfig(models=("cogvideox",), out=out), capsys, 2.0)
    assert (found["wan"]["batch"]["ratio"], found["cogvideox"]["batch"]["ratio"]) == (1.0, 2.0)
    assert part_of(GpuConfig(models=("wan",), out=out), capsys, 3.0)["wan"]["batch"]["ratio"] == 3.0
    told = json.loads(out.read_text()) | {"device": {"name": "another"}}
    out.write_text(json.dumps(told))
    assert set(part_of(GpuConfig(models=("wan",), out=out), capsys, 4.0)) == {"wan"}


def test_a_part_that_fails_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def fails(case, config):
        raise torch.OutOfMemoryError("too little\nand more")

    out = tmp_path / "toy.json"
    with pytest.MonkeyPatch.context() as patch:
        for part in PARTS:
            patch.setitem(PARTS, part, fails)
        main(["--toy", "--device", "cpu", "--out", str(out)])
    results = json.loads(out.read_text())
    assert results["models"]["wan"]["memory"] == {"error": "OutOfMemoryError: too little"}
    assert "### wan" in SECTIONS["casper_gpu"](results)


def test_figures_are_held_to_their_bars():
    found = {"removal": {"all_steps": {"total_s": 19.0}, "few_steps": {"total_s": 5.0}}, "batch": {"ratio": 2.5}}
    assert casper_bars("cogvideox", found) == {
        "all_steps_s": "19.00 (<= 20 met)",
        "few_steps_s": "**5.00 (<= 4 missed)**",
        "batch_ratio": "2.50 (<= 2.6 met)",
    }
    assert casper_bars("wan", {}) == {"all_steps_s": "-", "few_steps_s": "-", "batch_ratio": "-"}


def test_what_is_asked_is_told_by_name():
    """Every bar, met or not, peak memory, and which modes do with 24 GB."""
    laps = {"total_s": 19.0, "denoise_s": 15.0, "denoise_peak_gb": 27.5, "decode_peak_gb": 31.0}
    found = {"removal": {"all_steps": laps, "few_steps": {"total_s": 5.0}}, "batch": {"error": "no memory"}}
    told = asked("cogvideox", found | {"memory": {"tiled bf16": {"on_24_gb": True}}}, toy=False)
    assert told["all_steps_s"] == {"figure": 19.0, "max": 20, "met": True}
    assert told["few_steps_s"] == {"figure": 5.0, "max": 4, "met": False}
    assert told["batch_ratio"] == {"figure": None, "max": 2.6, "met": None}
    assert told["peak_gb"] == 31.0 and told["on_24_gb"]["tiled bf16"] and told["on_24_gb"]["full bf16"] is None
    assert asked("wan", found, toy=True)["all_steps_s"] == {"figure": 19.0, "max": 45, "met": None}


def test_without_an_accelerator_it_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="no accelerator here.* --toy --device cpu"):
        _ = GpuConfig().place


def test_toys_leave_the_results_alone():
    assert GpuConfig(toy=True).file is None and GpuConfig().file == casper_gpu.RESULTS


@pytest.mark.parametrize("name", CASES)
def test_sizes_are_the_published_ones(name: str):
    """The published files hold nothing but their weights, two bytes each."""
    model, spec = model_of(CASES[name]), CASES[name].spec
    assert model.transformer_bytes == pytest.approx(spec.casper.bytes, rel=0.01)
    vae = next(file.bytes for file in spec.files if file.what == "VAE")
    assert model.vae_bytes == pytest.approx(vae if name == "cogvideox" else vae / 2, rel=0.01)  # Wan's is float32


def test_what_is_known_beforehand(capsys: pytest.CaptureFixture[str]):
    main(["--arithmetic"])
    assert len(capsys.readouterr().out.splitlines()) == 2
    told = beforehand("cogvideox")
    assert told["tokens"] == 11 * 24 * 42 and 150 < told["tflop_per_step"] < 200
    assert told["bar_tflop_s"] == pytest.approx((50 * told["tflop_per_step"] + told["coding_tflop"]) / 20, rel=1e-3)
    assert told["planned_peak_gb"]["full bf16"] > 24 > told["planned_peak_gb"]["tiled bf16"]


def test_weights_by_chance_keep_numbers_in_range():
    module = cogvideox.build_transformer(TOYS["cogvideox"].transformer)
    chance = Chance(module, CPU, CPU, torch.float32)
    assert set(chance) == set(module.state_dict()) and len(chance) == len(module.state_dict())
    weight, given = chance["transformer_blocks.0.ff.net.0.proj.weight"], torch.randn(
        256, 32, generator=torch.Generator().manual_seed(1)
    )
    assert (given @ weight.T).std() == pytest.approx(1, rel=0.1)
    assert (chance["transformer_blocks.0.attn1.norm_q.weight"] == 1).all()
    assert (chance["transformer_blocks.0.attn1.norm_q.bias"] == 0).all()


@pytest.mark.parametrize("name", TOYS)
def test_what_a_model_is_shown(name: str):
    case = TOYS[name]
    plate, first, second = show(case, 3).trimasks
    assert set(plate.ravel()) == {REMOVE, UNKNOWN} and {KEEP, REMOVE, UNKNOWN} == set(first.ravel())
    assert ((plate == UNKNOWN) == (first == UNKNOWN)).all() and (first != second).any()
    backbone = build(case, CPU, Held())
    assert condition_of(case, backbone, show(case, 3)).mask.shape[0] == 3 and backbone.dtype == torch.bfloat16


@pytest.mark.gpu
@pytest.mark.parametrize("name", TOYS)
def test_a_recorded_network_answers_the_same(name: str):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    place = torch.device("cuda")
    plain, recorded = build(TOYS[name], place, Held()), build(TOYS[name], place, Held(), Recorded)
    moves, noise, shown = plain.schedule.moves(3), TOYS[name].noise(1).to(place), show(TOYS[name], 1)
    condition = condition_of(TOYS[name], plain, shown)
    for move in moves:
        with torch.inference_mode():
            answers = [backbone.answer(noise, move.start, condition) for backbone in (plain, recorded)]
        torch.testing.assert_close(*answers)


@pytest.mark.gpu
def test_memory_is_measured_on_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    watch = taken_apart(TOYS["wan"], build(TOYS["wan"], torch.device("cuda"), Held()), 1, 1)
    assert set(watch.bytes) == set(watch.seconds) == {"encode", "step", "decode"} and min(watch.bytes.values()) > 10**5
