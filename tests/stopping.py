"""Runs that are stopped in the middle."""

from collections.abc import Callable


class Stopped(Exception):
    """What a user's Ctrl-C is in tests."""


def stop_at(stage: str, done: int) -> Callable[[str, int, int], None]:
    """A report that stops a run once so much of a stage is done."""

    def report(at: str, so_far: int, total: int) -> None:
        if at == stage and so_far >= done:
            raise Stopped

    return report
