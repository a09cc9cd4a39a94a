"""A stopped run goes on where it was and ends with the same bytes; a folder serves one run only."""

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from media_makers import write_images
from stopping import Stopped, stop_at
from toy_scenes import pan, save, walk

import lamina
from lamina.cli import main as door
from lamina.errors import MediaError, OutputError

ROOT = Path(__file__).parents[1]
CLIPS = {"tripod": lambda: walk(20, (48, 36), names=("box", "disc")), "pan": lambda: pan(18, (96, 72))}
STAGES = ("survey", "first look", "second look", "plate", "layers")


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def differing(out: Path, wanted: Path) -> list[str]:
    """Names of the files that are not the same in both folders."""
    found, there = contents(out), contents(wanted)
    return sorted(name for name in found.keys() | there.keys() if found.get(name) != there.get(name))


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, lamina.DecomposeConfig]:
    """A finished run of every clip."""
    found = {}
    for name, toy in CLIPS.items():
        folder = tmp_path_factory.mktemp(name)
        clip, mask = save(toy(), folder)
        found[name] = lamina.DecomposeConfig(input=clip, mask=mask, out=folder / "out")
        lamina.decompose(found[name])
    return found


def check_resumes(config: lamina.DecomposeConfig, out: Path, stage: str, done: int) -> None:
    stopped = replace(config, out=out)
    with pytest.raises(Stopped):
        lamina.decompose(stopped, stop_at(stage, done))
    assert (out / ".work" / "run.json").exists() and not (out / "stack.json").exists()
    again: list[str] = []
    lamina.decompose(stopped, lambda at, *_: again.append(at))
    earlier = STAGES[: STAGES.index(stage)]
    assert not set(again) & set(earlier), "what was done is not done again"
    assert not differing(out, config.out)


@pytest.mark.parametrize("done", [1, 20])
@pytest.mark.parametrize("stage", STAGES)
def test_a_stop_anywhere_gives_the_same_bytes(stage: str, done: int, configs, tmp_path: Path):
    check_resumes(configs["tripod"], tmp_path / "out", stage, done)


@pytest.mark.parametrize(("stage", "done"), [("first look", 16), ("plate", 16)])
def test_so_does_a_stop_with_a_moving_camera(stage: str, done: int, configs, tmp_path: Path):
    check_resumes(configs["pan"], tmp_path / "out", stage, done)


def test_a_run_may_be_stopped_again_and_again(configs, tmp_path: Path):
    config = replace(configs["tripod"], out=tmp_path / "out")
    for stage in STAGES:
        with pytest.raises(Stopped):
            lamina.decompose(config, stop_at(stage, 16))
    lamina.decompose(config)
    assert not differing(config.out, configs["tripod"].out)


def test_a_killed_process_goes_on(configs, tmp_path: Path):
    """A real kill, which no line of ours can answer, in the middle of the plate."""
    config = replace(configs["tripod"], out=tmp_path / "out")
    masks = [part for pair in config.mask for part in ("--mask", pair)]
    code = (
        "import os, signal, sys, lamina\n"
        "def report(stage, done, total):\n"
        "    if stage == 'plate': os.kill(os.getpid(), signal.SIGKILL)\n"
        "from lamina.cli.flags import parse\n"
        "lamina.decompose(parse('decompose', '', lamina.DecomposeConfig, sys.argv[1:]), report)\n"
    )
    args = [sys.executable, "-c", code, str(config.input), *masks, "-o", str(config.out)]
    done = subprocess.run(args, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (config.out / ".work").is_dir() and not (config.out / "stack.json").exists()
    lamina.decompose(config)
    assert not differing(config.out, configs["tripod"].out)


def test_a_finished_run_returns_at_once(configs):
    before = contents(configs["tripod"].out)
    told: list[str] = []
    assert lamina.decompose(configs["tripod"], lambda at, *_: told.append(at)) == configs["tripod"].out
    assert not told and contents(configs["tripod"].out) == before


def test_work_files_left_in_the_very_last_moment_go(configs, tmp_path: Path):
    config = replace(configs["tripod"], out=tmp_path / "out")
    with pytest.raises(Stopped):
        lamina.decompose(config, stop_at("layers", 20))
    left = (config.out / ".work" / "run.json").read_bytes()
    lamina.decompose(config)
    (config.out / ".work").mkdir()
    (config.out / ".work" / "run.json").write_bytes(left)
    lamina.decompose(config)
    assert not (config.out / ".work").exists() and not differing(config.out, configs["tripod"].out)


# ------------------------------------------------------------------------------------------------- a folder for one run


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"frames": "0-9"}, r"config\.frames"),
        ({"preview": True}, r"config\.preview = false"),
        ({"mask": 1}, "config.mask"),
    ],
)
def test_another_run_is_refused_and_nothing_is_touched(
    change: dict, named: str, finished: bool, configs, tmp_path: Path
):
    config = replace(configs["tripod"], out=tmp_path / "out")
    if finished:
        lamina.decompose(config)
    else:
        with pytest.raises(Stopped):
            lamina.decompose(config, stop_at("survey", 20))
    before = contents(config.out)
    other = {"mask": config.mask[:1]} if "mask" in change else change
    with pytest.raises(OutputError, match=f"exists and belongs to another run: got .*{named}"):
        lamina.decompose(replace(config, **other))
    assert contents(config.out) == before


