"""Pictures, masks and alphas as the metrics take them: checked, and as float64 levels 0..1."""

import numpy as np

from lamina.errors import InputError
from lamina.levels import WHITE


def picture_levels(what: str, picture: np.ndarray) -> np.ndarray:
    """Pictures `... h w 3` (uint8, uint16, or float in 0..1) as float64 levels of the same shape.

    Raises:
        InputError: another shape or number type, no pixel, NaN, floats outside 0..1.
    """
    if picture.ndim < 3 or picture.shape[-1] != 3:
        raise _wrong(what, f"the shape {picture.shape}", "height x width x 3, with or without frames", "Hand in RGB.")
    return _levels(what, picture)


def alpha_levels(what: str, alpha: np.ndarray) -> np.ndarray:
    """Alphas `h w` or `t h w` (uint8, uint16, or float in 0..1) as float64 levels of the same shape.

    Raises:
        InputError: another shape or number type, no pixel, NaN, floats outside 0..1.
    """
    if alpha.ndim not in (2, 3):
        do = "Hand in one channel."
        raise _wrong(what, f"the shape {alpha.shape}", "height x width, with or without frames", do)
    return _levels(what, alpha)


def same_shape(what: str, found: np.ndarray, truth: np.ndarray) -> None:
    """Raises InputError where two arrays that belong together have different shapes."""
    if found.shape != truth.shape:
        raise _wrong(what, f"the shapes {found.shape} and {truth.shape}", "one shape", "Scale or trim one of them.")


def region(where: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """A mask as bool of this shape, all of it without one.

    Raises:
        InputError: another shape, or numbers instead of true and false.
    """
    if where is None:
        return np.ones(shape, bool)
    if where.dtype != bool or where.shape != shape:
        got = f"{where.dtype} {where.shape}"
        raise _wrong("region", got, f"bool {shape}", "Compare the mask with a threshold first.")
    return where


def _levels(what: str, values: np.ndarray) -> np.ndarray:
    if not values.size:
        raise _wrong(what, f"the shape {values.shape}", "at least one pixel", "Check the file.")
    if values.dtype.name in ("uint8", "uint16"):
        return values / np.float64(WHITE[values.dtype.name])
    if values.dtype.kind != "f":
        raise _wrong(what, f"numbers of type {values.dtype}", "uint8, uint16 or float", "Convert them first.")
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(values).all():
        raise _wrong(what, "NaN or infinite numbers", "finite ones", "Render or copy this frame again.")
    if low < 0 or high > 1:
        raise _wrong(what, f"values from {low:.4g} to {high:.4g}", "levels from 0 to 1", "Clip or scale it first.")
    return values.astype(np.float64)


def _wrong(what: str, got: str, wanted: str, do: str) -> InputError:
    return InputError(what, got=got, wanted=wanted, do=do)
