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
from lamina.layers.split import shade
from lamina.levels import WHITE, from_levels
from lamina.media.stack import PARTS

LINES_OF_EDGE = 720
FLOAT_STEPS = 1023  # floating point has no step of its own; ten bits are finer than any noise
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


def solve_window(inputs: LayerInputs, config: SolveConfig) -> dict[str, list[np.ndarray]]:
    """Layers of all objects for the inner frames: per name a list of `h w 4`, straight alpha, in the frames' type.

    With `config.split` also "NAME.object" (`h w 4`), "NAME.shadow" and "NAME.light" (`h w 3`), see `layers/split.py`.
    Laid over the plates in their order the layers give the frames, but for what the noise explains (`noise_sigmas`)
    and a few levels in channels that are nearly black or white, which would cost far more alpha than they are worth:
    `layers/grain.py` leaves that to the plate. Alpha is zero wherever an object has no influence, unless another
    object hides a part of it there. Same input, same output.
    """
    overlaps = find_overlaps(inputs, edge_radius(inputs.frames[0].shape[0], config), config.reach_frames)
    first, last = inputs.halo[0], len(inputs.frames) - inputs.halo[1]
    reach = config.smooth_frames
    times = range(max(0, first - reach), min(len(inputs.frames), last + reach))
    solved: dict[tuple[str, int], Piece] = {}
    for rank in range(len(inputs.names)):
        for name in sorted({inputs.order[t][rank] for t in times}):
            solved |= _solve_object(overlaps, name, [t for t in times if inputs.order[t][rank] == name], solved, config)
    return {
        stream: [_paste(solved.get((name, t)), part, inputs.frames[t]) for t in range(first, last)]
        for name in inputs.names
        for stream, part in _streams(name, config.split)
    }


def _solve_object(
    overlaps: Overlaps, name: str, times: list[int], solved: dict[tuple[str, int], Piece], config: SolveConfig
) -> dict[tuple[str, int], Piece]:
    """An object's pieces in those frames among `times` where it has influence; what lies behind it there is solved."""
    inputs = overlaps.inputs
    # Beyond the inner frames a layer matters only as what lies below another one.
    inner = range(inputs.halo[0], len(inputs.frames) - inputs.halo[1])
    pieces: dict[tuple[str, int], Piece] = {}
    kept: dict[int, Effect | None] = {}
    for t in times:
        around = [u for u in range(t - config.smooth_frames, t + config.smooth_frames + 1) if u in times]
        for u in around:
            if u not in kept:
                behind = [] if inputs.solos else inputs.order[u][: inputs.order[u].index(name)]
                kept[u] = _measure(overlaps, name, u, [solved.get((other, u)) for other in behind], config)
        kept = {u: kept[u] for u in around}
        effect = kept[t]
        if effect is not None and (t in inner or name in overlaps.boxes):
            near = [other.moments for u, other in kept.items() if u != t and other is not None]
            pieces[name, t] = _solve_piece(effect, near, inputs.frames[t].dtype, overlaps.edge_px, config)
    return pieces


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
    space = room(one.picture, one.below)
    change = (one.picture - one.below) / space
    noise = noise_of(change, space, seen)
    unsure = doubt(space, noise)
    weight = (space / unsure) ** 2 * seen[..., None]
    local = moments(change, weight, config.smooth_px, (one.y, one.x))
    return Effect(one, hidden, seen, noise, unsure, weight, space, change, local)


def _solve_piece(effect: Effect, near: list[Moments], dtype: np.dtype, edge_px: int, config: SolveConfig) -> Piece:
    """Alpha first, rounded up to what can be stored, then the colour that makes it exact."""
    one = effect.solo
    step = _step(dtype)
    change, slack = _calm_change(effect, near, config)
    slack = np.maximum(slack, step / 2)
    ground = apply_ratio(change, one.below)
    zone = zones(peel(_silhouette(effect), one.picture, ground, edge_px), edge_px)
    share = object_share(one.picture, ground, zone, edge_px, effect.noise)
    bare = share == 0
    change = _change_beside(effect, change, bare & zone.band & (zone.prior < OUTSIDE))
    ground = apply_ratio(change, one.below)
    ground = np.where(bare[..., None], np.clip(ground, one.picture - step / 2, one.picture + step / 2), ground)
    target = np.where(bare[..., None], ground, one.picture)
    strength = peak(np.abs(change))
    needed = np.where(one.hidden, 0, least_alpha(one.picture, one.below, slack))
    if one.hidden.any():
        target, ground, share = _show_hidden(effect, change, target, ground, share)
    present = (one.influence > 0) | one.hidden
    alpha = np.maximum(share + (1 - share) * strength, needed)
    layer = _stored(target, one.below, np.where(present, alpha, 0), dtype, config)
    parts = {}
    if config.split:
        shaded = shade(np.where(present[..., None], ground, one.below), one.below, dtype)
        under = shaded.on(one.below)
        alone = np.maximum(share, np.where(one.hidden, 0, least_alpha(target, under, slack)))
        white = np.ones(3, np.float32)
        parts = {
            "object": _stored(target, under, np.where(present & (share > 0), alone, 0), dtype, config),
            "shadow": Plane(shaded.shadow, from_levels(white, dtype)),
            "light": Plane(shaded.light, from_levels(0 * white, dtype)),
        }
    return Piece(one.y, one.x, layer, parts)


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


def _show_hidden(
    effect: Effect, change: np.ndarray, target: np.ndarray, ground: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Behind another object there is nothing to solve: the effect goes on, with the completed object over it."""
    one, covered = effect.solo, effect.solo.hidden[..., None]
    ground = np.where(covered, apply_ratio(change, one.below), ground)
    if effect.hidden is None:
        return np.where(covered, ground, target), ground, np.where(one.hidden, 0, share)
    part = effect.hidden.crop(one.y, one.x, one.mask.shape)
    weight = part.alpha[..., None]
    target = np.where(covered, part.color * weight + ground * (1 - weight), target)
    return target, ground, np.where(one.hidden, part.alpha, share)


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


def _streams(name: str, split: bool) -> Iterator[tuple[str, str]]:
    """What is written of an object: the stream's name and the part of the layer it is, "" for all of it."""
    yield name, ""
    if split:
        yield from ((f"{name}.{part}", part) for part in PARTS)


def _paste(piece: Piece | None, part: str, frame: np.ndarray) -> np.ndarray:
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
