"""Wan's VAE on the class of diffusers: its sizes, read off the published tensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from lamina.backbones.checkpoint import build_on_meta, imported, require_names


@dataclass(frozen=True)
class VaeSizes:
    """Of Wan's VAE; there is no file that says them."""

    width: int
    channels: int
    multiples: tuple[int, ...]
    """Of the width, level by level."""
    residuals: int
    """Residual blocks of a level of the encoder; the decoder has one more."""
    halves_time: tuple[bool, ...]
    """Which steps between levels do so."""


def vae_sizes(tensors: Mapping[str, Tensor], source: str) -> VaeSizes:
    """Read off the names and shapes of tensors, under the names of Wan.

    Raises:
        WeightsError: names that tell are missing.
    """
    require_names(tensors, ["encoder.conv1.weight", "conv2.weight"], source)
    levels: list[list[int]] = [[]]
    halves: list[bool] = []
    for step in sorted({int(name.split(".")[2]) for name in tensors if name.startswith("encoder.downsamples.")}):
        name = f"encoder.downsamples.{step}"
        if f"{name}.resample.1.weight" in tensors:
            halves.append(f"{name}.time_conv.weight" in tensors)
            levels.append([])
        else:
            require_names(tensors, [f"{name}.residual.2.weight"], source)
            levels[-1].append(len(tensors[f"{name}.residual.2.weight"]))
    width = len(tensors["encoder.conv1.weight"])
    multiples = tuple(widths[-1] // width for widths in levels if widths)
    return VaeSizes(width, len(tensors["conv2.weight"]), multiples, len(levels[0]), tuple(halves))


def build_vae(sizes: VaeSizes, source: str) -> nn.Module:
    """AutoencoderKLWan without weights."""
    diffusers = imported("diffusers")
    wanted: dict[str, Any] = {"base_dim": sizes.width, "z_dim": sizes.channels, "dim_mult": list(sizes.multiples)}
    wanted |= {"num_res_blocks": sizes.residuals, "temperal_downsample": list(sizes.halves_time)}
    return build_on_meta(lambda: diffusers.AutoencoderKLWan(**wanted), source)
