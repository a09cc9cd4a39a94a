"""Seconds and memory of work on a device. On a CPU seconds are the clock's, and memory is not measured."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from lamina.backbones.plan import RESERVE_BYTES

Made = TypeVar("Made")
TIMES = 5


@dataclass
class Stopwatch:
    """Laps of one piece of work on a device."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=dict)
    """Of each lap, by CUDA's own events."""
    bytes: dict[str, int] = field(default_factory=dict)
    """At most, of each lap; nothing on a CPU."""

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    def lap(self, name: str, work: Callable[[], Made]) -> Made:
        """Do some work and keep what it took. Laps of one name add up."""
        is_cuda = self.device.type == "cuda"
        if is_cuda:
            torch.cuda.synchronize(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
        took, made = (_by_events if is_cuda else _by_clock)(work)
        self.seconds[name] = self.seconds.get(name, 0.0) + took
        if is_cuda:
            self.bytes[name] = max(self.bytes.get(name, 0), torch.cuda.max_memory_allocated(self.device))
        return made


def _by_events(work: Callable[[], Made]) -> tuple[float, Made]:
    start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    made = work()
    stop.record()
    stop.synchronize()
    return start.elapsed_time(stop) / 1000, made


def _by_clock(work: Callable[[], Made]) -> tuple[float, Made]:
    start = time.perf_counter()
    made = work()
    return time.perf_counter() - start, made


def matrix_rate(device: torch.device, dtype: torch.dtype, side: int) -> float:
    """Operations per second of products of large matrices of normal numbers, the median of a few."""
    generator = torch.Generator(device).manual_seed(0)
    a, b = (torch.randn(side, side, device=device, generator=generator).to(dtype) for _ in range(2))
    torch.matmul(a, b)
    laps = []
    for _ in range(TIMES):
        watch = Stopwatch(device)
        watch.lap("product", lambda: [torch.matmul(a, b) for _ in range(TIMES)])
        laps.append(watch.total / TIMES)
    return 2 * side**3 / sorted(laps)[TIMES // 2]


def let_go(device: torch.device) -> None:
    """Give memory back that nothing holds any more, and forget what was compiled."""
    torch._dynamo.reset()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


@contextmanager
def card_of(device: torch.device, card_bytes: int) -> Iterator[None]:
    """While this is entered a CUDA device has no more memory than a smaller card."""
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, (card_bytes - RESERVE_BYTES) / total), device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
