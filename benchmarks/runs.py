"""One run of `lamina decompose` as a process of its own, with its time, memory and stages. Linux only."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT

OPENING, FINISHING = "open", "finish"
"""What comes before the first report of progress (start-up included) and after the last one."""
ENGINES: Mapping[str, tuple[str, ...]] = {
    "propagate": ("--engine", "propagate"),
    "casper-s": ("--engine", "casper-s"),
    "casper-s-no-anchor": ("--engine", "casper-s", "--no-anchor"),
    "auto": (),
}
"""Engines of `lamina decompose` that need no model files, and what is asked of the command for them."""
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass(frozen=True)
class Run:
    """What one run took."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    """Largest resident set, as the kernel counts it."""
    stages_s: Mapping[str, float]
    memory: Sequence[tuple[float, float]]
    """Seconds since the start and resident MB, sampled."""
    result: Mapping[str, Any]
    """The last event: "result", or "error" with its message."""

    @property
    def failed(self) -> str | None:
        return None if self.result.get("event") == "result" else str(self.result.get("message", "no result"))


def decompose(
    clip: Path,
    masks: Mapping[str, Path],
    out: Path,
    sample_s: float = 0.5,
    flags: Sequence[str] = ("--engine", "propagate"),
) -> Run:
    """Run the command on a clip and watch it."""
    marked = [part for name, path in masks.items() for part in ("--mask", f"{name}={path}")]
    return watch(["decompose", str(clip), *marked, *flags, "--out", str(out), "--json"], sample_s)


def watch(arguments: Sequence[str], sample_s: float = 0.5) -> Run:
    """Run `lamina ARGUMENTS` to its end. Its output must be events, one JSON object per line."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "lamina", *arguments], stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT
        )
        sampler = _MemorySampler(process.pid, begin, sample_s)
        assert process.stdout is not None
        events = [(time.monotonic() - begin, json.loads(line)) for line in process.stdout]
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)  # unlike getrusage, for this child alone
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        fault = {"event": "error", "message": errors.read().decode(errors="replace").strip()[-500:]}
    result = events[-1][1] if events else fault
    stages = _stages([(at, event) for at, event in events if event["event"] == "progress"], wall)
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1.024e-3, stages, sampler.stop(), result)


def startup_s(times: int = 3) -> float:
    """Wall time until a run finds that its input is missing: interpreter, imports, flags. The least of some tries."""
    with tempfile.TemporaryDirectory() as folder:
        missing = Path(folder) / "missing.mp4"
        return min(decompose(missing, {"obj": missing}, Path(folder) / "out").wall_s for _ in range(times))


def _stages(progress: Sequence[tuple[float, Mapping[str, Any]]], wall: float) -> dict[str, float]:
    """Seconds per stage: each begins where the one before it ended."""
    ends = {event["stage"]: at for at, event in progress}
    if not ends:
        return {OPENING: round(wall, 3)}
    names = [OPENING, *ends, FINISHING]
    marks = [0.0, progress[0][0], *ends.values(), wall]
    return {name: round(stop - start, 3) for name, (start, stop) in zip(names, pairwise(marks), strict=True)}


class _MemorySampler:
    """Reads a process's resident memory from /proc while it lives."""

    def __init__(self, pid: int, begin: float, every_s: float):
        self._statm, self._begin, self._every_s = Path(f"/proc/{pid}/statm"), begin, every_s
        self._samples: list[tuple[float, float]] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> list[tuple[float, float]]:
        self._stopped.set()
        self._thread.join()
        return self._samples

    def _watch(self) -> None:
        while not self._stopped.wait(self._every_s):
            try:
                pages = int(self._statm.read_text().split()[1])
            except (OSError, IndexError):
                return
            self._samples.append((round(time.monotonic() - self._begin, 1), round(pages * PAGE_MB, 1)))
