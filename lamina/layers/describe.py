"""What is in a file or folder: a clip, a mask, label images or a stack, in values that fit into JSON."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lamina.errors import InputError
from lamina.levels import to_levels
from lamina.media.clip_info import ClipInfo, FrameSource
from lamina.media.source import open_source
from lamina.media.stack import PARTS, LayerRecord, open_stack
from lamina.media.video import MovieSource
from lamina.media.work import is_unfinished

SAMPLES = 5
"""Frames looked at to tell masks from pictures, spread over the clip."""
GRAY_WITHIN = 0.05
"""Largest difference between the channels of a mask, of 1."""
ENDS_WITHIN, MASK_SHARE = 0.05, 0.9
"""A mask has this share of its pixels at least so near to black or white."""
MOST_LABELS = 64


@dataclass(frozen=True)
class InspectConfig:
    """What to look at."""

    path: Path
    """Movie, folder or pattern of images, mask, or folder that `lamina decompose` wrote."""


@dataclass(frozen=True)
class Inspection:
    """What was found. A mask or label images are told from a clip by a few frames, so that is a judgement."""

    path: Path
    kind: Literal["clip", "mask", "labels", "stack"]
    facts: Mapping[str, Any]
    """JSON values by name, in the order in which they are read best."""


def inspect(config: InspectConfig) -> Inspection:
    """Say what is at a path; reads headers, time stamps and a few frames.

    Raises:
        InputError: nothing is there, or a sequence has gaps.
        MediaError: it is not what it claims to be.
    """
    path = Path(config.path)
    if is_unfinished(path):
        raise InputError(
            f"{path}",
            got="a run that was stopped",
            wanted="a finished stack",
            do="Give the command that began it again: it goes on where it was.",
        )
    if (path / "stack.json").is_file():
        return Inspection(path, "stack", _stack_facts(path))
    source = open_source(path)
    samples = [to_levels(frame) for frame in _sample(source)]
    for kind, (looks_like, facts) in JUDGEMENTS.items():
        if looks_like(samples):
            return Inspection(path, kind, _clip_facts(source) | facts(samples))
    return Inspection(path, "clip", _clip_facts(source))


def _sample(source: FrameSource) -> list[np.ndarray]:
    positions = sorted({round(p) for p in np.linspace(0, source.info.frames - 1, SAMPLES)})
    return [next(source.read(position, position + 1)) for position in positions]


def _clip_facts(source: FrameSource) -> dict[str, Any]:
    info = source.info
    return {
        "form": info.kind,
        "width": info.width,
        "height": info.height,
        "frames": info.frames,
        "first_number": info.first_number,
        "last_number": info.first_number + info.frames - 1,
        "rate": _rate(info),
        "seconds_to_last_frame": round(float(info.pts_seconds[-1] - info.pts_seconds[0]), 6),
        "depth_bits": info.depth_bits,
        "color": asdict(info.color),
        "rotation_degrees": _rotation(source),
        "audio": info.has_audio,
    }


def _rate(info: ClipInfo) -> str:
    """Frames per second as a fraction, or how far apart the frames are when that varies."""
    if info.rate is not None:
        return str(info.rate)
    gaps = [float(b - a) for a, b in pairwise(info.pts_seconds)] or [0.0]
    return f"variable, {min(gaps):.6g} to {max(gaps):.6g} s apart"


def _rotation(source: FrameSource) -> int:
    """By how much the player must turn the stored picture; width and height are after that."""
    if not isinstance(source, MovieSource):
        return 0
    return int(next(source.decode(0, 1)).rotation)


def _is_gray(samples: list[np.ndarray]) -> bool:
    return all(float((frame.max(-1) - frame.min(-1)).max()) <= GRAY_WITHIN for frame in samples)


def _is_labels(samples: list[np.ndarray]) -> bool:
    """Few flat colours; gray ones only when none is near white, as numbers 0, 1, 2 stored as gray are."""
    few = all(2 <= len(np.unique(frame.reshape(-1, 3), axis=0)) <= MOST_LABELS for frame in samples)
    return few and not (_is_gray(samples) and max(float(frame.max()) for frame in samples) > 0.5)


def _is_mask(samples: list[np.ndarray]) -> bool:
    at_the_ends = [np.mean((frame < ENDS_WITHIN) | (frame > 1 - ENDS_WITHIN)) for frame in samples]
    return _is_gray(samples) and float(np.mean(at_the_ends)) >= MASK_SHARE


def _mask_facts(samples: list[np.ndarray]) -> dict[str, Any]:
    cover = [float(frame.mean()) for frame in samples]
    return {"covers_percent": round(100 * float(np.mean(cover)), 2), "judged_by_frames": len(samples)}


def _label_facts(samples: list[np.ndarray]) -> dict[str, Any]:
    colors = {
        tuple(round(255 * float(v)) for v in color) for f in samples for color in np.unique(f.reshape(-1, 3), axis=0)
    }
    return {"colors": sorted(map(list, colors)), "judged_by_frames": len(samples)}


Samples = list[np.ndarray]
JUDGEMENTS: dict[Literal["labels", "mask"], tuple[Callable[[Samples], bool], Callable[[Samples], dict[str, Any]]]] = {
    "labels": (_is_labels, _label_facts),
    "mask": (_is_mask, _mask_facts),
}


def _stack_facts(path: Path) -> dict[str, Any]:
    manifest = open_stack(path).manifest
    stamps = [stamp * manifest.time_base for stamp in manifest.pts]
    return {
        "width": manifest.width,
        "height": manifest.height,
        "frames": len(manifest.pts),
        "first_number": manifest.source.first_number,
        "seconds_to_last_frame": round(float(stamps[-1] - stamps[0]), 6),
        "number_type": manifest.dtype,
        "color": asdict(manifest.color),
        "source": manifest.source.path,
        "engine": manifest.engine,
        "figures": dict(manifest.figures),
        "layers": [_layer_facts(layer) for layer in manifest.layers],
        "order": [asdict(run) | {"back_to_front": list(run.back_to_front)} for run in manifest.order],
    }


def _layer_facts(layer: LayerRecord) -> dict[str, Any]:
    parts = {"parts": [part for part in PARTS if part in layer.parts]} if layer.parts else {}
    return {"name": layer.name, **layer.figures, **parts}
