"""`lamina layers INPUT --mask NAME=PATH --plate PATH --solo NAME=PATH ... -o OUT`."""

from lamina import LayersConfig, layers_from_solos
from lamina.cli.stack_result import tell_stack
from lamina.cli.task import Task
from lamina.cli.voice import Voice


def run(config: LayersConfig, voice: Voice) -> int:
    tell_stack(layers_from_solos(config, voice.report), voice)
    return 0


TASK = Task(LayersConfig, run, after_stop="run the same command to go on")
