"""The command: flags from dataclasses, exit codes, one line per error, bars for people and JSON for machines."""

import io
import json
import os
import signal
import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from media_makers import picture, write_images, write_movie

import lamina
from lamina.cli import main as door
from lamina.cli.flags import attribute_docstrings, parse
from lamina.cli.task import Task
from lamina.cli.voice import JsonVoice, ScreenVoice, Voice
from lamina.errors import InputError

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class FakeConfig:
    """A task with one field of every kind."""

    input: Path
    """What to read."""
    out: Path
    """Where to
    write."""
    mask: tuple[str, ...] = ()
    engine: Literal["propagate", "other"] = "propagate"
    """How it is done."""
    frames: str | None = None
    preview: bool = False


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable], None]:
    """Install a command `fake` that does what the test says."""

    def install(run: Callable[[FakeConfig, Voice], int]) -> None:
        module = types.ModuleType("lamina.cli.fake")
        module.TASK = Task(FakeConfig, run, after_stop="run the same command to go on")  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "lamina.cli.fake", module)
        monkeypatch.setitem(door.COMMANDS, "fake", "Stands in for a command.")

    return install


def events(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def fail(config: FakeConfig, voice: Voice) -> int:
    voice.report("reading", 1, 4)
    raise InputError("mask 'dog'", got="40 frames", wanted="48", do="Trim one.")


# ------------------------------------------------------------------------------------------------------------- flags


def read(*args: str) -> FakeConfig:
    return parse("fake", "A summary.", FakeConfig, list(args))


def test_flags_fill_the_dataclass():
    masks = ["--mask", "dog=a b.mp4", "--mask", "girl=g"]
    config = read("in.mp4", *masks, "-o", "out", "--frames", "1001-1010", "--preview")
    wanted = FakeConfig(Path("in.mp4"), Path("out"), ("dog=a b.mp4", "girl=g"), frames="1001-1010", preview=True)
    assert config == wanted


def test_what_is_not_given_is_the_dataclass_s_default():
    assert read("in.mp4", "--out", "out") == FakeConfig(Path("in.mp4"), Path("out"))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["in.mp4", "-o", "out", "--nonsense"], "Unrecognized options"),
        (["in.mp4"], "-o"),
        (["in.mp4", "-o", "out", "--engine", "best"], "propagate"),
    ],
)
def test_wrong_flags_exit_with_2(args: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        read(*args)
    assert message in capsys.readouterr().err


def test_attribute_docstrings_become_help(capsys: pytest.CaptureFixture[str]):
    assert attribute_docstrings(FakeConfig) == {
        "input": "What to read.",
        "out": "Where to write.",
        "engine": "How it is done.",
    }
    with pytest.raises(SystemExit, match="0"):
        read("--help")
    assert "Where to write." in capsys.readouterr().out


@pytest.mark.parametrize("command", sorted(door.COMMANDS))
def test_every_flag_of_every_command_is_explained(command: str):
    """A field without a docstring below it would be a flag without a word of help."""
    import importlib
    from dataclasses import fields

    config = importlib.import_module(f"lamina.cli.{command}").TASK.config
    assert set(attribute_docstrings(config)) >= {field.name for field in fields(config)}


# -------------------------------------------------------------------------------------------------------- exit codes


def test_done_is_0(fake, capsys: pytest.CaptureFixture[str]):
    def run(config: FakeConfig, voice: Voice) -> int:
        voice.result({"out": str(config.out)}, f"wrote {config.out}")
        return 0

    fake(run)
    assert door.main(["fake", "in.mp4", "-o", "there"]) == 0
    assert capsys.readouterr().out == "wrote there\n"


def test_an_error_of_ours_is_one_line_and_2(fake, capsys: pytest.CaptureFixture[str]):
    fake(fail)
    assert door.main(["fake", "in.mp4", "-o", "there"]) == 2
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == "error: mask 'dog': got 40 frames, wanted 48. Trim one."
    assert "Traceback" not in said.err and not said.out


def test_verbose_shows_the_trace(fake, capsys: pytest.CaptureFixture[str]):
    fake(fail)
    assert door.main(["fake", "in.mp4", "-o", "there", "-v"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_anything_unexpected_is_1_and_names_its_kind(fake, capsys: pytest.CaptureFixture[str]):
    def run(config: FakeConfig, voice: Voice) -> int:
        raise KeyError("lost")

    fake(run)
    assert door.main(["fake", "in.mp4", "-o", "there"]) == 1
    assert capsys.readouterr().err == "error: unexpected KeyError: 'lost'\n"


def test_ctrl_c_is_130_and_says_how_to_go_on(fake, capsys: pytest.CaptureFixture[str]):
    def run(config: FakeConfig, voice: Voice) -> int:
        raise KeyboardInterrupt

    fake(run)
    assert door.main(["fake", "in.mp4", "-o", "there"]) == 130
    assert capsys.readouterr().err == "stopped; run the same command to go on\n"
    assert door.main(["fake", "in.mp4", "-o", "there", "--json"]) == 130
    assert events(capsys.readouterr().out) == [{"event": "stopped", "advice": "run the same command to go on"}]


def test_an_unknown_command_is_2(capsys: pytest.CaptureFixture[str]):
    assert door.main(["explode"]) == 2
    assert "unknown command 'explode'. Choose one of: decompose, layers, compose" in capsys.readouterr().err


@pytest.mark.parametrize("args", [[], ["-h"], ["--help"]])
def test_help_lists_the_commands(args: list[str], capsys: pytest.CaptureFixture[str]):
    assert door.main(args) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in door.COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]):
    assert door.main(["--version"]) == 0
    assert capsys.readouterr().out == f"lamina {lamina.__version__}\n"


# -------------------------------------------------------------------------------------------------------------- voice


def test_json_says_everything_as_events(fake, capsys: pytest.CaptureFixture[str]):
    def run(config: FakeConfig, voice: Voice) -> int:
        voice.report("reading", 0, 2)
        warnings.warn("The clip has one frame.", stacklevel=1)
        voice.report("reading", 2, 2)
        voice.result({"out": "there"}, "text for people")
        return 0

    fake(run)
    assert door.main(["fake", "in.mp4", "-o", "there", "--json"]) == 0
    assert events(capsys.readouterr().out) == [
        {"event": "progress", "stage": "reading", "done": 0, "total": 2},
        {"event": "warning", "message": "The clip has one frame."},
        {"event": "progress", "stage": "reading", "done": 2, "total": 2},
        {"event": "result", "out": "there"},
    ]


def test_json_takes_an_error_apart(fake, capsys: pytest.CaptureFixture[str]):
    fake(fail)
    assert door.main(["fake", "in.mp4", "-o", "there", "--json"]) == 2
    said = capsys.readouterr()
    assert events(said.out)[-1] == {
        "event": "error",
        "kind": "InputError",
        "message": "mask 'dog': got 40 frames, wanted 48. Trim one.",
        "what": "mask 'dog'",
        "got": "40 frames",
        "wanted": "48",
        "do": "Trim one.",
    }
    assert said.err == "error: mask 'dog': got 40 frames, wanted 48. Trim one.\n"


def test_json_progress_is_thinned_out_but_never_its_ends(capsys: pytest.CaptureFixture[str]):
    voice = JsonVoice()
    for done in range(1001):
        voice.report("reading", done, 1000)
    said = events(capsys.readouterr().out)
    assert said[0]["done"] == 0 and said[-1]["done"] == 1000 and len(said) < 100


def test_a_warning_is_said_once_in_one_line(fake, capsys: pytest.CaptureFixture[str]):
    def run(config: FakeConfig, voice: Voice) -> int:
        for _ in range(3):
            warnings.warn("The clip has\n  one frame.", stacklevel=1)
        return 0

    fake(run)
    door.main(["fake", "in.mp4", "-o", "there"])
    assert capsys.readouterr().err == "warning: The clip has one frame.\n"


def test_a_bar_per_stage(capsys: pytest.CaptureFixture[str]):
    voice = ScreenVoice()
    for stage in ("looking", "solving [ball]"):
        for done in range(5):
            voice.report(stage, done, 4)
    voice.result({}, "done")
    said = capsys.readouterr()
    assert said.out == "done\n"
    assert all(stage in said.err for stage in ("looking", "solving [ball]")) and said.err.count("4/4") == 2


def test_no_terminal_is_needed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    voice = ScreenVoice()
    voice.report("looking", 1, 2)
    voice.error(ValueError("no"))
    assert "error: unexpected ValueError: no" in sys.stderr.getvalue()  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------------------------ commands


def test_doctor_finds_this_machine_healthy(capsys: pytest.CaptureFixture[str]):
    assert door.main(["doctor", "--json"]) == 0
    said = events(capsys.readouterr().out)[-1]
    names = {check["name"] for check in said["checks"]}
    assert said["healthy"] and {"torch", "OpenEXR", "encoder ffv1", "encoder prores_ks", "memory"} <= names


def test_doctor_names_what_is_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    from lamina.cli import doctor

    monkeypatch.setitem(doctor.ENCODERS, "no_such_codec", "nothing")
    monkeypatch.setattr(doctor, "PACKAGES", (*doctor.PACKAGES, "no_such_package"))
    assert door.main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert "fault  encoder no_such_codec" in text and "fault  no_such_package" in text and "2 fault(s) found." in text


def test_doctor_lists_extras_as_packaged():
    from lamina.cli.doctor import extras

    found = extras()
    if not found:
        pytest.skip("Lamina is not installed as a package")
    assert found["render"] == ["bpy"] and "diffusers" in found["models"]


def inspected(path: Path, capsys: pytest.CaptureFixture[str]) -> dict:
    assert door.main(["inspect", str(path), "--json"]) == 0
    return events(capsys.readouterr().out)[-1]


def test_inspect_a_movie(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    found = inspected(write_movie(tmp_path / "a.mp4", 12, rotation=90), capsys)
    wanted = {"kind": "clip", "form": "movie", "width": 48, "height": 64, "frames": 12, "rate": "24", "audio": False}
    assert wanted.items() <= found.items()
    assert abs(found["rotation_degrees"]) == 90


def test_inspect_says_when_the_rate_varies(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from fractions import Fraction

    mux = {"video_track_timescale": "30"}
    movie = write_movie(tmp_path / "a.mp4", 4, pts=([0, 1, 2, 8], Fraction(1, 30)), mux=mux)
    assert inspected(movie, capsys)["rate"] == "variable, 0.0333333 to 0.2 s apart"


def test_inspect_a_sequence_keeps_its_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    deep = [picture(k).astype(np.uint16) * 257 for k in range(3)]
    found = inspected(write_images(tmp_path / "shot", deep, first=1001), capsys)
    wanted = {"form": "sequence", "first_number": 1001, "last_number": 1003, "depth_bits": 16}
    assert wanted.items() <= found.items()


def test_inspect_knows_masks(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    mask = np.zeros((48, 64), np.uint8)
    mask[:24] = 255
    found = inspected(write_images(tmp_path / "mask", [mask] * 3), capsys)
    assert found["kind"] == "mask" and found["covers_percent"] == 50


def test_inspect_knows_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    labels = np.zeros((48, 64, 3), np.uint8)
    labels[:10], labels[20:30] = (128, 0, 0), (0, 128, 0)
    found = inspected(write_images(tmp_path / "labels", [labels] * 3), capsys)
    assert found["kind"] == "labels" and found["colors"] == [[0, 0, 0], [0, 128, 0], [128, 0, 0]]


def test_inspect_reads_for_people_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    door.main(["inspect", str(write_movie(tmp_path / "a.mp4", 2))])
    text = capsys.readouterr().out
    assert "a.mp4: clip" in text and "depth bits" in text and "audio                 no" in text


def test_inspect_nothing_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert door.main(["inspect", str(tmp_path / "none.mp4")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_runs_as_a_module_without_display_or_home(tmp_path: Path):
    environment = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": os.defpath}
    done = subprocess.run(
        [sys.executable, "-m", "lamina", "inspect", "nothing.mp4", "--json"],
        capture_output=True, text=True, cwd=tmp_path, env=environment,
    )
    assert done.returncode == 2 and events(done.stdout)[0]["kind"] == "InputError", done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="signals are different on Windows")
def test_a_real_ctrl_c(tmp_path: Path):
    code = (
        "import signal, sys, types, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # shells start background jobs without it
        "from lamina.cli import main as door\n"
        "from lamina.cli.doctor import DoctorConfig\n"
        "from lamina.cli.task import Task\n"
        "def run(config, voice):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(30)\n"
        "module = types.ModuleType('lamina.cli.nap')\n"
        "module.TASK = Task(DoctorConfig, run)\n"
        "sys.modules['lamina.cli.nap'] = module\n"
        "door.COMMANDS['nap'] = 'Sleep.'\n"
        "sys.exit(door.main(['nap']))\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert running.stdout is not None and running.stdout.readline() == "ready\n"
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=20)
    assert running.returncode == 130 and said == "stopped; run the same command again\n"
