"""`lamina inspect PATH`."""

from collections.abc import Iterator
from typing import Any

from lamina import InspectConfig, inspect
from lamina.cli.task import Task
from lamina.cli.voice import Voice


def run(config: InspectConfig, voice: Voice) -> int:
    found = inspect(config)
    text = "\n".join([f"{found.path}: {found.kind}", *lines(dict(found.facts))])
    voice.result({"path": str(found.path), "kind": found.kind, **found.facts}, text)
    return 0


def lines(facts: dict[str, Any], indent: str = "  ") -> Iterator[str]:
    """Facts as a person reads them, one per line, lists of facts indented below their name."""
    for name, value in facts.items():
        title = name.replace("_", " ")
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{indent}{title}"
            yield from (f"{indent}  {_in_words(entry)}" for entry in value)
        elif value not in ({}, []):
            yield f"{indent}{title:<22}{_in_words(value)}"


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_in_words(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


TASK = Task(InspectConfig, run)
