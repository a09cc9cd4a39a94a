"""Is this still the same source? An answer in milliseconds, whatever its size."""

import hashlib
import re
from pathlib import Path

from lamina.errors import InputError

_MEBIBYTE = 2**20
_PROBES = 8


def source_fingerprint(path: Path) -> str:
    """A SHA-256, in hex, that changes when the source is replaced, re-encoded, cut or renumbered.

    A movie counts with its size and eight spread pieces of 1 MiB, the first and the last among them (a smaller file
    whole); a sequence (folder, or pattern such as `shot.%04d.png` and `shot.####.exr`) with all names and sizes and
    the pieces of its first and last file. Neither place nor dates count, so a copy is the same source.

    Raises InputError when there is nothing at `path`.
    """
    path = Path(path)
    digest = hashlib.sha256()
    if path.is_file():
        _add_content(digest, path)
        return digest.hexdigest()
    files = _files_of_sequence(path)
    if not files:
        raise InputError(f"source {path}", got="no file", wanted="a movie or a sequence", do="Check the path.")
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
    for file in (files[0], files[-1]):
        _add_content(digest, file)
    return digest.hexdigest()


def _add_content(digest: "hashlib._Hash", path: Path) -> None:
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        if size <= _PROBES * _MEBIBYTE:
            digest.update(file.read())
            return
        for probe in range(_PROBES):
            file.seek((size - _MEBIBYTE) * probe // (_PROBES - 1))
            digest.update(file.read(_MEBIBYTE))


def _files_of_sequence(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    pieces = re.split(r"%0?\d*d|#+", path.name)
    if len(pieces) < 2 or not path.parent.is_dir():
        return []
    name = re.compile(r"\d+".join(map(re.escape, pieces)))
    return sorted(file for file in path.parent.iterdir() if name.fullmatch(file.name))
