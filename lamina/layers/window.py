"""One window of a clip solved into layers: the only entry the pipeline needs.

For each object, back to front: its solo in each frame, its effect freed from noise with the help of the neighbouring
frames, its share of the pixels at its edge, the part that another object hides, and all of it stored exactly.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from lamina.layers.bleed import bleed
from lamina.layers.complete import Hidden, complete
from lamina.layers.edge import object_share, peel, zones
from lamina.layers.effect import Moments, apply_ratio, denoise, doubt, gather, moments, noise_of
from lamina.layers.overlap import Box, LayerInputs, Overlaps, find_overlaps, grow
from lamina.layers.solo import Solo, solo
from lamina.layers.solve import SolveConfig, color_for, lay_over, least_alpha, peak, quantize_up, room, store
from lamina.levels import WHITE

LINES_OF_EDGE = 720
FLOAT_STEPS = 1023  # floating point has no step of its own; ten bits are finer than any noise
UNSEEN = 0.5  # an effect below this share of the noise is none


@dataclass(frozen=True)
class Piece:
    """A stored layer's part that is not empty, `h w 4`, and where it sits in the frame."""

    y: int
    x: int
    rgba: np.ndarray
    mean: np.ndarray  # colour for the rest of the frame


@dataclass(frozen=True)
class Effect:
    """An object's solo with its effect measured: where it can be seen at all, its noise, ratio and local moments."""

    solo: Solo
    hidden: Hidden | None
    seen: np.ndarray
    noise: float
    doubt: np.ndarray
    weight: np.ndarray
    room: np.ndarray
    change: np.ndarray
    moments: Moments


def solve_window(inputs: LayerInputs, config: SolveConfig) -> dict[str, list[np.ndarray]]:
    """Layers of all objects for the inner frames: per name a list of `h w 4`, straight alpha, in the frames' type.

    Laid back to front over the plates they give the frames: to within one step of the number type, except for what the
    noise explains (`noise_sigmas`) and a few levels in channels that are nearly black or white, which would cost far
    more alpha than they are worth. Alpha is zero wherever an object has no influence, unless another object hides a
    part of it there. Same input, same output.
    """
    first, last = inputs.halo[0], len(inputs.frames) - inputs.halo[1]
    reach = config.smooth_frames
    overlaps = find_overlaps(inputs, edge_radius(inputs.frames[0].shape[0], config), config.reach_frames)
    solved: dict[str, dict[int, Piece]] = {}
    for name in inputs.order:
        times = range(max(0, first - reach), min(len(inputs.frames), last + reach))
        solved[name] = dict(_solve_object(overlaps, name, times, list(solved.values()), config))
    return {name: [_paste(solved[name].get(t), inputs.frames[t]) for t in range(first, last)] for name in inputs.masks}


def _solve_object(
    overlaps: Overlaps, name: str, times: range, behind: list[dict[int, Piece]], config: SolveConfig
) -> Iterator[tuple[int, Piece]]:
    """An object's pieces in the frames where it has influence."""
    inputs = overlaps.inputs
    # Beyond the inner frames a layer matters only as what lies below another one.
    inner = range(inputs.halo[0], len(inputs.frames) - inputs.halo[1])
    kept: dict[int, Effect | None] = {}
    for t in times:
        around = [u for u in range(t - config.smooth_frames, t + config.smooth_frames + 1) if u in times]
        for u in around:
            if u not in kept:
                kept[u] = _measure(overlaps, name, u, [pieces.get(u) for pieces in behind], config)
        kept = {u: kept[u] for u in around}
        effect = kept[t]
        if effect is not None and (t in inner or name in overlaps.boxes):
            near = [other.moments for u, other in kept.items() if u != t and other is not None]
            yield t, _solve_piece(effect, near, inputs.frames[t].dtype, overlaps.edge_px, config)


def edge_radius(height: int, config: SolveConfig) -> int:
    """How many pixels masks may be wrong at a picture height."""
    return max(config.edge_px, round(config.edge_px * height / LINES_OF_EDGE))


def _measure(overlaps: Overlaps, name: str, t: int, behind: list[Piece | None], config: SolveConfig) -> Effect | None:
    """An object's solo in a frame and the raw measure of its effect."""
    hidden = complete(overlaps, name, t)
    one = solo(overlaps, name, t, hidden, lambda plate, box: _lay_behind(plate, box, behind))
    if one is None:
        return None
    seen = (one.influence > 0) & ~one.hidden & ~grow(one.mask, overlaps.edge_px)
    noise = noise_of(one.picture - one.below, seen)
    space = room(one.picture, one.below)
    change = (one.picture - one.below) / space
    unsure = doubt(space, noise)
    weight = (space / unsure) ** 2 * seen[..., None]
    local = moments(change, weight, config.smooth_px, (one.y, one.x))
    return Effect(one, hidden, seen, noise, unsure, weight, space, change, local)


