"""How the commands that write a stack say where it is."""

from pathlib import Path

from lamina import open_stack
from lamina.cli.voice import Voice


def tell_stack(out: Path, voice: Voice) -> None:
    """Name the files of a finished stack."""
    records = open_stack(out).manifest.layers
    layers = [str(out / layer.file) for layer in records]
    parts = [str(out / file) for layer in records for file in layer.parts.values()]
    plate, sheet = str(out / "plate.mkv"), str(out / "sheet.png")
    text = "\n".join(
        [f"plate   {plate}", *(f"layer   {x}" for x in layers), *(f"part    {x}" for x in parts), f"sheet   {sheet}"]
    )
    voice.result({"out": str(out), "plate": plate, "layers": layers, "parts": parts, "sheet": sheet}, text)
