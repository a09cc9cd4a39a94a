"""What may be asked of the layer step, whoever made the plate."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from lamina.errors import InputError
from lamina.layers.depth import nearness_of
from lamina.layers.order import given_order, order_per_frame
from lamina.media.clip_info import FrameSource
from lamina.media.mask_source import MaskSource
from lamina.media.stack import OrderRun
from lamina.motion.coordinates import fit_within

ORDER_FRAMES = 240
"""Frames that are asked for the objects' order, evenly spread."""
ORDER_PX = 320


@dataclass(frozen=True, kw_only=True)
class LayerOptions:
    """Flags that every task with layers has."""

    order: str | None = None
    """The objects' names, the farthest first, for the whole clip. Left out, it is told from who covers whom, frame by
    frame."""
    depth: str | None = None
    """A depth model for the order of objects that never touch: a folder, or a name in the Hugging Face cache, that
    `transformers` can load (extra `models`). Nothing is downloaded."""
    split: bool = False
    """Write each layer also in three parts: the object alone, its shadow to multiply, its light to add."""
    fit: Literal["none", "fast", "paper", "reference"] = "none"
    """Optimise the layers further. fast refines them; paper and reference are the published test-time fits, which take
    hours and hold the whole clip in memory."""


def check_options(options: LayerOptions, names: Sequence[str]) -> None:
    """Raises InputError when the order is not one of these objects, or what was asked for does not go together."""
    if options.order is not None:
        given_order(options.order, names)
    if options.order is not None and options.depth is not None:
        raise InputError(
            "--depth",
            got="an order too",
            wanted="one of --order and --depth",
            do="Leave --depth out: the given order wins.",
        )
    if options.split and options.fit != "none":
        raise InputError(
            "--split",
            got=f"--fit {options.fit} too",
            wanted="one of them",
            do="A fit gives whole layers only: leave --fit out, its layers are no better.",
        )


def find_order(
    options: LayerOptions, clip: FrameSource, masks: Sequence[MaskSource], made: Mapping[str, FrameSource] | None = None
) -> list[OrderRun]:
    """Who is in front of whom, frame by frame.

    made: the plate, called "plate", and every object's solo by name, where they are known beforehand.
    """
    names = [mask.name for mask in masks]
    if options.order is not None:
        return [OrderRun(0, given_order(options.order, names))]
    if len(names) == 1:
        return [OrderRun(0, (names[0],))]
    times = range(0, clip.info.frames, max(1, -(-clip.info.frames // ORDER_FRAMES)))
    size = fit_within(clip.info.width, clip.info.height, ORDER_PX)
    seen = {mask.name: _asked(mask.read(), times, size) for mask in masks}
    shown = {name: _asked(source.read(), times, size) for name, source in (made or {}).items()}
    plate = shown.pop("plate", None)
    near = nearness_of(_chosen(clip.read(), times), seen, options.depth) if options.depth else None
    return order_per_frame(seen, times, shown or None, plate if shown else None, near)


def _asked(frames: Iterable[np.ndarray], times: range, size: tuple[int, int]) -> list[np.ndarray]:
    """Small copies of the frames that are asked."""
    return [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in _chosen(frames, times)]


def _chosen(frames: Iterable[np.ndarray], times: range) -> Iterator[np.ndarray]:
    return (frame for t, frame in enumerate(frames) if t in times)
