"""One window of a clip solved into layers: the only entry the pipeline needs.

Objects are taken back to front in each frame, for each is solved over the ones behind it; the neighbouring frames of
the same object help to free its effect from noise.
"""

from collections.abc import Iterator

import numpy as np

from lamina.layers.overlap import LayerInputs, Overlaps, find_overlaps
from lamina.layers.piece import Effect, Piece, measure, paste, solve_piece
from lamina.layers.solve import SolveConfig
from lamina.media.stack import PARTS

LINES_OF_EDGE = 720


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
        stream: [paste(solved.get((name, t)), part, inputs.frames[t]) for t in range(first, last)]
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
                kept[u] = measure(overlaps, name, u, [solved.get((other, u)) for other in behind], config)
        kept = {u: kept[u] for u in around}
        effect = kept[t]
        if effect is not None and (t in inner or name in overlaps.boxes):
            near = [other.moments for u, other in kept.items() if u != t and other is not None]
            pieces[name, t] = solve_piece(effect, near, inputs.frames[t].dtype, overlaps.edge_px, config)
    return pieces


def edge_radius(height: int, config: SolveConfig) -> int:
    """How many pixels masks may be wrong at a picture height."""
    return max(config.edge_px, round(config.edge_px * height / LINES_OF_EDGE))


def _streams(name: str, split: bool) -> Iterator[tuple[str, str]]:
    """What is written of an object: the stream's name and the part of the layer it is, "" for all of it."""
    yield name, ""
    if split:
        yield from ((f"{name}.{part}", part) for part in PARTS)
