"""Pseudo pairs from tripod clips: frames with the object out of view tell what is behind it in the others.

Generative Omnimatte (Lee et al., CVPR 2025), section "Training data", category Tripod. Input and answer are real
pictures with real shadows and reflections; a camera move over both (Ken Burns) keeps a remover from relying on a still
camera. What moves in the background, such as leaves, is frozen in the answer: such clips are refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lamina.errors import InputError
from lamina.masks.binary import grow
from lamina.masks.trimask import make_trimask
from lamina.synth.ken_burns import draw_move, film, film_trimask
from lamina.synth.masked_clip import MaskedClip, check_any, read_small, size_within
from lamina.synth.pair import Pair, chance
from lamina.synth.tone import apply_curve, tone_curve

SURVEY_PX = 144
"""Shorter side at which masks are looked through."""
SPECK = 2e-4
"""An object of a smaller share of the picture is dirt in the mask."""
ROOM = 1.25
"""Clips are read so much larger than the pairs made of them: a camera that zooms in by this much stays sharp."""
STILL_PX = 36
"""Shorter side at which is judged whether the background stands still: small enough to be free of noise."""


@dataclass(frozen=True)
class TripodConfig:
    """Which frames are used, and how the camera moves over them."""

    frames: int = 80
    """At most so many; a shorter clip is used as it is."""
    short_px: int = 288
    """Shorter side of the pairs; clips are shrunk to a quarter more as they are read, never enlarged."""
    smallest_view: float = 0.6
    """The camera sees between so much and all of the picture's width and height. 1 is a camera that stands still."""
    margin_frames: int = 5
    """So near to an object in time a frame does not count as clear: shadows come before and go after."""
    least_clear: int = 5
    """A plate needs so many clear frames."""
    most_clear: int = 24
    """And no more than so many are read, spread over the clip."""
    unrest: float = 4.0
    """How far clear frames may differ from their median after exposure is matched, in levels of 255, at a size without
    noise: the 75th percentile over frames, of that the 90th over the picture. Real tripod clips have 1 to 3, water and
    a moving camera 20 and more."""

    def __post_init__(self):
        if not (self.frames >= 1 and self.short_px >= 16 and 0 < self.smallest_view <= 1):
            raise ValueError(f"Expected frames >= 1, short_px >= 16 and smallest_view within 0..1: {self}.")
        if not (self.margin_frames >= 0 and 1 <= self.least_clear <= self.most_clear and self.unrest >= 0):
            raise ValueError(f"Expected margin_frames and unrest >= 0 and 1 <= least_clear <= most_clear: {self}.")


@dataclass(frozen=True)
class TripodSource:
    """Pairs from clips whose camera stands still and whose objects are all out of view for a while.

    Raises InputError when a clip has no masks; on making a pair (or in `check`) also when a clip is never clear, never
    shows an object or does not stand still, and what reading it raises.
    """

    clips: tuple[MaskedClip, ...]
    config: TripodConfig = TripodConfig()
    name: str = "tripod"

    def __post_init__(self):
        check_any(self.clips, "tripod clips with masks of all their objects")

    def check(self) -> None:
        """Look through all clips now rather than in the middle of a training run."""
        for clip in self.clips:
            clean_plate(clip, self.config)

    def pair(self, seed: int) -> Pair:
        rng = chance(self.name, seed)
        clip = self.clips[rng.integers(len(self.clips))]
        plate, size = clean_plate(clip, self.config), read_size(clip, self.config)
        start, stop = self._window(clip, rng)
        frames = read_small(clip.source.read(start, stop), stop - start, size)
        objects = clip.objects(start, stop, size)
        target = exposed_like(plate, frames, objects)
        trimask = make_trimask(objects, np.zeros_like(objects))
        move, small = draw_move(rng, self.config.smallest_view), size_within(clip.info, self.config.short_px)
        filmed = (film(frames, move, small), film(target, move, small), film_trimask(trimask, move, small))
        return Pair(*filmed, self.name, seed, clip.caption)

    def _window(self, clip: MaskedClip, rng: np.random.Generator) -> tuple[int, int]:
        """Frames start..stop-1 with an object in one of them at least."""
        count = min(self.config.frames, clip.info.frames)
        shown = int(rng.choice(np.flatnonzero(object_shown(clip))))
        first, last = max(0, shown - count + 1), min(shown, clip.info.frames - count)
        start = int(rng.integers(first, last + 1))
        return start, start + count


def read_size(clip: MaskedClip, config: TripodConfig) -> tuple[int, int]:
    """(width, height) at which a clip is read."""
    return size_within(clip.info, round(config.short_px * ROOM))


