"""Markdown tables of what was measured, put between markers in docs/results.md and in LayerBench's README.

    python -m benchmarks.tables

renders all of them again from results/*.json and bars.json, for instance after a bar has changed.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lamina.evaluate.averages import mean_of
from lamina.evaluate.case import Figures
from lamina.evaluate.columns import COLUMNS
from lamina.evaluate.tables import told

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "results.md"
LAYERBENCH_PAGE = HERE / "layerbench" / "README.md"

SCORES = ("plate", "plate_mask", "plate_effect", "plate_rest", "plate_ssim", "flicker")
LAYER_SCORES = ("solo", "solo_effect", "leak", "recompose")
LAYERBENCH_SCORES = (
    "plate",
    "plate_mask",
    "plate_effect",
    "plate_rest",
    "solo",
    "transplant",
    "leak",
    "effect_recall",
    "effect_precision",
    "alpha_object",
    "alpha_effect",
    "flicker",
    "recompose",
)
DIGITS = {"plate_ssim": 4, "leak": 4, "flicker": 2}
REGIONS = ("plate", "plate_mask", "plate_effect", "plate_rest")
PLAIN = "propagate"
"""The engine that others are held against."""
GAINS = ("plate_effect_gain", "plate_gain", "worst_plate_gain", "standing_plate_effect")
"""Bars of engines on LayerBench."""
Entry = Mapping[str, Any]


def update_results(section: str) -> str:
    """Render one section (one of `SECTIONS`), replace it in its page and return it."""
    file, shown_in = RESULTS / f"{FILES.get(section, section)}.json", PAGES.get(section, PAGE)
    text = SECTIONS[section](json.loads(file.read_text())) if file.exists() else "Not measured yet."
    begin, end = f"<!-- {section}: generated -->", f"<!-- {section}: end -->"
    page = shown_in.read_text()
    between = re.compile(re.escape(begin) + ".*" + re.escape(end), re.DOTALL)
    if not between.search(page):
        raise SystemExit(f"{shown_in.name} has no markers for {section!r}: {begin} ... {end}")
    shown_in.write_text(between.sub(lambda _: f"{begin}\n\n{text}\n\n{end}", page))
    return text


def _bars() -> dict[str, Any]:
    return json.loads((HERE / "bars.json").read_text())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def judged(value: float | None, digits: int, bar: Mapping[str, float] | None) -> str:
    """A figure with its bar; a missed one is bold.

    >>> judged(44.96, 1, {"min": 45})
    '**45.0 (>= 45 missed)**'
    """
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    if not bar:
        return text
    (kind, limit), sign = next(iter(bar.items())), {"min": ">=", "max": "<="}
    met = value >= limit if kind == "min" else value <= limit
    told = f"{text} ({sign[kind]} {limit} {'met' if met else 'missed'})"
    return told if met else f"**{told}**"


# quality


def _quality(data: Entry) -> str:
    scenes = [scene for scene in data["scenes"] if scene.get("engine", PLAIN) == PLAIN]
    groups = [
        ("Rendered scenes, with truth", [s for s in scenes if s["kind"] == "rendered"], _scored),
        ("Real clips with truth", [s for s in scenes if s["kind"] == "real" and s["has_truth"]], _scored),
        ("Real clips without truth", [s for s in scenes if s["kind"] == "real" and not s["has_truth"]], _unscored),
    ]
    parts = [_tally(scenes), _origin(scenes)]
    parts += [f"### {title}\n\n{table(group)}" for title, group, table in groups if group]
    return "\n\n".join(parts)


def _engines(data: Entry) -> str:
    """Scene by scene what each engine's plate reaches."""
    names = {scene["scene"] for scene in data["scenes"] if scene.get("engine", PLAIN) != PLAIN}
    scenes = [scene for scene in data["scenes"] if scene["scene"] in names and scene.get("scores")]
    if not scenes:
        return "Not measured yet."
    rows = [
        [s["scene"], s.get("engine", PLAIN), *told(s["scores"], REGIONS), judged(s["seconds_per_frame"], 2, None)]
        for s in scenes
    ]
    return f"{_origin(scenes)}\n\n{_table(['scene', 'engine', *REGIONS, 's/frame'], rows)}"


