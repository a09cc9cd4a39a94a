"""One window of a clip solved into layers: the only entry the pipeline needs.

Objects are taken back to front in each frame, for each is solved over the ones behind it; the neighbouring frames of
the same object help to free its effect from noise.
"""

from collections.abc import Iterator

import numpy as np

from lamina.layers.overlap import LayerInputs, Overlaps, Run, find_overlaps
from lamina.layers.piece import Effect, Piece, measure, paste, solve_piece
from lamina.layers.solve import SolveConfig
from lamina.media.stack import PARTS

LINES_OF_EDGE = 720
PART_FRAMES = 8
"""Frames that are solved together; parts may be solved side by side."""


def solve_window(inputs: LayerInputs, config: SolveConfig, run: Run = map) -> dict[str, list[np.ndarray]]:
    """Layers of all objects for the inner frames: per name a list of `h w 4`, straight alpha, in the frames' type.

    With `config.split` also "NAME.object" (`h w 4`), "NAME.shadow" and "NAME.light" (`h w 3`), see `layers/split.py`.
    Laid over the plates in their order the layers give the frames, but for what the noise explains (`noise_sigmas`)
    and a few levels in channels that are nearly black or white, which would cost far more alpha than they are worth:
    `layers/grain.py` leaves that to the plate. Alpha is zero wherever an object has no influence, unless another
    object hides a part of it there. Same input, same output; `run`, like `map`, may work side by side.
    """
    overlaps = find_overlaps(inputs, edge_radius(inputs.frames[0].shape[0], config), config.reach_frames, run)
    first, last = inputs.halo[0], len(inputs.frames) - inputs.halo[1]
    parts = [range(start, min(start + PART_FRAMES, last)) for start in range(first, last, PART_FRAMES)]
    solved = list(run(lambda part: _solve_part(overlaps, part, config), parts))
    return {stream: [frame for part in solved for frame in part[stream]] for stream in solved[0]}


def _solve_part(overlaps: Overlaps, part: range, config: SolveConfig) -> dict[str, list[np.ndarray]]:
    """A few frames of all streams, each object solved over those behind it."""
    inputs, reach = overlaps.inputs, config.smooth_frames
    times = range(max(0, part.start - reach), min(len(inputs.frames), part.stop + reach))
    solved: dict[tuple[str, int], Piece] = {}
    for rank in range(len(inputs.names)):
        for name in sorted({inputs.order[t][rank] for t in times}):
            here = [t for t in times if inputs.order[t][rank] == name]
            solved |= _solve_object(overlaps, name, here, part, solved, config)
    return {
        stream: [paste(solved.get((name, t)), kind, inputs.frames[t]) for t in part]
        for name in inputs.names
        for stream, kind in _streams(name, config.split)
    }


def _solve_object(
    overlaps: Overlaps,
    name: str,
    times: list[int],
    inner: range,
    solved: dict[tuple[str, int], Piece],
    config: SolveConfig,
) -> dict[tuple[str, int], Piece]:
    """An object's pieces in those frames among `times` where it has influence; what lies behind it there is solved."""
    inputs = overlaps.inputs
    pieces: dict[tuple[str, int], Piece] = {}
    kept: dict[int, Effect | None] = {}
    for t in times:
        around = [u for u in range(t - config.smooth_frames, t + config.smooth_frames + 1) if u in times]
        for u in around:
            if u not in kept:
                behind = inputs.order[u][: inputs.order[u].index(name)]
                kept[u] = measure(overlaps, name, u, [solved.get((other, u)) for other in behind], config)
        kept = {u: kept[u] for u in around}
        effect = kept[t]
        # Beyond the inner frames a layer matters only as what lies below another one.
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
