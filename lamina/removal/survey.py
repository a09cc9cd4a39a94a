"""The first look at a clip: how the camera moves and where the objects are, frame by frame, in one cheap pass."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamina.media.landing import whole_file
from lamina.motion.camera import CameraPath, Frame, camera_step, chain, displacement_px
from lamina.removal.effects import Place, place_of
from lamina.removal.frames import Small


@dataclass(frozen=True)
class Survey:
    """Camera and objects of a clip at detection size."""

    path: CameraPath
    places: tuple[dict[int, Place], ...]
    """Per object, in the order of the masks: its place in every frame."""


def survey(frames: Iterable[Small], report: Callable[[int], None]) -> Survey:
    """Look at all frames once, in order. `report` is told how many are done."""
    steps: list[np.ndarray] = []
    drift: list[float] = []
    places: list[dict[int, Place]] = []
    first = before = None
    for small in frames:
        here = Frame(small.gray, small.gray_free)
        if first is None or before is None:
            first, places = here, [{} for _ in small.masks]
            drift.append(0.0)
        else:
            steps.append(camera_step(before, here))
            moved = displacement_px(first, here)
            if moved is None:  # nothing of the first frame is in view any more; a whip pan shows from frame to frame
                moved = displacement_px(before, here)
            drift.append(np.nan if moved is None else moved)
        for k, mask in enumerate(small.masks):
            places[k][small.index] = place_of(mask)
        before = here
        report(small.index + 1)
    return Survey(CameraPath(chain(steps), np.array(drift)), tuple(places))


def save_survey(file: Path, found: Survey) -> None:
    """Keep a survey for a resumed run."""
    places = np.array([[[p.x, p.y, p.area_px, p.cut] for p in one.values()] for one in found.places], np.float64)
    with whole_file(file) as part, part.open("wb") as stream:
        np.savez(stream, from_first=found.path.from_first, drift_px=found.path.drift_px, places=places)


def load_survey(file: Path) -> Survey:
    """Read back what `save_survey` kept."""
    with np.load(file) as kept:
        path = CameraPath(kept["from_first"], kept["drift_px"])
        places = tuple(
            {t: Place(float(x), float(y), float(area), bool(cut)) for t, (x, y, area, cut) in enumerate(one)}
            for one in kept["places"]
        )
    return Survey(path, places)
