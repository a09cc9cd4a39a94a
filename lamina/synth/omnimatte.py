"""Results of omnimatte methods as training pairs: their recomposition is the input, their plate the answer.

Generative Omnimatte (Lee et al., CVPR 2025), section "Training data", category Omnimatte: the recomposition is taken
rather than the source, so that input and answer are blurred alike. Of several objects, some may stay (KEEP): then the
answer is the plate with their layers.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, UInt8

from lamina.composite import flatten
from lamina.errors import InputError
from lamina.levels import from_levels, to_levels
from lamina.masks.trimask import make_trimask
from lamina.media.clip_info import ClipInfo
from lamina.media.image_file import read_image
from lamina.media.sequence import SequenceSource, open_sequence
from lamina.media.source import open_source
from lamina.media.stack import open_stack
from lamina.synth.masked_clip import MaskedClip, check_any, find_masks, read_caption, resize, size_within
from lamina.synth.pair import Pair, chance

_LAYER = re.compile(r"fg(\d+)")
Reader = Callable[[int, int], Iterator[np.ndarray]]
"""Frames start..stop-1 of one picture."""


@dataclass(frozen=True)
class OmnimatteResult:
    """Plate and layers of one clip, and which layer's mask is which. Made by `open_result`."""

    clip: MaskedClip
    """The plate as its video, one mask per layer, in the order of `layers`."""
    read_plate: Reader
    """`h w 3`."""
    layers: tuple[Reader, ...]
    """`h w 4`, straight alpha."""
    orders: tuple[tuple[int, ...], ...]
    """Numbers of the layers back to front, frame by frame."""

    @property
    def info(self) -> ClipInfo:
        return self.clip.info

    def recompose(
        self, start: int, stop: int, keep: Sequence[int], size: tuple[int, int]
    ) -> tuple[UInt8[np.ndarray, "t h w 3"], UInt8[np.ndarray, "t h w 3"]]:
        """All layers over the plate, and only the layers `keep`, of frames start..stop-1 at `size` (width, height)."""
        whole = np.empty((stop - start, size[1], size[0], 3), np.uint8)
        some = np.empty_like(whole)
        readers = [self.read_plate(start, stop), *(layer(start, stop) for layer in self.layers)]
        for t, (plate, *layers) in enumerate(zip(*readers, strict=True)):
            order = self.orders[start + t]
            whole[t] = _flattened(plate, [layers[k] for k in order], size)
            some[t] = _flattened(plate, [layers[k] for k in order if k in keep], size)
        return whole, some


@dataclass(frozen=True)
class OmnimatteConfig:
    """Which part of a result makes a pair."""

    frames: int = 80
    """At most so many; a shorter clip is used as it is."""
    short_px: int = 288
    """Results are shrunk to this shorter side, never enlarged."""
    solo: float = 0.5
    """Where there are several objects: how often a random part of them stays, marked KEEP."""

    def __post_init__(self):
        if not (self.frames >= 1 and self.short_px >= 16 and 0 <= self.solo <= 1):
            raise ValueError(f"Expected frames >= 1, short_px >= 16 and solo within 0..1: {self}.")


@dataclass(frozen=True)
class OmnimatteSource:
    """Pairs from results. Raises InputError without any; on making a pair, what reading the files raises."""

    results: tuple[OmnimatteResult, ...]
    config: OmnimatteConfig = OmnimatteConfig()
    name: str = "omnimatte"

    def __post_init__(self):
        check_any([result.clip for result in self.results], "results of open_result()")

    def pair(self, seed: int) -> Pair:
        rng = chance(self.name, seed)
        result = self.results[rng.integers(len(self.results))]
        count = min(self.config.frames, result.info.frames)
        start = int(rng.integers(result.info.frames - count + 1))
        keep = self._kept(len(result.layers), rng)
        size = size_within(result.info, self.config.short_px)
        whole, some = result.recompose(start, start + count, keep, size)
        masks = self._visible(result, start, start + count, size)
        removed = [k for k in range(len(masks)) if k not in keep]
        trimask = make_trimask(np.any(masks[removed], axis=0), np.any(masks[keep], axis=0))
        return Pair(whole, some, trimask, self.name, seed, "" if keep else result.clip.caption)

    def _visible(
        self, result: OmnimatteResult, start: int, stop: int, size: tuple[int, int]
    ) -> Bool[np.ndarray, "k t h w"]:
        """Masks of what is seen of every object: those of a stack go on behind objects that are in front."""
        found = np.zeros((len(result.layers), stop - start, size[1], size[0]), bool)
        for t, masks in enumerate(result.clip.read_masks(start, stop, size)):
            covered = np.zeros((size[1], size[0]), bool)
            for k in reversed(result.orders[start + t]):
                found[k, t] = masks[k] & ~covered
                covered |= masks[k]
        return found

    def _kept(self, objects: int, rng: np.random.Generator) -> list[int]:
        """Numbers of the objects that stay: never all of them."""
        if objects < 2 or rng.random() >= self.config.solo:
            return []
        return sorted(rng.permutation(objects)[: rng.integers(1, objects)].tolist())


