"""What is scored: one clip of a data set with what a method made of it, and the figures that come out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lamina.media.clip_info import ClipInfo

Figures = dict[str, float | None]
"""Figures by the names of `columns.COLUMNS`; None where there was nothing to measure."""


@dataclass(frozen=True)
class Case:
    """One clip, found in a data set."""

    name: str
    """Its path inside the data set, such as movies/chicken."""
    files: Mapping[str, Path]
    """By role: "input", "truth", "result", "scene" and so on, as the protocol's score function wants them."""
    masks: Sequence[Path] = ()
    """One per object."""
    part: str = ""
    """The part of the data set it belongs to, where its path does not say so."""

    @property
    def group(self) -> str:
        """The part of the data set it belongs to, "" where that has no parts."""
        return self.part or self.name.rpartition("/")[0]

    @property
    def title(self) -> str:
        """Its part and its name, for tables."""
        return f"{self.part}/{self.name}" if self.part else self.name


@dataclass(frozen=True)
class Moment:
    """A frame that went wrong."""

    frame: int
    error: float
    """Mean absolute difference of result and truth, levels 0..1."""
    pictures: tuple[np.ndarray, ...] = ()
    """Input, truth, result and difference, made small, `h w 3` uint8; none where they are no longer needed."""


@dataclass(frozen=True)
class Scored:
    """What was measured of one case."""

    clip: ClipInfo
    """The clip that was scored, or its truth."""
    scores: Figures
    worst: Moment
    baseline: Figures = field(default_factory=dict)
    """The same figures for what costs nothing: the input handed in as it is, or an empty alpha."""
    regions: dict[str, float] = field(default_factory=dict)
    """How much of the picture a region covers, in percent of all frames' pixels."""
    per_frame: dict[str, list[float | None]] = field(default_factory=dict)
    """Figures of every frame, where a protocol's means need them."""
    notes: list[str] = field(default_factory=list)
    """What was not measured, and why."""
