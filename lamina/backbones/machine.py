"""What this machine has for a run: memory, and a rate of matrix products that is measured in a moment."""

import time

import torch

from lamina.backbones.checkpoint import imported
from lamina.backbones.memory import COMPUTE, Storage
from lamina.backbones.plan import Machine

SIDE = {"cpu": 512}
SIDE_ELSEWHERE = 4096
"""Of the matrices that are multiplied."""
TIMES = 5


def measure_machine(device: str, storage: Storage = "bf16") -> Machine:
    """Memory that is free now, and the rate of large matrix products. Takes a fraction of a second."""
    place, host = torch.device(device), imported("psutil").virtual_memory().available
    free = host if place.type == "cpu" else torch.accelerator.get_memory_info(place)[0]
    return Machine(measure_rate(place, COMPUTE[storage]), free, host)


def measure_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second of large matrix products, the best of a few."""
    side = SIDE.get(device.type, SIDE_ELSEWHERE)
    a = torch.ones(side, side, device=device, dtype=dtype)
    seconds = min(_timed(a) for _ in range(TIMES))
    return 2 * side**3 / seconds


def _timed(a: torch.Tensor) -> float:
    _synchronize(a.device)
    start = time.perf_counter()
    torch.matmul(a, a)
    _synchronize(a.device)
    return time.perf_counter() - start


def _synchronize(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
