"""Pairs on disk: safetensors files with an index that says what is where, and by which checksum it is known.

    index.json          what the pairs are made of, and per pair: file, size, caption, source, seed, SHA-256
    00000.safetensors   tensors "0.input", "0.target", "0.trimask", "1.input", ... uint8, as in `Pair`, and "0.known"
                        and "0.sure" of pairs that have them

A file appears whole or not at all, and in the index only when it is there. Making shards goes on where it stopped, and
the bytes are the same as if it had not.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lamina.errors import InputError, MediaError, OutputError
from lamina.media.landing import whole_file
from lamina.media.stack import to_json
from lamina.report import Report, no_report
from lamina.synth.pair import DRAWS, SHAPES, Pair, PairSource

VERSION = 1
INDEX = "index.json"


@dataclass(frozen=True)
class ShardEntry:
    """One stored pair."""

    file: str
    number: int
    """In its file, from 0."""
    frames: int
    height: int
    width: int
    caption: str
    source: str
    seed: int
    sha256: str
    """Of the bytes of all its clips, one after the other, in the order of `Pair`."""
    known: bool = False
    """Whether it says what other frames show."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """What is stored of it."""
        size = (self.frames, self.height, self.width)
        names = [name for name in SHAPES if self.known or name not in ("known", "sure")]
        return {name: (*size, 3) if SHAPES[name].endswith("3") else size for name in names}


@dataclass(frozen=True)
class ShardIndex:
    """What index.json says."""

    recipe: Mapping[str, Any]
    """What the pairs were made from, as JSON values: making them goes on only with the same."""
    entries: tuple[ShardEntry, ...]


def make_shards(
    source: PairSource,
    folder: str | Path,
    count: int,
    recipe: Mapping[str, Any],
    per_file: int = 8,
    first_seed: int = 0,
    report: Report = no_report,
) -> ShardIndex:
    """Write the pairs of seeds first_seed .. first_seed + count - 1; go on where an earlier call stopped.

    Args:
        recipe: JSON values that say all that matters about the source, such as its configuration and its clips; a call
            with another recipe, source name, `per_file` or `first_seed` is refused. `count` may grow.
        per_file: pairs in one file; so many are in memory at once.

    Raises:
        OutputError: the folder holds other files or other shards, or cannot be written.
        MediaError: the index that is there cannot be read.
    """
    if count < 1 or per_file < 1:
        raise ValueError(f"Expected count and per_file of at least 1, got {count} and {per_file}.")
    folder = Path(folder)
    made_of = {"source": source.name, "per_file": per_file, "first_seed": first_seed, "recipe": dict(recipe)}
    made_of = json.loads(json.dumps(made_of, allow_nan=False))
    done = _claim(folder, made_of)
    whole = len(done) // per_file * per_file  # a last file that was not full is made again when there is more
    entries = done if len(done) >= count else done[:whole]
    while len(entries) < count:
        report("pairs", len(entries), count)
        seeds = range(first_seed + len(entries), first_seed + min(len(entries) + per_file, count))
        pairs = [source.pair(seed) for seed in seeds]
        entries = (*entries, *_write_file(folder, len(entries) // per_file, pairs))
        _write_index(folder, ShardIndex(made_of, entries))
    report("pairs", len(entries), count)
    return ShardIndex(made_of, entries)


def read_index(folder: str | Path) -> ShardIndex:
    """What is in a folder of shards. Raises MediaError when index.json is missing or not of this kind."""
    path = Path(folder) / INDEX
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != VERSION:
            raise _unreadable(path, f"version {data['version']!r}", f"version {VERSION}")
        index = ShardIndex(data["recipe"], tuple(ShardEntry(**entry) for entry in data["pairs"]))
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error), "the index of shards") from error
    except (ValueError, TypeError, KeyError) as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}", "the index of shards") from error
    outside = [entry.file for entry in index.entries if Path(entry.file).name != entry.file]
    if outside:
        raise _unreadable(path, f"file {outside[0]!r}", "files beside the index")
    return index


def read_pair(folder: str | Path, entry: ShardEntry) -> Pair:
    """One stored pair, its bytes held against the index.

    Raises:
        MediaError: the file is missing, cut short, without this pair, or its bytes are not those that were written.
    """
    path = Path(folder) / entry.file
    wanted = entry.shapes
    try:
        with safe_open(path, framework="numpy") as tensors:
            parts = {name: tensors.get_tensor(f"{entry.number}.{name}") for name in wanted}
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, str(error), "a whole shard") from error
    shapes = {name: part.shape for name, part in parts.items()}
    if shapes != wanted or any(part.dtype != np.uint8 for part in parts.values()):
        raise _unreadable(path, f"pair {entry.number} of shapes {[*shapes.values()]}", f"{[*wanted.values()]}")
    if (found := _checksum(list(parts.values()))) != entry.sha256:
        got = f"pair {entry.number} with the checksum {found[:12]}"
        raise _unreadable(path, got, f"{entry.sha256[:12]}, as {INDEX} says")
    return Pair(**parts, source=entry.source, seed=entry.seed, caption=entry.caption)


def check_shards(folder: str | Path, report: Report = no_report) -> int:
    """Read every pair and hold it against the index; how many there are. Raises what `read_pair` raises."""
    entries = read_index(folder).entries
    for done, entry in enumerate(entries):
        report("pairs", done, len(entries))
        read_pair(folder, entry)
    report("pairs", len(entries), len(entries))
    return len(entries)


@dataclass(frozen=True)
class ShardSource:
    """Stored pairs as a source: each once in every round, every round in an order of its own.

    Raises on making a pair InputError when the folder holds none, and what `read_index` and `read_pair` raise.
    """

    folder: Path
    name: str = "shards"

    def pair(self, seed: int) -> Pair:
        entries = _index_of(self.folder).entries
        if not entries:
            got, do = "an index without pairs", "Make the shards first."
            raise InputError(f"shards {self.folder}", got=got, wanted="at least one pair", do=do)
        stream, draw = divmod(seed, DRAWS)
        turn, place = divmod(draw, len(entries))
        return read_pair(self.folder, entries[_shuffled(self.name, len(entries), stream, turn)[place]])


@lru_cache(maxsize=64)
def _index_of(folder: Path) -> ShardIndex:
    return read_index(folder)


@lru_cache(maxsize=64)
def _shuffled(name: str, count: int, stream: int, turn: int) -> np.ndarray:
    return np.random.default_rng([*name.encode(), stream, turn]).permutation(count)


def _claim(folder: Path, made_of: Mapping[str, Any]) -> tuple[ShardEntry, ...]:
    """The pairs that are there already."""
    if not (folder / INDEX).exists():
        foreign = sorted(e.name for e in folder.iterdir() if not _is_ours(e)) if folder.is_dir() else []
        if foreign or (folder.exists() and not folder.is_dir()):
            got = f"files that are no shards: {', '.join(foreign[:3])}" if foreign else "a file"
            raise OutputError(
                f"shards {folder}", got=got, wanted="a new or an empty folder", do="Choose another folder."
            )
        return ()
    index = read_index(folder)
    if index.recipe != made_of:
        differing = [key for key in made_of if index.recipe.get(key) != made_of[key]]
        raise OutputError(
            f"shards {folder}",
            got=", ".join(f"{key} = {json.dumps(index.recipe.get(key))}" for key in differing),
            wanted=", ".join(f"{key} = {json.dumps(made_of[key])}" for key in differing),
            do="Choose another folder, or make them with what they were begun with.",
        )
    return index.entries


def _is_ours(entry: Path) -> bool:
    """Files a stopped run may have left before its first index was written."""
    return entry.name.lstrip(".").removesuffix(".part") in ("00000.safetensors", INDEX)


def _write_file(folder: Path, number: int, pairs: list[Pair]) -> list[ShardEntry]:
    path = folder / f"{number:05}.safetensors"
    parts = [{name: np.ascontiguousarray(part) for name, part in pair.parts.items()} for pair in pairs]
    tensors = {f"{k}.{name}": pixels for k, own in enumerate(parts) for name, pixels in own.items()}
    with whole_file(path) as part:
        save_file(tensors, part)
    return [
        _entry(path.name, k, pair, _checksum(list(own.values())))
        for k, (pair, own) in enumerate(zip(pairs, parts, strict=True))
    ]


def _entry(file: str, number: int, pair: Pair, checksum: str) -> ShardEntry:
    frames, height, width = pair.trimask.shape
    told = pair.caption, pair.source, pair.seed
    return ShardEntry(file, number, frames, height, width, *told, checksum, known=pair.known is not None)


def _write_index(folder: Path, index: ShardIndex) -> None:
    data = {"version": VERSION, "recipe": index.recipe, "pairs": [asdict(entry) for entry in index.entries]}
    with whole_file(folder / INDEX) as part:
        part.write_text(to_json(data), encoding="utf-8")


def _checksum(parts: list[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _unreadable(path: Path, got: str, wanted: str) -> MediaError:
    return MediaError(f"{path}", got=got, wanted=wanted, do="Make the shards again, or copy them anew.")
