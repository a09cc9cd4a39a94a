"""Removal in fixed pairs while training goes on: PSNR, and a picture of each to look at."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from lamina.evaluate.pixels import MOST_DB, psnr
from lamina.evaluate.regions import changed
from lamina.masks.trimask import REMOVE
from lamina.media.image_write import write_png
from lamina.media.landing import whole_file
from lamina.synth.pair import Pair
from lamina.train.loop import TrainState


def validate(state: TrainState, pairs: Sequence[Pair], pictures: Path) -> dict[str, float]:
    """Mean PSNR of removal and, to compare, of the untouched input; the picture is `pictures`/STEP.png.

    Of the whole picture, and where objects, their effects and neither of them were, as far as the pairs have these.
    Every process does the same, for none may be missing where parameters are shared out; one of them writes.
    """
    with evaluated(state):
        backbone = state.backbone
        made = [state.learner.remove(backbone, pair) for pair in pairs]
    if state.accelerator.is_main_process:
        with whole_file(pictures / f"{state.step:08}.png") as part:
            write_png(part, sheet(pairs, made))
    figures = {"psnr": [_decibels(answer, pair.target) for answer, pair in zip(made, pairs, strict=True)]}
    for answer, pair in zip(made, pairs, strict=True):
        for name, where in _regions(pair).items():
            if where.any():
                figures.setdefault(f"psnr_{name}", []).append(_decibels(answer[where][None], pair.target[where][None]))
    figures["psnr_input"] = [_decibels(pair.input, pair.target) for pair in pairs]
    return {name: float(np.mean(values)) for name, values in figures.items()}


@contextmanager
def evaluated(state: TrainState) -> Iterator[None]:
    """The network as a user would run it: averaged, not training."""
    state.network.eval()
    try:
        if state.ema is None:
            yield
        else:
            with state.ema.shown(state.parameters):
                yield
    finally:
        state.network.train()


def sheet(pairs: Sequence[Pair], made: Sequence[np.ndarray]) -> UInt8[np.ndarray, "h w 3"]:
    """The middle frames: a row for each pair, of input, answer and target."""
    rows = [
        np.hstack([clip[len(clip) // 2] for clip in (pair.input, answer, pair.target)])
        for pair, answer in zip(pairs, made, strict=True)
    ]
    return np.vstack(rows)


def _regions(pair: Pair) -> dict[str, Bool[np.ndarray, "t h w"]]:
    """As they are evaluated elsewhere."""
    hidden, touched = pair.trimask == REMOVE, changed(pair.input, pair.target)
    return {"object": hidden, "effect": touched & ~hidden, "rest": ~touched & ~hidden}


def _decibels(found: np.ndarray, truth: np.ndarray) -> float:
    value = psnr(found, truth)
    return value if math.isfinite(value) else MOST_DB
