"""One object in one frame: its solo, its effect freed from noise, its edge, stored exactly."""

from dataclasses import dataclass

import cv2
import numpy as np

from lamina.alpha import TINY, color_for, lay_over, least_alpha, room
from lamina.channels import peak
from lamina.layers.bleed import bleed
from lamina.layers.complete import Hidden, complete
from lamina.layers.edge import object_share, peel, zones
from lamina.layers.effect import Moments, apply_ratio, denoise, doubt, gather, moments, noise_of
from lamina.layers.overlap import Box, Overlaps, grow
from lamina.layers.solo import Solo, solo
from lamina.layers.solve import SolveConfig, quantize_up, store
from lamina.layers.split import shade
from lamina.levels import WHITE, from_levels
from lamina.media.stack import PARTS

FLOAT_STEPS = 1023  # floating point has no step of its own; ten bits are finer than any noise
NEAR = (7, 7)
FAINT, FAINT_SPARE = 0.15, np.float32(2 / 255)  # below this alpha the object's colour may be off by so much, as seen
NOTICED = np.float32(3)  # standard deviations
OUTSIDE = 0.05  # a mask below this does not claim the pixel
UNSEEN = 0.5  # an effect below this share of the noise is none


@dataclass(frozen=True)
class Plane:
    """A stored picture's part that is not empty, `h w c`, and the colour of the rest of the frame."""

    pixels: np.ndarray
    beyond: np.ndarray


@dataclass(frozen=True)
class Piece:
    """A solved layer in one frame: where its crop sits, the layer itself and, where asked for, the parts of it."""

    y: int
    x: int
    layer: Plane
    parts: dict[str, Plane]


@dataclass(frozen=True)
class Effect:
    """An object's solo with its effect measured: where it can be seen at all, its noise, ratio and local moments."""

    solo: Solo
    hidden: Hidden | None
    seen: np.ndarray
    noise: np.ndarray
    doubt: np.ndarray
    weight: np.ndarray
    room: np.ndarray
    change: np.ndarray
    moments: Moments


def measure(overlaps: Overlaps, name: str, t: int, behind: list[Piece | None], config: SolveConfig) -> Effect | None:
    """An object's solo in a frame and the raw measure of its effect; None where it has none.

    behind: the pieces that lie behind it there, back to front.
    """
    hidden = complete(overlaps, name, t)
    one = solo(overlaps, name, t, hidden, lambda plate, box: _lay_behind(plate, box, behind))
    if one is None:
        return None
    seen = (one.influence > 0) & ~one.hidden & ~grow(one.mask, overlaps.edge_px)
    space = room(one.picture, one.below)
    change = (one.picture - one.below) / space
    noise = noise_of(change, space, seen)
    unsure = doubt(space, noise)
    weight = (space / unsure) ** 2 * seen[..., None]
    local = moments(change, weight, config.smooth_px, (one.y, one.x))
    return Effect(one, hidden, seen, noise, unsure, weight, space, change, local)


@dataclass(frozen=True)
class Parts:
    """What a picture is made of: the shaded ground, `h w 3`, the object's share, and what both together must give."""

    change: np.ndarray
    ground: np.ndarray
    share: np.ndarray
    target: np.ndarray


def solve_piece(effect: Effect, near: list[Moments], dtype: np.dtype, edge_px: int, config: SolveConfig) -> Piece:
    """Alpha first, rounded up to what can be stored, then the colour that makes it exact.

    near: the moments of the frames beside this one.
    """
    one = effect.solo
    change, slack = _calm_change(effect, near, config)
    slack = np.maximum(slack, _step(dtype) / 2)
    parts = _part(effect, change, _step(dtype), edge_px)
    present = (one.influence > 0) | one.hidden
    alpha = np.maximum(parts.share + (1 - parts.share) * peak(np.abs(parts.change)), _needed(one, one.picture, slack))
    layer = _stored(parts.target, one.below, np.where(present, alpha, 0), dtype, config)
    return Piece(one.y, one.x, layer, _split(parts, one, present, slack, dtype, config) if config.split else {})


def _part(effect: Effect, change: np.ndarray, step: np.float32, edge_px: int) -> Parts:
    """Tell object and ground apart."""
    one = effect.solo
    ground = apply_ratio(change, one.below)
    zone = zones(peel(_silhouette(effect), one.picture, ground, edge_px), edge_px)
    share = object_share(one.picture, ground, zone, edge_px, effect.noise)
    bare = share == 0
    change = _change_beside(effect, change, bare & zone.band & (zone.prior < OUTSIDE))
    ground = apply_ratio(change, one.below)
    ground = np.where(bare[..., None], np.clip(ground, one.picture - step / 2, one.picture + step / 2), ground)
    parts = Parts(change, ground, share, np.where(bare[..., None], ground, one.picture))
    return _show_hidden(effect, parts) if one.hidden.any() else parts


def _needed(one: Solo, target: np.ndarray, slack: np.ndarray, below: np.ndarray | None = None) -> np.ndarray:
    """The least alpha for a target; none where another object hides what there would be to explain."""
    return np.where(one.hidden, 0, least_alpha(target, one.below if below is None else below, slack))


