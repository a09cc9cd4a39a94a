"""The engine `casper-s`: our own small model, in windows over time, anchored on what `propagate` has truly seen.

It works in pixels, so a window is done with when it is sampled. Each is sampled from noise to clean pictures by itself,
cross-faded with the one before and written, so no more is in memory than a few windows, however long the clip. Noise
belongs to frames: where windows overlap they start from the same.

Every window is computed on one thread, several of them side by side: that is faster than several threads for one, and
sums are rounded alike on any number of cores.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Float, Float32
from torch import Tensor

from lamina.backbones.small import Anchor, Small
from lamina.errors import InputError, WeightsError
from lamina.removal.answers import finished, join_answers, write_answer
from lamina.removal.casper_frames import Row, as_picture, read_rows, shown_rows
from lamina.removal.casper_job import CasperJob
from lamina.removal.starting_noise import frame_noise
from lamina.removal.truth import Truth
from lamina.removal.turns import in_turn
from lamina.report import Report
from lamina.sampling import sample
from lamina.windows import Window

SIDE_BY_SIDE = 8
"""Removals of windows computed at once, at most: each takes about 0.2 GB at the usual size."""


@dataclass(frozen=True, eq=False)
class Part:
    """A window of a clip, and which of its frames no later window knows better."""

    window: Window
    weights: Float[np.ndarray, " frames"]
    """Of its frames, in cross-fading."""
    own: range
    """Frames of the clip that are finished with it: up to the next window's first."""

    @property
    def frames(self) -> range:
        return range(self.window.start, self.window.stop)


def parts_of(job: CasperJob) -> list[Part]:
    """The windows of a clip in order."""
    plan = job.timing.windows
    starts = [*(window.start for window in plan.windows), job.shot.frames]
    return [
        Part(window, weights, range(*starts[k : k + 2]))
        for k, (window, weights) in enumerate(zip(plan.windows, plan.weights, strict=True))
    ]


def remove_small(job: CasperJob, backbone: Small, truth: Truth | None, report: Report) -> None:
    """Write a movie for each removal, or go on with it: `job.movie`. truth: the background that is known.

    Raises:
        InputError: the clip holds numbers that are none.
        WeightsError: what the network says is no number.
    """
    parts = parts_of(job)
    todo = [part for part in parts if not is_written(job, part)]
    report("remove", todo[0].own.start if todo else job.shot.frames, job.shot.frames)
    if todo:
        begun = [part for part in parts if part.window.stop > todo[0].own.start]
        with _removing(job, backbone, truth, begun) as removed:
            for part, rows, pictures in removed:
                if part.own.start >= todo[0].own.start:
                    write_part(job, part, rows, pictures)
                    report("remove", part.own.stop, job.shot.frames)
    join_answers(job, [part.own.start for part in parts])


def is_written(job: CasperJob, part: Part) -> bool:
    return all(job.segment(removal, part.own.start).exists() for removal in job.removals)


def write_part(
    job: CasperJob, part: Part, rows: Sequence[Row], pictures: Float32[np.ndarray, "n t padded_h padded_w 3"]
) -> None:
    """Write a window's own frames of every removal; where the background is known, that is shown."""
    for number, removal in enumerate(job.removals):
        made = (
            finished(_colored_as(row, job.framing.cut(picture)), row, row.small - row.small.clip(0, 1), number)
            for picture, row in zip(pictures[number], rows, strict=True)
        )
        write_answer(job, removal, part.own.start, part.own, made)


