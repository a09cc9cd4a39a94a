"""Rendered scenes as training pairs: the plate is the answer, or a solo where one object stays.

Generative Omnimatte (Lee et al., CVPR 2025), section "Training data", category Kubric. Scenes come from
`lamina.synth.blender`, or from any renderer that writes the same files.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamina.errors import InputError
from lamina.masks.trimask import make_trimask
from lamina.media.clip_info import FrameSource
from lamina.media.source import open_source
from lamina.synth.masked_clip import MaskedClip, check_any, find_clips, read_small, size_within
from lamina.synth.pair import DRAWS, Pair, chance


@dataclass(frozen=True)
class RenderedScene:
    """A scene and its truth. Made by `find_scenes`."""

    clip: MaskedClip
    plate: FrameSource
    solos: tuple[FrameSource, ...]
    """One per object; none where there is one object."""


@dataclass(frozen=True)
class RenderedConfig:
    """Which part of a scene makes a pair."""

    frames: int = 80
    """At most so many; a shorter scene is used as it is."""
    short_px: int = 288
    """Scenes are shrunk to this shorter side, never enlarged."""
    solo: float = 0.5
    """Where there are several objects: how often one of them stays, marked KEEP."""

    def __post_init__(self):
        if not (self.frames >= 1 and self.short_px >= 16 and 0 <= self.solo <= 1):
            raise ValueError(f"Expected frames >= 1, short_px >= 16 and solo within 0..1: {self}.")


@dataclass(frozen=True)
class RenderedSource:
    """Pairs from rendered scenes. Raises InputError without any; on making a pair, what reading the files raises."""

    scenes: tuple[RenderedScene, ...]
    config: RenderedConfig = RenderedConfig()
    name: str = "rendered"

    def __post_init__(self):
        check_any([scene.clip for scene in self.scenes], "rendered scenes with masks of all their objects")

    def pair(self, seed: int) -> Pair:
        rng = chance(self.name, seed)
        scene = self.scenes[rng.integers(len(self.scenes))]
        frames = scene.clip.info.frames
        start = int(rng.integers(frames - min(self.config.frames, frames) + 1))
        kept = int(rng.integers(len(scene.solos))) if len(scene.solos) > 1 and rng.random() < self.config.solo else None
        return _pair(scene, kept, start, self.config, self.name, seed)


@dataclass(frozen=True)
class EachAnswer:
    """The same pairs, each once: of every scene its plate and, of several objects, each one's solo, from frame 0 on."""

    scenes: tuple[RenderedScene, ...]
    config: RenderedConfig = RenderedConfig()
    name: str = "rendered"

    def __len__(self) -> int:
        return len(self._answers)

    def pair(self, seed: int) -> Pair:
        scene, kept = self._answers[seed % DRAWS % len(self)]
        return _pair(scene, kept, 0, self.config, self.name, seed)

    @property
    def _answers(self) -> list[tuple[RenderedScene, int | None]]:
        solos = [range(len(scene.solos)) if len(scene.solos) > 1 else () for scene in self.scenes]
        return [(scene, kept) for scene, some in zip(self.scenes, solos, strict=True) for kept in (None, *some)]


def _pair(
    scene: RenderedScene, kept: int | None, start: int, config: RenderedConfig, name: str, seed: int
) -> Pair:
    """A scene from frame `start` on, with all its objects to be removed, or all but one."""
    clip, info = scene.clip, scene.clip.info
    count = min(config.frames, info.frames)
    size, stop = size_within(info, config.short_px), start + count
    answer = scene.plate if kept is None else scene.solos[kept]
    masks = np.array(list(clip.read_masks(start, stop, size)))
    keep = np.zeros(len(clip.masks), bool)
    if kept is not None:
        keep[kept] = True
    return Pair(
        read_small(clip.source.read(start, stop), count, size),
        read_small(answer.read(start, stop), count, size),
        make_trimask(np.any(masks[:, ~keep], axis=1), np.any(masks[:, keep], axis=1)),
        name,
        seed,
        clip.caption if kept is None else "",
    )


def find_scenes(folder: str | Path) -> tuple[RenderedScene, ...]:
    """Scenes below `folder`, by name: clips as `find_clips` finds them, with `background` beside them.

    Raises:
        InputError: there is no scene; a background is missing; the number of solos, or a size, does not fit.
        MediaError: a file cannot be read.
    """
    return tuple(_scene(clip) for clip in find_clips(folder))


def _scene(clip: MaskedClip) -> RenderedScene:
    folder = clip.video.parent
    plates = [path for path in sorted(folder.iterdir()) if path.stem == "background"]
    solos = [path for path in sorted(folder.iterdir()) if path.stem.startswith("solo_")]
    if len(plates) != 1 or len(solos) not in (0 if len(clip.masks) == 1 else len(clip.masks), len(clip.masks)):
        raise InputError(
            f"scene {folder}",
            got=f"{len(plates)} backgrounds and {len(solos)} solos for {len(clip.masks)} masks",
            wanted="one background, and a solo for each mask where there are several",
            do="Render the scene again, or remove its folder.",
        )
    plate, *rest = [_fitting(open_source(path), clip) for path in (*plates, *solos)]
    return RenderedScene(clip, plate, tuple(rest))


def _fitting(source: FrameSource, clip: MaskedClip) -> FrameSource:
    got = source.info.frames, source.info.width, source.info.height
    wanted = clip.info.frames, clip.info.width, clip.info.height
    if got != wanted:
        raise InputError(
            f"scene {source.info.path}",
            got="{} frames of {}x{}".format(*got),
            wanted="{} of {}x{} as in its input".format(*wanted),
            do="Render the scene again, or remove its folder.",
        )
    return source
