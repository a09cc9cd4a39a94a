"""Whose output folder is this? Claiming one for a run, going on with it, and leaving it clean."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from lamina.errors import InputError, LaminaError, MediaError, MissingExtra, OutputError, WeightsError
from lamina.media.landing import whole_file
from lamina.media.stack import read_manifest, to_json

FINGERPRINTS = ("source.hash", "config.fingerprints")
"""Keys whose values tell a person nothing."""

Claim = Literal["new", "resume", "complete"]


def work_folder(out: Path) -> Path:
    """Where a run keeps what it needs to go on after a stop; `done` removes it."""
    return Path(out) / ".work"


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Keep other runs on this machine out of a folder for as long as this one works there.

    Raises OutputError when another run is at work. A run that was killed holds nothing back.
    """
    # Beside the machine's other passing files, so that a folder that is refused stays as it was.
    name = hashlib.sha256(str(Path(out).resolve()).encode()).hexdigest()[:24]
    lock = FileLock(Path(tempfile.gettempdir()) / f"lamina-{name}.lock", timeout=0, mode=0o666)
    try:
        with lock:
            yield
    except Timeout as error:
        raise OutputError(
            f"output folder {out}",
            got="another run at work there",
            wanted="a folder for this run alone",
            do="Wait for it, or choose another folder.",
        ) from error


def claim(out: Path, run: Mapping[str, Any]) -> Claim:
    """Take `out` for a run and say how things stand: nothing there yet, begun by this very run, or finished by it.

    run: the run's identity, from `stack.run_record`. It is kept in `.work/run.json` until the run is done; from then
    on stack.json says the same.

    Raises OutputError when `out` holds another run or foreign files (it is left as it was), or cannot be written.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise _occupied(out, "a file", "a folder")
    if (out / "stack.json").exists():
        _check_same(out, _finished_run(out), run)
        return "complete"
    record = work_folder(out) / "run.json"
    if record.exists():
        _check_same(out, _begun_run(out, record), run)
        return "resume"
    foreign = sorted(entry.name for entry in out.iterdir() if not entry.name.startswith(".")) if out.exists() else []
    if foreign:
        raise OutputError(
            f"output folder {out} holds other files",
            got=", ".join(foreign[:3]),
            wanted="an empty or a new folder",
            do="Choose another output folder.",
        )
    with whole_file(record) as part:
        part.write_text(to_json(run), encoding="utf-8")
    return "new"


def is_unfinished(out: Path) -> bool:
    """Whether a run was begun in this folder and has not been finished."""
    return (work_folder(out) / "run.json").is_file() and not (Path(out) / "stack.json").exists()


def done(out: Path) -> None:
    """Remove the work files. To be called after stack.json is written."""
    shutil.rmtree(work_folder(out), ignore_errors=True)


@contextmanager
def forget_bad_input(out: Path, state: Claim) -> Iterator[None]:
    """Leave nothing of a new run whose input or model files prove to be unusable only when they are read.

    A full disk or a stop is another matter: then the work is kept, and the run goes on later.
    """
    try:
        yield
    except (InputError, MediaError, MissingExtra, WeightsError):
        if state == "new":
            done(out)
            with suppress(OSError):  # not empty: the plate is done, and shows how far the run came
                Path(out).rmdir()
        raise


def _finished_run(out: Path) -> Mapping[str, Any]:
    try:
        return read_manifest(out).run
    except LaminaError as error:
        raise _occupied(out, f"a stack.json that cannot be read ({error.got})", "a stack of this run") from error


def _begun_run(out: Path, record: Path) -> Mapping[str, Any]:
    try:
        return json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _occupied(out, f"a .work/run.json that cannot be read ({error})", "one of this run") from error


def _check_same(out: Path, got: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    differing = list(_differences(got, wanted, ""))
    if differing:
        keys = [key for key, _, _ in differing[:3]]
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise _occupied(
            out,
            ", ".join(f"{key} = {was}" for key, was, _ in differing[:3]) + more,
            ", ".join(f"{key} = {now}" for key, (_, _, now) in zip(keys, differing, strict=False)),
        )


def _differences(got: Any, wanted: Any, at: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(got, Mapping) and isinstance(wanted, Mapping):
        for key in sorted(set(got) | set(wanted)):
            yield from _differences(got.get(key), wanted.get(key), f"{at}.{key}" if at else key)
    elif got != wanted and at in FINGERPRINTS:
        yield at, "of other contents", "of the contents that were given"
    elif got != wanted:
        yield at, json.dumps(got), json.dumps(wanted)


def _occupied(out: Path, got: str, wanted: str) -> OutputError:
    return OutputError(
        f"output folder {out} exists and belongs to another run",
        got=got,
        wanted=wanted,
        do="Choose another output folder, or remove this one.",
    )