def _families(data: Entry) -> str:
    """LayerBench: means of each family's plates, by method, and of the four that the engines are held to."""
    methods = [entry for entry in data["methods"] if entry["method"] not in ("inpaint", "median")]
    families = dict.fromkeys(scene["family"] for scene in methods[0]["scenes"])
    rows = [
        [family, method["method"], *told(_mean_of(method, family, "scores"), REGIONS)]
        for family in families
        for method in methods
    ]
    parts = [_origin(methods), _table(["family", "engine", *REGIONS], rows)]
    return "\n\n".join([*parts, *_gains({entry["method"]: entry for entry in methods})])


def _gains(methods: Mapping[str, Entry]) -> list[str]:
    """What engines gain over the plain one in the families that they are held to, and where they lose most."""
    plain, bars = methods.get(PLAIN), _bars()["layerbench"]
    if plain is None or not set(bars["families"]) <= {scene["family"] for scene in plain["scenes"]}:
        return []
    rows = []
    for name, method in methods.items():
        if method is not plain:
            gains = [_mean_gain(method, plain, bars["families"], figure) for figure in ("plate_effect", "plate")]
            loss, scene = min(zip(_gains_by_scene(method, plain), (s["scene"] for s in plain["scenes"]), strict=True))
            standing = _mean_of(method, "static-object", "scores")["plate_effect"]
            told = [*gains, loss, standing]
            judgements = [judged(value, 2, bars[key]) for value, key in zip(told, GAINS, strict=True)]
            rows.append([name, *judgements[:2], f"{judgements[2]}, {scene}", judgements[3]])
    heads = [f"gain in {figure}, mean of {len(bars['families'])} families" for figure in ("plate_effect", "plate")]
    table = _table(["engine", *heads, "plate where it loses most", "static-object, plate_effect"], rows)
    return [f"Held against `{PLAIN}`; the families are {', '.join(bars['families'])}.", table]


def _mean_gain(method: Entry, plain: Entry, families: Sequence[str], figure: str) -> float:
    pairs = [(_mean_of(method, name, "scores")[figure], _mean_of(plain, name, "scores")[figure]) for name in families]
    gains = [found - before for found, before in pairs if found is not None and before is not None]
    return sum(gains) / len(gains)


def _gains_by_scene(method: Entry, plain: Entry) -> list[float]:
    scenes = zip(method["scenes"], plain["scenes"], strict=True)
    return [one["scores"]["plate"] - other["scores"]["plate"] for one, other in scenes]


def _tally(scenes: Sequence[Entry]) -> str:
    """How many bars are met, and which are not."""
    missed, count = [], 0
    for scene in scenes:
        for name, bar in bars_of(scene).items():
            value = scene.get("scores", {}).get(name)
            count += 1
            if value is None or "missed" in judged(value, 4, bar):
                missed.append(f"{scene['scene']} {name}")
    told = f"{count - len(missed)} of {count} bars met."
    return told if not missed else f"{told} Missed: {', '.join(missed)}."


def bars_of(scene: Entry) -> dict[str, Mapping[str, float]]:
    """The bars of a scene's scores: its own, and those of every rendered scene."""
    bars = _bars()
    general = bars["every_rendered_scene"] if scene["kind"] == "rendered" else {}
    return {**general, **bars["quality"].get(scene["scene"], {})}


def _scored(scenes: Sequence[Entry]) -> str:
    head = ["scene", *SCORES]
    plates = _table(head, [[s["scene"], *_cells(s, SCORES)] for s in scenes])
    others = [[s["scene"], *_cells(s, LAYER_SCORES), _score(s, "input"), _score(s, "input_effect")] for s in scenes]
    heads = ["scene", *LAYER_SCORES, "input", "input_effect", "frames", "size", "objects", "s/frame"]
    return plates + "\n\n" + _table(heads, [row + _extent(s) for row, s in zip(others, scenes, strict=True)])


