"""What training runs have logged, in short: so that the project keeps what its own weights were made by.

    python -m benchmarks.training_log out/casper_s_on/log.jsonl --slice 3 --what "700 steps at a constant rate"

Puts a slice into results/casper_s_training.json, in place of one of the same name: hours, mean loss of every so many
steps, and every validation.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from benchmarks.machine import circumstances

RESULTS = Path(__file__).parent / "results" / "casper_s_training.json"


@dataclass(frozen=True)
class LogConfig:
    """Which log, and what to call it."""

    log: Annotated[Path, tyro.conf.Positional]
    slice: str
    what: str
    every: int = 50
    """Steps of one mean."""


def compact(entries: Sequence[dict[str, Any]], every: int) -> dict[str, Any]:
    """Means over steps, and validations as they are."""
    steps = [entry for entry in entries if "loss" in entry]
    return {
        "steps": steps[-1]["step"],
        "hours": round(sum(entry["seconds"] for entry in steps) / 3600, 2),
        "every": every,
        "loss": list(_means(steps, "loss", every)),
        "validation": [entry for entry in entries if "psnr" in entry],
    }


def _means(steps: Sequence[dict[str, Any]], name: str, every: int) -> Iterator[float]:
    for start in range(0, len(steps), every):
        some = steps[start : start + every]
        yield round(sum(entry[name] for entry in some) / len(some), 5)


def main(config: LogConfig) -> None:
    entries = [json.loads(line) for line in config.log.read_text().splitlines()]
    told = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    told[config.slice] = {"what": config.what} | circumstances() | compact(entries, config.every)
    RESULTS.write_text(json.dumps(dict(sorted(told.items())), indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(LogConfig))
