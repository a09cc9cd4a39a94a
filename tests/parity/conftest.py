"""Numbers recorded from the published implementation: a folder of `.json` and `.safetensors` files of the same name.

`python -m pytest tests/parity` takes the folder beside the checkout and is skipped where that is missing;
`python -m pytest tests/parity --fixtures FOLDER` takes any other folder of that layout.
"""

from pathlib import Path

import pytest
from recorded import KINDS, Recorded

DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "casper"
_FOLDER = pytest.StashKey[Path]()


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """pytest has an option of this name, which lists its own fixtures; followed by a folder it is ours."""
    words = [str(word) for word in config.invocation_params.args]
    folder = next((b for a, b in zip(words, words[1:], strict=False) if a == "--fixtures"), "-")
    if not folder.startswith("-") and folder in config.args:
        if not Path(folder).is_dir():
            raise pytest.UsageError(f"--fixtures {folder}: there is no such folder")
        config.option.showfixtures = False
        config.args.remove(folder)
        config.stash[_FOLDER] = Path(folder).resolve()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder = metafunc.config.stash.get(_FOLDER, DEFAULT)
    for kind in set(KINDS) & set(metafunc.fixturenames):
        files = sorted(folder.glob(f"{kind}*.json")) if folder.is_dir() else []
        cases = [pytest.param(path, id=path.stem) for path in files] or [_nothing(folder, kind)]
        metafunc.parametrize(kind, cases, indirect=True)


def _nothing(folder: Path, kind: str):
    reason = f"no file {kind}*.json in {folder.name}" if folder.is_dir() else f"no folder {folder.name!r} beside it"
    return pytest.param(None, id="none", marks=pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def folder(request: pytest.FixtureRequest) -> Path:
    """The folder of recorded numbers."""
    folder = request.config.stash.get(_FOLDER, DEFAULT)
    if not folder.is_dir():
        pytest.skip(f"no folder {'/'.join(folder.parts[-3:])!r} beside the checkout")
    return folder


def _recorded(request: pytest.FixtureRequest) -> Recorded:
    return Recorded.read(request.param)


globals().update({kind: pytest.fixture(_recorded, name=kind) for kind in KINDS})
