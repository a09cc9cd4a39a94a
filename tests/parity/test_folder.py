"""A folder in which nothing can be compared must not look like a success."""

import subprocess
import sys
from pathlib import Path

from recorded import KINDS

HERE = Path(__file__).parent


def run_with(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", str(HERE), "--fixtures", str(folder), "-k", "something_to_compare"]
    return subprocess.run(command, capture_output=True, text=True, cwd=HERE.parents[1])


def test_the_folder_holds_something_to_compare(folder: Path):
    found = [path.name for kind in KINDS for path in folder.glob(f"{kind}*.json")]
    assert found, f"{folder.name} holds none of {', '.join(f'{kind}*.json' for kind in KINDS)}"


def test_an_empty_folder_fails_and_says_why(tmp_path: Path):
    (tmp_path / "notes.json").write_text("{}")
    done = run_with(tmp_path)
    assert done.returncode == 1 and "holds none of stage2_losses*.json, stage2_fit*.json" in done.stdout


def test_a_folder_that_is_not_there_fails(tmp_path: Path):
    done = run_with(tmp_path / "nowhere")
    assert done.returncode == 4 and "nowhere: there is no such folder" in done.stderr
