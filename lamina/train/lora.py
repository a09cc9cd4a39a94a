"""LoRA adapters on every linear layer of a network, and their tensors in the form Casper 14B is published in."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from lamina.backbones.checkpoint import imported
from lamina.backbones.lora import ALPHA, DOWN, UP, module_name
from lamina.backbones.renaming import Table, inverted, renamed
from lamina.errors import WeightsError
from lamina.train.recipe import LoraConfig

A, B, WRAPPED = ".lora_A.default.weight", ".lora_B.default.weight", ".base_layer"


def add_lora(network: nn.Module, config: LoraConfig, seed: int) -> None:
    """Give every linear layer of a frozen network an adapter in float32 that adds nothing yet."""
    peft = imported("peft")
    linears = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    lora = peft.LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules=linears)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        peft.inject_adapter_in_model(lora, network)
    for name, parameter in network.named_parameters():
        trained = name.endswith((A, B))
        parameter.requires_grad_(trained)
        parameter.data = parameter.data.float() if trained else parameter.data


def load_lora(network: nn.Module, published: Mapping[str, Tensor], names: Table, config: LoraConfig) -> None:
    """Go on from adapters as they were published; from none at all, leave those of the network.

    Raises:
        WeightsError: they are of another rank or alpha, or not those of this network.
    """
    parameters = dict(network.named_parameters())
    for layer in _layers(parameters) if published else ():
        module = module_name(published_name(layer, names))
        down, up, alpha = (published.get(module + part) for part in (DOWN, UP, ALPHA))
        if down is None or up is None or down.shape != parameters[layer + A].shape:
            got = "no adapter" if down is None or up is None else f"an adapter of rank {len(down)}"
            raise _other_lora(f"{got} for {module}", config)
        if (len(down) if alpha is None else alpha.item()) != config.alpha:
            raise _other_lora(f"alpha {len(down) if alpha is None else alpha.item():g}", config)
        parameters[layer + A].data.copy_(down)
        parameters[layer + B].data.copy_(up)


def published_lora(
    tensors: Mapping[str, Tensor], names: Table, config: LoraConfig, dtype: torch.dtype
) -> dict[str, Tensor]:
    """The adapters among a network's tensors, under the names of kohya's scripts."""
    found = {}
    for layer in _layers(tensors):
        module = module_name(published_name(layer, names))
        found[module + DOWN] = tensors[layer + A].to(dtype).contiguous()
        found[module + UP] = tensors[layer + B].to(dtype).contiguous()
        found[module + ALPHA] = torch.tensor(config.alpha, dtype=dtype)
    return found


def without_lora(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A network's tensors as they were before it had adapters."""
    return {name.replace(WRAPPED, ""): tensor for name, tensor in tensors.items() if not name.endswith((A, B))}


def published_name(layer: str, names: Table) -> str:
    [name] = renamed(inverted(names), layer + ".weight")
    return name


def _layers(tensors: Mapping[str, Tensor]) -> Iterator[str]:
    return (name.removesuffix(A) for name in tensors if name.endswith(A))


def _other_lora(got: str, config: LoraConfig) -> WeightsError:
    return WeightsError(
        "LoRA to start from",
        got=got,
        wanted=f"rank {config.rank} and alpha {config.alpha:g} on every linear layer, as the recipe says",
        do='Change [lora] in the recipe, or write start = "base".',
    )
