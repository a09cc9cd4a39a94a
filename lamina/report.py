"""How long work tells how far it is, and what it is about to do."""

from collections.abc import Callable, Mapping
from typing import Any

Report = Callable[[str, int, int], None]
"""Called with the stage's name, how many frames of it are done, and how many there are."""


Note = Callable[[str, Mapping[str, Any], str], None]
"""Called with what the note is about, its values for machines, which fit into JSON, and its text for people."""


def no_report(stage: str, done: int, total: int) -> None:
    """Says nothing."""


def no_note(about: str, values: Mapping[str, Any], text: str) -> None:
    """Says nothing."""
