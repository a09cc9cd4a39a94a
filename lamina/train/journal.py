"""log.jsonl: one JSON object per line, as if a resumed run had never been stopped."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lamina.media.landing import whole_file, writing

JOURNAL = "log.jsonl"


def write_entry(folder: Path, entry: Mapping[str, Any]) -> None:
    """Add a line; `step` must be in it. Raises OutputError when it cannot be written."""
    with writing(folder / JOURNAL), (folder / JOURNAL).open("a", encoding="utf-8") as file:
        file.write(json.dumps(dict(entry), allow_nan=False) + "\n")


def read_entries(folder: Path) -> list[dict[str, Any]]:
    """All whole lines; nothing without a journal. A line that a crash has cut off is left out."""
    entries = []
    with suppress(FileNotFoundError):
        for line in (folder / JOURNAL).read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):
                entries.append(json.loads(line))
    return entries


def forget_after(folder: Path, step: int) -> None:
    """Drop lines of steps that will be made again."""
    kept = [entry for entry in read_entries(folder) if entry["step"] <= step]
    with whole_file(folder / JOURNAL) as part:
        part.write_text("".join(json.dumps(entry) + "\n" for entry in kept), encoding="utf-8")