def _cells(scene: Entry, names: Sequence[str]) -> list[str]:
    if "error" in scene:
        return [f"failed: {scene['error']}"] + ["-"] * (len(names) - 1)
    bars = bars_of(scene)
    return [judged(scene["scores"].get(n), DIGITS.get(n, 1), bars.get(n)) for n in names]


def _score(scene: Entry, name: str) -> str:
    return judged(scene.get("scores", {}).get(name), 1, None)


def _unscored(scenes: Sequence[Entry]) -> str:
    rows = [[s["scene"], s.get("error") or judged(s["recompose_own"], 1, None), *_extent(s)] for s in scenes]
    return _table(["clip", "recompose dB", "frames", "size", "objects", "s/frame"], rows)


def _extent(scene: Entry) -> list[str]:
    pace = judged(scene.get("seconds_per_frame"), 2, None)
    return [str(scene.get("frames", "-")), scene.get("size", "-"), str(scene["objects"]), pace]


# speed


def _speed(data: Entry) -> str:
    limits = _bars()["speed"]["seconds_per_frame"]
    rows = []
    for run in data["runs"]:
        single = run["objects"] == 1
        bar = {"max": limits[run["size"]]} if single and run["size"] in limits else None
        stages = ", ".join(f"{name} {seconds / run['frames']:.3f}" for name, seconds in run["stages_s"].items())
        pace = judged(run["seconds_per_frame"], 3, bar)
        figures = [pace, _further(run, data["runs"]), f"{run['cpu_s_per_frame']:.3f}", f"{run['peak_mb'] / 1000:.2f}"]
        rows.append([run["size"], run["camera"], str(run["objects"]), *figures, stages])
    head = ["size", "camera", "objects", "s/frame", "each further object", "CPU s/frame", "peak GB"]
    said = (
        f"Wall time of the whole command, less {data['startup_s']:.1f} s of start-up (interpreter, imports) that a run "
        "of any length takes once; the stages are wall time per frame, start-up within `open`."
    )
    return "\n\n".join([_origin([data]), said, _table([*head, "of that, per stage"], rows)])


def _further(run: Entry, runs: Sequence[Entry]) -> str:
    """By how much each object beyond the first lengthens the run."""
    alone = [r for r in runs if r["objects"] == 1 and (r["size"], r["camera"]) == (run["size"], run["camera"])]
    if run["objects"] == 1 or not alone:
        return "-"
    share = (run["seconds_per_frame"] / alone[0]["seconds_per_frame"] - 1) / (run["objects"] - 1)
    limit = _bars()["speed"]["further_object_share"]
    told = f"{share:+.0%} (<= {limit:+.0%} {'met' if share <= limit else 'missed'})"
    return told if share <= limit else f"**{told}**"


# memory


def _memory(data: Entry) -> str:
    bar = {"max": _bars()["memory"]["peak_gb"]}
    rows = []
    for run in data["runs"]:
        pace = f"{run['wall_s'] / run['frames']:.2f}"
        peak = judged(run["peak_mb"] / 1000, 2, bar)
        rows.append([run["size"], run["camera"], str(run["frames"]), peak, _growth(run, data["runs"]), pace])
    head = ["size", "camera", "frames", "peak GB", "growth from the shortest", "s/frame"]
    return _origin(data["runs"]) + "\n\n" + _table(head, rows)


def _growth(run: Entry, runs: Sequence[Entry]) -> str:
    alike = [r for r in runs if (r["size"], r["camera"]) == (run["size"], run["camera"])]
    shortest = min(alike, key=lambda r: r["frames"])
    if shortest is run:
        return "-"
    share, limit = run["peak_mb"] / shortest["peak_mb"] - 1, _bars()["memory"]["growth_share"]
    told = f"{share:+.0%} ({'flat' if share <= limit else 'not flat'})"
    return told if share <= limit else f"**{told}**"


# LayerBench


