"""Files and folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from lamina.errors import OutputError

FAILED_TENSORS = "Error while serializing: "
"""How safetensors begins to say what the system said while tensors were written; it has no number of its own."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Lend a temporary name beside `path`; what was written there becomes `path` when the block ends without error.

    After any error, Ctrl-C included, the temporary file is gone and `path` is as it was. Missing parents are made.

    Raises OutputError when the place is not writable or full.
    """
    part = path.with_name(f".{path.name}.part")
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield part
            os.replace(part, path)
        finally:
            if part.exists():
                part.unlink()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """The same for a folder, which must not exist before or be empty: a folder that holds files is never replaced.

    Raises OutputError when `path` exists and is not an empty folder, or the place is not writable or full.
    """
    refuse_existing(path)
    part = path.with_name(f".{path.name}.part")
    with writing(path):
        try:
            shutil.rmtree(part, ignore_errors=True)  # left by a killed process
            part.mkdir(parents=True)
            yield part
            os.replace(part, path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def refuse_existing(path: Path) -> None:
    """Raise OutputError when writing to `path` would put something else out of the way; an empty folder may go."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    raise OutputError(
        f"output {path}",
        got="a folder that holds files" if path.is_dir() else "a file that exists",
        wanted="a new name or an empty folder",
        do="Choose another name, or remove it first.",
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """For what is added to a file that is there. Raises OutputError when the place is not writable or full."""
    try:
        yield
    except OSError as error:  # PyAV's errors of the file system are OSErrors too
        raise _not_writable(path, os.strerror(error.errno) if error.errno else str(error)) from error
    except SafetensorError as error:
        if not str(error).startswith(FAILED_TENSORS):
            raise
        raise _not_writable(path, str(error).removeprefix(FAILED_TENSORS)) from error


def _not_writable(path: Path, got: str) -> OutputError:
    return OutputError(
        f"writing {path}",
        got=got,
        wanted="a writable place with enough free space",
        do="Free some space, or choose another output folder.",
    )