def _split(
    parts: Parts, one: Solo, present: np.ndarray, slack: np.ndarray, dtype: np.dtype, config: SolveConfig
) -> dict[str, Plane]:
    """The layer in its three parts; the object lies over what shadow and light, as stored, make of the ground."""
    shaded = shade(np.where(present[..., None], parts.ground, one.below), one.below, dtype)
    under = shaded.on(one.below)
    alone = np.maximum(parts.share, _needed(one, parts.target, slack, under))
    none = np.zeros(3, np.float32)
    target, alpha = parts.target, np.where(present & (parts.share > 0), alone, 0)
    return {
        "object": _stored(_steady(target, under, alpha), under, alpha, dtype, config),
        "shadow": Plane(shaded.shadow, from_levels(none + 1, dtype)),
        "light": Plane(shaded.light, from_levels(none, dtype)),
    }


def _steady(target: np.ndarray, below: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The target with what its faintest pixels would make of noise taken from the colours beside them.

    A colour under little alpha is a difference of a level or two many times enlarged: unseen in place, and seen as soon
    as somebody blurs or grades the object.
    """
    exact, weight = color_for(target, below, alpha), alpha**2
    around = cv2.blur(exact * weight[..., None], NEAR) / np.maximum(cv2.blur(weight, NEAR), TINY)[..., None]
    allowed = FAINT_SPARE * (alpha < FAINT)[..., None] / np.maximum(alpha, TINY)[..., None]
    color = np.clip(around, exact - allowed, exact + allowed)
    return np.where((alpha > 0)[..., None], below + alpha[..., None] * (color - below), target)


def _step(dtype: np.dtype) -> np.float32:
    """The distance of two levels of a number type."""
    return np.float32(1 / (FLOAT_STEPS if dtype == np.float32 else WHITE[dtype.name]))


def _stored(target: np.ndarray, below: np.ndarray, alpha: np.ndarray, dtype: np.dtype, config: SolveConfig) -> Plane:
    """The layer that makes `target` of `below` with this alpha, rounded up to what can be stored."""
    alpha = quantize_up(np.clip(alpha, 0, 1), dtype)
    color = np.where((alpha == 1)[..., None], target, color_for(target, below, alpha))
    color, mean = _color_beyond(color, alpha, config.bleed_px)
    return Plane(store(color, alpha, dtype), store(mean[None, None], np.zeros((1, 1)), dtype)[0, 0])


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


def _change_beside(effect: Effect, change: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """The ratio once it is known which pixels beside the object are ground: there it is seen, and continued from."""
    one = effect.solo
    beside = beside & (one.influence > 0) & ~one.hidden & ~effect.seen
    noticed = peak(np.abs(effect.change * effect.room) - NOTICED * effect.doubt) > 0
    near = np.where(beside[..., None], effect.change * noticed[..., None], change)
    under = (one.influence > 0) & ~one.hidden & ~effect.seen & ~beside
    continued = bleed(near, (effect.seen | beside).astype(np.float32))
    return np.where(under[..., None], continued, near)


def _show_hidden(effect: Effect, parts: Parts) -> Parts:
    """Behind another object there is nothing to solve: the effect goes on, with the completed object over it."""
    one, covered = effect.solo, effect.solo.hidden[..., None]
    ground = np.where(covered, apply_ratio(parts.change, one.below), parts.ground)
    color, alpha = ground, np.zeros(one.mask.shape, np.float32)
    if effect.hidden is not None:
        part = effect.hidden.crop(one.y, one.x, one.mask.shape)
        color, alpha = part.color, part.alpha
    weight = alpha[..., None]
    target = np.where(covered, color * weight + ground * (1 - weight), parts.target)
    return Parts(parts.change, ground, np.where(one.hidden, alpha, parts.share), target)


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
        rgba = piece.layer.pixels
        height, width = rgba.shape[:2]
        top, left = max(rows.start, piece.y), max(columns.start, piece.x)
        bottom, right = min(rows.stop, piece.y + height), min(columns.stop, piece.x + width)
        if top < bottom and left < right:
            here = np.s_[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start]
            part = rgba[top - piece.y : bottom - piece.y, left - piece.x : right - piece.x]
            plate = plate.copy()
            plate[here] = lay_over(part, plate[here])
    return plate


def paste(piece: Piece | None, part: str, frame: np.ndarray) -> np.ndarray:
    """A whole frame of a layer or of a part of it; where the object has no influence it leaves the picture as it is."""
    channels = PARTS.get(part, 4)
    if piece is None:
        return np.full((*frame.shape[:2], channels), WHITE[frame.dtype.name] if part == "shadow" else 0, frame.dtype)
    plane = piece.parts[part] if part else piece.layer
    out = np.empty((*frame.shape[:2], channels), frame.dtype)
    out[:] = plane.beyond
    height, width = plane.pixels.shape[:2]
    out[piece.y : piece.y + height, piece.x : piece.x + width] = plane.pixels
    return out
