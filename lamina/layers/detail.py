"""The source's own pixels put into layers and plate wherever nothing else can be seen.

A layer solved at a smaller size, stored with fewer bits or painted by a network is only near the source where it is
opaque; there the source itself is the better answer. Generative Omnimatte (Lee et al., CVPR 2025), "detail transfer".
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Shaped, UInt8

from lamina.area import resized_by_area
from lamina.errors import InputError
from lamina.levels import WHITE, from_levels, to_levels
from lamina.masks.published import solid_mask

OPAQUE = 0.98
"""A layer of which a pixel shows more than this counts as alone there."""

COARSE_TO_FINE = ("uint8", "uint16", "float32")


def visible_shares(layers: Sequence[Shaped[np.ndarray, "t h w 4"]]) -> list[Float32[np.ndarray, "t h w"]]:
    """How much of each layer can be seen, and last of the plate; `layers` front to back, the shares in that order.

    share_k = alpha_k * product over the layers in front of (1 - alpha)
    """
    shares, rest = [], np.ones(layers[0].shape[:3], np.float32)
    for layer in layers:
        alpha = to_levels(layer[..., 3])
        shares.append(alpha * rest)
        rest = rest * (1 - alpha)
    return [*shares, rest]


def transfer_detail(
    frames: Shaped[np.ndarray, "_ _ _ 3"],
    layers: Sequence[Shaped[np.ndarray, "_ _ _ 4"]],
    order: Sequence[int],
    masks: Sequence[Bool[np.ndarray, "_ _ _"]] | None = None,
    threshold: float = OPAQUE,
) -> list[Shaped[np.ndarray, "_ _ _ 4"]]:
    """Layers with the source's colour where more than `threshold` of them can be seen. Alpha stays.

    Args:
        frames: the source, `t h w 3`, uint8, uint16 or float32. Of another size than the layers it is resized by
            averaging; of the same size its very numbers are taken.
        layers: `t h w 4`, straight alpha, of any of these types.
        order: the layers' numbers, front to back.
        masks: per layer, `t h w` bool, where its object is; there the source's colour is taken whatever can be seen.
            None is no masks at all.
        threshold: 0..1.

    Returns:
        The layers in the order given, in the finer number type of the two.

    Raises:
        InputError: lengths, sizes or the order do not fit.
    """
    _check(frames, layers, order, masks)
    shares = dict(zip(order, visible_shares([layers[k] for k in order]), strict=False))
    done = []
    for k, layer in enumerate(layers):
        where = shares[k] > np.float32(threshold)
        done.append(_take(frames, layer, where if masks is None else where | masks[k]))
    return done


def transfer_to_plate(
    frames: Shaped[np.ndarray, "_ _ _ 3"],
    plate: Shaped[np.ndarray, "_ _ _ 3"],
    layers: Sequence[Shaped[np.ndarray, "_ _ _ 4"]],
    threshold: float = OPAQUE,
) -> Shaped[np.ndarray, "_ _ _ 3"]:
    """The plate with the source's colour where more than `threshold` of it can be seen; as `transfer_detail` else.

    The paper does so; the public implementation does not.

    Raises:
        InputError: lengths or sizes do not fit.
    """
    _check(frames, [plate, *layers], range(1 + len(layers)), None)
    return _take(frames, plate, visible_shares(layers)[-1] > np.float32(threshold))


def object_masks(
    masks: Sequence[UInt8[np.ndarray, "t h w"]], size: tuple[int, int]
) -> list[Bool[np.ndarray, "t h2 w2"]]:
    """Masks 0..255 as the public implementation's layer step has them, at a (height, width).

    Resized by averaging, then thresholded; where objects overlap, all of them lose the pixel.
    """
    solid = [solid_mask(mask, size) for mask in masks]
    others = [[o for o in solid if o is not one] for one in solid]
    return [one & ~np.any(rest, 0) if rest else one for one, rest in zip(solid, others, strict=True)]


def published_masks(
    masks: Sequence[UInt8[np.ndarray, "t h w"]], size: tuple[int, int]
) -> list[Bool[np.ndarray, "t h2 w2"]] | None:
    """The masks that the public implementation transfers detail by: with a single object none, by an oversight."""
    return object_masks(masks, size) if len(masks) > 1 else None


def _take(frames: np.ndarray, layer: np.ndarray, where: np.ndarray) -> np.ndarray:
    kind = max(frames.dtype, layer.dtype, key=lambda dtype: COARSE_TO_FINE.index(dtype.name))
    out = _as_type(layer, kind)
    if frames.shape[1:3] == layer.shape[1:3]:
        source = _as_type(frames[where], kind)
    else:
        white = np.float32(WHITE[frames.dtype.name])
        source = from_levels((resized_by_area(frames, layer.shape[1:3]) / white)[where], kind)
    out[..., :3][where] = source
    return out


def _as_type(pixels: np.ndarray, kind: np.dtype) -> np.ndarray:
    """A copy in a number type that is no coarser; without loss."""
    return pixels.copy() if pixels.dtype == kind else from_levels(to_levels(pixels), kind)


def _check(
    frames: np.ndarray, layers: Sequence[np.ndarray], order: Sequence[int], masks: Sequence[np.ndarray] | None
) -> None:
    if not layers or sorted(order) != list(range(len(layers))):
        raise InputError(
            "order of layers",
            got=f"{list(order)} for {len(layers)} layers",
            wanted=f"each of {list(range(len(layers)))} once",
            do="List every layer's number, front to back.",
        )
    if masks is not None and len(masks) != len(layers):
        raise InputError(
            "masks", got=f"{len(masks)}", wanted=f"{len(layers)}, one per layer", do="Give one each, or none."
        )
    wanted = (len(frames), *layers[0].shape[1:3])
    named = [(f"layer {k}", layer) for k, layer in enumerate(layers)]
    named += [(f"mask {k}", mask) for k, mask in enumerate(masks or [])]
    for what, pixels in named:
        if pixels.shape[:3] != wanted:
            raise InputError(
                what,
                got="{} frames of {} lines, {} columns".format(*pixels.shape[:3]),
                wanted="{} frames of {} lines, {} columns".format(*wanted),
                do="Give the same frames of all, at one size.",
            )
