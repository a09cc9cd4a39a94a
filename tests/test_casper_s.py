"""Whole runs of the engine `casper-s` on a toy network, and of `auto`, through the library and the command."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch
from media_makers import write_images
from safetensors.torch import save_file
from stopping import Stopped, stop_at
from toy_casper import bytes_of, plates
from toy_scenes import Toy, save, walk
from toy_small import SIZES, small_folder, toy_network

import lamina
from lamina.backbones.small import SMALL_SPEC, Small, open_small
from lamina.backbones.small_files import FILE
from lamina.cli.main import main
from lamina.errors import InputError, LaminaError, OutputError, WeightsError
from lamina.layers import decompose as task
from lamina.layers.inputs import open_inputs
from lamina.media.ffv1 import read_ffv1
from lamina.removal import casper_s
from lamina.removal.casper_frames import read_rows
from lamina.removal.casper_job import CasperJob, casper_job
from lamina.removal.casper_s import Part, parts_of, remove_small, remove_window
from lamina.removal.framing import squeezing
from lamina.removal.starting_noise import frame_noise
from lamina.report import no_report

pytestmark = pytest.mark.filterwarnings(
    "ignore:The layers over the plate give", "ignore:the clip has one frame"
)  # what an untrained model makes of two objects is no picture
SMALL = {"engine": "casper-s", "size": "48x64"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_folder(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def config_of(toy: Toy, folder: Path, models: Path, **more) -> lamina.DecomposeConfig:
    clip, masks = save(toy, folder)
    flags = {"input": clip, "mask": masks, "weights": models, "out": folder / "out", **SMALL, **more}
    return lamina.DecomposeConfig(**flags)


def run(toy: Toy, folder: Path, models: Path, **more) -> lamina.StackReader:
    return lamina.open_stack(lamina.decompose(config_of(toy, folder, models, **more)))


def job_of(toy: Toy, folder: Path, models: Path, workers: int = 1, **more) -> tuple[CasperJob, Small]:
    config = config_of(toy, folder, models, anchor=False, **more)
    shot = open_inputs(config).shot(folder / "work", workers)
    return casper_job(shot, SMALL_SPEC, config), open_small(models, "cpu", "fp32")


def answers(job: CasperJob) -> np.ndarray:
    """`n t h w 3`, levels."""
    return np.stack([list(read_ffv1(job.movie(removal))) for removal in job.removals]) / 65535


def test_the_command_makes_a_stack(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    toy = walk(5)
    clip, masks = save(toy, tmp_path)
    flags = ["--engine", "casper-s", "--weights", str(models), "--size", "48x64", "--json"]
    assert main(["decompose", str(clip), "--mask", masks[0], *flags, "-o", str(tmp_path / "out")]) == 0
    stack = lamina.open_stack(tmp_path / "out")
    assert stack.manifest.engine == "casper-s" and stack.manifest.layer_names == ("box",)
    assert len(plates(stack)) == 5 and plates(stack)[0].shape == toy.frames[0].shape
    settings = stack.manifest.config
    assert (settings["seed"], settings["steps"], settings["grow"], settings["storage"]) == (43, 1, 5, "fp32")
    assert settings["model"]["model"] == "casper-s" and settings["model"]["sha256"][FILE]
    assert not {"weights", "prompt", "tuning", "batch", "memory"} & set(settings)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [plan] = [event for event in events if event["event"] == "plan"]
    assert (plan["height"], plan["width"], plan["windows"], plan["removals"]) == (48, 64, 1, 1)
    assert {"survey", "plate", "remove", "layers"} <= {event.get("stage") for event in events}
    assert not (tmp_path / "out" / ".work").exists()


def test_two_objects_have_a_plate_and_solos(models: Path, tmp_path: Path):
    job, backbone = job_of(walk(20, names=("box", "ball")), tmp_path, models)
    remove_small(job, backbone, None, no_report)
    assert [removal.name for removal in job.removals] == ["plate", "box", "ball"]
    plate, *solos = answers(job)
    assert plate.shape == (20, 48, 64, 3)
    assert all(np.abs(plate - solo).max() > 0.01 for solo in solos), "each is told another trimask"
    assert set(run(walk(5, names=("box", "ball")), tmp_path, models).manifest.layer_names) == {"box", "ball"}


def test_windows_are_cross_faded_as_their_slow_twin(models: Path, tmp_path: Path):
    """Twin: every window by itself, and the weighted sum over all of them, the whole clip in memory."""
    job, backbone = job_of(walk(41), tmp_path, models)
    remove_small(job, backbone, None, no_report)
    parts, total = parts_of(job), np.zeros((1, 41, 48, 64, 3))
    for part in parts:
        rows = list(read_rows(job, None, part.frames))
        made = remove_window(job, backbone, part, rows)
        total[:, part.window.start : part.window.stop] += made * part.weights[:, None, None, None]
    assert len(parts) == 4 and sum(len(part.own) for part in parts) == 41
    np.testing.assert_allclose(answers(job), total, atol=1e-4)
    hard = np.concatenate([_made(job, backbone, part)[:, : len(part.own)] for part in parts], axis=1)
    assert np.abs(answers(job) - hard).max() > 1e-3, "windows differ where they overlap"


def _made(job: CasperJob, backbone: Small, part: Part) -> np.ndarray:
    return remove_window(job, backbone, part, list(read_rows(job, None, part.frames)))


def test_noise_belongs_to_frames():
    whole = frame_noise(7, range(0, 12), (3, 4, 5))
    assert whole.shape == (3, 12, 4, 5) and abs(float(whole.std()) - 1) < 0.1
    torch.testing.assert_close(frame_noise(7, range(4, 9), (3, 4, 5)), whole[:, 4:9], rtol=0, atol=0)
    assert not torch.equal(whole[:, 0], whole[:, 1]) and not torch.equal(frame_noise(8, range(1), (3, 4, 5)), whole)


def test_only_a_few_windows_are_held(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    job, backbone = job_of(walk(150, (32, 24)), tmp_path, models, size="16x32")
    read, ahead = 0, []

    def counting(*args) -> Iterator:
        nonlocal read
        for row in read_rows(*args):
            read += 1
            yield row

    def watching(job: CasperJob, part: Part, *args) -> None:
        ahead.append(read - part.own.start)
        casper_s.write_part_really(job, part, *args)  # type: ignore[attr-defined]

    monkeypatch.setattr(casper_s, "read_rows", counting)
    monkeypatch.setattr(casper_s, "write_part_really", casper_s.write_part, raising=False)
    monkeypatch.setattr(casper_s, "write_part", watching)
    remove_small(job, backbone, None, no_report)
    assert read == 150 and len(ahead) > 10 and max(ahead) <= 2 * 16


def test_the_number_of_threads_does_not_matter(models: Path, tmp_path: Path):
    found, before = [], torch.get_num_threads()
    for workers in (1, 3):
        job, backbone = job_of(walk(41), tmp_path / str(workers), models, workers=workers)
        remove_small(job, backbone, None, no_report)
        found.append(job.movie(job.removals[0]).read_bytes())
    assert found[0] == found[1] and torch.get_num_threads() == before


@pytest.fixture(scope="module")
def unstopped(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unstopped")
    run(walk(33, (48, 36), names=("box", "ball")), folder, models)
    return folder / "out"


@pytest.mark.parametrize(("stage", "done"), [("plate", 16), ("remove", 1), ("remove", 17), ("layers", 16)])
def test_a_stopped_run_goes_on_to_the_same_bytes(stage: str, done: int, models: Path, unstopped: Path, tmp_path: Path):
    config = config_of(walk(33, (48, 36), names=("box", "ball")), tmp_path, models)
    with pytest.raises(Stopped):
        lamina.decompose(config, stop_at(stage, done))
    stages: list[tuple[str, int]] = []
    out = lamina.decompose(config, lambda named, so_far, _: stages.append((named, so_far)))
    assert bytes_of(out) == bytes_of(unstopped)
    if stage == "remove":
        assert min(so_far for named, so_far in stages if named == "remove") >= done - 1, "a window was written twice"
    if stage == "layers":
        assert "remove" not in dict(stages)


def test_what_other_frames_show_is_exact_and_only_the_rest_is_made_up(models: Path, tmp_path: Path):
    """A tripod scene whose ground is all seen: an untrained network has nothing to say where the object was."""
    toy = walk(13, (96, 72))
    found, truth = plates(run(toy, tmp_path / "anchored", models, size="64x96")), np.stack(toy.truth)
    gone = np.stack(toy.masks["box"]) > 0
    np.testing.assert_array_equal(found[gone], truth[gone])
    free = plates(run(toy, tmp_path / "free", models, size="64x96", anchor=False))
    assert (free[gone] == truth[gone]).all(-1).mean() < 0.05


def test_the_network_is_told_what_is_known(models: Path, tmp_path: Path):
    """Beside what is sure its answer is another one with an anchor than without."""
    toy = walk(13, (96, 72))
    post = np.zeros((72, 96), np.uint8)
    post[58:70, 4:16] = 255
    both = replace(toy, masks=toy.masks | {"post": [post] * 13})
    told, not_told = (
        plates(run(both, tmp_path / str(anchor), models, size="64x96", anchor=anchor)) for anchor in (True, False)
    )
    inside = cv2.erode(post, np.ones((5, 5))) > 0
    assert (told[:, inside] != not_told[:, inside]).any(-1).mean() > 0.9


@pytest.mark.parametrize("frames", [1, 3, 17])
def test_short_clips_of_odd_size(frames: int, models: Path, tmp_path: Path):
    assert plates(run(walk(frames, (53, 37)), tmp_path, models, size=None)).shape == (frames, 37, 53, 3)


def test_more_steps_and_other_seeds_are_other_answers(models: Path, tmp_path: Path):
    toy = walk(3)
    found = []
    for number, flags in enumerate([{}, {"steps": 3}, {"seed": 1}, {"storage": "bf16"}, {"grow": 11}]):
        job, _ = job_of(toy, tmp_path / str(number), models, **flags)
        remove_small(job, open_small(models, "cpu", job.storage), None, no_report)
        found.append(answers(job))
    assert all(np.abs(found[0] - other).max() > 1e-4 for other in found[1:])
    assert np.abs(found[0] - found[3]).max() < 0.1, "bf16 is the same but for rounding"


def test_what_is_brighter_than_white_stays_so(models: Path, tmp_path: Path):
    toy, folder = walk(5, (96, 72)), tmp_path / "floats"
    folder.mkdir()
    for number, frame in enumerate(toy.frames):
        levels = (frame / 255).astype(np.float32)
        levels[60:70, 80:90] = 3.0
        tifffile.imwrite(folder / f"shot.{number:04d}.tif", levels, photometric="rgb")
    found = plates(run(toy, tmp_path, models, size="64x96", input=folder))
    assert found.dtype == np.float32 and (found[:, 62:68, 82:88] == 3.0).all()


def test_preserved_regions_are_the_clips_own(models: Path, tmp_path: Path):
    toy, drawn = walk(6), np.zeros((48, 64), np.uint8)
    drawn[:, 32:] = 255
    still = write_images(tmp_path / "keep", [drawn]) / "shot.0000.png"
    job, backbone = job_of(toy, tmp_path, models, preserve=still, grow=0)
    remove_small(job, backbone, None, no_report)
    kept = np.broadcast_to(drawn > 0, (6, 48, 64)).copy()
    kept[:, :, :36] = False  # the rim, where both are mixed
    kept &= np.stack([cv2.dilate(mask, np.ones((9, 9))) == 0 for mask in toy.masks["box"]])
    np.testing.assert_allclose(answers(job)[0][kept], np.stack(toy.frames)[kept] / 255, atol=1e-4)


@pytest.mark.parametrize("names", [("box",), ("box", "ball")])
def test_what_is_preserved_stays_to_the_bit_up_to_the_mask(names: tuple[str, ...], models: Path, tmp_path: Path):
    toy, drawn = walk(3, names=names), np.full((48, 64), 255, np.uint8)
    still = write_images(tmp_path / "keep", [drawn]) / "shot.0000.png"
    found = plates(run(toy, tmp_path, models, preserve=still))
    for t, plate in enumerate(found):
        outside = np.all([masks[t] <= 20 for masks in toy.masks.values()], axis=0)
        np.testing.assert_array_equal(plate[outside], toy.frames[t][outside])
        assert (plate[~outside] != toy.frames[t][~outside]).any()


def test_a_clip_without_colour_gets_a_plate_without(models: Path, tmp_path: Path):
    toy = walk(3)
    gray = [np.repeat(frame[..., 1:2], 3, -1) for frame in toy.frames]
    folder = write_images(tmp_path / "gray", gray)
    for plate in plates(run(toy, tmp_path, models, input=folder)):
        assert (plate == plate[..., :1]).all()


def test_many_objects_go_in_groups(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    job, backbone = job_of(walk(4, names=("box", "ball")), tmp_path, models)
    rows = list(read_rows(job, None, range(4)))
    together = remove_window(job, backbone, parts_of(job)[0], rows)
    seen: list[int] = []
    counted = backbone.with_network(lambda given, noise: (seen.append(len(given)), backbone.network(given, noise))[1])
    monkeypatch.setattr(casper_s, "at_once", lambda job: 2)
    apart = remove_window(job, counted, parts_of(job)[0], rows)
    assert seen == [2, 1]
    np.testing.assert_allclose(apart, together, atol=1e-5)


@pytest.mark.parametrize(("size", "most"), [((160, 288), 8), ((48, 64), 8), ((320, 576), 2), ((960, 1024), 1)])
def test_fewer_large_pictures_are_computed_at_once(size: tuple[int, int], most: int, models: Path, tmp_path: Path):
    job, _ = job_of(walk(2), tmp_path, models)
    assert casper_s.at_once(replace(job, framing=squeezing(size, 16))) == most


def test_another_file_is_another_run(models: Path, tmp_path: Path):
    toy = walk(2)
    run(toy, tmp_path, models)
    other = small_folder(tmp_path / "other", toy_network(seed=1))
    with pytest.raises(OutputError, match="belongs to another run.*config.model.sha256"):
        run(toy, tmp_path, other)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"size": "50x64"}, "--size 50x64: got '50x64', wanted HxW, both multiples of 16"),
        ({"steps": 0}, "--steps: got 0, wanted 1..1000. 1 is usual"),
        ({"size": "2048x1024"}, "--size 2048x1024: got 2097152 pixels, wanted at most 1048576 pixels"),
        ({"grow": -1}, "--grow: got -1, wanted 0 or more. 5 is usual"),
        ({"grow": 5000}, "--grow: got 5000, wanted at most 1000. 5 is usual"),
        ({"device": "cpu:1"}, "--device cpu:1: got none such, wanted a device of this machine"),
        ({"device": "nowhere"}, "--device nowhere: got .*, wanted a device of this machine"),
        ({"storage": "fp8"}, "--storage fp8: got --engine casper-s, wanted fp32 or bf16"),
        ({"prompt": "a beach"}, "--prompt: got --engine casper-s, which has no prompt, wanted a published model"),
        ({"tuning": "fused"}, "--tuning: got --engine casper-s, which has no tuning"),
        ({"preset": "reference"}, "--preset: got --engine casper-s, which has no preset"),
        ({"engine": "auto", "batch": 2}, "--batch: got --engine auto, which has no batch"),
    ],
)
def test_flags_that_do_not_fit(flags: dict, said: str, models: Path, tmp_path: Path):
    with pytest.raises(InputError, match=said):
        run(walk(2), tmp_path, models, **flags)
    assert not (tmp_path / "out").exists()


def test_a_plate_and_a_network_are_one_too_many(models: Path, tmp_path: Path):
    toy = walk(2)
    plate = write_images(tmp_path / "clean", [toy.truth[0]]) / "shot.0000.png"
    with pytest.raises(InputError, match="--plate: got --engine casper-s too, wanted one of them"):
        run(toy, tmp_path, models, plate=plate)


def broken_file(folder: Path, how: str) -> Path:
    path = small_folder(folder) / FILE
    network = toy_network()
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif how == "foreign":
        save_file({"a": torch.zeros(3)}, path)
    elif how == "not finite":
        network.head.bias[0] = torch.nan
        small_folder(folder, network)
    return folder


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("missing", "casper-s.safetensors: got no such file, wanted the file of Casper-S. Leave --weights out"),
        ("cut", "casper-s.safetensors: got .*, wanted a whole file of Casper-S"),
        ("foreign", "casper-s.safetensors: got a header without the network's sizes .*, wanted a file of Casper-S"),
        ("not finite", "casper-s.safetensors: got numbers that are not finite in head.bias, wanted finite numbers"),
    ],
)
def test_a_bad_file_leaves_nothing(how: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = broken_file(tmp_path / "models", how)
    with pytest.raises(WeightsError, match=said):
        run(walk(2), tmp_path, folder)
    assert not (tmp_path / "out").exists()
    flags = ["--engine", "casper-s", "--weights", str(folder), "-o", str(tmp_path / "out")]
    assert main(["decompose", str(tmp_path / "clip"), "--mask", f"box={tmp_path / 'mask_box'}", *flags]) == 2
    assert not (tmp_path / "out").exists()


def test_an_answer_that_is_no_number(tmp_path: Path):
    network = toy_network()
    network.skip.weight[3:6] = 1e38  # paint beyond all bounds
    network.skip.weight[3, 0] = -1e38
    folder = small_folder(tmp_path / "models", network)
    with pytest.raises(WeightsError, match=r"what casper-s made of frame \d+: got pixels with NaN or infinity, wanted"):
        run(walk(2), tmp_path, folder)
    assert not (tmp_path / "out").exists()


def test_a_clip_that_holds_no_numbers(models: Path, tmp_path: Path):
    folder = tmp_path / "floats"
    folder.mkdir()
    for number, frame in enumerate(walk(2).frames):
        levels = (frame / 255).astype(np.float32)
        levels[number, 3] = np.nan
        tifffile.imwrite(folder / f"shot.{number:04d}.tif", levels, photometric="rgb")
    with pytest.raises(InputError, match="the clip, frames 0 to 1: got pixels with NaN or infinity, wanted finite"):
        run(walk(2), tmp_path, models, anchor=False, input=folder)
    assert not (tmp_path / "out").exists()


def test_looking_into_it(models: Path, tmp_path: Path):
    toy = walk(20)
    clip, masks = save(toy, tmp_path)
    shade = write_images(tmp_path / "shade", [changed.astype(np.uint8) * 255 for changed in toy.changed])
    flags = ["--mask", masks[0], "--effect", f"box={shade}", "--engine", "casper-s", "--weights", str(models)]
    assert main(["attention", str(clip), *flags, "--size", "48x64", "-o", str(tmp_path / "out")]) == 0
    told = json.loads((tmp_path / "out" / "attention.json").read_text())
    assert told["model"]["model"] == "casper-s" and told["objects"]["box"]["sensitivity"] == [1.0]
    with pytest.raises(LaminaError, match="--prompt: got --engine casper-s, which has no prompt"):
        lamina.attention(
            lamina.AttentionConfig(clip, tmp_path / "other", "casper-s", masks, prompt="x", weights=models)
        )


def test_looking_into_what_has_no_answer(tmp_path: Path):
    clip, masks = save(walk(2), tmp_path)
    loud = toy_network()
    loud.stem.weight.fill_(1e38)
    for name, network, said in (
        ("loud", loud, "got NaN or infinity from the network"),
        ("flat", toy_network(sizes=replace(SIZES, blocks=0)), "got a network without blocks"),
    ):
        weights = small_folder(tmp_path / name, network)
        config = lamina.AttentionConfig(clip, tmp_path / "out", "casper-s", masks, weights=weights, size="48x64")
        with pytest.raises(WeightsError, match=f"attention: {said}"):
            lamina.attention(config)
        assert not (tmp_path / "out").exists()


def chosen(toy: Toy, folder: Path, models: Path, **more) -> tuple[lamina.StackReader, list]:
    notes: list = []
    config = config_of(toy, folder, models, **(SMALL | {"engine": "auto"} | more))
    out = lamina.decompose(config, no_report, lambda about, values, text: notes.append((about, dict(values), text)))
    return lamina.open_stack(out), [note for note in notes if note[0] == "engine"]


def test_auto_looks_up_what_other_frames_show(models: Path, tmp_path: Path):
    toy = walk(24, (160, 120))
    stack, [(_, values, text)] = chosen(toy, tmp_path / "auto", models)
    assert values["engine"] == "propagate" and "propagate, for other frames surely show" in text
    assert stack.manifest.engine == "auto" and stack.manifest.figures["auto"] == values
    plain = run(toy, tmp_path / "plain", models, engine="propagate", size=None, **{"weights": None})
    assert bytes_of(stack.folder) == bytes_of(plain.folder)


def test_auto_takes_the_network_where_an_object_stays(models: Path, tmp_path: Path):
    toy = walk(5)
    still = replace(toy, masks={"box": [toy.masks["box"][0]] * 5}, frames=[toy.frames[0]] * 5)
    stack, [(_, values, text)] = chosen(still, tmp_path / "auto", models)
    assert values["engine"] == "casper-s" and values["unsure"] > 0.2 and "only" in text
    assert stack.manifest.figures["auto"]["engine"] == "casper-s"
    plain = run(still, tmp_path / "plain", models)
    assert bytes_of(stack.folder) == bytes_of(plain.folder)


def test_auto_needs_no_network_beside_a_plate(tmp_path: Path):
    toy = walk(3)
    plate = write_images(tmp_path / "clean", [toy.truth[0]]) / "shot.0000.png"
    stack, [(_, values, text)] = chosen(toy, tmp_path, tmp_path / "nothing", plate=plate)
    assert values["engine"] == "propagate" and text == "propagate, for a true clean plate is given"
    assert "model" not in stack.manifest.config


def test_a_finished_run_is_not_done_again(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    toy = walk(3)
    out = tmp_path / "out"
    chosen(toy, tmp_path, models)
    monkeypatch.setattr(task, "ENGINES", {})
    assert lamina.decompose(config_of(toy, tmp_path, models, **(SMALL | {"engine": "auto"}))) == out