def _solve_piece(effect: Effect, near: list[Moments], dtype: np.dtype, edge_px: int, config: SolveConfig) -> Piece:
    """Alpha first, rounded up to what can be stored, then the colour that makes it exact."""
    one = effect.solo
    step = np.float32(1 / (FLOAT_STEPS if dtype == np.float32 else WHITE[dtype.name]))
    change, slack = _calm_change(effect, near, config)
    ground = apply_ratio(change, one.below)
    zone = zones(peel(_silhouette(effect), one.picture, ground, edge_px), edge_px)
    share = object_share(one.picture, ground, zone, edge_px, effect.noise)
    least = least_alpha(one.picture, one.below, np.maximum(step / 2, slack))
    alpha = np.maximum(share + (1 - share) * peak(np.abs(change)), least)
    target = np.where(
        (share > 0)[..., None], one.picture, np.clip(ground, one.picture - step / 2, one.picture + step / 2)
    )
    if one.hidden.any():
        target, alpha = _show_hidden(effect, ground, change, target, alpha)
    alpha = quantize_up(np.where((one.influence > 0) | one.hidden, np.clip(alpha, 0, 1), 0), dtype)
    color = np.where((alpha == 1)[..., None], target, color_for(target, one.below, alpha))
    color, mean = _color_beyond(color, alpha, config.bleed_px)
    return Piece(one.y, one.x, store(color, alpha, dtype), store(mean[None, None], np.zeros((1, 1)), dtype)[0, 0])


def _silhouette(effect: Effect) -> np.ndarray:
    """The mask with its hidden part, `uint8 h w`: where another object cuts it there is no edge of its own."""
    one = effect.solo
    if effect.hidden is None:
        return one.mask
    part = effect.hidden.crop(one.y, one.x, one.mask.shape).alpha
    return np.where(one.hidden, np.maximum(one.mask, np.rint(part * 255).astype(np.uint8)), one.mask)


def _calm_change(effect: Effect, near: list[Moments], config: SolveConfig) -> tuple[np.ndarray, np.ndarray]:
    """The effect's ratio without noise, continued under the object; and how much difference may stay unexplained.

    At the influence's weak border a difference of the size of the noise is no effect at all.
    """
    one = effect.solo
    calm = (
        effect.change if config.smooth_px == 0 else denoise(effect.change, effect.weight, gather(effect.moments, near))
    )
    slack = np.float32(config.noise_sigmas) * effect.doubt * (2 - one.influence[..., None])
    weak = np.float32(config.noise_sigmas) * effect.doubt * (1 - one.influence[..., None])
    calm = np.sign(calm) * np.maximum(np.abs(calm) - weak / effect.room, 0)
    calm = calm * (peak(np.abs(calm) * effect.room) > UNSEEN * effect.noise)[..., None]
    continued = bleed(calm, effect.seen.astype(np.float32))
    elsewhere = np.where(one.hidden[..., None], effect.change, continued * (one.influence > 0)[..., None])
    return np.where(effect.seen[..., None], calm, elsewhere), slack


def _show_hidden(
    effect: Effect, ground: np.ndarray, change: np.ndarray, target: np.ndarray, alpha: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Behind another object there is nothing to solve: the effect goes on, with the completed object over it."""
    one, covered = effect.solo, effect.solo.hidden[..., None]
    strength = peak(np.abs(change))
    if effect.hidden is None:
        return np.where(covered, ground, target), np.where(one.hidden, strength, alpha)
    part = effect.hidden.crop(one.y, one.x, one.mask.shape)
    weight = part.alpha[..., None]
    target = np.where(covered, part.color * weight + ground * (1 - weight), target)
    return target, np.where(one.hidden, part.alpha + (1 - part.alpha) * strength, alpha)


def _color_beyond(color: np.ndarray, alpha: np.ndarray, bleed_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Colour continued beyond the layer's edge, and the mean that holds further out."""
    visible = (alpha > 0).astype(np.float32)
    mean = np.tensordot(alpha, color, 2) / max(float(alpha.sum()), 1e-6)
    far = 1 - cv2.dilate(visible, np.ones((2 * bleed_px + 1,) * 2, np.uint8))
    continued = bleed(color, np.minimum(alpha * 4, 1))
    continued = np.where(far[..., None] > 0, mean, continued)
    return np.where(visible[..., None] > 0, color, continued), mean


def _lay_behind(plate: np.ndarray, box: Box, behind: list[Piece | None]) -> np.ndarray:
    """The plate's crop with the layers behind laid over."""
    rows, columns = box
    for piece in behind:
        if piece is None:
            continue
        height, width = piece.rgba.shape[:2]
        top, left = max(rows.start, piece.y), max(columns.start, piece.x)
        bottom, right = min(rows.stop, piece.y + height), min(columns.stop, piece.x + width)
        if top < bottom and left < right:
            here = np.s_[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start]
            part = piece.rgba[top - piece.y : bottom - piece.y, left - piece.x : right - piece.x]
            plate = plate.copy()
            plate[here] = lay_over(part, plate[here])
    return plate


def _paste(piece: Piece | None, frame: np.ndarray) -> np.ndarray:
    """A whole frame's layer, `h w 4`; all zero where the object has no influence."""
    out = np.zeros((*frame.shape[:2], 4), frame.dtype)
    if piece is None:
        return out
    out[:] = piece.mean
    height, width = piece.rgba.shape[:2]
    out[piece.y : piece.y + height, piece.x : piece.x + width] = piece.rgba
    return out
