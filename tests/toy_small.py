"""Casper-S so small that a run takes a second, its weights by chance."""

from pathlib import Path

import torch

from lamina.backbones.small_files import write_small_network
from lamina.backbones.small_network import SmallNetwork, SmallSizes

SIZES = SmallSizes((8, 8, 16), blocks=1, sharp=8)


def toy_network(seed: int = 0, sizes: SmallSizes = SIZES, disturbed: float = 0.1) -> SmallNetwork:
    """disturbed: noise on all weights, for those of a new network are nought in places, and its parts say nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SmallNetwork(sizes)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(disturbed * torch.randn(parameter.shape, generator=generator))
    return network.eval().requires_grad_(False)


def small_folder(root: Path, network: SmallNetwork | None = None, **words: str) -> Path:
    """A folder with the engine's file."""
    root.mkdir(exist_ok=True, parents=True)
    held = network or toy_network()
    write_small_network(root, held.state_dict(), held.config, words)
    return root
