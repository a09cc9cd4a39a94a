"""What the README promises is tried: its Python runs, its commands are understood, what it links to is there."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from lamina.cli.flags import parse
from lamina.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def blocks(language: str) -> list[str]:
    """Contents of the fenced blocks of a language, "" for those without one."""
    return [
        text
        for found, text in re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
        if found == language
    ]


def commands() -> list[str]:
    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("lamina ")]
    demo = re.findall(r"\$\(BIN\)/(lamina .*)", MAKEFILE)
    return lines + [line.replace("$(DEMO)", "examples/demo") for line in demo]


@pytest.mark.parametrize("line", commands())
def test_commands_are_understood(line: str):
    _, command, *args = shlex.split(line)
    config = importlib.import_module(f"lamina.cli.{command}").TASK.config
    assert isinstance(parse(command, COMMANDS[command], config, args), config)


def test_the_two_commands_to_start_with_exist():
    for line in ("make demo", "make test"):
        assert line in blocks("")[0].splitlines()
        assert re.search(rf"^{line.split()[1]}:", MAKEFILE, re.MULTILINE)


def test_links_lead_somewhere():
    broken = [
        link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link and not (ROOT / link).exists()
    ]
    assert not broken


def test_python_is_six_lines_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (code,) = blocks("python")
    assert len(code.splitlines()) == 6
    if not (ROOT / "examples" / "demo" / "input.mp4").exists():
        pytest.fail("examples/demo/input.mp4 is not there: render it with examples/render_demo.py")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "out/readme/stack.json").exists() and (tmp_path / "out/no_ball.mp4").stat().st_size
