"""Making a filling meet what surrounds it: its slopes are kept, its levels give way."""

import numpy as np
from jaxtyping import Bool, Float32

SEAM_LIMIT = 32 / 255
"""The most that a step at the rim is evened out; larger differences are mismatches, which must not spread."""
KEEP_LEVEL = np.float32(5e-3)
"""How much a joined filling clings to its own level; it gives way over one by the root of this, in pixels."""
SOLVER_STEPS = 40


def join_slopes(
    rgb: Float32[np.ndarray, "h w 3"],
    slope_x: Float32[np.ndarray, "h w 3"],
    slope_y: Float32[np.ndarray, "h w 3"],
    free: Bool[np.ndarray, "h w"],
    firm: Bool[np.ndarray, "h w"],
) -> Float32[np.ndarray, "h w 3"]:
    """Change the `free` pixels so that neighbours differ by the wanted slopes, up to the `firm` pixels around them.

    A slope is the next pixel's level less this one's. The screened Poisson equation: far from its rim the filling keeps
    its own level. Solved by conjugate gradients.
    """
    part = free[..., None].astype(np.float32)
    solid = free | firm
    edge_x = ((free[:, :-1] & solid[:, 1:]) | (free[:, 1:] & solid[:, :-1]))[..., None].astype(np.float32)
    edge_y = ((free[:-1] & solid[1:]) | (free[1:] & solid[:-1]))[..., None].astype(np.float32)

    def gather(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        total = np.zeros_like(rgb)
        total[:, 1:] += x
        total[:, :-1] -= x
        total[1:] += y
        total[:-1] -= y
        return total * part

    def apply(values: np.ndarray) -> np.ndarray:
        return KEEP_LEVEL * values + gather(np.diff(values, axis=1) * edge_x, np.diff(values, axis=0) * edge_y)

    short_x = (slope_x[:, :-1] - np.diff(rgb, axis=1)).clip(-SEAM_LIMIT, SEAM_LIMIT) * edge_x
    short_y = (slope_y[:-1] - np.diff(rgb, axis=0)).clip(-SEAM_LIMIT, SEAM_LIMIT) * edge_y
    rest = gather(short_x, short_y)
    change, step = np.zeros_like(rgb), rest
    power = (rest * rest).sum()
    for _ in range(SOLVER_STEPS):
        if power < 1e-9:
            break
        ahead = apply(step)
        length = power / (step * ahead).sum()
        change = change + length * step
        rest = rest - length * ahead
        before, power = power, (rest * rest).sum()
        step = rest + power / before * step
    return rgb + change
