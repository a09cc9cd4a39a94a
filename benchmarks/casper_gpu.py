"""How fast the engines `casper-*` are on a GPU, and how much memory they take; weights by chance, nothing downloaded.

    python -m benchmarks.casper_gpu [--models cogvideox wan] [--parts removal batch switches memory]
    python -m benchmarks.casper_gpu --toy --device cpu
    python -m benchmarks.casper_gpu --arithmetic

The first measures modules of the published sizes and writes results/casper_gpu.json and the tables in docs/results.md;
what is there already is replaced by what is measured anew, so parts may be measured one after another. The second
walks through all of it at toy size, to see that it runs, and writes nothing unless told to. The third measures nothing:
it says how many operations there are, what rate the bars ask for, and what memory is planned.

A removal is encoding the clip, all steps, and decoding the answer. Prompt and first frame are not encoded: what their
encoders would say is by chance too.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch
import tyro

from benchmarks.casper_models import CASES, TOYS, Case, Held, model_of
from benchmarks.casper_runs import built, gigabytes, removed, rounded, taken_apart, told, told_of_many
from benchmarks.cuda_graph import Recorded
from benchmarks.machine import circumstances
from benchmarks.stopwatch import card_of, matrix_rate
from benchmarks.tables import casper_bars, casper_figures, update_results
from lamina.backbones.machine import measure_machine
from lamina.backbones.memory import MODES, Storage
from lamina.backbones.plan import Machine, coding_operations, grid, network_operations, plan_run
from lamina.backbones.tuning import TUNINGS, Tuning

BARS = Path(__file__).with_name("bars.json")
RESULTS = Path(__file__).with_name("results") / "casper_gpu.json"
STEPS, FEW_STEPS = 50, 4
ITEMS = 3
"""Plate and two solos."""
WARM_UP_STEPS, TIMED_STEPS = 2, 5
MATRIX_SIDE, TOY_SIDE = 8192, 256
CARD_BYTES = 24 * 10**9
"""Of the smaller card that a memory mode is for."""
FAILURES = (RuntimeError, NotImplementedError, ImportError, ValueError)
"""What may be raised where a device or its libraries lack something. It is told, and the rest is measured."""


@dataclass(frozen=True)
class GpuConfig:
    """What to measure."""

    models: tuple[Literal["cogvideox", "wan"], ...] = ("cogvideox", "wan")
    parts: tuple[Literal["removal", "batch", "switches", "memory"], ...] = ("removal", "batch", "switches", "memory")
    """Each takes some minutes."""
    repeats: int = 3
    """Of a whole removal, after one to warm up; the median is told."""
    device: str | None = None
    """Left out, the accelerator."""
    toy: bool = False
    """Toy sizes and few steps, to see that all of it runs; says nothing about speed."""
    arithmetic: bool = False
    """Only say what is known beforehand; no device is used."""
    out: Path | None = None

    @property
    def place(self) -> torch.device:
        if self.device is not None:
            return torch.device(self.device)
        if not torch.accelerator.is_available():
            raise SystemExit("There is no accelerator here. See that all of it runs with: --toy --device cpu")
        return torch.accelerator.current_accelerator()  # type: ignore[return-value]

    @property
    def file(self) -> Path | None:
        """Where results go; those of toys nowhere unasked."""
        return self.out or (None if self.toy else RESULTS)

    @property
    def steps(self) -> int:
        return 2 if self.toy else STEPS

    @property
    def fast(self) -> Held:
        """As the engine holds a model for a long run."""
        return Held(tuning=TUNINGS["compiled"], compiler=self.compiler)

    @property
    def parts_steps(self) -> tuple[int, int]:
        """To warm up, and timed, where a step alone is measured."""
        return (1, 1) if self.toy else (WARM_UP_STEPS, TIMED_STEPS)

    @property
    def compiler(self) -> str:
        return "eager" if self.toy else "inductor"


@dataclass(frozen=True)
class Switch:
    """One way to make a step or the codec faster, alone or with others."""

    held: Held
    recorded: bool = False
    """The network as one CUDA graph."""


KERNELS = {"cudnn": "CUDNN_ATTENTION", "flash": "FLASH_ATTENTION", "efficient": "EFFICIENT_ATTENTION"}
SWITCHES = {
    "plain": Switch(Held()),
    "float32": Switch(Held(storage="fp32")),
    **{f"attention {name}": Switch(Held(tuning=Tuning((kernel,)))) for name, kernel in KERNELS.items()},
    "compiled blocks": Switch(Held(tuning=Tuning(compiled=True))),
    "CUDA graph": Switch(Held(), recorded=True),
    "channels last": Switch(Held(tuning=Tuning(channels_last=True))),
    "tuning fused": Switch(Held(tuning=TUNINGS["fused"])),
    "tuning compiled": Switch(Held(tuning=TUNINGS["compiled"])),
    "tuning compiled, CUDA graph": Switch(Held(tuning=TUNINGS["compiled"]), recorded=True),
}
"""Each against the first."""
STAGES = ("encode", "denoise", "decode")
STORED: tuple[Storage, ...] = ("bf16", "fp8")
WAYS = {f"{mode} {storage}": Held(storage, mode, TUNINGS["fused"]) for storage in STORED for mode in MODES}


# what is measured


def removal(case: Case, config: GpuConfig) -> dict[str, Any]:
    """A whole removal, with all steps and with few."""
    with built(case, config.place, config.fast) as backbone:
        first, again = (removed(case, backbone, 1, 1) for _ in range(2))
        full = [removed(case, backbone, 1, config.steps) for _ in range(config.repeats)]
        few = [removed(case, backbone, 1, FEW_STEPS) for _ in range(config.repeats)]
    return {
        "warm_up_s": rounded(first.total - again.total),
        "all_steps": told_of_many(full),
        "few_steps": told_of_many(few),
        "step_s": rounded(median(watch.seconds["denoise"] for watch in full) / config.steps),
    }


def batch(case: Case, config: GpuConfig) -> dict[str, Any]:
    """Plate and two solos together, against one removal under the same circumstances."""
    runs = {}
    with built(case, config.place, config.fast) as backbone:
        for items in (1, ITEMS):
            removed(case, backbone, items, 1)
            runs[items] = removed(case, backbone, items, config.steps)
    one, together = runs[1], runs[ITEMS]
    return {
        "items": ITEMS,
        "one": told_of_many([one]),
        "together": told_of_many([together]),
        "ratio": rounded(together.total / one.total),
        "denoise_ratio": rounded(together.seconds["denoise"] / one.seconds["denoise"]),
    }


def switches(case: Case, config: GpuConfig) -> dict[str, Any]:
    """What each switch makes of a step, of encoding and of decoding."""
    rows = {name: _tried(lambda switch=switch: _switched(case, config, switch)) for name, switch in SWITCHES.items()}
    plain = rows["plain"]
    for row in rows.values():
        for part in ("step", "encode", "decode"):
            if f"{part}_s" in plain and f"{part}_s" in row:
                row[f"{part}_gain"] = rounded(plain[f"{part}_s"] / row[f"{part}_s"])
    return rows


def _switched(case: Case, config: GpuConfig, switch: Switch) -> dict[str, Any]:
    if switch.recorded and config.place.type != "cuda":
        raise NotImplementedError("a CUDA graph needs CUDA")
    held = replace(switch.held, compiler=config.compiler)
    with built(case, config.place, held, *([Recorded] if switch.recorded else [])) as backbone:
        return told(taken_apart(case, backbone, *config.parts_steps))


def memory(case: Case, config: GpuConfig) -> dict[str, Any]:
    """Peak memory in each mode, as it is and as it was planned, and whether a card of 24 GB has enough."""
    model, rows = model_of(case), {}
    machine = measure_machine(config.place.type)
    for name, held in WAYS.items():
        plan = plan_run(model, case.run(1, config.steps), machine, held.storage, held.mode)
        rows[name] = _tried(lambda held=held: _held_so(case, config, held))
        rows[name] |= {f"planned_{stage}_gb": gigabytes(plan.device_bytes[stage]) for stage in STAGES}
        if config.place.type == "cuda":
            with card_of(config.place, CARD_BYTES):
                rows[name]["on_24_gb"] = "error" not in _tried(lambda held=held: _held_so(case, config, held))
    return rows


def _held_so(case: Case, config: GpuConfig, held: Held) -> dict[str, Any]:
    with built(case, config.place, held) as backbone:
        return told(taken_apart(case, backbone, *config.parts_steps))


PARTS: dict[str, Callable[[Case, GpuConfig], dict[str, Any]]] = {
    **{"removal": removal, "batch": batch, "switches": switches, "memory": memory},
}


def _tried(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except FAILURES as error:  # out of memory is one of them
        return {"error": f"{type(error).__name__}: {str(error).partition(chr(10))[0][:160]}"}


# how it is told


def facts(case: Case, config: GpuConfig) -> dict[str, Any]:
    """What a step of one removal is."""
    model, run = model_of(case), case.run(1, config.steps)
    [window] = run.windows
    tokens = grid(model, run, window)
    step = network_operations(model.network, tokens)
    size = {"frames": case.frames, "size": f"{case.size[0]}x{case.size[1]}", "steps": config.steps}
    return size | {"tokens": tokens, "tflop_per_step": rounded(step / 1e12)}


def beforehand(name: str) -> dict[str, Any]:
    """What is known of a model's run without running it: TFLOP, the rate that its bar asks for, planned memory."""
    case, unused = CASES[name], Machine(1.0, 0, 0)
    model, told_of = model_of(case), facts(case, GpuConfig())
    coding = coding_operations(model, case.run(1, STEPS)) / 1e12
    bar = json.loads(BARS.read_text())["casper_gpu"][name]["all_steps_s"]["max"]
    rate = (STEPS * told_of["tflop_per_step"] + coding) / bar
    peaks = {
        way: gigabytes(plan_run(model, case.run(1, STEPS), unused, held.storage, held.mode).peak_device_bytes)
        for way, held in WAYS.items()
    }
    return told_of | {"coding_tflop": rounded(coding), "bar_tflop_s": rounded(rate), "planned_peak_gb": peaks}


