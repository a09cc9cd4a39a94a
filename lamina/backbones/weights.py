"""Where a model's files are: in a folder of the user, and the base also in the cache of huggingface_hub.

Nothing is downloaded. `docs/weights.md` says which files to get, and how a folder is laid out.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lamina.backbones.checkpoint import shards
from lamina.backbones.small_files import SMALL
from lamina.backbones.specs import BACKBONES, BackboneSpec, File
from lamina.errors import InputError, WeightsError

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Weights:
    """All files of one model, found."""

    spec: BackboneSpec
    base: Path
    """The folder of the base."""
    casper: tuple[Path, ...]
    """One file, or its shards."""

    def files(self, pattern: str) -> tuple[Path, ...]:
        """Files of the base."""
        return shards(self.base, pattern)

    @property
    def casper_files(self) -> dict[str, Path]:
        """The Casper file or its shards, by their path in the user's folder."""
        single = self.casper[0].name == self.spec.casper.pattern
        return {path.name if single else f"{self.spec.name}/{path.name}": path for path in self.casper}

    def all_files(self) -> dict[str, Path]:
        """All that is read, the tokenizer's files included, by name: of the base, its path in there."""
        needed = [path for file in self.spec.files if file.needed for path in self.files(file.pattern)]
        names = {path.relative_to(self.base).as_posix(): path for path in needed if path.is_file()}
        return self.casper_files | names


def get_spec(name: str) -> BackboneSpec:
    """A known model by name.

    Raises:
        InputError: there is none of this name.
    """
    if name not in BACKBONES:
        wanted = ", ".join([SMALL, *BACKBONES])
        raise InputError("model", got=repr(name), wanted=f"one of {wanted}", do="See `lamina weights list`.")
    return BACKBONES[name]


def find_weights(spec: BackboneSpec, folder: Path | None = None) -> Weights:
    """Find all files of a model.

    Args:
        folder: holds NAME.safetensors or NAME/*.safetensors, the Casper file, and the base: as a folder of its own
            name, or its files themselves. None is the folder that `default_folder` says. A base that is not there is
            looked for in the cache of huggingface_hub.

    Raises:
        WeightsError: files are missing; all of them are named.
    """
    folder = default_folder() if folder is None else Path(folder)
    casper = find_casper(spec, folder)
    base, lacking = find_base(spec, folder)
    missing = missing_files(casper, casper_path(spec, folder))
    missing += [path for file in lacking for path in missing_files(shards(base, file.pattern), base / file.pattern)]
    if missing:
        raise WeightsError(
            f"model {spec.name}",
            got=f"no {', '.join(map(str, missing))}",
            wanted="all its files",
            do=f"`lamina weights where {spec.name}` says where to get them and where they are looked for.",
        )
    return Weights(spec, base, casper)


def find_casper(spec: BackboneSpec, folder: Path) -> tuple[Path, ...]:
    """The Casper file or its shards; nothing when it is not there."""
    single = casper_path(spec, folder)
    return (single,) if single.is_file() else shards(folder / spec.name, "*.safetensors")


def missing_files(files: Sequence[Path], pattern: Path) -> list[Path]:
    """Which of the files of a pattern are not there; the pattern itself where there is none at all."""
    return [path for path in files if not path.is_file()] if files else [pattern]


def casper_path(spec: BackboneSpec, folder: Path) -> Path:
    return folder / spec.casper.pattern


def find_base(spec: BackboneSpec, folder: Path) -> tuple[Path, list[File]]:
    """The folder that holds most of the base's needed files, and those it lacks."""
    places = base_places(spec, folder)
    lacking = {place: [f for f in spec.files if f.needed and lacks(place, f)] for place in places}
    best = min(places, key=lambda place: len(lacking[place]))
    return best, lacking[best]


def lacks(place: Path, file: File) -> bool:
    """Whether a file or a shard of it is not in a folder."""
    return bool(missing_files(shards(place, file.pattern), place / file.pattern))


def base_places(spec: BackboneSpec, folder: Path) -> list[Path]:
    """Where a base may lie, most wanted first."""
    return [folder / spec.base.rpartition("/")[2], folder, *snapshots(spec.base)]


def snapshots(repository: str) -> list[Path]:
    """Folders of a repository in the cache of huggingface_hub, the current one first."""
    home = hub_cache() / f"models--{repository.replace('/', '--')}"
    main = home / "refs" / "main"
    current = [home / "snapshots" / main.read_text().strip()] if main.is_file() else []
    others = [path for path in sorted((home / "snapshots").glob("*")) if path not in current]
    return [path for path in current + others if path.is_dir()]


def hub_cache() -> Path:
    """Where huggingface_hub keeps what it has downloaded."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()


def default_folder() -> Path:
    """Where weights are looked for when no folder is given: LAMINA_WEIGHTS, or a folder in the user's cache."""
    return Path(os.environ.get("LAMINA_WEIGHTS") or cache_folder() / "weights").expanduser()


def cache_folder() -> Path:
    """What Lamina may remember for itself between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "lamina"


def sha256_of(files: Mapping[str, Path], remembered: Path | None = None) -> dict[str, str]:
    """The SHA-256 of every file, in hex, by the name it is given under.

    remembered: a .json file that holds what was found before, so that a file is read again only after its size or
    time has changed. None reads all of them.
    """
    known: dict[str, str] = {}
    with suppress(OSError, ValueError):
        known = json.loads(remembered.read_text()) if remembered else {}
    if not isinstance(known, dict):
        known = {}
    digests, seen = {}, dict(known)
    for name, file in files.items():
        state = file.stat()
        key = f"{file.resolve()} {state.st_size} {state.st_mtime_ns}"
        digests[name] = seen[key] = known.get(key) or _sha256(file)
    if remembered and seen != known:
        with suppress(OSError):  # to remember saves time and no more
            remembered.parent.mkdir(parents=True, exist_ok=True)
            remembered.write_text(json.dumps(seen, indent=1))
    return digests


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while piece := opened.read(16 * MEBIBYTE):
            digest.update(piece)
    return digest.hexdigest()
