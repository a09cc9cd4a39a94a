"""How long work tells how far it is."""

from collections.abc import Callable

Report = Callable[[str, int, int], None]
"""Called with the stage's name, how many frames of it are done, and how many there are."""


def no_report(stage: str, done: int, total: int) -> None:
    """Says nothing."""
