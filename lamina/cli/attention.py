"""`lamina attention INPUT --mask NAME=PATH --engine casper-... -o OUT`."""

import json
from pathlib import Path

from lamina import AttentionConfig, attention
from lamina.cli.task import Task
from lamina.cli.voice import Voice


def run(config: AttentionConfig, voice: Voice) -> int:
    out = attention(config, voice.report)
    figures, movies = out / "attention.json", sorted(map(str, out.glob("*.mp4")))
    text = "\n".join([*(f"movie    {movie}" for movie in movies), f"figures  {figures}", *strongest(figures)])
    voice.result({"out": str(out), "movies": movies, "figures": str(figures)}, text)
    return 0


def strongest(figures: Path) -> list[str]:
    """Per object the blocks that sense its effects most, where that is known."""
    told = []
    for name, found in json.loads(figures.read_text())["objects"].items():
        if None not in found["sensitivity"]:
            ranked = sorted(range(len(found["sensitivity"])), key=lambda block: -found["sensitivity"][block])
            told.append(f"{name}: effects are sensed most in blocks {', '.join(map(str, ranked[:5]))}")
    return told


TASK = Task(AttentionConfig, run)
