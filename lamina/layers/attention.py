"""The task: what a model links with an object, as movies to look at and figures per block."""

import json
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lamina.backbones.attention import network_of, patch_of
from lamina.backbones.interface import Backbone
from lamina.backbones.small import SMALL_SPEC, open_small
from lamina.backbones.small_files import find_small
from lamina.backbones.specs import BACKBONES, ModelSpec
from lamina.backbones.weights import find_weights
from lamina.errors import InputError
from lamina.layers.inputs import Opened, name_and_path, open_clip, open_masks
from lamina.layers.job import workers
from lamina.levels import from_levels
from lamina.media.landing import refuse_existing, whole_folder
from lamina.media.mask_source import MaskSource, open_mask
from lamina.media.movie import write_movie
from lamina.motion.coordinates import resize_area
from lamina.removal.association import Association, Regions, associate, level_near, tokens_of
from lamina.removal.casper import choose_for, encode, open_for, speak
from lamina.removal.casper_frames import object_mask
from lamina.removal.casper_job import CasperJob, casper_job
from lamina.removal.casper_options import PROMPT, CasperOptions, check_asked, check_small, device_of
from lamina.report import Report, no_report
from lamina.sampling import seeded

CELL_PX = 240
"""Width of a block's picture in the movie of all blocks."""
BRIGHT = 0.995
"""Quantile of a block's map that is shown brightest."""
EFFECT_LEAST = 26
"""A mask's value, 0..255, from which on a pixel counts as effect: a tenth, for shadows are faint."""
DIM = 0.45
"""How much of the clip's own light is left under a map."""


@dataclass(frozen=True)
class AttentionConfig:
    """Which clip, objects and model to look at, and where to put what is seen."""

    input: Path
    """The clip: a movie, a folder of images, or a pattern such as shot.####.exr."""
    out: Path
    """Folder to make: NAME.mp4 shows the mean of all blocks over the clip, NAME_blocks.mp4 each of them, attention.json
    holds the figures."""
    engine: Literal["casper-s", "casper-cog-5b", "casper-wan-1.3b", "casper-wan-14b"]
    """Whose model to look into."""
    mask: tuple[str, ...] = ()
    """NAME=PATH: an object's name and its mask. Once per object."""
    effect: tuple[str, ...] = ()
    """NAME=PATH: where this object's shadow, reflection and the like are, with or without the object: its layer's alpha
    will do. With it, blocks get a score of how well they sense effects. Once per object."""
    labels: Path | None = None
    """Folder of label images instead of masks: one value or palette colour per object."""
    frames: str | None = None
    """Only these frames, both included, in the clip's own numbering."""
    noise: float = 0.5
    """How noisy the clip is made before the model looks at it, 0..1."""
    weights: Path | None = None
    """Folder with the model's files, as docs/weights.md says; casper-s comes with Lamina."""
    prompt: str = PROMPT
    """What is to be seen once the objects are gone."""
    seed: int = 43
    """Of the noise."""
    size: str | None = None
    """HxW, multiples of 16: the picture is made to fit into this. Left out, the model's own size."""
    storage: Literal["bf16", "fp8", "fp32"] | None = None
    """How the transformer's weights are held. Left out, bf16, casper-s fp32."""
    device: str | None = None
    """Where it is computed, in torch's words. Left out, on the accelerator where there is one."""
    yes: bool = False
    """Go on where a run on the CPU will take long."""


def attention(config: AttentionConfig, report: Report = no_report) -> Path:
    """Look into a model while it is told to remove all objects; returns the folder that was made.

    Raises:
        InputError: clip, masks and flags do not fit each other, or the machine is too small.
        MediaError: a file cannot be read.
        WeightsError, MissingExtra: the model cannot be loaded.
        OutputError: the folder holds files, or cannot be written.
    """
    clip = open_clip(config)
    masks = open_masks(config, clip)
    effects = _open_effects(config.effect, masks)
    if not 0 < config.noise <= 1:
        raise InputError("--noise", got=f"{config.noise}", wanted="more than 0, up to 1", do="0.5 is a good start.")
    refuse_existing(config.out)
    spec, open_model = _find_model(config)
    job = casper_job(Opened(clip, masks, None, None).shot(config.out, workers()), spec, _options(config))
    plate = job.removals[:1]
    job = replace(job, removals=plate)
    backbone = open_model(job)
    told = encode(job, backbone, speak(job, backbone), plate, None, report)
    patch = patch_of(network_of(backbone))
    regions = _regions(job, masks, effects, patch)
    pairs = list(zip(job.timing.windows.windows, job.timing.windows.weights, strict=True))
    gauss, level = seeded(config.seed)(job.latent_shape), level_near(backbone.schedule, config.noise)
    found = associate(backbone, told.condition, pairs, regions, level, gauss)
    with whole_folder(config.out) as part:
        _write_movies(job, found, [mask.name for mask in masks], part, report)
        facts = {"engine": config.engine, "noise": level.noise, "model": dict(backbone.record)}
        (part / "attention.json").write_text(json.dumps(facts | figures(found, masks), indent=1))
    return config.out


def _find_model(config: AttentionConfig) -> tuple[ModelSpec, Callable[[CasperJob], Backbone]]:
    """The model that was asked for, once what is asked of it is checked and its files are found: a way to open it."""
    options = _options(config)
    if config.engine == SMALL_SPEC.name:
        check_small(options, config.engine, SMALL_SPEC)
        find_small(config.weights)
        return SMALL_SPEC, lambda job: open_small(config.weights, device_of(options), job.storage)
    spec = BACKBONES[config.engine]
    check_asked(options, spec)
    weights = find_weights(spec, config.weights)
    return spec, lambda job: open_for(job, weights, choose_for(job, weights))