def layerbench(data: Entry) -> str:
    """One table over all scenes and one per family; a line for what costs nothing and one per method."""
    methods = data["methods"]
    families = dict.fromkeys(scene["family"] for scene in methods[0]["scenes"])
    parts = [_origin(methods), f"### All scenes ({len(methods[0]['scenes'])})", _layerbench_table(methods, None)]
    for family in families if len(families) > 1 else ():
        parts += [f"### {family}", _layerbench_table(methods, family)]
    return "\n\n".join(parts)


def _layerbench_table(methods: Sequence[Entry], family: str | None) -> str:
    """The mean over a family's scenes, or over all."""
    means = [("input", _mean_of(methods[0], family, "free"), None)]
    means += [(m["method"], _mean_of(m, family, "scores"), _mean_pace(m, family)) for m in methods]
    rows = [[name, *told(scores, LAYERBENCH_SCORES), judged(pace, 2, None)] for name, scores, pace in means]
    return _table(["method", *(f"{name}{COLUMNS[name].arrow}" for name in LAYERBENCH_SCORES), "s/frame"], rows)


def _mean_of(method: Entry, family: str | None, figures: str) -> Figures:
    return mean_of([scene[figures] for scene in method["scenes"] if family in (None, scene["family"])])


def _mean_pace(method: Entry, family: str | None) -> float | None:
    paces = [scene["seconds_per_frame"] for scene in method["scenes"] if family in (None, scene["family"])]
    return None if None in paces else sum(paces) / len(paces)


def _origin(entries: Sequence[Entry]) -> str:
    """The commands, commits and machines behind some entries."""
    commands = dict.fromkeys(entry["command"] for entry in entries)
    commits = dict.fromkeys(f"{entry['commit']} ({entry['date']})" for entry in entries)
    machines = dict.fromkeys(_machine(entry) for entry in entries)
    block = "\n".join(["```", *commands, "```"])
    return f"{block}\n\nCommit {', '.join(commits)}; {'; '.join(machines)}. A + marks files not yet committed."


def _machine(entry: Entry) -> str:
    machine, versions = entry["machine"], entry["versions"]
    told = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gb']:.0f} GB, {told}"


def _small_shapes(data: Entry) -> str:
    """Casper-S: shapes and losses at equal compute, and steps of sampling."""
    rows = [
        [
            name,
            *(f"{shape[key]:,}" for key in ("parameters", "steps")),
            f"{shape['minutes']:g}",
            f"{shape['seconds_per_frame']:.3f}",
            *_both(shape),
        ]
        for name, shape in data["shapes"].items()
    ]
    head = ["trained from chance", "parameters", "steps made", "minutes", "s/frame", "all", "changed"]
    removals = data["removals"]
    steps = [[f"shipped weights, steps: {count}", *_both(found)] for count, found in removals["sampled"].items()]
    steps.append(["`propagate`", *_both(removals["known"])])
    tables = _table(head, rows), _table(["removal", "all", "changed"], steps)
    return "\n\n".join([_origin([removals, *data["shapes"].values()]), *tables])


def _both(found: Entry) -> list[str]:
    return [f"{found[region]:.2f}" for region in ("all", "changed")]


# Casper on a GPU

CASPER_STAGES = ("encode", "denoise", "decode")
CASPER_PARTS = ("encode", "step", "decode")


def _casper_gpu(data: Entry) -> str:
    """For each model what a removal takes, what each switch makes of it, and what each memory mode does."""
    device, rate = data["device"], data["matrix_tflop_s"]
    memory = device.get("memory_gb", "-")
    said = f"{device['name']}, {memory} GB; products of matrices at {rate:.0f} TFLOP/s in bfloat16."
    parts = [_origin([data]), said]
    for name, found in data["models"].items():
        clip, step = f"{found['frames']} frames of {found['size']}", f"{found['tflop_per_step']:.0f} TFLOP"
        tables = _casper_runs(name, found), _casper_switches(found), _casper_memory(found)
        parts += [f"### {name}: {clip}, {found['steps']} steps of {step}", *filter(None, tables)]
    return "\n\n".join(parts)


