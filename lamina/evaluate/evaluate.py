"""The task: score a method's results on a data set, and write rows, a table and a picture of the worst cases."""

import platform
import shlex
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from lamina.errors import InputError
from lamina.evaluate.case import Case, Scored
from lamina.evaluate.lpips import open_lpips
from lamina.evaluate.protocols import PROTOCOLS, Benchmark
from lamina.evaluate.tables import Evaluation, markdown, rows
from lamina.evaluate.worst import Worst, with_case, worst_picture
from lamina.media.image_write import write_png
from lamina.media.landing import whole_file
from lamina.media.stack import to_json
from lamina.report import Report, no_report
from lamina.version import VERSION

ROWS, TABLE, WORST = "rows.json", "table.md", "worst.png"
PACKAGES = {"numpy": "numpy", "opencv": "opencv-python-headless", "av": "av", "torch": "torch"}
"""What figures may depend on, by the names they are said under."""


@dataclass(frozen=True)
class EvaluateConfig:
    """What to score, against what, and where to write it."""

    protocol: Literal[
        "omnimatterf",
        "rose-bench",
        "beyondmasks",
        "vor",
        "videomatte",
        "youtubematte",
        "crgnn",
        "davis",
        "scene",
        "layerbench",
    ]
    """The data set and what is measured on it."""
    data: Path
    """Folder of the data set, laid out as docs/evaluate.md says for each protocol."""
    results: Path
    """Folder of what the method made: for every clip a movie, a folder of images, or a stack, named as the clip."""
    out: Path | None = None
    """Folder to write rows.json, table.md and worst.png into; older ones are replaced. Left out, it is
    RESULTS/evaluation."""
    lpips: Path | None = None
    """The file alexnet-owt-7be5be79.pth of torchvision, for LPIPS (extra `metrics`). Nothing is downloaded; without it
    the rows say that LPIPS was not measured."""


def evaluate_results(config: EvaluateConfig, report: Report = no_report) -> Evaluation:
    """Score every clip of the data set, one frame at a time in memory, and write the three files.

    Raises:
        InputError: the data set is not laid out as the protocol has it, a result is missing or does not fit.
        MediaError: a file cannot be read.
        MissingExtra: LPIPS was asked for and its package is not installed.
        OutputError: the output folder cannot be written.
    """
    protocol = _protocol(config.protocol)
    data, results = Path(config.data), Path(config.results)
    if not data.is_dir():
        raise InputError(f"--data {data}", got="no such folder", wanted=protocol.layout, do="Check the path.")
    cases = protocol.find(data, results)
    lpips = open_lpips(config.lpips) if config.lpips else None
    scored: list[tuple[Case, Scored]] = []
    worst: Worst = []
    for done, case in enumerate(cases):
        report("evaluate", done, len(cases))
        found = protocol.score(case, lpips)
        worst = with_case(worst, case.name, found.worst)
        scored.append((case, replace(found, worst=replace(found.worst, pictures=()))))
    report("evaluate", len(cases), len(cases))
    out = results / "evaluation" if config.out is None else Path(config.out)
    files = [out / name for name in (ROWS, TABLE, WORST)]
    evaluation = Evaluation(config.protocol, protocol, scored, command_of(config), versions(), files)
    _write(evaluation, worst)
    return evaluation


def command_of(config: EvaluateConfig) -> str:
    """The command line that does the same."""
    words = ["lamina", "evaluate", config.protocol, "--data", str(config.data), "--results", str(config.results)]
    words += [] if config.out is None else ["-o", str(config.out)]
    return shlex.join(words + ([] if config.lpips is None else ["--lpips", str(config.lpips)]))


def versions() -> dict[str, str]:
    """Of what the figures may depend on."""
    found = {said: version(package) for said, package in PACKAGES.items()}
    return {"lamina": VERSION, "python": platform.python_version(), **found}


def _protocol(name: str) -> Benchmark:
    if name not in PROTOCOLS:
        raise InputError("protocol", got=repr(name), wanted=", ".join(PROTOCOLS), do="Choose one of these.")
    return PROTOCOLS[name]


def _write(evaluation: Evaluation, worst: Worst) -> None:
    table_of_rows, table, picture = evaluation.files
    with whole_file(table_of_rows) as part:
        part.write_text(to_json(rows(evaluation)), encoding="utf-8")
    with whole_file(table) as part:
        part.write_text(markdown(evaluation), encoding="utf-8")
    with whole_file(picture) as part:
        write_png(part, worst_picture(worst))