def with_shares(found: dict[str, Any], rate: float) -> dict[str, Any]:
    """A model's figures, wherever a step is among them with its share of the rate of matrix products."""
    rows = [found.get("removal", {}), *found.get("switches", {}).values(), *found.get("memory", {}).values()]
    for row in rows:
        if "step_s" in row:
            row["share_of_matrix_rate"] = round(found["tflop_per_step"] * 1e12 / row["step_s"] / rate, 3)
    return found


def asked(name: str, found: dict[str, Any], toy: bool) -> dict[str, Any]:
    """What is asked of a model, by name: figure, bar, and whether it is met; null where nothing is known yet."""
    limits = json.loads(BARS.read_text())["casper_gpu"][name]
    rows: dict[str, Any] = {}
    for figure, value in casper_figures(found).items():
        limit = limits.get(figure, {}).get("max")
        met = None if toy or value is None or limit is None else value <= limit
        rows[figure] = {"figure": value, "max": limit, "met": met}
    peaks = [size for lap, size in found.get("removal", {}).get("all_steps", {}).items() if lap.endswith("_peak_gb")]
    modes = {way: row.get("on_24_gb") for way, row in found.get("memory", {}).items() if way in WAYS}
    return rows | {"peak_gb": max(peaks, default=None), "on_24_gb": {way: modes.get(way) for way in WAYS}}