def test_another_clip_or_mask_of_the_same_name_is_another_run(tmp_path: Path):
    toy = walk(3, (48, 36))
    clip, mask = save(toy, tmp_path)
    config = lamina.DecomposeConfig(input=clip, mask=mask, out=tmp_path / "out")
    lamina.decompose(config)
    write_images(tmp_path / "mask_box", [np.roll(m, 3, 1) for m in toy.masks["box"]])
    with pytest.raises(OutputError, match=r"config\.fingerprints"):
        lamina.decompose(config)
    save(toy, tmp_path)
    write_images(clip, [f[::-1] for f in toy.frames])
    with pytest.raises(OutputError, match=r"source\.hash"):
        lamina.decompose(config)


def test_somebody_else_s_files_are_left_alone(configs, tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds other files: got thesis\.txt, wanted an empty or a new folder"):
        lamina.decompose(replace(configs["tripod"], out=tmp_path))
    assert contents(tmp_path) == {"thesis.txt": b"mine"}


# ------------------------------------------------------------------------------------------------ when the disk says no


def test_a_place_that_cannot_be_written(configs, tmp_path: Path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="output folder|writing"):
            lamina.decompose(replace(configs["tripod"], out=out))
    assert contents(tmp_path) == {"file": b""}


@pytest.mark.parametrize("when", ["run.json", "second.", "plate.", "figures.", "stack.json"])
def test_a_full_disk_is_said_and_the_run_goes_on_later(when: str, configs, tmp_path: Path, monkeypatch, capsys):
    config = replace(configs["tripod"], out=tmp_path / "out")
    args = ["decompose", str(config.input), "-o", str(config.out)]
    args += [part for pair in config.mask for part in ("--mask", pair)]
    real = os.replace

    def full(source, target):
        if Path(target).name.startswith(when):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        assert door.main([*args, "--json"]) == 2
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()][-1]
    assert (
        said["kind"] == "OutputError" and said["got"] == "No space left on device" and "Free some space" in said["do"]
    )
    assert not list(config.out.rglob("*.part")) and not (config.out / "stack.json").exists()
    assert door.main(args) == 0
    assert not differing(config.out, configs["tripod"].out)


# ------------------------------------------------------------------------------------- input that is bad further inside


def test_an_image_that_proves_damaged_leaves_nothing_behind(tmp_path: Path):
    clip, mask = save(walk(20, (48, 36)), tmp_path)
    broken = clip / "shot.0011.png"
    broken.write_bytes(broken.read_bytes()[:800])
    config = lamina.DecomposeConfig(input=clip, mask=mask, out=tmp_path / "out")
    with pytest.raises(MediaError, match=r"shot\.0011\.png"):
        lamina.decompose(config)
    assert not (tmp_path / "out").exists()
    save(walk(20, (48, 36)), tmp_path)
    assert lamina.decompose(config).is_dir()


def test_a_resumed_run_keeps_its_work_when_the_input_cannot_be_read(tmp_path: Path):
    """The network drive may come back."""
    clip, mask = save(walk(20, (48, 36)), tmp_path)
    config = lamina.DecomposeConfig(input=clip, mask=mask, out=tmp_path / "out")
    with pytest.raises(Stopped):
        lamina.decompose(config, stop_at("survey", 20))
    image = clip / "shot.0011.png"
    whole = image.read_bytes()
    image.write_bytes(bytes(len(whole)))
    with pytest.raises(MediaError, match=r"shot\.0011\.png"):
        lamina.decompose(config)
    image.write_bytes(whole)
    assert lamina.decompose(config).is_dir()
