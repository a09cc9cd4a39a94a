"""Imports only go down, folders on one floor do not know each other, doors use public names only."""

from pathlib import Path

import pytest
from source_tree import Module, imports, modules

import lamina

FLOORS = {
    "": 0,
    "media": 1,
    "masks": 1,
    "backbones": 2,
    "motion": 2,
    "synth": 2,
    "evaluate": 2,
    "edit": 2,
    "removal": 3,
    "matting": 3,
    "layers": 4,
    "train": 5,
    "cli": 6,
    "web": 6,
}
DOORS = {"cli", "web"}
ENTRANCES = {Path("__init__.py"), Path("__main__.py")}
"""The public face and the start of the command: they belong to no floor and see all of them."""


def complaints(module: Module, names: set[str]) -> list[str]:
    if module.path in ENTRANCES:
        return []
    own = [(line, name.split(".")[1:]) for line, name in imports(module) if name.split(".")[0] == "lamina"]
    found = (complaint(module.folder, parts, names) for _, parts in own)
    return [f"{module.path}:{line} imports {text}" for (line, _), text in zip(own, found, strict=True) if text]


def complaint(folder: str, target: list[str], names: set[str]) -> str | None:
    """What is wrong with importing `lamina.<target>` from `folder`, or None."""
    room = target[0] if target and target[0] in FLOORS else ""
    if folder in DOORS:
        allowed = room == folder or (not room and (not target or target[0] in names))
        return None if allowed else f"{'.'.join(target)}, which is not a public name of the package, from a door"
    if not target or target[0] in names:
        return f"the package root from floor {FLOORS[folder]}"
    if room == folder or FLOORS[room] < FLOORS[folder]:
        return None
    if FLOORS[room] == FLOORS[folder]:
        return f"{room} from {folder}, a folder on the same floor ({FLOORS[room]})"
    return f"{room} (floor {FLOORS[room]}) from floor {FLOORS[folder]}"


def test_imports_only_go_down():
    found = [text for module in modules() for text in complaints(module, set(lamina.__all__))]
    assert not found, "\n".join(found)


def test_every_folder_has_a_floor():
    assert {module.folder for module in modules()} <= set(FLOORS)


@pytest.mark.parametrize(
    ("path", "line", "wanted"),
    [
        ("composite.py", "import lamina.layers.solve", "composite.py:1 imports layers (floor 4) from floor 0"),
        ("composite.py", "from lamina.layers import solve", "composite.py:1 imports layers (floor 4) from floor 0"),
        ("masks/a.py", "from lamina.media import source", "masks/a.py:1 imports media from masks, a folder"),
        ("masks/a.py", "from ..media import source", "masks/a.py:1 imports media from masks, a folder"),
        ("masks/a.py", "from lamina import Clip", "masks/a.py:1 imports the package root from floor 1"),
        ("cli/a.py", "from lamina.layers.solve import x", "cli/a.py:1 imports layers.solve.x, which is not"),
    ],
)
def test_the_offending_line_is_named(path: str, line: str, wanted: str):
    assert complaints(Module(Path(path), line), {"Clip"})[0].startswith(wanted)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("layers/a.py", "from lamina.media.source import open_source"),
        ("layers/a.py", "from lamina.layers.solve import x"),
        ("layers/a.py", "from lamina.errors import InputError"),
        ("cli/a.py", "from lamina import Clip"),
        ("cli/a.py", "import lamina"),
        ("cli/a.py", "from lamina.cli.progress import Progress"),
        ("__init__.py", "from lamina.clip import Clip"),
        ("composite.py", "import torch"),
    ],
)
def test_a_good_import_passes(path: str, line: str):
    assert not complaints(Module(Path(path), line), {"Clip"})
