"""The first look at a clip: how the camera moves and where the objects are, frame by frame, in one cheap pass."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamina.media.landing import whole_file
from lamina.motion.camera import CameraPath, Frame, camera_step, chain, displacement_px
from lamina.removal.effects import Place, place_of
from lamina.removal.frames import Small
from lamina.removal.turns import in_turn


@dataclass(frozen=True)
class Survey:
    """Camera and objects of a clip at detection size."""

    path: CameraPath
    places: tuple[dict[int, Place], ...]
    """Per object, in the order of the masks: its place in every frame."""


def survey(frames: Iterable[Small], workers: int, report: Callable[[int], None]) -> Survey:
    """Look at all frames once, in order, on so many threads. `report` is told how many are done."""
    steps: list[np.ndarray] = []
    drift: list[float] = []
    places: list[dict[int, Place]] = []
    with ThreadPoolExecutor(workers) as pool:
        for moved, here in in_turn(_moves(frames, pool), 2 * workers):
            step, far = moved.result()
            steps.append(step)
            drift.append(far)
            places = places or [{} for _ in here]
            for one, place in zip(places, here, strict=True):
                one[len(one)] = place
            report(len(steps))
    return Survey(CameraPath(chain(steps[1:]), np.array(drift)), tuple(places))


Moved = tuple[Future[tuple[np.ndarray, float]], list[Place]]


def _moves(frames: Iterable[Small], pool: ThreadPoolExecutor) -> Iterator[Moved]:
    """How the camera moved up to each frame, being found out, and where the objects are in it."""
    first = before = None
    for small in frames:
        here = Frame(small.gray, small.gray_free)
        first, before = first or here, before or here
        yield pool.submit(_move, first, before, here), [place_of(mask) for mask in small.masks]
        before = here


def _move(first: Frame, before: Frame, here: Frame) -> tuple[np.ndarray, float]:
    """The step from the frame before, and how far in pixels the picture lies from the first one's."""
    if here is first:
        return np.eye(3), 0.0
    moved = displacement_px(first, here)
    if moved is None:  # nothing of the first frame is in view any more; a whip pan shows from frame to frame
        moved = displacement_px(before, here)
    return camera_step(before, here), np.nan if moved is None else moved


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