def _colored_as(row: Row, picture: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w 3"]:
    """The picture without colour where the clip's frame has none."""
    red, green, blue = np.moveaxis(row.small, -1, 0)
    gray = np.array_equal(red, green) and np.array_equal(green, blue)
    return np.repeat(picture.mean(-1, keepdims=True), 3, -1) if gray else picture


Removed = tuple[Part, list[Row], Float32[np.ndarray, "n t padded_h padded_w 3"]]
"""A window, and what was read and made of its own frames, of every removal."""


@contextmanager
def _removing(
    job: CasperJob, backbone: Small, truth: Truth | None, parts: Sequence[Part]
) -> Iterator[Iterator[Removed]]:
    """What is made of windows that follow each other, in order."""
    on_cpu = backbone.device.type == "cpu"
    most = max(1, min(job.shot.workers, at_once(job) // len(job.removals))) if on_cpu else 1
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(most, initializer=torch.set_num_threads, initargs=(1 if on_cpu else threads,)) as pool:
        rows = windows_of(read_rows(job, truth, range(parts[0].window.start, job.shot.frames)), parts)
        begun = ((part, held, pool.submit(remove_window, job, backbone, part, held)) for part, held in rows)
        turns = in_turn(begun, most)
        try:
            yield cross_faded((part, held, made.result()) for part, held, made in turns)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            torch.set_num_threads(threads)  # what a thread sets holds for threads to come


def windows_of(rows: Iterator[Row], parts: Sequence[Part]) -> Iterator[tuple[Part, list[Row]]]:
    """Each window with its frames, every frame read once."""
    held: list[Row] = []
    first = parts[0].window.start
    for part in parts:
        held = held[part.window.start - first :]
        held = [*held, *islice(rows, len(part.window) - len(held))]
        first = part.window.start
        yield part, held


def at_once(job: CasperJob) -> int:
    """How many removals of windows are computed at once, at most: fewer where pictures are larger than usual."""
    (height, width), usual = job.framing.size, job.spec.size[0] * job.spec.size[1]
    return max(1, min(SIDE_BY_SIDE, SIDE_BY_SIDE * usual // (height * width)))


def remove_window(
    job: CasperJob, backbone: Small, part: Part, rows: Sequence[Row]
) -> Float32[np.ndarray, "n t padded_h padded_w 3"]:
    """What the network makes of one window, of every removal, from noise to clean."""
    given = shown_rows(job, rows)
    _check_given(given.frames, part)
    anchor = Anchor(given.known if job.options.is_anchored else None, given.sure)
    condition = backbone.told(given.frames, given.trimasks, anchor)
    noise = frame_noise(job.options.seed, part.frames, (3, *job.framing.size))
    made = []
    for masks in condition.mask.split(at_once(job)):
        latents = repeat(noise, "c t h w -> n c t h w", n=len(masks)).to(backbone.device)
        denoise = backbone.denoiser(replace(condition, mask=masks))
        for step in sample(denoise, latents, backbone.schedule.moves(job.steps)):
            latents = step.latents
        _check_made(latents, part)
        made += [[as_picture(frame) for frame in backbone.decode(one)] for one in latents]
    return np.stack(made)


def cross_faded(windows: Iterable[Removed]) -> Iterator[Removed]:
    """From all frames of windows that follow each other to their own frames, cross-faded with the windows before."""
    tail = None
    for part, rows, pictures in windows:
        total = pictures * part.weights.astype(np.float32)[:, None, None, None]
        if tail is not None:
            total[:, : tail.shape[1]] += tail
        own = len(part.own)
        yield part, rows[:own], total[:, :own]
        tail = total[:, own:]


def _check_given(frames: Float[Tensor, "t 3 h w"], part: Part) -> None:
    if not torch.isfinite(frames).all():
        raise InputError(
            f"the clip, frames {part.frames.start} to {part.frames.stop - 1}",
            got="pixels with NaN or infinity",
            wanted="finite numbers",
            do="Repair the pictures first.",
        )


def _check_made(latents: Float[Tensor, "n 3 t h w"], part: Part) -> None:
    broken = ~torch.isfinite(rearrange(latents, "n c t h w -> t (n c h w)")).all(1)
    if broken.any():
        first = part.frames.start + int(broken.nonzero()[0])
        raise WeightsError(
            f"what casper-s made of frame {first}",
            got="pixels with NaN or infinity",
            wanted="finite numbers",
            do="Leave --weights and --storage out: what comes with Lamina, in fp32, does not do this.",
        )
