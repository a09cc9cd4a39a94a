"""What the engine keeps between its passes: arrays per frame in files per window, each written whole or not at all."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lamina.media.landing import whole_file
from lamina.motion.relief import Relief
from lamina.removal.look import Alignment


class FrameArrays:
    """One array per frame, all of one shape and type, stored by windows of `size` frames."""

    def __init__(self, folder: Path, name: str, size: int):
        self._folder, self._name, self._size = folder, name, size
        self._load = lru_cache(maxsize=8)(lambda start: np.load(self._file(start)))

    def has(self, start: int) -> bool:
        """Whether the window that begins at frame `start` is stored."""
        return self._file(start).exists()

    def write(self, start: int, arrays: Sequence[np.ndarray]) -> None:
        with whole_file(self._file(start)) as part, part.open("wb") as stream:
            np.save(stream, np.stack(arrays))

    def __getitem__(self, frame: int) -> np.ndarray:
        start = frame // self._size * self._size
        return self._load(start)[frame - start]

    def _file(self, start: int) -> Path:
        return self._folder / f"{self._name}.{start:07d}.npy"


class Alignments:
    """One alignment per frame, stored by windows."""

    def __init__(self, folder: Path, name: str, size: int):
        self._folder, self._name, self._size = folder, name, size
        self._load = lru_cache(maxsize=2)(lambda start: _read(self._file(start)))

    def write(self, start: int, alignments: Sequence[Alignment]) -> None:
        arrays: dict[str, np.ndarray] = {}
        for i, alignment in enumerate(alignments):
            relief = alignment.relief
            arrays |= {
                f"frames{i}": np.array(relief.frames, np.int64),
                f"cameras{i}": relief.cameras,
                f"points{i}": relief.points,
                f"values{i}": relief.values,
                f"depth{i}": alignment.depth,
            }
        with whole_file(self._file(start)) as part, part.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
        self._load.cache_clear()  # what was read before is no longer what is kept

    def __getitem__(self, frame: int) -> Alignment:
        start = frame // self._size * self._size
        return self._load(start)[frame - start]

    def _file(self, start: int) -> Path:
        return self._folder / f"{self._name}.{start:07d}.npz"


def _read(file: Path) -> list[Alignment]:
    with np.load(file) as kept:
        count = sum(1 for key in kept.files if key.startswith("frames"))
        return [_one(kept, i) for i in range(count)]


def _one(kept: "np.lib.npyio.NpzFile", i: int) -> Alignment:
    frames = tuple(int(f) for f in kept[f"frames{i}"])
    depth: Float32[np.ndarray, "s v"] = kept[f"depth{i}"]
    return Alignment(Relief(frames, kept[f"cameras{i}"], kept[f"points{i}"], kept[f"values{i}"]), depth)
