"""Layers of a window optimised further by a test-time fit, and brought back to what is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lamina.alpha import lay_over
from lamina.clip import frames_to_numpy, numpy_to_frames
from lamina.layers.detail import transfer_detail
from lamina.layers.fit import PRESETS, fit
from lamina.layers.items import Item
from lamina.levels import WHITE, to_levels
from lamina.report import Report

SEED = 43
"""That of the public implementation."""

Layers = dict[str, list[np.ndarray]]


def refit(
    preset: str,
    items: Sequence[Item],
    layers: Mapping[str, list[np.ndarray]],
    orders: Sequence[Sequence[str]],
    report: Report,
) -> Layers:
    """The layers, `h w 4` per name and frame, as a fit makes them, with the clip's own pixels where they are opaque.

    preset: of `fit_config.PRESETS`; one that refines starts from `layers`. orders: names back to front per frame.

    Raises InputError for values beyond 0..1, which a fit cannot make.
    """
    fitted = {name: _fit_one(preset, items, layers, name, report) for name in layers}
    for t, (item, order) in enumerate(zip(items, orders, strict=True)):
        names = list(order)[::-1]
        detailed = transfer_detail(item.frame[None], [fitted[n][t][None] for n in names], range(len(names)))
        for name, layer in zip(names, detailed, strict=True):
            fitted[name][t] = layer[0]
    return fitted


def _fit_one(
    preset: str, items: Sequence[Item], layers: Mapping[str, list[np.ndarray]], name: str, report: Report
) -> list[np.ndarray]:
    kind = items[0].frame.dtype
    # What counts as better is judged as it will be stored.
    k, config = list(layers).index(name), replace(PRESETS[preset], stored_white=WHITE[kind.name])
    solos = [_solo(item, layers[name][t], k, len(layers)) for t, item in enumerate(items)]
    masks = [_whole_mask(item, layers[name][t], k) for t, item in enumerate(items)]
    refines = config.stages[0].model == "pixels"
    rgba, _ = fit(
        config,
        numpy_to_frames(np.stack(solos)),
        numpy_to_frames(np.stack([item.plate for item in items])),
        numpy_to_frames(np.stack(masks)),
        numpy_to_frames(np.stack(layers[name])) if refines else None,
        seed=SEED,
        report=lambda stage, done, total: report(f"{name}: {stage}", done, total),
    )
    return list(frames_to_numpy(rgba.clamp(0, 1), kind))


def _solo(item: Item, layer: np.ndarray, k: int, objects: int) -> np.ndarray:
    """The picture with only this object: given, or the clip itself, or what the solved layer makes of the plate."""
    if item.solos:
        return to_levels(item.solos[k])
    return to_levels(item.frame) if objects == 1 else lay_over(layer, to_levels(item.plate))


def _whole_mask(item: Item, layer: np.ndarray, k: int) -> np.ndarray:
    """The object's mask, `h w 1`, with what other objects hide of it."""
    others = np.any([mask > 127 for j, mask in enumerate(item.masks) if j != k] or [item.masks[k] < 0], axis=0)
    hidden = others & (layer[..., 3] >= 0.98 * WHITE[layer.dtype.name])
    return ((item.masks[k] > 127) | hidden).astype(np.float32)[..., None]
