"""Laying straight-alpha pictures over each other: the one place where colour is premultiplied in memory."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def over(
    rgb: Float[Tensor, "*t 3 h w"], alpha: Float[Tensor, "*t 1 h w"], below: Float[Tensor, "*t 3 h w"]
) -> Float[Tensor, "*t 3 h w"]:
    """Lay a straight-alpha picture over an opaque one (Porter and Duff 1984, operator *over*).

    Works on display-referred values, as the stack is defined; it does not convert colour.
    """
    return rgb * alpha + below * (1 - alpha)


def merge(
    rgb_front: Float[Tensor, "*t 3 h w"],
    alpha_front: Float[Tensor, "*t 1 h w"],
    rgb_back: Float[Tensor, "*t 3 h w"],
    alpha_back: Float[Tensor, "*t 1 h w"],
) -> tuple[Float[Tensor, "*t 3 h w"], Float[Tensor, "*t 1 h w"]]:
    """Join two straight-alpha pictures into one, so that `over` of the result equals `over` of both in turn.

    Where the result is fully transparent its colour is the back picture's: there is nothing to divide by.
    """
    weight_back = alpha_back * (1 - alpha_front)
    alpha = alpha_front + weight_back
    premultiplied = rgb_front * alpha_front + rgb_back * weight_back
    rgb = torch.where(alpha > 0, premultiplied / alpha.clamp_min(torch.finfo(alpha.dtype).tiny), rgb_back)
    return rgb, alpha


def flatten(
    plate: Float[Tensor, "*t 3 h w"],
    layers: Sequence[tuple[Float[Tensor, "*t 3 h w"], Float[Tensor, "*t 1 h w"]]],
) -> Float[Tensor, "*t 3 h w"]:
    """Lay layers, listed back to front as (rgb, alpha), over a plate."""
    for rgb, alpha in layers:
        plate = over(rgb, alpha, plate)
    return plate
