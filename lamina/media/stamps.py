"""Time stamps on their way into files."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from lamina.errors import InputError

MILLISECOND = Fraction(1, 1000)
_SINGLE_FRAME = Fraction(1, 25)  # seconds; a clip of one frame says nothing about its length


def check_increasing(pts: Sequence[int]) -> None:
    """Raise InputError unless every time stamp is later than the one before."""
    if any(after <= before for before, after in zip(pts, pts[1:], strict=False)):
        raise InputError("time stamps", got="a step back or a repeat", wanted="strictly increasing", do="Sort them.")


def durations_of(pts: Sequence[int], time_base: Fraction) -> list[int]:
    """How long each frame is shown, in units of `time_base` seconds; the last as long as the one before it."""
    steps = [after - before for before, after in zip(pts, pts[1:], strict=False)]
    last = steps[-1] if steps else max(1, round(_SINGLE_FRAME / time_base))
    return [*steps, last][: len(pts)]


def rate_of(pts: Sequence[int], time_base: Fraction) -> Fraction:
    """Mean frames per second; for players only, the time stamps are what counts. 25 for a single frame."""
    if len(pts) < 2:
        return Fraction(25)
    return (Fraction(len(pts) - 1, pts[-1] - pts[0]) / time_base).limit_denominator(100_000)


@dataclass(frozen=True)
class Stamp:
    """When a frame is shown and for how long, in milliseconds."""

    pts: int
    duration: int


def milliseconds(pts: Sequence[int], time_base: Fraction) -> list[Stamp]:
    """Time stamps as Matroska holds them: rounded, strictly increasing, not below 0."""
    check_increasing(pts)
    shift = min(0, pts[0]) if pts else 0
    times: list[int] = []
    for stamp in pts:
        exact = (stamp - shift) * time_base / MILLISECOND
        rounded = (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)
        times.append(max(rounded, times[-1] + 1) if times else rounded)
    return [Stamp(time, step) for time, step in zip(times, durations_of(times, MILLISECOND), strict=True)]
