"""Scoring mattes: a method's alpha against the true one."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from lamina.errors import InputError
from lamina.evaluate.case import Case, Figures, Scored
from lamina.evaluate.matting import connectivity_error, dtssd, gradient_error, mad, mad_t, mse
from lamina.evaluate.reading import check_fits, read_alphas
from lamina.evaluate.tally import Mean, WorstTally
from lamina.media.clip_info import ClipInfo
from lamina.media.source import open_source

LOW = (512, 288)
"""Clips up to this size are scored as the published low-resolution evaluation does, larger ones as the other."""
LABEL_STEP = 10
"""CRGNN labels every tenth frame."""
MATTE_SCORES = ("mad", "mse", "grad", "conn", "dtssd", "mad_t")


def score_matte(case: Case, lpips: object) -> Scored:
    """A clip with an alpha for every frame; files "alpha", "result" and, for the picture, "input"."""
    truth, result = open_source(case.files["alpha"]).info, open_source(case.files["result"]).info
    check_fits("result", case.files["result"], result, truth)
    low = truth.width <= LOW[0] and truth.height <= LOW[1]
    return _score(case, truth, 1, low)


def score_sparse_matte(case: Case, lpips: object) -> Scored:
    """CRGNN: label i belongs to frame 10 i of the result, and dtSSD is taken from label to label."""
    truth, result = open_source(case.files["alpha"]).info, open_source(case.files["result"]).info
    least = LABEL_STEP * (truth.frames - 1) + 1
    if not least <= result.frames < least + LABEL_STEP:
        raise InputError(
            f"result {case.files['result']}",
            got=f"{result.frames} frames",
            wanted=f"{least} to {least + LABEL_STEP - 1}, for {truth.frames} labels of every tenth frame",
            do="Hand in an alpha for every frame of the clip.",
        )
    check_fits("result", case.files["result"], result, _with_frames(truth, result.frames))
    return _score(case, truth, LABEL_STEP, low=False)


def _score(case: Case, truth: ClipInfo, step: int, low: bool) -> Scored:
    per_frame: dict[str, list[float | None]] = {name: [] for name in MATTE_SCORES if low or name != "conn"}
    recent: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=2)
    worst, empty = WorstTally(), {name: Mean() for name in ("mad", "mse", "mad_t")}
    for alpha, found, picture in _frames(case, step):
        recent.append((found, alpha))
        for name, value in _figures(recent, low).items():
            per_frame[name].append(value)
        nothing = np.zeros_like(alpha)
        for name, metric in (("mad", mad), ("mse", mse), ("mad_t", mad_t)):
            empty[name].add(metric(nothing, alpha))
        worst.add(picture, *(np.repeat(a[..., None], 3, axis=-1) for a in (alpha, found)))
    return Scored(
        truth,
        scores={name: _mean(values) for name, values in per_frame.items()},
        baseline={name: mean.value for name, mean in empty.items()},
        worst=worst.moment,
        per_frame=per_frame,
        notes=[] if low else ["Conn is not part of the published evaluation at this size; Grad is not stretched."],
    )


def _figures(recent: deque[tuple[np.ndarray, np.ndarray]], low: bool) -> Figures:
    found, alpha = recent[-1]
    values: Figures = {
        "mad": mad(found, alpha),
        "mse": mse(found, alpha),
        "grad": gradient_error(found, alpha, stretched=low),
        "dtssd": dtssd(*(np.stack(pair) for pair in zip(*recent, strict=True))) if len(recent) > 1 else 0.0,
        "mad_t": _number(mad_t(found, alpha)),
    }
    return values | ({"conn": connectivity_error(found, alpha)} if low else {})


def _frames(case: Case, step: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """True alpha, found alpha and the picture of every frame with a label; gray where the data set has no picture."""
    alphas = read_alphas(case.files["alpha"])
    results = islice(read_alphas(case.files["result"]), 0, None, step)
    pictures = _pictures(case.files.get("input"), step)
    for alpha, found in zip(alphas, results, strict=True):
        picture = next(pictures, None)
        if picture is None or picture.shape[:2] != alpha.shape:
            picture = np.full((*alpha.shape, 3), 128, np.uint8)
        yield alpha, found, picture


def _pictures(path: Path | None, step: int) -> Iterator[np.ndarray]:
    return iter(()) if path is None else islice(open_source(path).read(), 0, None, step)


def _with_frames(info: ClipInfo, frames: int) -> ClipInfo:
    return replace(info, frames=frames)


def _mean(values: list[float | None]) -> float | None:
    mean = Mean()
    for value in values:
        mean.add(value)
    return mean.value


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
