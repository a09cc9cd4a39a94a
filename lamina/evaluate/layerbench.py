"""LayerBench: which scenes a folder of it holds, the family of each, and whether its files are the published ones."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamina.errors import InputError

MANIFEST = "layerbench.json"
VERSION = 1
FAMILIES = (
    "tripod-shadow",
    "moving-camera",
    "reflection",
    "dynamic-background",
    "static-object",
    "look-alikes",
)
"""In the order in which tables list them."""
NEEDED = "scene.json"
"""Without it a scene would count as shot, with rough masks and noise in its truth."""
PUBLISHED = f"the {MANIFEST} that version {VERSION} is published with"
FETCH = "Fetch the data set again: figures on other files are figures of another benchmark."


@dataclass(frozen=True)
class SceneRecord:
    """One scene, as the manifest lists it."""

    name: str
    family: str
    files: Mapping[str, str]
    """SHA-256 in hex by path inside the scene's folder."""


def read_scenes(folder: Path) -> list[SceneRecord]:
    """The scenes that a folder's manifest lists, family by family in the order of `FAMILIES`, then by name.

    Raises:
        InputError: the manifest is not one, of a later version, or lists no scene.
    """
    path = folder / MANIFEST
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _foreign(path, "text that is not JSON") from error
    version = data.get("version") if isinstance(data, dict) else None
    if not isinstance(version, int):
        raise _foreign(path, "no version")
    if version != VERSION:
        do = "Score it with the release that knows that version; figures of different versions do not compare."
        raise InputError(f"{path}", got=f"version {version}", wanted=f"version {VERSION}", do=do)
    listed = data.get("scenes")
    if not isinstance(listed, dict) or not listed:
        raise _foreign(path, "no scenes")
    records = [_record(path, name, entry) for name, entry in listed.items()]
    return sorted(records, key=lambda record: (FAMILIES.index(record.family), record.name))


def check_files(folder: Path, record: SceneRecord) -> None:
    """See that a scene's folder holds the listed files, unchanged, and no others; hidden ones do not count.

    Raises:
        InputError: a file is missing, changed or too many, which is named.
    """
    inside = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    there = [path.as_posix() for path in inside if not any(part.startswith(".") for part in path.parts)]
    for name, wanted in record.files.items():
        if name not in there:
            raise _changed(folder / name, "no such file", "the file that the manifest lists")
        found = _sha256(folder / name)
        if found != wanted.lower():
            raise _changed(folder / name, f"SHA-256 {found}", f"{wanted}, as published")
    for name in there:
        if name not in record.files:
            raise _changed(folder / name, "a file that the manifest does not list", "only listed files in a scene")


def _record(path: Path, name: str, entry: Any) -> SceneRecord:
    family, files = (entry.get("family"), entry.get("files")) if isinstance(entry, dict) else (None, None)
    if Path(name).name != name:
        raise _foreign(path, f"a scene called {name!r}")
    if family not in FAMILIES:
        raise _foreign(path, f"the family {family!r} of scene {name}", ", ".join(FAMILIES))
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise _foreign(path, f"no files with their SHA-256 of scene {name}")
    if NEEDED not in files:
        raise _foreign(path, f"no {NEEDED} of scene {name}")
    return SceneRecord(name, family, files)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _foreign(path: Path, got: str, wanted: str = PUBLISHED) -> InputError:
    return InputError(f"{path}", got=got, wanted=wanted, do=FETCH)


def _changed(path: Path, got: str, wanted: str) -> InputError:
    return InputError(f"LayerBench file {path}", got=got, wanted=wanted, do=FETCH)
