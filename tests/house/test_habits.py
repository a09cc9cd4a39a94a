"""Small rules that would otherwise be forgotten one by one."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from source_tree import PACKAGE, ROOT, modules

import lamina

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
LIGHT = {"torch", "numpy", "einops", "jaxtyping"}
HEAVY = ("cv2", "av", "OpenEXR", "tyro", "rich", "tifffile", "safetensors", "diffusers", "transformers", "bpy")
MACHINE_PATHS = re.compile(r"/(?:root|home/[a-z]|Users/[A-Za-z]|work)/|/tmp/[A-Za-z]|[A-Z]:\\\\Users")
TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".json", ".yml", ".yaml", ".cfg", ".svg", ""}


def tracked_files() -> list[Path]:
    """Every text file that belongs to the project: what git knows or would take."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    try:
        names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in names if name and (ROOT / name).suffix in TEXT_SUFFIXES and (ROOT / name).is_file()]


def test_no_file_is_a_drawer():
    found = [path for path in tracked_files() if path.suffix == ".py" and path.stem in FORBIDDEN_NAMES]
    assert not found, "Name a file after what is in it."


def test_no_future_annotations():
    """They turn shapes into strings that are never checked."""
    strings = re.compile(r"^from __future__ import .*annotations", re.MULTILINE)
    found = [str(m.path) for m in modules() if strings.search(m.text)]
    assert not found


def test_no_device_is_written_into_code():
    found = [
        f"{m.path}:{node.lineno}"
        for m in modules()
        for node in ast.walk(m.tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("cuda"))
        or (isinstance(node, ast.Attribute) and node.attr == "cuda" and isinstance(node.ctx, ast.Load))
    ]
    assert not found, f"Let the caller choose the device: {found}"


def test_library_code_neither_prints_nor_exits():
    calls = {"print", "exit", "quit"}
    found = [
        f"{m.path}:{node.lineno}"
        for m in modules()
        if m.folder not in ("cli", "web") and m.path != Path("__main__.py")
        for node in ast.walk(m.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in calls
    ]
    assert not found, f"Raise a LaminaError or call `report`: {found}"


def test_import_is_light_and_quiet(tmp_path: Path):
    code = "import json, sys, lamina; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    loaded = set(json.loads(done.stdout))
    assert not loaded & set(HEAVY)
    assert not list(tmp_path.iterdir()), "import made files"


@pytest.mark.parametrize("name", lamina.__all__)
def test_every_public_name_exists(name: str):
    assert getattr(lamina, name) is not None


def test_public_names_are_as_agreed():
    agreed = (Path(__file__).parent / "public_names.txt").read_text().split()
    assert sorted(lamina.__all__) == agreed, "A change of the public names is a decision: say it in public_names.txt."


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'lamina' has no attribute 'nonsense'"):
        _ = lamina.nonsense


def test_type_checkers_see_the_same_names():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    froms = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {(node.module, alias.name) for node in froms for alias in node.names}
    assert seen == {(home, name) for home, names in lamina._HOMES.items() for name in names}


def test_the_version_is_written_once():
    project = (ROOT / "pyproject.toml").read_text()
    assert 'dynamic = ["version"]' in project and not re.search(r"^version\s*=\s*\"", project, re.MULTILINE)
    pattern = re.compile(rf"[\"']{re.escape(lamina.__version__)}[\"']")
    assert [str(m.path) for m in modules() if pattern.search(m.text)] == ["version.py"]


def test_the_changelog_knows_this_version():
    assert re.search(rf"^## {re.escape(lamina.__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_architecture_has_one_line_per_file():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    told = re.findall(r"^\s*[-|] `([a-z_0-9/]+\.py)`", text, re.MULTILINE)
    there = [str(m.path) for m in modules() if m.path.name != "__init__.py" or m.path == Path("__init__.py")]
    assert not set(there) - set(told), "ARCHITECTURE.md has no line for these."
    assert not set(told) - set(there), "ARCHITECTURE.md has lines for files that are gone."
    assert len(told) == len(set(told))


def test_no_machine_paths():
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked_files()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if MACHINE_PATHS.search(line)
    ]
    assert not found, f"Paths of somebody's machine: {found}"


def test_pinned_versions_cover_what_is_needed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = project["dependencies"] + project["optional-dependencies"]["dev"]
    needed += project["optional-dependencies"]["models"]
    names = {re.split(r"[\[<>=; ]", line)[0].lower() for line in needed}
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower() for line in pins if "==" in line}
    assert names <= pinned, f"Not pinned in constraints.txt: {names - pinned}"
