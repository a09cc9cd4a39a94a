"""Renders one scene into a folder. Runs in a process of its own, because Blender holds one scene per process.

    python -m lamina.synth.blender.worker RECIPE.json OUT '{"samples": 16}'

The quality is JSON, see `lamina.synth.blender.render.Quality`. Says "frame N" on standard output after each frame. Exit
code 0: the folder is whole. 2: the recipe or one of its assets cannot be used; the reason is the last line of standard
error, "error: " and what, got, wanted and do with tabs between.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lamina.errors import LaminaError
from lamina.synth.blender.files import SceneWriter
from lamina.synth.blender.passes import render_frames
from lamina.synth.blender.recipe import read_recipe
from lamina.synth.blender.render import Quality
from lamina.synth.blender.stage import build_stage


def main(argv: Sequence[str]) -> int:
    """Render the scene; the answer is the exit code."""
    text, out, told = argv
    try:
        recipe, quality = read_recipe(Path(text)), Quality(**json.loads(told))
        with tempfile.TemporaryDirectory() as work, SceneWriter(Path(out), recipe, quality) as writer:
            for pictures in render_frames(build_stage(recipe), quality, range(recipe.frames), Path(work)):
                writer.add(pictures)
                sys.stdout.write(f"frame {writer.count}\n")
                sys.stdout.flush()
    except LaminaError as error:
        parts = (" ".join(part.split()) for part in (error.what, error.got, error.wanted, error.do))
        sys.stderr.write("error: " + "\t".join(parts) + "\n")
        return 2
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender may crash while Python ends, after all is done
