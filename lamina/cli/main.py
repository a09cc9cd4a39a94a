"""The command `lamina`: chooses the task, reads its flags, runs it, turns errors into one line and an exit code.

Exit codes: 0 done, 1 something unexpected (or `doctor` found a fault), 2 input, flags or output are wrong, 130 stopped.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from lamina import LaminaError, __version__
from lamina.cli.flags import parse
from lamina.cli.task import Task
from lamina.cli.voice import JsonVoice, ScreenVoice, Voice, warnings_through

COMMANDS = {
    "decompose": "Split a clip into a clean plate and one RGBA layer per named mask.",
    "layers": "Make the layers of a clip whose plate and solos another remover has made.",
    "compose": "Lay the layers of a stack over its plate, or over another background, into one movie.",
    "export": "Write the layers of a stack as files for editing and compositing programs.",
    "inspect": "Say what is in a clip, a mask or a stack.",
    "evaluate": "Score a method's plates, layers or alphas on a data set with truth.",
    "train": "Train a remover as a recipe says, or go on where a run was stopped.",
    "weights": "Say which model files are needed, where they come from, and whether they are there and whole.",
    "attention": "Show what a video model links with an object, block by block.",
    "doctor": "Check what this machine can do: versions, codecs, room, extras.",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; only wrong flags and --help leave by SystemExit."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help"):
        print(usage())
        return 0
    if args[0] == "--version":
        print(f"lamina {__version__}")
        return 0
    if args[0] not in COMMANDS:
        print(f"error: unknown command {args[0]!r}. Choose one of: {', '.join(COMMANDS)}.", file=sys.stderr)
        return 2
    return run(args[0], args[1:])


def run(command: str, args: list[str]) -> int:
    """Run one known command."""
    # looked up by hand, for what is wrong with the other flags must be said in this voice too
    voice: Voice = JsonVoice() if "--json" in args else ScreenVoice()
    after_stop = ""
    try:
        task: Task = import_module(f"lamina.cli.{command}").TASK
        after_stop = task.after_stop
        config = parse(command, COMMANDS[command], task.config, args)
        with warnings_through(voice):
            return task.run(config, voice)
    except KeyboardInterrupt:
        voice.stopped(after_stop)
        return 130
    except BrokenPipeError:  # whoever read what is said has gone; Python would complain once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        voice.error(error)
        if {"-v", "--verbose"} & set(args):
            traceback.print_exc()
        return 2 if isinstance(error, LaminaError) else 1


def usage() -> str:
    rows = [f"  {name:<10} {summary}" for name, summary in COMMANDS.items()]
    return "\n".join(
        [
            "usage: lamina COMMAND ...",
            "",
            "Split a video into a clean plate and one RGBA layer per object, with its shadow and reflection.",
            "",
            "commands:",
            *rows,
            "",
            "lamina COMMAND --help says what a command takes; lamina --version says the version.",
        ]
    )