def casper_bars(name: str, found: Entry) -> dict[str, str]:
    """A model's figures that are held to a bar, judged; - where one was not measured."""
    bars = _bars()["casper_gpu"].get(name, {})
    return {key: judged(value, 2, bars.get(key)) for key, value in casper_figures(found).items()}


def casper_figures(found: Entry) -> dict[str, float | None]:
    """What bars are about, by name; None where it was not measured."""
    removal = found.get("removal", {})
    figures = {f"{run}_s": removal.get(run, {}).get("total_s") for run in ("all_steps", "few_steps")}
    return figures | {"batch_ratio": found.get("batch", {}).get("ratio")}


def _casper_runs(name: str, found: Entry) -> str:
    told, removal, batch = casper_bars(name, found), found.get("removal", {}), found.get("batch", {})
    runs = [
        ("one removal", removal.get("all_steps"), told["all_steps_s"]),
        ("one removal, few steps", removal.get("few_steps"), told["few_steps_s"]),
        ("plate and two solos", batch.get("together"), f"{told['batch_ratio']} times one"),
    ]
    rows = [[label, total, *_casper_laps(run, CASPER_STAGES)] for label, run, total in runs if run]
    return _table(["run", "seconds", *_casper_heads(CASPER_STAGES)], rows) if rows else ""


def _casper_switches(found: Entry) -> str:
    rows = []
    for switch, row in _rows_of(found, "switches"):
        gains = [judged(row.get(f"{part}_gain"), 2, None) for part in CASPER_PARTS]
        share = judged(row.get("share_of_matrix_rate"), 2, None)
        rows.append([switch, *_casper_laps(row, CASPER_PARTS), *gains, share, row.get("error", "")])
    heads = [*_casper_heads(CASPER_PARTS), *(f"{part} gain" for part in CASPER_PARTS), "of matrix rate", "failed"]
    return _table(["switch", *heads], rows) if rows else ""


def _casper_memory(found: Entry) -> str:
    rows = []
    for mode, row in _rows_of(found, "memory"):
        planned = [judged(row.get(f"planned_{stage}_gb"), 1, None) for stage in CASPER_STAGES]
        fits = {True: "yes", False: "no", None: "-"}[row.get("on_24_gb")]
        rows.append([mode, *_casper_laps(row, CASPER_PARTS), *planned, fits, row.get("error", "")])
    heads = [*_casper_heads(CASPER_PARTS), *(f"{stage} planned GB" for stage in CASPER_STAGES), "on 24 GB", "failed"]
    return _table(["mode", *heads], rows) if rows else ""


def _rows_of(found: Entry, part: str) -> list[tuple[str, Entry]]:
    """Of a part that was measured; one that failed as a whole has none."""
    rows = found.get(part, {})
    return [] if "error" in rows else list(rows.items())


def _casper_heads(laps: Sequence[str]) -> list[str]:
    return [*(f"{lap} s" for lap in laps), *(f"{lap} GB" for lap in laps)]


def _casper_laps(row: Entry, laps: Sequence[str]) -> list[str]:
    seconds = [judged(row.get(f"{lap}_s"), 2, None) for lap in laps]
    return seconds + [judged(row.get(f"{lap}_peak_gb"), 1, None) for lap in laps]


SECTIONS: dict[str, Callable[[Entry], str]] = {
    "quality": _quality,
    "speed": _speed,
    "memory": _memory,
    "engines": _engines,
    "families": _families,
    "families_part": _families,
    "layerbench": layerbench,
    "small_shapes": _small_shapes,
    "casper_gpu": _casper_gpu,
}
FILES = {"engines": "quality", "families": "layerbench", "families_part": "layerbench_part"}
"""Of sections that show another one's results."""
PAGES = {"layerbench": LAYERBENCH_PAGE}
"""Where a section is shown, if not in docs/results.md."""

if __name__ == "__main__":
    for name in SECTIONS:
        update_results(name)
