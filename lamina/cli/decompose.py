"""`lamina decompose INPUT --mask NAME=PATH ... -o OUT`."""

from lamina import DecomposeConfig, decompose, open_stack
from lamina.cli.task import Task
from lamina.cli.voice import Voice


def run(config: DecomposeConfig, voice: Voice) -> int:
    out = decompose(config, voice.report)
    layers = [str(out / layer.file) for layer in open_stack(out).manifest.layers]
    plate, sheet = str(out / "plate.mkv"), str(out / "sheet.png")
    text = "\n".join([f"plate   {plate}", *(f"layer   {layer}" for layer in layers), f"sheet   {sheet}"])
    voice.result({"out": str(out), "plate": plate, "layers": layers, "sheet": sheet}, text)
    return 0


TASK = Task(DecomposeConfig, run, after_stop="run the same command to go on")
