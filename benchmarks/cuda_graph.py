"""A network recorded once as a CUDA graph and played back: a step without the processor's part in it."""

from typing import Any

import torch
from torch import Tensor

WARM_UPS = 3


class Recorded:
    """A network that is recorded with its first call; further calls must have the same shapes.

    That is what torch.compile's mode reduce-overhead does, but for the whole network whether it is compiled or not.
    What is given in tuples, as tables of positions are, must stay where it is in memory.
    """

    def __init__(self, network: Any):
        self.config = network.config
        self._network, self._graph = network, None
        self._given: dict[str, Any] = {}
        self._made: Any = None

    def __call__(self, **given: Any) -> Any:
        if self._graph is None:
            self._record(given)
        assert self._graph is not None
        for name, tensor in _tensors(given).items():
            self._given[name].copy_(tensor)
        self._graph.replay()
        return tuple(part.clone() for part in self._made)

    def _record(self, given: dict[str, Any]) -> None:
        self._given = given | {name: tensor.clone() for name, tensor in _tensors(given).items()}
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                self._network(**self._given)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._made = self._network(**self._given)


def _tensors(given: dict[str, Any]) -> dict[str, Tensor]:
    return {name: value for name, value in given.items() if isinstance(value, Tensor)}
