"""What the loop is given: something to train, and examples to train it on. The loop knows no model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lamina.sampling import NoiseSource
from lamina.synth.pair import Pair

TRAINING = 1
"""Tells what is drawn here from what augmentation draws at the same place."""


@dataclass(frozen=True)
class Chance:
    """All that is random about one example: by the place alone, whichever process it comes to."""

    numbers: np.random.Generator
    noise: NoiseSource


class Example(NamedTuple):
    """A pair to learn from."""

    pair: Pair
    place: int
    """In the order of the mix."""
    chance: Chance


class Losses(NamedTuple):
    """What a step function says of some examples."""

    total: Float[Tensor, ""]
    """The mean over them, to go back through."""
    figures: Mapping[str, Tensor]
    """Other means over them worth a line in the log, without gradients."""


StepFunction = Callable[[Any, Sequence[Example]], Losses]
"""From a backbone and examples to their losses."""


@dataclass(frozen=True)
class Learner:
    """Something that can be trained."""

    network: nn.Module
    """On the CPU; what of it is to be trained has `requires_grad`."""
    blocks: tuple[type[nn.Module], ...]
    """Kinds of its parts that are big enough to be shared out one by one."""
    connect: Callable[[Any], Any]
    """The backbone whose answers come from a callable that stands in for the network."""
    step: StepFunction
    remove: Callable[[Any, Pair], UInt8[np.ndarray, "t h w 3"]]
    """What the backbone makes of a pair's input, for people and PSNR."""
    export: Callable[[Mapping[str, Tensor], Mapping[str, str], Path], Path]
    """Write what the engine reads into a folder, from all of the network's tensors and a few words about them."""
    record: Mapping[str, Any]
    """What it was made from; JSON values."""


def chance_of(seed: int, place: int, device: torch.device) -> Chance:
    """Numbers and noise of a place; noise is drawn on the device."""
    numbers = np.random.default_rng([seed, place, TRAINING])
    generator = torch.Generator(device).manual_seed(int(numbers.integers(2**63)))
    return Chance(numbers, lambda shape: torch.randn(tuple(shape), generator=generator, device=device))
