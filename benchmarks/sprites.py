"""How fast sprite samples are made, how much memory they take, and a sheet to look at them.

    python -m benchmarks.sprites [--device cpu] [--workers 2] [--batch 8] [--samples 48]
    python -m benchmarks.sprites --sheet sheet.png [--samples 50]

Writes results/sprites.json (sprites_DEVICE.json for other devices). A processor is measured with one process per
core, as a data loader uses it; an accelerator with one process that has its scenes drawn ahead by `workers` more.
"""

import json
import multiprocessing
import resource
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import tyro

from benchmarks.machine import circumstances
from lamina.media.image_write import write_png
from lamina.synth.drawing import draw_scene
from lamina.synth.scene import Scene, SpriteConfig
from lamina.synth.sheet import contact_sheet
from lamina.synth.sprites import render, stream

RESULTS = Path(__file__).with_name("results")
BARS = {"cpu": 60, "accelerator": 5000}
"""Frames per second at 224 x 128."""
COLUMNS = 10


@dataclass(frozen=True)
class SpritesConfig:
    """What to measure."""

    device: str = "cpu"
    width: int = 224
    height: int = 128
    frames: int = 24
    samples: int = 48
    """Per worker; for a sheet, on it."""
    batch: int = 8
    workers: int = 2
    stored: str = "uint8"
    seed: int = 0
    clips: int = 0
    """If given, so many clips are made in one process, and its memory is watched."""
    sheet: Path | None = None
    """Write a contact sheet here and measure nothing."""
    out: Path | None = None

    @property
    def sprites(self) -> SpriteConfig:
        return SpriteConfig(self.width, self.height, self.frames)


def measure(config: SpritesConfig) -> dict[str, Any]:
    results = circumstances() | {"device": _device_name(config.device), "size": f"{config.width}x{config.height}"}
    speed = _processor(config) if config.device == "cpu" else _accelerator(config)
    bar = BARS["cpu" if config.device == "cpu" else "accelerator"]
    results |= {"bar_frames_per_s": bar, "bytes_per_frame": _bytes_per_frame(config)} | speed
    return results | (_memory(config) if config.clips else {})


def _processor(config: SpritesConfig) -> dict[str, Any]:
    """All workers at once; each says when it began and ended, after one batch to warm up, and its processor time."""
    with ProcessPoolExecutor(config.workers, multiprocessing.get_context("spawn")) as pool:
        runs = list(pool.map(partial(_work, config), range(config.workers)))
    wall = max(end for _, end, _ in runs) - min(start for start, _, _ in runs)
    frames = config.workers * config.samples * config.frames
    used = sum(cpu for _, _, cpu in runs)
    return {
        "workers": config.workers,
        "frames_per_s": round(frames / wall, 1),
        "cpu_ms_per_frame": round(1000 * used / frames, 2),
        "frames_per_s_on_idle_cores": round(config.workers * frames / used, 1),
        "share_of_cores_got": round(used / wall / config.workers, 2),
    }


def _work(config: SpritesConfig, worker: int) -> tuple[float, float, float]:
    torch.set_num_threads(1)
    samples = stream(config.sprites, config.seed + 100_000 * worker, stored=config.stored, batch=config.batch)  # type: ignore[arg-type]
    for _ in range(config.batch):
        next(samples)
    start, before = time.time(), time.process_time()
    for _ in range(config.samples):
        next(samples)
    return start, time.time(), time.process_time() - before


def _accelerator(config: SpritesConfig) -> dict[str, Any]:
    count = -(-config.samples // config.batch)
    with ProcessPoolExecutor(config.workers, multiprocessing.get_context("spawn")) as pool:
        batches = _drawn_ahead(pool, config, count + 2)
        for _ in range(2):
            render(next(batches), config.device, config.stored)  # type: ignore[arg-type]
        torch.accelerator.synchronize()
        start, drawing = time.time(), 0.0
        for _ in range(count):
            asked = time.time()
            scenes = next(batches)
            drawing += time.time() - asked
            render(scenes, config.device, config.stored)  # type: ignore[arg-type]
        torch.accelerator.synchronize()
        wall = time.time() - start
    frames = count * config.batch * config.frames
    return {"workers": config.workers, "batch": config.batch, "frames_per_s": round(frames / wall, 1),
            "waited_for_scenes": round(drawing / wall, 2)}  # fmt: skip


def _drawn_ahead(pool: ProcessPoolExecutor, config: SpritesConfig, count: int) -> Iterator[list[Scene]]:
    seeds: Iterable[range] = (range(config.seed + at * config.batch, config.seed + (at + 1) * config.batch)
                              for at in range(count))  # fmt: skip
    return iter(pool.map(partial(_draw, config.sprites), seeds))


def _draw(config: SpriteConfig, seeds: range) -> list[Scene]:
    return [draw_scene(seed, config) for seed in seeds]


def _bytes_per_frame(config: SpritesConfig) -> int:
    """What one frame of the truth takes, on average over some samples."""
    samples = stream(config.sprites, config.seed, stored=config.stored, batch=config.batch)  # type: ignore[arg-type]
    made = [next(samples) for _ in range(config.batch)]
    tensors = [part for sample in made for part in vars(sample).values() if isinstance(part, torch.Tensor)]
    return round(sum(part.numel() * part.element_size() for part in tensors) / config.batch / config.frames)


def _memory(config: SpritesConfig) -> dict[str, Any]:
    """Peak memory of this process after a tenth of the clips and after all of them."""
    samples = stream(config.sprites, config.seed, stored=config.stored, batch=config.batch)  # type: ignore[arg-type]
    peaks = {}
    for made in range(1, config.clips + 1):
        next(samples)
        if made in (config.clips // 10, config.clips):
            peaks[made] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return {"peak_mb_after_clips": peaks}


def _device_name(device: str) -> str:
    return "cpu" if device == "cpu" else torch.cuda.get_device_name(device)


def make_sheet(config: SpritesConfig, path: Path) -> None:
    samples = [render([draw_scene(config.seed + k, config.sprites)]).one(0) for k in range(config.samples)]
    write_png(path, contact_sheet(samples, COLUMNS, config.frames // 2).numpy())


def main(arguments: Sequence[str] | None = None) -> None:
    config = tyro.cli(SpritesConfig, args=arguments)
    if config.sheet:
        make_sheet(config, config.sheet)
        return
    results = measure(config)
    name = "sprites" if config.device == "cpu" else f"sprites_{config.device.split(':')[0]}"
    text = json.dumps(results, indent=1)
    (config.out or RESULTS / f"{name}.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
