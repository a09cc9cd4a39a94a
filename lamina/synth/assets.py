"""Pictures, cut-outs and clips that a user points to, for samples to draw from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from lamina.errors import InputError
from lamina.levels import to_levels
from lamina.media.image_file import IMAGE_SUFFIXES, picture_of, read_image
from lamina.media.source import open_source

TILE_PX, CUTOUT_PX, MOVIE_PX = 256, 128, 384
KEPT = 64
"""Pictures kept in memory; more are read again when they are drawn again."""


@dataclass(frozen=True)
class Assets:
    """Files to draw from. Made by `open_assets`; empty by default."""

    textures: tuple[Path, ...] = ()
    cutouts: tuple[Path, ...] = ()
    clips: tuple[Path, ...] = ()
    share: float = 0.5
    """How often a given picture is taken where a made one would do."""

    def texture(self, rng: np.random.Generator) -> np.ndarray | None:
        """A square part of one of the pictures as `3 s s` float32, or None."""
        path = _choose(rng, self.textures, self.share)
        return None if path is None else _square(rng, _picture(path))

    def cutout(self, rng: np.random.Generator) -> np.ndarray | None:
        """An object with alpha as `4 s s` float32, standing on the lower edge, or None."""
        path = _choose(rng, self.cutouts, self.share)
        return None if path is None else _cutout(path)

    def movie(self, rng: np.random.Generator, frames: int) -> np.ndarray | None:
        """`t 3 h w` float32 of `frames` frames from one of the clips, played to and fro if it is shorter, or None."""
        path = _choose(rng, self.clips, self.share)
        return None if path is None else _movie(rng, path, frames)


NOTHING_GIVEN = Assets()


def open_assets(
    textures: Path | None = None,
    cutouts: Path | None = None,
    clips: Sequence[Path] = (),
    share: float = 0.5,
) -> Assets:
    """Look into what the user points to.

    Args:
        textures: a folder of pictures for grounds, walls and floors.
        cutouts: a folder of pictures with alpha, of one object each; the object is cropped to its alpha.
        clips: movies or image sequences, shown on the backdrop.
        share: 0..1, how often they are taken instead of made ones.

    Raises:
        InputError: a folder is missing or holds no picture, `share` is not within 0..1.
        MediaError: a clip cannot be opened. Pictures are opened when they are drawn, and raise then.
    """
    if not 0 <= share <= 1:
        raise InputError("share of assets", got=str(share), wanted="0..1", do="Say how often to take them.")
    for clip in clips:
        open_source(clip)
    return Assets(_pictures("textures", textures), _pictures("cutouts", cutouts), tuple(map(Path, clips)), share)


def _pictures(what: str, folder: Path | None) -> tuple[Path, ...]:
    if folder is None:
        return ()
    if not Path(folder).is_dir():
        raise InputError(f"{what} {folder}", got="no such folder", wanted="a folder of pictures", do="Check the path.")
    found = tuple(sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES))
    if not found:
        kinds = " ".join(IMAGE_SUFFIXES)
        raise InputError(f"{what} {folder}", got="no picture", wanted=f"files ending in {kinds}", do="Check the path.")
    return found


def _choose(rng: np.random.Generator, paths: tuple[Path, ...], share: float) -> Path | None:
    """The same numbers are drawn whether or not there are assets, so that the rest of a scene stays as it is."""
    take, which = rng.random(), rng.random()
    return paths[int(which * len(paths))] if paths and take < share else None


@lru_cache(maxsize=KEPT)
def _picture(path: Path) -> np.ndarray:
    return _small(to_levels(picture_of(path)).clip(0, 1), 4 * TILE_PX)


@lru_cache(maxsize=KEPT)
def _cutout(path: Path) -> np.ndarray:
    image = to_levels(read_image(path)).clip(0, 1)
    if image.shape[2] != 4 or not (image[..., 3] > 0.5).any():
        raise InputError(
            f"cut-out {path}",
            got="no alpha" if image.shape[2] != 4 else "an alpha that is empty",
            wanted="a picture with alpha of one object",
            do="Save the object as RGBA.",
        )
    rows, columns = np.nonzero(image[..., 3] > 0.02)
    image = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    side = max(image.shape[:2])
    square = np.zeros((side, side, 4), np.float32)
    left = (side - image.shape[1]) // 2
    square[side - image.shape[0] :, left : left + image.shape[1]] = image
    return _planes(cv2.resize(square, (CUTOUT_PX, CUTOUT_PX), interpolation=cv2.INTER_AREA))


def _movie(rng: np.random.Generator, path: Path, frames: int) -> np.ndarray:
    source = open_source(path)
    start = int(rng.integers(max(source.info.frames - frames, 0) + 1))
    read = [_planes(_small(to_levels(frame).clip(0, 1), MOVIE_PX))
            for frame in source.read(start, min(start + frames, source.info.frames))]  # fmt: skip
    order = np.arange(frames) % max(2 * len(read) - 2, 1)
    return np.stack([read[at if at < len(read) else 2 * len(read) - 2 - at] for at in order])


def _square(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    side = int(min(picture.shape[:2]) * rng.uniform(0.5, 1.0))
    top, left = (int(rng.integers(extent - side + 1)) for extent in picture.shape[:2])
    cut = picture[top : top + side, left : left + side]
    # Mirrored at its edges it repeats without a seam.
    cut = np.concatenate([cut, cut[::-1]])
    cut = np.concatenate([cut, cut[:, ::-1]], 1)
    return _planes(cv2.resize(cut, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA))


def _small(picture: np.ndarray, longest: int) -> np.ndarray:
    scale = longest / max(picture.shape[:2])
    return picture if scale >= 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _planes(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(picture, 2, 0))
