"""`lamina export STACK --format prores4444|png|exr|exr-per-layer|webm -o FOLDER`."""

from lamina import ExportConfig, export
from lamina.cli.task import Task
from lamina.cli.voice import Voice


def run(config: ExportConfig, voice: Voice) -> int:
    files = export(config, voice.report)
    folder = str(config.out)
    voice.result({"out": folder, "files": [str(file) for file in files]}, f"{folder}  ({len(files)} files)")
    return 0


TASK = Task(ExportConfig, run)
