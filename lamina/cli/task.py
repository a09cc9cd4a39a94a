"""What a command module offers to `main`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lamina.cli.voice import Voice


@dataclass(frozen=True)
class Task:
    """A command: its flags as a frozen dataclass, and what is done with them."""

    config: type
    run: Callable[[Any, Voice], int]
    """Does the work, says the result, returns the exit code."""
    after_stop: str = "run the same command again"
    """Advice for somebody who pressed Ctrl-C."""
