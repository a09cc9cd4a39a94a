"""`lamina compose STACK [--without NAME] [--background PATH] -o out.mp4`."""

from lamina import ComposeConfig, compose
from lamina.cli.task import Task
from lamina.cli.voice import Voice


def run(config: ComposeConfig, voice: Voice) -> int:
    out = compose(config, voice.report)
    voice.result({"out": str(out)}, str(out))
    return 0


TASK = Task(ComposeConfig, run)
