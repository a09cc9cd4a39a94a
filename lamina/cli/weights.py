"""`lamina weights list|check|where [MODEL] [--weights DIR]`."""

from collections.abc import Iterator
from typing import Any

from lamina import WeightsConfig, survey_weights
from lamina.cli.task import Task
from lamina.cli.voice import Voice


def run(config: WeightsConfig, voice: Voice) -> int:
    states = survey_weights(config, voice.report)
    told = {"list": listed, "where": located, "check": checked}[config.action]
    text = "\n".join(line for state in states for line in told(state))
    voice.result({"models": [state.facts for state in states]}, text)
    return 0


def listed(state: Any) -> Iterator[str]:
    """A model in one line, and what it lacks."""
    missing = [file for file in state.files if file.needed and not file.there]
    total = sum(file.bytes for file in state.files if file.needed)
    verdict = "all there" if not missing else f"{len(missing)} of {sum(f.needed for f in state.files)} files missing"
    yield f"{state.name:<18}{size(total):>9}  {verdict}; licence: {state.base_license}"
    yield from (f"  missing: {file.name} ({file.what}, {size(file.bytes)})" for file in missing)


def located(state: Any) -> Iterator[str]:
    """Where to get every file, and the places it is looked for."""
    yield f"{state.name}: base {state.base_license}, Casper {state.casper_license}"
    for file in state.files:
        use = "" if file.needed else ", not needed"
        there = "there" if file.there else "missing"
        yield f"  {file.name:<62}{size(file.bytes):>9}  {there}{use}  {file.source}"
    yield "  looked for in:"
    yield from (f"    {place}" for place in state.places)


def checked(state: Any) -> Iterator[str]:
    """What was read, each file with its hash."""
    if not state.checked:
        return
    yield f"{state.name}: every tensor is there under its name and in its shape"
    for file in state.files:
        yield from (f"  {digest}  {name}" for name, digest in file.sha256.items())


def size(count: int) -> str:
    """Bytes as people say them.

    >>> size(887), size(431_000_000), size(11_100_000_000)
    ('887 B', '431 MB', '11.1 GB')
    """
    for unit, least in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= least:
            return f"{count / least:.3g} {unit}"
    return f"{count} B"


TASK = Task(WeightsConfig, run)
