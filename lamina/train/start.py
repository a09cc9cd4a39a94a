"""Where training starts: the base model's own weights, or those of the Casper file there is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from lamina.backbones import wan_names
from lamina.backbones.checkpoint import open_checkpoint
from lamina.backbones.interface import Trainable
from lamina.backbones.open import Loading, open_backbone
from lamina.backbones.renaming import Table
from lamina.backbones.specs import BackboneSpec
from lamina.backbones.weights import Weights, default_folder, find_base, find_weights, get_spec
from lamina.errors import InputError, WeightsError
from lamina.train.recipe import Recipe

NAMES: dict[str, Table] = {"cogvideox": {}, "wan": wan_names.TRANSFORMER}
"""From the published names of a transformer's tensors to ours."""


@dataclass(frozen=True, eq=False)
class Start:
    """A model's files, read."""

    spec: BackboneSpec
    backbone: Trainable
    names: Table
    lora: Mapping[str, Tensor]
    """Adapters to go on from, as published; none at all to begin anew."""


def open_start(recipe: Recipe, folder: Path | None, device: torch.device) -> Start:
    """Read what the recipe starts from.

    Raises:
        InputError: there is no such model, or the engine could not read what would come out.
        WeightsError: files are missing or not what they should be.
        MissingExtra: the extra `models` is not installed.
    """
    spec = get_spec(recipe.model)
    if spec.is_lora and recipe.method == "full":
        raise InputError(
            f"recipe: method of {spec.name}",
            got="full",
            wanted="lora, for the engine reads its Casper file as a LoRA",
            do='Write method = "lora", or train a smaller model.',
        )
    folder = default_folder() if folder is None else folder
    weights = base_weights(spec, folder) if recipe.start == "base" or spec.is_lora else find_weights(spec, folder)
    adapters = find_weights(spec, folder).casper if recipe.start == "casper" and spec.is_lora else ()
    backbone = open_backbone(weights, Loading(f"{device}", recipe.precision, hold_encoders=True))
    assert isinstance(backbone, Trainable)
    return Start(spec, backbone, NAMES[spec.kind], open_checkpoint(adapters) if adapters else {})


def base_weights(spec: BackboneSpec, folder: Path) -> Weights:
    """A model's files with the base's own transformer in the place of Casper's.

    Raises:
        WeightsError: files are missing; all of them are named.
    """
    base, lacking = find_base(replace(spec, files=tuple(replace(file, needed=True) for file in spec.files)), folder)
    if lacking:
        raise WeightsError(
            f"base of {spec.name}",
            got=f"no {', '.join(str(base / file.pattern) for file in lacking)}",
            wanted="all its files, its own transformer too",
            do=f"`lamina weights where {spec.name}` says where to get them, or start from Casper's.",
        )
    [pattern] = [file.pattern for file in spec.files if file.pattern.endswith("diffusion_pytorch_model*.safetensors")
                 and "vae" not in file.pattern]  # fmt: skip
    weights = Weights(replace(spec, is_lora=False), base, ())
    return replace(weights, casper=weights.files(pattern))
