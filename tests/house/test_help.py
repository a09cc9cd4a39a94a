"""What `--help` says is read by people before any other word of ours: it changes on purpose only.

After a change that is meant, write the texts anew and read the difference:

    LAMINA_WRITE_SNAPSHOTS=1 python -m pytest tests/house/test_help.py
"""

import os
from pathlib import Path

import pytest

from lamina.cli.main import COMMANDS, main

SNAPSHOTS = Path(__file__).parent / "help"


def help_text(args: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed on a terminal of 100 columns without colours."""
    try:
        assert main([*args, "--help"]) == 0
    except SystemExit as left:
        assert left.code == 0
    return "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines()) + "\n"


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_as_agreed(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    text = help_text([command] if command else [], capsys)
    snapshot = SNAPSHOTS / f"{command or 'lamina'}.txt"
    if os.environ.get("LAMINA_WRITE_SNAPSHOTS"):
        snapshot.write_text(text)
    assert text == snapshot.read_text()


def test_every_snapshot_belongs_to_a_command():
    assert {path.stem for path in SNAPSHOTS.iterdir()} == {"lamina", *COMMANDS}