def bars(models: dict[str, Any]) -> Iterator[str]:
    """The figures that are held to a bar, one line each."""
    for name, found in models.items():
        for figure, told_so in casper_bars(name, found).items():
            yield f"{name} {figure}: {told_so}"


def measure(config: GpuConfig) -> dict[str, Any]:
    """All that is asked for; written down after each part, for a machine may be lent for a short time only."""
    results = _begun(config)
    rate = results["matrix_tflop_s"] * 1e12
    for name in config.models:
        case = (TOYS if config.toy else CASES)[name]
        found = results["models"].setdefault(name, {})
        found |= facts(case, config)
        for part in config.parts:
            found[part] = _tried(lambda part=part, case=case: PARTS[part](case, config))
            with_shares(found, rate)
            found["asked"] = asked(name, found, config.toy)
            print(name, part, json.dumps(found[part]), flush=True)
            if config.file is not None:
                config.file.write_text(json.dumps(results, indent=1) + "\n")
    return results


def _begun(config: GpuConfig) -> dict[str, Any]:
    """Where it is measured; and what was measured there before."""
    kept = json.loads(config.file.read_text()) if config.file is not None and config.file.exists() else {}
    device = _device(config.place)
    models = kept.get("models", {}) if kept.get("device") == device else {}
    rate = matrix_rate(config.place, torch.bfloat16, TOY_SIDE if config.toy else MATRIX_SIDE)
    origin = circumstances()
    origin["versions"] |= {"diffusers": version("diffusers"), "cuda": torch.version.cuda}
    origin["versions"] |= {"cudnn": torch.backends.cudnn.version()}
    told = {key: value for key, value in asdict(config).items() if key not in ("out", "device")}
    origin |= {"device": device, "config": told, "matrix_tflop_s": rounded(rate / 1e12)}
    return origin | {"models": models}


def _device(place: torch.device) -> dict[str, Any]:
    if place.type != "cuda":
        return {"name": place.type}
    found = torch.cuda.get_device_properties(place)
    return {"name": found.name, "memory_gb": gigabytes(found.total_memory)}


def main(arguments: Sequence[str] | None = None) -> None:
    config = tyro.cli(GpuConfig, args=arguments)
    if config.arithmetic:
        print("\n".join(f"{name} {json.dumps(beforehand(name))}" for name in config.models))
        return
    results = measure(config)
    print("Toy sizes, so this says nothing about speed:" if config.toy else "Bars:")
    print("\n".join(bars(results["models"])))
    if config.file == RESULTS:
        print(update_results("casper_gpu"))


if __name__ == "__main__":
    main()