def open_result(
    folder: str | Path, masks: str | Path | None = None, order: Sequence[int] | None = None
) -> OmnimatteResult:
    """Open the result of an omnimatte method.

    Args:
        folder: a stack as `lamina decompose` writes it, or an output folder of the public Generative Omnimatte code:
            `bg/00000.png` and so on with one folder `fg00/`, `fg01/` ... of RGBA images per object.
        masks: a folder with the objects' masks as `mask_00.mp4` or `mask_00/`, in the order of the layers, and perhaps
            a prompt.json. A stack made with `--split` needs none: its object parts say where objects are.
        order: numbers of the layers front to back, for the public code's folders, which do not say it; left out, the
            first one is in front, as that code has it. A stack knows its own.

    Raises:
        InputError: neither kind of folder; masks are missing or do not match; counts or sizes differ.
        MediaError: a file cannot be read.
    """
    folder = Path(folder)
    if (folder / "stack.json").exists():
        result = _open_stack(folder, masks)
    elif (folder / "bg").is_dir() and (layers := _layer_folders(folder)):
        result = _open_public(folder, layers, masks, order)
    else:
        raise InputError(
            f"omnimatte result {folder}",
            got="neither stack.json nor bg/ with fg00/" if folder.is_dir() else "no such folder",
            wanted="a stack of `lamina decompose`, or an output folder of the public Generative Omnimatte code",
            do="Check the path.",
        )
    _ = result.clip.mask_sources  # whose number and size are checked as they are opened
    return result


def _open_stack(folder: Path, masks: str | Path | None) -> OmnimatteResult:
    stack = open_stack(folder)
    names = stack.manifest.layer_names
    plate = folder / "plate.mkv"
    if masks is None:
        paths = tuple(folder / layer.parts.get("object", "") for layer in stack.manifest.layers)
        if not names or not all(layer.parts for layer in stack.manifest.layers):
            raise _no_masks(folder, "layers in one piece", " or make the stack with `lamina decompose --split`")
    else:
        paths = _masks_in(Path(masks), len(names))
    clip = MaskedClip(folder.name, plate, paths, read_caption(Path(masks)) if masks else "")
    layers = tuple(partial(stack.read_layer, name) for name in names)
    number = {name: k for k, name in enumerate(names)}
    orders = tuple(
        tuple(number[name] for name in stack.manifest.order_at(t)) for t in range(len(stack.manifest.pts))
    )
    return OmnimatteResult(clip, stack.read_plate, layers, orders)


def _open_public(
    folder: Path, layers: Sequence[Path], masks: str | Path | None, order: Sequence[int] | None
) -> OmnimatteResult:
    if masks is None:
        raise _no_masks(folder, "no masks", "")
    front_to_back = tuple(range(len(layers)) if order is None else order)
    if sorted(front_to_back) != list(range(len(layers))):
        raise InputError(
            f"order of {folder}",
            got=", ".join(map(str, front_to_back)) or "nothing",
            wanted=f"each of the layers 0..{len(layers) - 1} once",
            do="Name them front to back.",
        )
    plate = open_source(folder / "bg")
    sequences = [open_sequence(layer) for layer in layers]
    for layer in sequences:
        _check_alike(layer.info, plate.info)
    clip = MaskedClip(folder.name, folder / "bg", _masks_in(Path(masks), len(layers)), read_caption(Path(masks)))
    readers = tuple(partial(_read_rgba, layer) for layer in sequences)
    return OmnimatteResult(clip, plate.read, readers, (front_to_back[::-1],) * plate.info.frames)


def _layer_folders(folder: Path) -> list[Path]:
    found = {int(match[1]): entry for entry in folder.iterdir() if (match := _LAYER.fullmatch(entry.name))}
    return [found[number] for number in sorted(found) if found[number].is_dir()]


def _masks_in(folder: Path, count: int) -> tuple[Path, ...]:
    found = find_masks(folder) if folder.is_dir() else ()
    if len(found) != count:
        raise InputError(
            f"masks in {folder}",
            got=f"{len(found)} masks" if folder.is_dir() else "no such folder",
            wanted=f"{count}, one per layer, as mask_00.mp4 or mask_00/",
            do="Give the folder of the clip the result was made from.",
        )
    return found


def _no_masks(folder: Path, got: str, also: str) -> InputError:
    wanted = "where the objects are, without their shadows"
    do = f"Give the folder with the objects' masks{also}."
    return InputError(f"omnimatte result {folder}", got=got, wanted=wanted, do=do)


def _check_alike(layer: ClipInfo, plate: ClipInfo) -> None:
    got = (layer.frames, layer.width, layer.height)
    wanted = (plate.frames, plate.width, plate.height)
    if got != wanted:
        raise InputError(
            f"layer {layer.path}",
            got="{} frames of {}x{}".format(*got),
            wanted="{} of {}x{} as in bg".format(*wanted),
            do="Let the omnimatte run finish, or remove what an older one left.",
        )


def _read_rgba(layer: SequenceSource, start: int, stop: int) -> Iterator[np.ndarray]:
    for path in layer.paths(start, stop):
        picture = read_image(path)
        if picture.shape[2] != 4:
            wanted = "RGBA, as the layers of an omnimatte are"
            raise InputError(f"layer {path}", got=f"{picture.shape[2]} channels", wanted=wanted, do="Check the folder.")
        yield picture


def _flattened(
    plate: np.ndarray, layers: Sequence[np.ndarray], size: tuple[int, int]
) -> UInt8[np.ndarray, "h w 3"]:
    """Layers, back to front, over a plate; resized after that, when colour and alpha are one picture."""
    straight = [torch.from_numpy(to_levels(layer)).movedim(2, 0) for layer in layers]
    rgb = flatten(torch.from_numpy(to_levels(plate)).movedim(2, 0), [(layer[:3], layer[3:]) for layer in straight])
    picture = resize(np.ascontiguousarray(rgb.movedim(0, 2).numpy()), size)
    return from_levels(picture.clip(0, 1), np.dtype(np.uint8))
