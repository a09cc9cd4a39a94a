"""How much of its attention a network pays to given places, block by block.

For every token of the video, the share of its self-attention that falls on a set of tokens, as a mean over heads (Lee
et al. 2025, equation 1, with the set an object's tokens). The share is attention's own answer when values are 1 in the
set and 0 elsewhere: so it is computed by the same fused function as the network's attention, and no matrix of tokens by
tokens is ever in memory. It is found by listening to that function, whichever model calls it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

BLOCKS = ("transformer_blocks", "blocks")
"""What networks call the list of their blocks."""
ATTENTION = F.scaled_dot_product_attention


def network_of(backbone: Any) -> Any:
    """What a backbone asks: a network of diffusers, on its device."""
    return backbone.network


def blocks_of(network: Any) -> list[nn.Module]:
    """The blocks of a network of diffusers, in order."""
    return list(next(getattr(network, name) for name in BLOCKS if hasattr(network, name)))


def patch_of(network: Any) -> tuple[int, int, int]:
    """How many latents a token is made of: in time, height and width."""
    patch = network.config.patch_size
    return tuple(patch) if not isinstance(patch, int) else (network.config.patch_size_t or 1, patch, patch)


@contextmanager
def attention_shares(network: Any, sets: Float[Tensor, "k tokens"]) -> Iterator[list[Float[Tensor, "n k tokens"]]]:
    """While the network is asked, once: the shares of every block, float32 on the CPU.

    sets: 1 for tokens of the video that belong to a set, 0 for others. Tokens of text, where they stand before those of
    the video and attend to each other with them, belong to none: what falls on them is missing in all shares.
    """
    found: list[Tensor] = []
    with ExitStack() as closing:
        listener = _Listener(sets, found)
        for block in blocks_of(network):
            for handle in (
                block.register_forward_pre_hook(lambda *_: listener.begin()),
                block.register_forward_hook(lambda *_: listener.end()),
            ):
                closing.callback(handle.remove)
        closing.enter_context(listener)
        yield found


class _Listener(TorchFunctionMode):
    """Hears the first attention within each block among as many tokens as it asks: that is the video's own."""

    def __init__(self, sets: Tensor, found: list[Tensor]):
        super().__init__()
        self._sets, self._found, self._waiting = sets, found, False

    def begin(self) -> None:
        self._waiting = True

    def end(self) -> None:
        self._waiting = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is ATTENTION and self._waiting:
            given = dict(zip(("query", "key", "value"), args, strict=False)) | kwargs
            if given["query"].shape[-2] == given["key"].shape[-2]:
                self._waiting = False
                self._found.append(_shares(given, self._sets))
        return func(*args, **kwargs)


def _shares(given: dict[str, Any], sets: Tensor) -> Float[Tensor, "n k tokens"]:
    """Heads' mean of attention to sets; of query, key and value `n heads tokens d`, those of the video the last."""
    query, key, value = given["query"], given["key"], given["value"]
    tokens = sets.shape[1]
    answers = []
    for some in sets.split(value.shape[-1]):  # as many at once as values have channels
        inside = torch.zeros_like(value)
        inside[..., -tokens:, : len(some)] = some.T.to(value)
        answer = ATTENTION(query, key, inside, scale=given.get("scale"))
        answers.append(answer[..., -tokens:, : len(some)].float().mean(1))
    return rearrange(torch.cat(answers, dim=-1), "n tokens k -> n k tokens").cpu()
