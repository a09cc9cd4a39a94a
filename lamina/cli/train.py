"""`lamina train RECIPE -o OUT [--data DIR] [--weights DIR]`."""

from lamina import TrainConfig, follow_recipe
from lamina.cli.task import Task
from lamina.cli.voice import Voice


def run(config: TrainConfig, voice: Voice) -> int:
    trained = follow_recipe(config, voice.report)
    if trained is None:
        return 0
    values = {"file": str(trained.file), "steps": trained.steps, "loss": trained.loss, **trained.figures}
    told = [f"{trained.steps} steps, loss {trained.loss:.4g}"]
    told += [f"{name} {value:.2f} dB" for name, value in trained.figures.items()]
    voice.result(values, f"{', '.join(told)}\n{trained.file}")
    return 0


TASK = Task(TrainConfig, run, after_stop="run the same command to go on")
