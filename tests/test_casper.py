"""Whole runs of the engines `casper-*` on toy models, through the library and the command."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
import torch
from media_makers import write_images
from safetensors.torch import load_file, save_file
from stopping import Stopped, stop_at
from toy_casper import ENGINES, SMALL, bytes_of, config_of, model_folder, plates, run, short_windows
from toy_scenes import Toy, save, walk

import lamina
from lamina.backbones import wan
from lamina.backbones.interface import denoiser_of
from lamina.backbones.specs import WAN_1_3B
from lamina.cli.main import main
from lamina.errors import InputError, WeightsError
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.media.ffv1 import read_ffv1
from lamina.media.mask_source import open_mask
from lamina.removal import casper, denoising, plan
from lamina.removal.casper_frames import read_rows, read_shown
from lamina.removal.casper_job import casper_job
from lamina.removal.casper_options import CasperOptions
from lamina.removal.shot import Shot
from lamina.schedule import Level


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """With more, sums of torch on a CPU differ in their last bits from run to run."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


pytestmark = pytest.mark.filterwarnings(
    "ignore:The layers over the plate give", "ignore:the clip has one frame"
)  # what an untrained model makes of two objects is no picture


def alone(toy: Toy) -> np.ndarray:
    """Where objects are, `t h w`."""
    return np.max([np.stack(masks) for masks in toy.masks.values()], axis=0) > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_the_command_makes_a_stack(engine: str, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    toy = walk(5)
    clip, masks = save(toy, tmp_path)
    flags = ["--engine", engine, "--weights", models, "--steps", "2", "--size", "48x64", "--storage", "fp32", "--json"]
    assert main(["decompose", str(clip), "--mask", masks[0], *map(str, flags), "-o", str(tmp_path / "out")]) == 0
    stack = lamina.open_stack(tmp_path / "out")
    assert stack.manifest.engine == engine and stack.manifest.layer_names == ("box",)
    assert len(plates(stack)) == 5 and plates(stack)[0].shape == toy.frames[0].shape
    settings = stack.manifest.config
    assert settings["seed"] == 43 and settings["model"]["sha256"][f"{engine}.safetensors"]
    assert "weights" not in settings and "yes" not in settings
    told = capsys.readouterr().out
    assert all(f'"stage": "{stage}"' in told for stage in ("encode", "denoise", "decode", "layers"))
    assert not (tmp_path / "out" / ".work").exists()
    [said] = [event for event in map(json.loads, told.splitlines()) if event["event"] == "plan"]
    assert said["engine"] == engine and (said["mode"], said["batch"], said["tuning"]) == ("full", 1, "plain")
    assert 10**8 < said["device_bytes"] < 10**10 and said["seconds"] > 0


def test_people_are_told_the_plan_once(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    clip, masks = save(walk(3), tmp_path)
    flags = ["--engine", "casper-wan-1.3b", "--weights", models, "--steps", "1", "--size", "48x64", "--storage", "fp32"]
    assert main(["decompose", str(clip), "--mask", masks[0], *map(str, flags), "-o", str(tmp_path / "out")]) == 0
    plans = [line for line in capsys.readouterr().err.splitlines() if line.startswith("plan: ")]
    assert len(plans) == 1
    assert re.fullmatch(
        r"plan: casper-wan-1.3b, 1 removal at a time, memory full, tuning plain: up to \d\.\d GB on the device, "
        r"about \d+ s",
        plans[0],
    )


def test_an_engine_without_a_model_has_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    clip, masks = save(walk(3), tmp_path)
    asked = ["decompose", str(clip), "--mask", masks[0], "--engine", "propagate", "-o", str(tmp_path / "out"), "--json"]
    assert main(asked) == 0
    assert '"event": "plan"' not in capsys.readouterr().out


@pytest.mark.parametrize("engine", ENGINES)
def test_what_other_frames_show_is_exact_and_only_the_rest_is_made_up(engine: str, models: Path, tmp_path: Path):
    """A tripod scene whose ground is all seen: an untrained model has nothing to say where the object was."""
    toy = walk(13, (96, 72))
    stack = run(toy, tmp_path / "anchored", models, engine, size="64x96")
    found, truth, gone = plates(stack), np.stack(toy.truth), alone(toy)
    np.testing.assert_array_equal(found[gone], truth[gone])
    untouched = ~np.stack(toy.changed)
    assert (found[untouched] == truth[untouched]).all(-1).mean() > 0.9
    free = plates(run(toy, tmp_path / "free", models, engine, size="64x96", anchor=False))
    assert (free[gone] == truth[gone]).all(-1).mean() < 0.05


def test_what_no_frame_shows_is_the_models(models: Path, tmp_path: Path):
    """A box that walks is looked through, a post that stands is not."""
    toy = walk(13, (128, 72))
    post = np.zeros((72, 128), np.uint8)
    post[58:70, 4:16] = 255
    both = replace(toy, masks=toy.masks | {"post": [post] * 13})
    one, two = (
        plates(run(both, tmp_path / str(seed), models, "casper-wan-1.3b", size="64x128", seed=seed)) for seed in (1, 2)
    )
    inside, far = cv2.erode(post, np.ones((5, 5))) > 0, np.zeros((13, 72, 128), bool)
    far[:, :, 64:] = np.stack(toy.masks["box"])[:, :, 64:] > 0
    assert (one[:, inside] != two[:, inside]).any(-1).mean() > 0.9
    np.testing.assert_array_equal(one[far], np.stack(toy.truth)[far])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("frames", [1, 3])
def test_short_clips_of_odd_size(engine: str, frames: int, models: Path, tmp_path: Path):
    toy = walk(frames, (53, 37))
    stack = run(toy, tmp_path, models, engine)
    assert plates(stack).shape == (frames, 37, 53, 3)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_objects_have_solos_from_the_same_noise(engine: str, models: Path, tmp_path: Path):
    stack = run(walk(5, names=("box", "ball")), tmp_path, models, engine)
    assert set(stack.manifest.layer_names) == {"box", "ball"}


def test_larger_than_the_source_is_brought_down(models: Path, tmp_path: Path):
    stack = run(walk(3, (40, 30)), tmp_path, models, "casper-wan-1.3b", size="96x128")
    assert plates(stack).shape == (3, 30, 40, 3)


def test_sixteen_bits_stay_sixteen_bits(models: Path, tmp_path: Path):
    toy = walk(3, dtype="uint16")
    found = plates(run(toy, tmp_path, models, "casper-wan-1.3b"))
    assert found.dtype == np.uint16


def test_what_is_brighter_than_white_stays_so(models: Path, tmp_path: Path):
    """The model sees 0..1; what it did not have to change keeps its numbers."""
    toy, folder = walk(5, (96, 72)), tmp_path / "floats"
    folder.mkdir()
    for number, frame in enumerate(toy.frames):
        levels = (frame / 255).astype(np.float32)
        levels[60:70, 80:90] = 3.0
        tifffile.imwrite(folder / f"shot.{number:04d}.tif", levels, photometric="rgb")
    found = plates(run(toy, tmp_path, models, "casper-wan-1.3b", size="64x96", input=folder))
    assert found.dtype == np.float32 and (found[:, 62:68, 82:88] == 3.0).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_that_changes_nothing_leaves_the_clip(
    engine: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its answer is what its codec makes of the clip; what that loses must not be taken for a change."""
    toy = walk(5, (96, 72))

    def unchanged(job, backbone, group, *_) -> torch.Tensor:
        return backbone.encode(read_shown(job, None, range(job.timing.padded_frames)).frames)[None]

    monkeypatch.setattr(casper, "denoise_group", unchanged)
    found = plates(run(toy, tmp_path, models, engine, size="64x96", anchor=False))
    masks = np.stack(toy.masks["box"])
    for t, (plate, frame) in enumerate(zip(found, toy.frames, strict=True)):
        here = masks[max(0, t - 1) : t + 2].max(0)  # what objects do is looked for in the frames beside too
        free = cv2.dilate(here, np.ones((31, 31))) == 0
        assert free.any()
        np.testing.assert_array_equal(plate[free], frame[free])
    reference = plates(run(toy, tmp_path / "reference", models, engine, size="64x96", preset="reference"))
    assert (reference != np.stack(toy.frames)).any(-1).mean() > 0.5, "the codec by chance loses nearly everything"


@pytest.fixture(scope="module")
def unstopped(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run in several windows and pieces that nobody stopped."""
    folder = tmp_path_factory.mktemp("unstopped")
    with pytest.MonkeyPatch.context() as patch:
        short_windows(patch, "casper-wan-1.3b", 9, 4)
        run(walk(13), folder, models, "casper-wan-1.3b", steps=3)
    return folder / "out"


@pytest.mark.parametrize(
    ("stage", "done"), [("plate", 1), ("encode", 1), ("denoise", 1), ("denoise", 2), ("decode", 1), ("decode", 9)]
)
def test_a_stopped_run_goes_on_to_the_same_bytes(
    stage: str, done: int, models: Path, unstopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(denoising, "SAVE_SECONDS", 0.0)
    short_windows(monkeypatch, "casper-wan-1.3b", 9, 4)
    config = config_of(walk(13), tmp_path, models, "casper-wan-1.3b", steps=3)
    with pytest.raises(Stopped):
        lamina.decompose(config, stop_at(stage, done))
    stages = []
    out = lamina.decompose(config, lambda named, so_far, _: stages.append((named, so_far)))
    assert bytes_of(out) == bytes_of(unstopped)
    if stage == "denoise" and done == 2:
        assert ("denoise", 1) not in stages, "a step was made twice"
    if stage == "decode":
        assert "encode" not in dict(stages), "what was denoised was encoded again"


def test_a_long_step_goes_on_at_the_window_it_was_at(
    models: Path, unstopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[float] = []
    stop_after = [4]  # two windows per step: the run stops within the third step

    def counting(backbone: Any, condition: Any):
        denoise = denoiser_of(backbone, condition)

        def denoise_counted(latents: Any, level: Level):
            if len(asked) == stop_after[0] + 1:
                raise Stopped
            asked.append(level.timestep)
            return denoise(latents, level)

        return denoise_counted

    monkeypatch.setattr(denoising, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(denoising, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(wan.Wan, "denoiser", counting)
    short_windows(monkeypatch, "casper-wan-1.3b", 9, 4)
    config = config_of(walk(13), tmp_path, models, "casper-wan-1.3b", steps=3)
    with pytest.raises(Stopped):
        lamina.decompose(config)
    stop_after[0] = 100
    assert bytes_of(lamina.decompose(config)) == bytes_of(unstopped)
    assert len(asked) == 6 and len(set(asked)) == 3, "a window was denoised twice"


def test_batches_give_what_all_at_once_gives(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept: dict[str, dict[str, np.ndarray]] = {}
    monkeypatch.setattr(casper, "write_answers", spying(casper.write_answers, kept))
    toy = walk(5, names=("box", "ball"))
    for batch in (1, 2, 3):
        monkeypatch.setattr(casper, "KEPT", str(batch), raising=False)
        run(toy, tmp_path / str(batch), models, "casper-wan-1.3b", batch=batch)
    for batch in ("1", "2"):
        for name, latents in kept[batch].items():
            np.testing.assert_allclose(latents, kept["3"][name], atol=2e-5, err_msg=f"{name} in batches of {batch}")
    assert list(kept["1"]) == ["plate", "box", "ball"]


def spying(write, kept: dict):
    def write_and_keep(job, backbone, latents, truth, report) -> None:
        kept[casper.KEPT] = {name: found.numpy() for name, found in latents.items()}  # type: ignore[attr-defined]
        write(job, backbone, latents, truth, report)

    return write_and_keep


@pytest.mark.parametrize("engine", ENGINES)
def test_a_clip_longer_than_a_window(engine: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    short_windows(monkeypatch, engine, 21, 8)
    toy = walk(27)
    stack = run(toy, tmp_path, models, engine)
    assert len(plates(stack)) == 27


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("flags", [{"inside": "zeroed"}, {"marking": "binary"}, {"preset": "reference"}])
def test_variants_run_and_differ(
    engine: str, flags: dict, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    short_windows(monkeypatch, engine, 9, 4)  # the published padding is to a whole window
    toy = walk(3, names=("box", "ball"))
    plain = run(toy, tmp_path / "plain", models, engine, anchor=False)
    varied = run(toy, tmp_path / "varied", models, engine, anchor=False, **flags)
    assert (plates(plain) != plates(varied)).any()


def test_preserved_regions_are_the_clips_own(models: Path, tmp_path: Path):
    toy = walk(6, (96, 72))
    drawn = np.zeros((72, 96), np.uint8)
    drawn[:, 50:] = 255
    still = write_images(tmp_path / "keep", [drawn]) / "shot.0000.png"
    stack = run(toy, tmp_path, models, "casper-wan-1.3b", size="64x96", anchor=False, preserve=still)
    masks, judged = np.stack(toy.masks["box"]), 0
    for t, plate in enumerate(plates(stack)):
        free = np.zeros((72, 96), bool)
        free[:, 60:] = True  # beyond the rim, where both are mixed
        for mask in masks[max(0, t - 1) : t + 2]:  # what objects do is looked for in the frames beside too
            free[:, cv2.dilate(mask, np.ones((1, 25))).any(0)] = False
        judged += int(free.sum())
        np.testing.assert_array_equal(plate[free], toy.frames[t][free])
    assert judged > 1000


def painting(folder: Path, size: tuple[int, int]) -> Path:
    """The left third removed, the right third kept, and between what may hold effects; in the levels of the paper."""
    levels = np.full(size[::-1], 128, np.uint8)
    levels[:, : size[0] // 3], levels[:, -(size[0] // 3) :] = 0, 255
    return write_images(folder / "painted", [levels]) / "shot.0000.png"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_painted_trimask_is_what_the_model_is_told(
    engine: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    toy, told = walk(5, (96, 72)), []

    def listen(job, backbone, group, start, tell, progress) -> torch.Tensor:
        told.extend(row.trimasks for row in read_rows(job, None, range(5)))
        return denoising.denoise_group(job, backbone, group, start, tell, progress)

    monkeypatch.setattr(casper, "denoise_group", listen)
    stack = run(toy, tmp_path, models, engine, size="64x96", trimask=painting(tmp_path, (96, 72)))
    for [trimask] in told:
        width = trimask.shape[1]
        assert (trimask[:, [width // 6, width // 2, 5 * width // 6]] == [REMOVE, UNKNOWN, KEEP]).all()
    assert len(told) == 5
    for t, plate in enumerate(plates(stack)):
        free = np.zeros((72, 96), bool)
        free[:, 70:] = True  # beyond the rim, where both are mixed
        for mask in toy.masks["box"][max(0, t - 1) : t + 2]:
            free[:, cv2.dilate(mask, np.ones((1, 25))).any(0)] = False
        np.testing.assert_array_equal(plate[free], toy.frames[t][free])


def test_a_painted_trimask_is_for_one_object(models: Path, tmp_path: Path):
    painted = painting(tmp_path, (64, 48))
    toy = walk(2, names=("box", "ball"))
    with pytest.raises(InputError, match="--trimask: got 2 objects, wanted one object"):
        run(toy, tmp_path, models, "casper-wan-1.3b", trimask=painted)
    with pytest.raises(InputError, match="--trimask: got --preserve too, wanted one object"):
        run(walk(2), tmp_path / "b", models, "casper-wan-1.3b", trimask=painted, preserve=painted)
    clip, masks = save(walk(2), tmp_path / "c")
    asked = lamina.DecomposeConfig(input=clip, mask=masks, out=tmp_path / "out", engine="propagate", trimask=painted)
    with pytest.raises(InputError, match="--trimask: got --engine propagate, wanted an engine that runs a model"):
        lamina.decompose(asked)
    assert not (tmp_path / "out").exists()


def test_the_lora_model_runs(models: Path, tmp_path: Path):
    assert len(plates(run(walk(2), tmp_path, models, "casper-wan-14b"))) == 2


def test_other_weights_are_another_run(models: Path, tmp_path: Path):
    toy = walk(2)
    run(toy, tmp_path, models, "casper-wan-1.3b")
    with pytest.raises(lamina.OutputError, match="belongs to another run.*config.seed"):
        run(toy, tmp_path, models, "casper-wan-1.3b", seed=44)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"size": "50x64"}, "--size 50x64: got '50x64', wanted HxW, both multiples of 16"),
        ({"size": "64"}, "--size 64: got '64', wanted HxW"),
        ({"steps": 0}, "--steps: got 0, wanted 1..1000"),
        ({"batch": -1}, "--batch: got -1, wanted 0 or more"),
        ({"seed": 10**22}, "--seed: got 1(0){22}, wanted -9223372036854775808..9223372036854775807"),
        ({"grow": -1}, "--grow: got -1, wanted 0 or more"),
        ({"device": "nowhere"}, "--device nowhere: got .*, wanted a device of this machine"),
    ],
)
def test_flags_that_do_not_fit(flags: dict, said: str, models: Path, tmp_path: Path):
    with pytest.raises(lamina.LaminaError, match=said):
        run(walk(2), tmp_path, models, "casper-wan-1.3b", **flags)
    assert not (tmp_path / "out").exists()


def test_a_plate_and_a_model_are_one_too_many(models: Path, tmp_path: Path):
    toy = walk(2)
    plate = write_images(tmp_path / "clean", [toy.truth[0]]) / "shot.0000.png"
    with pytest.raises(InputError, match="--plate: got --engine casper-wan-1.3b too, wanted one of them"):
        run(toy, tmp_path, models, "casper-wan-1.3b", plate=plate)


@pytest.mark.parametrize(
    ("flag", "value"), [("weights", Path("x")), ("steps", 4), ("anchor", False), ("preset", "reference"), ("yes", True)]
)
def test_the_engine_without_a_model_says_what_it_does_not_take(flag: str, value, tmp_path: Path):
    clip, masks = save(walk(2), tmp_path)
    name = "no-anchor" if flag == "anchor" else flag
    asked = lamina.DecomposeConfig(input=clip, mask=masks, out=tmp_path / "out", engine="propagate", **{flag: value})
    with pytest.raises(InputError, match=f"--{name}: got --engine propagate, wanted an engine that runs a model"):
        lamina.decompose(asked)


@pytest.mark.parametrize(("flag", "value"), [("preset", "reference"), ("yes", True), ("prompt", "a beach")])
def test_auto_says_which_flags_only_published_models_take(flag: str, value, tmp_path: Path):
    clip, masks = save(walk(2), tmp_path)
    asked = lamina.DecomposeConfig(input=clip, mask=masks, out=tmp_path / "out", **{flag: value})
    with pytest.raises(InputError, match=f"--{flag}: got --engine auto, which has no {flag}, wanted a published model"):
        lamina.decompose(asked)


def test_missing_files_are_named(tmp_path: Path):
    with pytest.raises(WeightsError, match="casper-wan-1.3b.safetensors.*lamina weights where casper-wan-1.3b"):
        run(walk(2), tmp_path, tmp_path / "nothing", "casper-wan-1.3b")
    assert not (tmp_path / "out").exists()


def test_a_wrong_casper_file_leaves_nothing(models: Path, tmp_path: Path):
    other = tmp_path / "models"
    other.mkdir()
    (other / "Wan2.1-Fun-1.3B-InP").symlink_to(models / "Wan2.1-Fun-1.3B-InP")
    (other / "casper-wan-1.3b.safetensors").symlink_to(models / "casper-cog-5b.safetensors")
    with pytest.raises(WeightsError, match=r"casper-wan-1.3b.safetensors: got no img_emb.proj.0.weight"):
        run(walk(2), tmp_path, other, "casper-wan-1.3b")
    assert not (tmp_path / "out").exists()


def test_a_lora_of_another_base_leaves_nothing(models: Path, tmp_path: Path):
    other = tmp_path / "models"
    other.mkdir()
    (other / "Wan2.1-Fun-14B-InP").symlink_to(models / "Wan2.1-Fun-14B-InP")
    (other / "casper-wan-14b.safetensors").symlink_to(models / "casper-wan-1.3b.safetensors")
    with pytest.raises(WeightsError, match="LoRA .*casper-wan-14b.safetensors.*trained on this base"):
        run(walk(2), tmp_path, other, "casper-wan-14b")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("left", range(8))
def test_thin_objects_are_not_forgotten(left: int, tmp_path: Path):
    """A rope of one pixel at an eighth of the clip's size, wherever it hangs."""
    rope = np.zeros((96, 256), np.uint8)
    rope[:, 40 + left] = 255
    toy = replace(walk(1, (256, 96)), masks={"rope": [rope]})
    clip, masks = save(toy, tmp_path)
    opened = lamina.open_source(clip)
    shot = Shot(opened, [open_mask("rope", Path(masks[0].partition("=")[2]), opened.info)], None, None, tmp_path, 1)
    job = casper_job(shot, WAN_1_3B, CasperOptions(size="16x32", grow=0))
    [row] = read_rows(job, None, range(1))
    assert (row.trimasks[0] == REMOVE).any(0).nonzero()[0].tolist() == [5]
    published = casper_job(shot, WAN_1_3B, CasperOptions(size="16x32", grow=0, preset="reference"))
    [row] = read_rows(published, None, range(1))
    assert not (row.trimasks[0] == REMOVE).any()


@pytest.mark.parametrize(
    ("file", "tensor", "said"),
    [
        ("casper-wan-1.3b.safetensors", "blocks.0.ffn.0.bias", "casper-wan-1.3b, step 1 of 2: got NaN or infinity"),
        ("Wan2.1-Fun-1.3B-InP/Wan2.1_VAE.pth", "decoder.head.2.bias", "casper-wan-1.3b, decoding of plate: got NaN"),
    ],
)
def test_a_model_that_loses_itself_leaves_nothing(file: str, tensor: str, said: str, models: Path, tmp_path: Path):
    other = shutil.copytree(models, tmp_path / "models")
    load, save = (load_file, save_file) if file.endswith("safetensors") else (torch.load, torch.save)
    tensors = load(other / file)
    tensors[tensor][0] = float("nan")
    save(tensors, other / file)
    with pytest.raises(WeightsError, match=f"{said}.*lamina weights check"):
        run(walk(2), tmp_path, other, "casper-wan-1.3b")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("file", ["models_t5_umt5-xxl-enc-bf16.pth", "google/umt5-xxl/tokenizer.json"])
def test_a_broken_encoder_is_told_before_anything_takes_long(file: str, models: Path, tmp_path: Path):
    other, stages = shutil.copytree(models, tmp_path / "models"), []
    broken = other / "Wan2.1-Fun-1.3B-InP" / file
    broken.write_bytes(broken.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="got .*, wanted a whole file"):
        run(walk(2), tmp_path, other, "casper-wan-1.3b", lambda stage, *_: stages.append(stage))
    assert not stages and not (tmp_path / "out").exists()


@pytest.mark.parametrize("changed", [{"num_layers": None}, {"num_layers": 0}, {"num_layers": "two"}])
def test_sizes_that_no_model_has_leave_nothing(changed: dict, models: Path, tmp_path: Path):
    other = shutil.copytree(models, tmp_path / "models")
    file = other / "Wan2.1-Fun-1.3B-InP" / "config.json"
    config = json.loads(file.read_text()) | changed
    file.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    with pytest.raises(WeightsError, match="sizes of .*config.json: got .*, wanted those of this model"):
        run(walk(2), tmp_path, other, "casper-wan-1.3b")
    assert not (tmp_path / "out").exists()


def test_a_long_run_on_the_cpu_asks_first(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plan, "LONG_SECONDS", 0)
    with pytest.raises(InputError, match="casper-cog-5b on the CPU: got a run of about .*, wanted an acc.* or --yes"):
        run(walk(2), tmp_path, models, "casper-cog-5b", device="cpu")
    assert not (tmp_path / "out").exists()
    assert len(plates(run(walk(2), tmp_path, models, "casper-cog-5b", device="cpu", yes=True))) == 2


def test_too_little_memory_says_the_plan(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = casper.measure_machine
    monkeypatch.setattr(casper, "measure_machine", lambda *a: replace(real(*a), device_bytes=10**6))
    with pytest.raises(InputError, match="memory: got 0.0 GB on the device.*wanted mode .* GB of host memory, about"):
        run(walk(2), tmp_path, models, "casper-wan-1.3b")


def test_the_published_padding_has_an_end(models: Path, tmp_path: Path):
    with pytest.raises(InputError, match="--preset reference: got a clip of 198 frames, wanted at most 197"):
        run(walk(198, (32, 32)), tmp_path, models, "casper-wan-1.3b", preset="reference")


def test_answers_are_written_finely(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Between the model and the layers nothing is rounded to eight bits."""
    config = config_of(walk(2), tmp_path, models, "casper-wan-1.3b")
    with pytest.raises(Stopped):
        lamina.decompose(config, stop_at("layers", 1))
    [plate, _] = read_ffv1(tmp_path / "out" / ".work" / "casper" / "plate.mkv")
    assert plate.dtype == np.uint16 and plate.shape == (48, 64, 3)
    assert SMALL["size"] == "48x64"
