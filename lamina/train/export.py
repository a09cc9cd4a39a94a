"""What was trained as a file that the engine reads, under the published names."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from lamina.backbones.checkpoint import write_safetensors
from lamina.backbones.lora import Merged
from lamina.backbones.memory import COMPUTE
from lamina.backbones.renaming import Table, inverted, renamed
from lamina.media.landing import whole_file
from lamina.train.lora import published_lora, without_lora
from lamina.train.recipe import Recipe
from lamina.train.start import Start


def exporter(recipe: Recipe, start: Start) -> Callable[[Mapping[str, Tensor], Mapping[str, str], Path], Path]:
    """Writes NAME.safetensors into a folder: a LoRA where the model's Casper file is one, else a whole transformer."""

    def export(tensors: Mapping[str, Tensor], words: Mapping[str, str], folder: Path) -> Path:
        path, dtype = folder / start.spec.casper.pattern, COMPUTE[recipe.precision]
        with whole_file(path) as part:
            write_safetensors(part, published_tensors(recipe, start, tensors, dtype), words)
        return path

    return export


def published_tensors(
    recipe: Recipe, start: Start, tensors: Mapping[str, Tensor], dtype: torch.dtype
) -> dict[str, Tensor]:
    """All of a network's tensors, or its adapters alone, as the engine reads them."""
    if recipe.method == "full":
        return whole_transformer(tensors, start.names, dtype)
    if start.spec.is_lora:
        return published_lora(tensors, start.names, recipe.lora, dtype)
    lora = published_lora(tensors, start.names, recipe.lora, torch.float32)
    base = whole_transformer(without_lora(tensors), start.names, dtype)
    return {name: tensor.contiguous() for name, tensor in Merged(base, lora, 1.0, recipe.model).items()}


def whole_transformer(tensors: Mapping[str, Tensor], names: Table, dtype: torch.dtype) -> dict[str, Tensor]:
    back = inverted(names)
    return {renamed(back, name)[0]: tensor.to(dtype).contiguous() for name, tensor in tensors.items()}
