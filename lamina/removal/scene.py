"""A surveyed shot: which frames look at which, and the records that the passes hand to each other."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lamina.removal.effects import Place, clear_places, mark_suspects, persistence
from lamina.removal.evidence import UNKNOWN
from lamina.removal.frames import REACH_FRAMES, Nearby, Small, neighbours
from lamina.removal.records import Alignments, FrameArrays
from lamina.removal.shot import Shot
from lamina.removal.survey import Survey, load_survey, save_survey, survey
from lamina.report import Report

WINDOW_FRAMES = 16
"""Frames worked on together; also the grain at which a stopped run goes on."""
VIEWS = 16
"""Other frames laid over one frame of a moving camera."""
TRIPOD_VIEWS = 40
"""Frames near in time that a tripod look is made of; a long clip adds a quarter as many from all over it."""


@dataclass(frozen=True)
class Scene:
    """A shot with what its survey found, and the records of the passes."""

    shot: Shot
    found: Survey
    first: FrameArrays
    """Evidence of the first look, uint8 at detection size."""
    second: FrameArrays
    first_alignments: Alignments
    alignments: Alignments
    """Those of the second look, whose depth knows what may be an effect."""

    @property
    def is_tripod(self) -> bool:
        return self.found.path.is_tripod

    @property
    def is_still(self) -> bool:
        """Whether the picture does not move at all, or the user's own plate spares us all alignment."""
        return self.shot.plate is not None or (self.is_tripod and self.found.path.is_rock_steady)

    @property
    def stride(self) -> int:
        """Only multiples of this are looked at by others: full-size frames are held for them."""
        if not self.is_tripod:
            return 2 if self.shot.frames > 2 else 1
        return max(1, min(4, self.shot.frames // TRIPOD_VIEWS))

    def others(self, target: int) -> list[int]:
        """The frames to look at from one frame, in order: those near it, and the distant ones."""
        most = TRIPOD_VIEWS if self.is_tripod else VIEWS
        near = neighbours(target, self.shot.frames, self.stride, most) or [target]
        return sorted({*near, *self.distant})

    @cached_property
    def distant(self) -> tuple[int, ...]:
        """Frames from all over a long tripod clip, for what an object hides longer than the window reaches."""
        count = TRIPOD_VIEWS // 4
        if not self.is_tripod or self.shot.frames <= 2 * REACH_FRAMES:
            return ()
        return tuple(int((i + 0.5) * self.shot.frames / count) for i in range(count))

    def places(self, frame: int) -> list[Place]:
        return [one[frame] for one in self.found.places]

    def persistences(self, evidence: FrameArrays, frame: int) -> list[np.ndarray]:
        # A moving camera's misalignment comes and goes at the picture's border, where only the last few frames see it.
        outside = UNKNOWN if self.is_tripod else 0
        return [persistence(evidence, one, frame, outside) for one in self.found.places]

    def without_suspects(self, small: Small) -> Small:
        """A frame with all marked that may be an effect by the first look, for the second one.

        A tripod's first look is a median over so many frames that it can clear places. A moving camera's is not: where
        a shadow lingers in all views, nothing seems to be there.
        """
        cleared = clear_places(self.first[small.index]) if self.is_tripod else None
        return mark_suspects(small, self.persistences(self.first, small.index), self.places(small.index), cleared)

    def without_effects(self, small: Small) -> Small:
        """A frame with all marked that is likely an effect by the second look, for the plate."""
        maps = self.persistences(self.second, small.index)
        return mark_suspects(small, maps, self.places(small.index), clear_places(self.second[small.index]))

    def nearby(self, start: int, prepare: Callable[[Small], Small]) -> Nearby[Small]:
        """Small copies around a moving window that begins at frame `start`."""
        first = max(0, start - REACH_FRAMES)
        items = (prepare(small) for small in self.shot.small(first, self.shot.frames))
        return Nearby(items, self.shot.frames, REACH_FRAMES, first)

    def far_away(self, prepare: Callable[[Small], Small]) -> dict[int, Small]:
        """Small copies of the distant frames."""
        return {i: prepare(next(self.shot.small(i, i + 1))) for i in self.distant}


def survey_shot(shot: Shot, report: Report) -> Scene:
    """Look through the whole clip once, or take what an earlier run kept of that."""
    file = shot.work / "survey.npz"
    if not file.exists():
        frames = shot.small(0, shot.frames)
        save_survey(file, survey(frames, shot.workers, lambda done: report("survey", done, shot.frames)))
    first, second = (FrameArrays(shot.work, name, WINDOW_FRAMES) for name in ("first", "second"))
    aligned = [Alignments(shot.work, name, WINDOW_FRAMES) for name in ("first_align", "align")]
    return Scene(shot, load_survey(file), first, second, *aligned)


def windows(frames: int, size: int = WINDOW_FRAMES) -> list[range]:
    """The clip cut into windows."""
    return [range(s, min(s + size, frames)) for s in range(0, frames, size)]
