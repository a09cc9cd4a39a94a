"""Where and with what something was measured."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("numpy", "opencv-python-headless", "av", "torch")


def circumstances() -> dict[str, Any]:
    """Machine, versions, commit, command and date, for the top of a results file."""
    return {
        "machine": {
            "cpu": _cpu_model(),
            "cores": os.cpu_count(),
            "memory_gb": _memory_gb(),
            "system": platform.system(),
        },
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "commit": commit(),
        "command": command(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "load_before": round(os.getloadavg()[0], 2),
    }


def commit() -> str:
    """The short commit, with + when files of the package differ from it."""
    short = _git("rev-parse", "--short", "HEAD")
    return short + "+" * bool(_git("status", "--porcelain", "--", "lamina")) if short else "unknown"


def command() -> str:
    """The command line that makes this file, to be given in the project's folder; places on this machine left out."""
    script = Path(sys.argv[0]).absolute().with_suffix("")
    module = script.relative_to(ROOT).parts if script.is_relative_to(ROOT) else ("benchmarks", script.name)
    told = [f".../{Path(word).name}" if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return " ".join(["python", "-m", ".".join(module), *told])


def _git(*args: str) -> str:
    done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def _memory_gb() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
