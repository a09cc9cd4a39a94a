"""Figures as rows for machines and a table for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamina.evaluate.averages import mean_of
from lamina.evaluate.case import Case, Figures, Scored
from lamina.evaluate.columns import COLUMNS
from lamina.evaluate.protocols import Benchmark


@dataclass(frozen=True)
class Evaluation:
    """All that was measured of one method on one data set."""

    name: str
    """The protocol's."""
    protocol: Benchmark
    cases: Sequence[tuple[Case, Scored]]
    command: str
    versions: Mapping[str, str]
    files: Sequence[Path]
    """What was written: rows, table, picture."""

    @property
    def mean(self) -> Figures:
        return self.protocol.average([scored for _, scored in self.cases])

    @property
    def baseline_mean(self) -> Figures:
        return mean_of([scored.baseline for _, scored in self.cases])

    @property
    def group_means(self) -> dict[str, Figures]:
        """Per part of the data set, where it has several."""
        return {group: self.protocol.average(scored) for group, scored in self._groups.items()}

    @property
    def group_baseline_means(self) -> dict[str, Figures]:
        """The same for what costs nothing."""
        return {group: mean_of([s.baseline for s in scored]) for group, scored in self._groups.items()}

    @property
    def _groups(self) -> dict[str, list[Scored]]:
        groups = dict.fromkeys(case.group for case, _ in self.cases)
        if len(groups) < 2:
            return {}
        return {group: [scored for case, scored in self.cases if case.group == group] for group in groups}

    @property
    def summary(self) -> str:
        """The means beside what costs nothing, for a terminal."""
        names, free = list(self.mean), self.protocol.baseline
        width = max(12, len(free))
        lines = [f"{'':20}{'mean':>12}  {free:>{width}}"]
        for name, own, other in zip(names, told(self.mean, names), told(self.baseline_mean, names), strict=True):
            lines.append(f"{name + COLUMNS[name].arrow:20}{own:>12}  {other:>{width}}")
        return "\n".join([*lines, "", self.protocol.trap])


def rows(evaluation: Evaluation) -> dict[str, Any]:
    """Everything as JSON values: a row for each case, and the means."""
    return {
        "protocol": evaluation.name,
        "scored": evaluation.protocol.scored,
        "command": evaluation.command,
        "versions": dict(evaluation.versions),
        "trap": evaluation.protocol.trap,
        "baseline": evaluation.protocol.baseline,
        "rows": [_row(evaluation, case, scored) for case, scored in evaluation.cases],
        "mean": evaluation.mean,
        "group_means": evaluation.group_means,
        "baseline_mean": evaluation.baseline_mean,
        "group_baseline_means": evaluation.group_baseline_means,
    }


def _row(evaluation: Evaluation, case: Case, scored: Scored) -> dict[str, Any]:
    return {
        "protocol": evaluation.name,
        "case": case.name,
        "group": case.group,
        "frames": scored.clip.frames,
        "width": scored.clip.width,
        "height": scored.clip.height,
        "masks": [str(path) for path in case.masks],
        "regions_percent": scored.regions,
        "files": {role: str(path) for role, path in case.files.items()},
        "scores": scored.scores,
        "baseline": scored.baseline,
        "per_frame": scored.per_frame,
        "worst_frame": scored.worst.frame,
        "notes": scored.notes,
        "command": evaluation.command,
        "versions": dict(evaluation.versions),
    }


def markdown(evaluation: Evaluation) -> str:
    """The whole result as a page."""
    names = list(evaluation.mean)
    cases = [
        (case.title, str(s.clip.frames), f"{s.clip.width}x{s.clip.height}", s.scores) for case, s in evaluation.cases
    ]
    means = [(told_as, "", "", figures) for told_as, figures in _means(evaluation)]
    head = ["clip", "frames", "size", *(f"{name}{COLUMNS[name].arrow}" for name in names)]
    lines = [head, ["---"] * len(head)]
    lines += [[name, frames, size, *told(figures, names)] for name, frames, size, figures in cases + means]
    notes = list(dict.fromkeys(note for _, scored in evaluation.cases for note in scored.notes))
    return "\n".join(
        [
            f"# {evaluation.name}: {evaluation.protocol.scored}",
            "",
            *("| " + " | ".join(line) + " |" for line in lines),
            "",
            evaluation.protocol.trap,
            "",
            *(f"- {note}" for note in notes),
            *(f"- {name}: {COLUMNS[name].meaning}" for name in names),
            "",
            f"`{evaluation.command}`, " + ", ".join(f"{name} {v}" for name, v in evaluation.versions.items()),
            "",
        ]
    )


def _means(evaluation: Evaluation) -> list[tuple[str, Figures]]:
    """Per part of the data set and over all of it: the method's, then that of what costs nothing."""
    free, without = evaluation.protocol.baseline, evaluation.group_baseline_means
    lines = []
    for group, figures in evaluation.group_means.items():
        lines += [(f"**mean of {group}**", figures), (f"{free}, {group}", without[group])]
    return [*lines, ("**mean**", evaluation.mean), (free, evaluation.baseline_mean)]


def told(figures: Figures, names: Sequence[str]) -> list[str]:
    """Figures in words, a dash where there was nothing to measure."""
    values = [(figures.get(name), COLUMNS[name].digits) for name in names]
    return ["-" if value is None else f"{value:.{digits}f}" for value, digits in values]