@lru_cache(maxsize=1024)
def object_shown(clip: MaskedClip) -> Bool[np.ndarray, " t"]:
    """Whether any object is in view, frame by frame; every mask is read once, one frame at a time."""
    size = size_within(clip.info, SURVEY_PX)
    united = (np.logical_or.reduce(masks) for masks in clip.read_masks(0, clip.info.frames, size))
    shown = np.array([float(mask.mean()) > SPECK for mask in united])
    if not shown.any():
        raise InputError(
            f"tripod clip {clip.name!r}", got="masks that are empty in all frames", wanted="an object", do="Check them."
        )
    return shown


def clear_frames(shown: Bool[np.ndarray, " t"], margin_frames: int) -> list[int]:
    """Frames that are further than `margin_frames` from every frame that shows an object."""
    return np.flatnonzero(~grow(shown[None], margin_frames)[0]).tolist()


@lru_cache(maxsize=32)
def clean_plate(clip: MaskedClip, config: TripodConfig) -> Float32[np.ndarray, "h w 3"]:
    """What is seen when no object is, in levels 0..255: the robust mean of clear frames in matching exposure.

    Raises InputError when there are too few clear frames or they show different backgrounds.
    """
    clear = clear_frames(object_shown(clip), config.margin_frames)
    if len(clear) < config.least_clear:
        raise InputError(
            f"tripod clip {clip.name!r}",
            got=f"{len(clear)} frames at least {config.margin_frames + 1} frames away from any object",
            wanted=f"{config.least_clear} or more",
            do="Use a clip in which all objects are out of view for a while, or take this one for object paste.",
        )
    spread = np.linspace(0, len(clear) - 1, min(len(clear), config.most_clear)).round().astype(int)
    size = read_size(clip, config)
    frames = np.stack([frame for t in spread for frame in _one(clip, clear[t], size)])
    matched = match_exposure(frames)
    _check_still(clip, matched, config.unrest)
    return robust_mean(matched)


def match_exposure(frames: UInt8[np.ndarray, "k h w 3"]) -> Float32[np.ndarray, "k h w 3"]:
    """The frames in levels 0..255, each led through a tone curve so that they agree with their median."""
    levels = frames.astype(np.float32)
    middle = np.median(levels, axis=0)
    everywhere = np.ones(middle.shape[:2], bool)
    return np.stack([apply_curve(frame, tone_curve(frame, middle, everywhere)) for frame in levels])


def robust_mean(frames: Float32[np.ndarray, "k h w 3"]) -> Float32[np.ndarray, "h w 3"]:
    """Per pixel and channel the mean of values near the median, within 3 deviations (by the median) and a level.

    Steadier than a median where frames agree, and as deaf to the few that do not.
    """
    middle = np.median(frames, axis=0)
    off = np.abs(frames - middle)
    near = off <= 3 * 1.4826 * np.median(off, axis=0) + 1
    return (frames * near).sum(0) / near.sum(0, dtype=np.float32)


def exposed_like(
    plate: Float32[np.ndarray, "h w 3"], frames: UInt8[np.ndarray, "t h w 3"], objects: Bool[np.ndarray, "t h w"]
) -> UInt8[np.ndarray, "t h w 3"]:
    """The plate (levels 0..255) in every frame's exposure, judged away from the objects."""
    exposed = np.empty_like(frames)
    margin = min(frames.shape[1:3]) / 16
    for out, frame, mask in zip(exposed, frames, objects, strict=True):
        curve = tone_curve(plate, frame.astype(np.float32), ~grow(mask, margin))
        out[...] = (apply_curve(plate, curve) + 0.5).clip(0, 255)
    return exposed


def _one(clip: MaskedClip, t: int, size: tuple[int, int]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    yield from read_small(clip.source.read(t, t + 1), 1, size)


def _check_still(clip: MaskedClip, frames: Float32[np.ndarray, "k h w 3"], unrest: float) -> None:
    scale = STILL_PX / min(frames.shape[1:3])
    size = max(1, round(frames.shape[2] * scale)), max(1, round(frames.shape[1] * scale))
    small = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
    off = np.percentile(np.abs(small - np.median(small, axis=0)).max(3), 75, axis=0)
    off = float(np.percentile(off, 90))
    if off > unrest:
        raise InputError(
            f"tripod clip {clip.name!r}",
            got=f"a background that differs by {off:.1f} levels between frames without objects",
            wanted=f"{unrest:g} or less",
            do="Use a clip from a tripod without leaves or water in motion, or take this one for object paste.",
        )
