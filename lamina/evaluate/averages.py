"""From the figures of all cases to one figure each."""

from collections.abc import Callable, Sequence
from itertools import zip_longest

from lamina.evaluate.case import Figures, Scored

Average = Callable[[Sequence[Scored]], Figures]


def mean_over_cases(scored: Sequence[Scored]) -> Figures:
    """Every clip counts the same, however long it is."""
    return mean_of([case.scores for case in scored])


def mean_over_frames_first(scored: Sequence[Scored]) -> Figures:
    """As the published matting evaluation does it: per frame number the mean over clips, then over frame numbers.

    It differs from the mean over clips when they have different lengths.
    """
    names = dict.fromkeys(name for case in scored for name in case.per_frame)
    return {name: _by_frame([case.per_frame.get(name, []) for case in scored]) for name in names}


def mean_of(figures: Sequence[Figures]) -> Figures:
    """The mean of each figure over those that have it."""
    names = dict.fromkeys(name for entry in figures for name in entry)
    return {name: _mean([entry.get(name) for entry in figures]) for name in names}


def _by_frame(clips: Sequence[Sequence[float | None]]) -> float | None:
    return _mean([_mean(values) for values in zip_longest(*clips)])


def _mean(values: Sequence[float | None]) -> float | None:
    measured = [value for value in values if value is not None]
    return sum(measured) / len(measured) if measured else None
