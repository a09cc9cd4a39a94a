"""`lamina decompose INPUT --mask NAME=PATH ... -o OUT`."""

from lamina import DecomposeConfig, decompose
from lamina.cli.stack_result import tell_stack
from lamina.cli.task import Task
from lamina.cli.voice import Voice


def run(config: DecomposeConfig, voice: Voice) -> int:
    tell_stack(decompose(config, voice.report, voice.note), voice)
    return 0


TASK = Task(DecomposeConfig, run, after_stop="run the same command to go on")
