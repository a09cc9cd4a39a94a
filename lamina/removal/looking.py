"""The two looks: evidence for every frame of what the background does not explain."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
from jaxtyping import Float32

from lamina.levels import to_levels
from lamina.motion.anchor import Look
from lamina.motion.coordinates import resize_area
from lamina.removal.evidence import evidence
from lamina.removal.frames import Small
from lamina.removal.look import Alignment, align, find_depth, look_moving, look_through_time, settle, tripod_views
from lamina.removal.records import Alignments, FrameArrays
from lamina.removal.scene import Scene, windows
from lamina.report import Report

FIRST_VOTES, SECOND_VOTES = 99, 5
"""Views that vote on a pixel: all of them while effects are unknown, the nearest few once they are left out."""
TRIPOD_VOTES = 15

Looker = Callable[[Mapping[int, Small], Sequence[Small], ThreadPoolExecutor], list[Look]]


def look_twice(scene: Scene, report: Report) -> None:
    """Keep evidence for all frames, first with every view, then without the effects that the first one suspects."""
    if scene.shot.plate is not None:
        _look(scene, "look", scene.second, lambda small: small, lambda *given: _given_looks(scene, *given), report)
        return
    first, second = (_tripod, _tripod_again) if scene.is_tripod else (_moving, _moving_again)
    _look(scene, "first look", scene.first, lambda small: small, lambda *given: first(scene, *given), report)
    _look(
        scene,
        "second look",
        scene.second,
        scene.without_suspects,
        lambda *given: second(scene, *given),
        report,
    )


def _look(
    scene: Scene, stage: str, kept: FrameArrays, prepare: Callable[[Small], Small], looker: Looker, report: Report
) -> None:
    todo = [w for w in windows(scene.shot.frames) if not kept.has(w.start)]
    if not todo:
        return
    far = scene.far_away(prepare)
    nearby = scene.nearby(todo[0].start, prepare)
    with ThreadPoolExecutor(scene.shot.workers) as pool:
        for window, near in zip(todo, nearby.around(todo), strict=True):
            held = far | near
            targets = [held[t] for t in window]
            looks = looker(held, targets, pool)
            kept.write(window.start, list(pool.map(evidence, targets, looks, repeat(scene.is_still))))
            report(stage, window.stop, scene.shot.frames)


def _moving(scene: Scene, held: Mapping[int, Small], targets: Sequence[Small], pool: ThreadPoolExecutor) -> list[Look]:
    def one(target: Small) -> tuple[Alignment, Look]:
        others = {i: held[i] for i in scene.others(target.index)}
        alignment = align(target, others, scene.found.path)
        return alignment, look_moving(target, others, alignment, FIRST_VOTES)

    return _keep(scene.first_alignments, targets[0].index, list(pool.map(one, targets)))


def _moving_again(
    scene: Scene, held: Mapping[int, Small], targets: Sequence[Small], pool: ThreadPoolExecutor
) -> list[Look]:
    def one(target: Small) -> tuple[Alignment, Look]:
        relief = scene.first_alignments[target.index].relief
        others = {i: held[i] for i in relief.frames}
        alignment = Alignment(relief, find_depth(relief, target, others))
        return alignment, look_moving(target, others, alignment, SECOND_VOTES)

    return _keep(scene.alignments, targets[0].index, list(pool.map(one, targets)))


def _keep(alignments: Alignments, start: int, done: list[tuple[Alignment, Look]]) -> list[Look]:
    alignments.write(start, [alignment for alignment, _ in done])
    return [look for _, look in done]


def _tripod(
    scene: Scene,
    held: Mapping[int, Small],
    targets: Sequence[Small],
    pool: ThreadPoolExecutor,
    votes: int = FIRST_VOTES,
) -> list[Look]:
    key = targets[len(targets) // 2]
    others = [held[i] for i in scene.others(key.index)]
    look = settle(tripod_views(key, others), votes)
    return list(pool.map(lambda target: look_through_time(target, look), targets))


def _tripod_again(
    scene: Scene, held: Mapping[int, Small], targets: Sequence[Small], pool: ThreadPoolExecutor
) -> list[Look]:
    return _tripod(scene, held, targets, pool, TRIPOD_VOTES)


def _given_looks(
    scene: Scene, held: Mapping[int, Small], targets: Sequence[Small], pool: ThreadPoolExecutor
) -> list[Look]:
    """The user's clean plate is all there is to see."""
    start = targets[0].index
    plates = scene.shot.clean(start, start + len(targets))
    return [_given_look(small_plate(plate, scene), target) for plate, target in zip(plates, targets, strict=True)]


def small_plate(plate: np.ndarray, scene: Scene) -> Float32[np.ndarray, "d w 3"]:
    """The user's clean plate at detection size."""
    return to_levels(resize_area(plate, scene.shot.sizes.detect)).clip(0, 1)


def _given_look(plate: Float32[np.ndarray, "d w 3"], target: Small) -> Look:
    """The user's clean plate in the frame's exposure."""
    everywhere = np.ones(target.free.shape, bool)
    noise = np.full(target.free.shape, 1 / 255, np.float32)
    return look_through_time(target, Look(plate, noise, noise, everywhere, everywhere))
