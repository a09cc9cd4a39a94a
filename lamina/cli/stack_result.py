"""How the commands that write a stack say where it is."""

from pathlib import Path

from lamina import open_stack
from lamina.cli.voice import Voice


def tell_stack(out: Path, voice: Voice) -> None:
    """Name the files of a finished stack."""
    layers = [str(out / layer.file) for layer in open_stack(out).manifest.layers]
    plate, sheet = str(out / "plate.mkv"), str(out / "sheet.png")
    text = "\n".join([f"plate   {plate}", *(f"layer   {layer}" for layer in layers), f"sheet   {sheet}"])
    voice.result({"out": str(out), "plate": plate, "layers": layers, "sheet": sheet}, text)
