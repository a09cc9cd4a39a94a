"""Removals by a backbone of the published sizes, step by step under a stopwatch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from benchmarks.casper_models import Case, Held, build, condition_of, show
from benchmarks.stopwatch import Stopwatch, let_go
from lamina.backbones.interface import Backbone, Condition
from lamina.sampling import sample


@contextmanager
def built(
    case: Case, device: torch.device, held: Held, wrap: Callable[[Any], Any] = lambda network: network
) -> Iterator[Backbone]:
    """A backbone, with no other in memory."""
    let_go(device)
    yield build(case, device, held, wrap)


def removed(case: Case, backbone: Backbone, items: int, steps: int) -> Stopwatch:
    """A whole removal: encode, denoise, decode."""
    watch, shown = Stopwatch(backbone.device), show(case, items)
    condition = watch.lap("encode", lambda: condition_of(case, backbone, shown))
    latents = watch.lap("denoise", lambda: _denoised(case, backbone, condition, steps))
    watch.lap("decode", lambda: [backbone.decode(one) for one in latents])
    return watch


def taken_apart(case: Case, backbone: Backbone, warm_up: int, steps: int) -> Stopwatch:
    """A step of one removal, encoding and decoding, after some to warm up."""
    watch, shown = Stopwatch(backbone.device), show(case, 1)
    condition = condition_of(case, backbone, shown)
    latents = _denoised(case, backbone, condition, warm_up)
    backbone.decode(latents[0])
    watch.lap("encode", lambda: condition_of(case, backbone, shown))
    watch.lap("step", lambda: _denoised(case, backbone, condition, steps))
    watch.lap("decode", lambda: backbone.decode(latents[0]))
    watch.seconds["step"] /= steps
    return watch


def _denoised(case: Case, backbone: Backbone, condition: Condition, steps: int) -> torch.Tensor:
    noise = case.noise(len(condition.mask)).to(backbone.device)
    *_, last = sample(backbone.denoiser(condition), noise, backbone.schedule.moves(steps))
    if not last.latents.isfinite().all():
        raise ValueError("the answer is not finite: weights by chance grew out of range, times would mean nothing")
    return last.latents


def told_of_many(watches: Sequence[Stopwatch]) -> dict[str, Any]:
    """The repetition whose time is the median, and the range of all."""
    middle = sorted(watches, key=lambda watch: watch.total)[len(watches) // 2]
    totals = [rounded(watch.total) for watch in watches]
    return {"total_s": rounded(middle.total), "from_to_s": [min(totals), max(totals)]} | told(middle)


def told(watch: Stopwatch) -> dict[str, float]:
    """Seconds of each lap, and its peak memory where that is known."""
    seconds = {f"{name}_s": rounded(value) for name, value in watch.seconds.items()}
    return seconds | {f"{name}_peak_gb": gigabytes(size) for name, size in watch.bytes.items()}


def rounded(value: float) -> float:
    """To four digits."""
    return float(f"{value:.4g}")


def gigabytes(size: int) -> float:
    return round(size / 1e9, 2)