def figures(found: Association, masks: list[MaskSource]) -> dict[str, Any]:
    """Per object and block, in JSON values; null where nothing is known."""

    def listed(values: np.ndarray) -> list[float | None]:
        return [None if math.isnan(value) else round(float(value), 6) for value in values]

    names = ("inside", "on_effect", "elsewhere", "to_effect", "sensitivity")
    return {
        "objects": {
            mask.name: {name: listed(getattr(found, name)[:, k]) for name in names} for k, mask in enumerate(masks)
        }
    }


def _options(config: AttentionConfig) -> CasperOptions:
    names = ("prompt", "seed", "size", "storage", "device", "yes")
    options = CasperOptions(**{name: getattr(config, name) for name in names})
    if config.engine == SMALL_SPEC.name:
        return options
    return replace(options, steps=1, tuning="plain")  # compiled blocks cannot be listened to


def _open_effects(entries: tuple[str, ...], masks: list[MaskSource]) -> dict[str, MaskSource]:
    names = {mask.name for mask in masks}
    pairs = [name_and_path("--effect", entry) for entry in entries]
    for name, path in pairs:
        if name not in names:
            wanted = f"one of {', '.join(sorted(names))}" if names else "one for each object"
            raise InputError(f"--effect {name}={path}", got=repr(name), wanted=wanted, do="Name an object with a mask.")
        names.remove(name)  # once only
    like = masks[0].like
    return {name: open_mask(f"effect of {name}", Path(path), like) for name, path in pairs}


def _regions(
    job: CasperJob, masks: list[MaskSource], effects: dict[str, MaskSource], patch: tuple[int, int, int]
) -> Regions:
    """Tokens of objects and of their effects, which are what lies outside the grown mask."""
    objects, around = [], []
    for mask in masks:
        solid, beside = _read_object(job, mask, effects.get(mask.name))
        if mask.name in effects and not beside.any():
            said = f"The effect of {mask.name} lies within its grown mask alone: blocks get no score for it."
            warnings.warn(said, stacklevel=3)
        objects.append(solid)
        around.append(beside)
    shown = list(job.timing.shown)
    found = (tokens_of(np.stack(parts)[:, shown], job.geometry, patch) for parts in (objects, around))
    return Regions(*found)


def _read_object(
    job: CasperJob, mask: MaskSource, effect: MaskSource | None
) -> tuple[Bool[np.ndarray, "t h w"], Bool[np.ndarray, "t h w"]]:
    (height, width), padded = job.framing.picture, job.framing.padded
    solid, beside = [], []
    shades = effect.read() if effect else repeat(None)
    for frame, shade in zip(mask.read(), shades, strict=False):
        solid.append(padded(object_mask(job, frame, 0)))
        seen = np.zeros((height, width), bool) if shade is None else resize_area(shade, (width, height)) >= EFFECT_LEAST
        beside.append(padded(seen & ~object_mask(job, frame, job.grow)))
    return np.stack(solid), np.stack(beside)


def _write_movies(job: CasperJob, found: Association, names: list[str], folder: Path, report: Report) -> None:
    info = job.shot.clip.info
    for k, name in enumerate(names):
        maps = scaled(found.maps[:, k])
        for suffix, paint in (("", _mean_picture), ("_blocks", _block_pictures)):
            pictures = _painted(job, maps, paint, f"{name}{suffix}", report)
            write_movie(folder / f"{name}{suffix}.mp4", pictures, info.pts, info.time_base)


def scaled(maps: Float32[np.ndarray, "b t h w"]) -> Float32[np.ndarray, "b t h w"]:
    """Every block's maps as 0..1, so that faint ones can be seen beside strong ones."""
    bright = np.quantile(maps, BRIGHT, axis=(1, 2, 3), keepdims=True)
    return (maps / np.maximum(bright, 1e-12)).clip(0, 1).astype(np.float32)


def _painted(job: CasperJob, maps: np.ndarray, paint: Any, stage: str, report: Report) -> Iterator[np.ndarray]:
    for t, frame in enumerate(job.shot.clip.read()):
        latent = -(-t // job.geometry.temporal)
        yield paint(job, job.framing.small(frame).clip(0, 1), maps[:, latent])
        report(stage, t + 1, job.shot.frames)


def _mean_picture(job: CasperJob, small: np.ndarray, maps: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    return _laid_over(job, small, maps.mean(0))


def _block_pictures(job: CasperJob, small: np.ndarray, maps: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    """All blocks, the first at the top left, numbered from 0."""
    width = min(CELL_PX, small.shape[1])
    size = width, max(1, round(small.shape[0] * width / small.shape[1]))
    cells = []
    for number, one in enumerate(maps):
        cell = cv2.resize(_laid_over(job, small, one), size, interpolation=cv2.INTER_AREA)
        cells.append(cv2.putText(cell, str(number), (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (225, 225, 225), 1))
    columns = math.ceil(math.sqrt(len(cells)))
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    return np.vstack([np.hstack(cells[k : k + columns]) for k in range(0, len(cells), columns)])


def _laid_over(job: CasperJob, small: np.ndarray, tokens: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    """A map of tokens as colours over a dim gray picture."""
    height, width = job.framing.size
    wide = job.framing.cut(cv2.resize(tokens, (width, height), interpolation=cv2.INTER_LINEAR))
    levels = from_levels(wide, np.dtype(np.uint8))
    heat = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    gray = from_levels(small.mean(-1, keepdims=True) * DIM, np.dtype(np.uint8))
    return cv2.add(heat, np.repeat(gray, 3, axis=2))
