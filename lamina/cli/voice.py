"""How a command talks: bars and lines for people, one JSON object per line for machines."""

import json
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from lamina import LaminaError

SECONDS_BETWEEN_EVENTS = 0.2


@runtime_checkable
class Voice(Protocol):
    def report(self, stage: str, done: int, total: int) -> None:
        """A stage has done `done` of `total` steps."""
        ...

    def warn(self, message: str) -> None:
        """Something is odd, the work goes on."""
        ...

    def note(self, about: str, values: Mapping[str, Any], text: str) -> None:
        """What is about to be done."""
        ...

    def result(self, values: dict[str, Any], text: str) -> None:
        """What came out: `values` for machines, `text` for people."""
        ...

    def stopped(self, advice: str) -> None:
        """The user has stopped the work."""
        ...

    def error(self, error: Exception) -> None:
        """The work cannot go on."""
        ...


class ScreenVoice:
    """Bars, notes, warnings and errors go to stderr; results go to stdout, so that they can be piped."""

    def __init__(self):
        self._console = Console(stderr=True, highlight=False)
        columns = _stage_name(), BarColumn(), MofNCompleteColumn(), _time_left()
        self._progress = Progress(*columns, console=self._console)
        self._bars: dict[str, TaskID] = {}

    def report(self, stage: str, done: int, total: int) -> None:
        if not self._bars:
            self._progress.start()
        if stage not in self._bars:
            self._bars[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._bars[stage], completed=done, total=total)

    def warn(self, message: str) -> None:
        self._console.print(Text(f"warning: {message}", style="yellow"), soft_wrap=True)

    def note(self, about: str, values: Mapping[str, Any], text: str) -> None:
        self._console.print(Text(f"{about}: {text}"), soft_wrap=True)

    def result(self, values: dict[str, Any], text: str) -> None:
        self._clear()
        print(text)

    def stopped(self, advice: str) -> None:
        self._clear()
        self._console.print(Text(f"stopped; {advice}", style="yellow"), soft_wrap=True)

    def error(self, error: Exception) -> None:
        self._clear()
        self._console.print(Text(f"error: {one_line(error)}", style="bold red"), soft_wrap=True)

    def _clear(self) -> None:
        if self._bars:  # else it was never started, and stopping would print an empty line
            self._progress.stop()


class JsonVoice:
    """One object per line on stdout, each with a field "event"; errors are said on stderr too."""

    def __init__(self):
        self._last: dict[str, float] = {}

    def report(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if 0 < done < total and now - self._last.get(stage, 0.0) < SECONDS_BETWEEN_EVENTS:
            return
        self._last[stage] = now
        self._say("progress", stage=stage, done=done, total=total)

    def warn(self, message: str) -> None:
        self._say("warning", message=message)

    def note(self, about: str, values: Mapping[str, Any], text: str) -> None:
        self._say(about, **values)

    def result(self, values: dict[str, Any], text: str) -> None:
        self._say("result", **values)

    def stopped(self, advice: str) -> None:
        self._say("stopped", advice=advice)
        print(f"stopped; {advice}", file=sys.stderr)

    def error(self, error: Exception) -> None:
        told = ("what", "got", "wanted", "do") if isinstance(error, LaminaError) else ()
        parts = {name: getattr(error, name) for name in told}
        self._say("error", kind=type(error).__name__, message=one_line(error), **parts)
        print(f"error: {one_line(error)}", file=sys.stderr)

    def _say(self, event: str, **values: Any) -> None:
        print(json.dumps({"event": event, **values}, allow_nan=False), flush=True)


def _stage_name() -> TextColumn:
    return TextColumn("{task.description}", markup=False)  # a name may hold brackets


def _time_left() -> TimeRemainingColumn:
    return TimeRemainingColumn(elapsed_when_finished=True)


def one_line(error: Exception) -> str:
    """The message; errors that are not ours say their kind first, for their message alone may mean nothing."""
    text = " ".join(str(error).split())
    return text if isinstance(error, LaminaError) else f"unexpected {type(error).__name__}: {text}"


@contextmanager
def warnings_through(voice: Voice) -> Iterator[None]:
    """Let the library's `warnings.warn` be said by the voice, each message once."""
    said = set()

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        text = " ".join(str(message).split())
        if issubclass(category, UserWarning) and text not in said:
            said.add(text)
            voice.warn(text)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
