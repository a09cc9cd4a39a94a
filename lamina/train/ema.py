"""The average of parameters over steps, which is steadier than the last ones."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class Ema:
    """Exponential moving average of some parameters, in their number type and where they lie.

    average <- average + (1 - d) * (parameter - average), with d = min(decay, (1 + step) / (10 + step)): the start is
    soon forgotten.
    """

    def __init__(self, parameters: Mapping[str, Tensor], decay: float):
        self.decay = decay
        self.averages = {name: parameter.detach().clone() for name, parameter in parameters.items()}

    @torch.no_grad()
    def update(self, parameters: Mapping[str, Tensor], step: int) -> None:
        """After step 0, 1, ..."""
        weight = 1.0 - min(self.decay, (1 + step) / (10 + step))
        for name, average in self.averages.items():
            average.lerp_(parameters[name].detach(), weight)

    @contextmanager
    def shown(self, parameters: Mapping[str, Tensor]) -> Iterator[None]:
        """The parameters are their averages in here."""
        kept = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        _copy(self.averages, parameters)
        try:
            yield
        finally:
            _copy(kept, parameters)


@torch.no_grad()
def _copy(values: Mapping[str, Tensor], into: Mapping[str, Tensor]) -> None:
    for name, value in values.items():
        into[name].copy_(value)
