"""`lamina doctor`: what this machine can do. Looks only at what is installed; touches no network."""

import importlib.metadata
import os
import platform
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from lamina import __version__
from lamina.cli.task import Task
from lamina.cli.voice import Voice

PACKAGES = ("numpy", "torch", "einops", "jaxtyping", "safetensors", "av", "OpenEXR", "cv2", "tyro", "rich")
"""Import names of what Lamina always needs."""
ENCODERS = {
    "ffv1": "the stack itself",
    "libx264": "composed movies",
    "prores_ks": "export --format prores4444",
    "libvpx-vp9": "export --format webm",
    "png": "the contact sheet and export --format png",
}
GIB = 2**30
FEW_DISK_BYTES, FEW_MEMORY_BYTES = 5 * GIB, 4 * GIB
DISTRIBUTIONS = {"cv2": "opencv-python-headless"}
"""Packages that are installed under another name than they are imported by."""


@dataclass(frozen=True)
class DoctorConfig:
    """Nothing to choose."""


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    state: Literal["ok", "note", "fault"]
    """A note is worth knowing, with a fault something will not work."""
    detail: str


def run(config: DoctorConfig, voice: Voice) -> int:
    checks = [*check_packages(), *check_encoders(), *check_machine(Path.cwd()), *check_extras()]
    faults = [check for check in checks if check.state == "fault"]
    lines = [f"{check.state:<6} {check.name:<24} {check.detail}" for check in checks]
    verdict = f"{len(faults)} fault(s) found." if faults else "All that is needed is there."
    voice.result({"healthy": not faults, "checks": [asdict(check) for check in checks]}, "\n".join([*lines, verdict]))
    return 1 if faults else 0


def check_packages() -> Iterator[Check]:
    yield Check("lamina", "ok", __version__)
    yield Check("python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}")
    for name in PACKAGES:
        try:
            import_module(name)
        except Exception as error:  # a broken package may raise anything
            yield Check(name, "fault", f"cannot be imported: {' '.join(str(error).split())}. Install Lamina again.")
        else:
            yield Check(name, "ok", importlib.metadata.version(DISTRIBUTIONS.get(name, name)))


def check_encoders() -> Iterator[Check]:
    try:
        import av
    except Exception:  # said by check_packages
        return
    yield Check("ffmpeg", "ok", "libavcodec " + ".".join(map(str, av.library_versions["libavcodec"])))
    for name, purpose in ENCODERS.items():
        try:
            av.Codec(name, "w")
        except ValueError:  # PyAV's UnknownCodecError
            yield Check(f"encoder {name}", "fault", f"missing, needed for {purpose}. Install PyAV from its own wheel.")
        else:
            yield Check(f"encoder {name}", "ok", f"for {purpose}")


def check_machine(folder: Path) -> Iterator[Check]:
    """Room and speed; little of either is a note, for it depends on the clip."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Check("processor cores", "ok", str(cores))
    yield _room("memory", memory_bytes(), FEW_MEMORY_BYTES)
    yield _room("disk, this folder", shutil.disk_usage(folder).free, FEW_DISK_BYTES)
    yield Check("accelerator", "ok", accelerator())


def _room(name: str, found: int | None, few: int) -> Check:
    if found is None:
        return Check(name, "note", "unknown on this system")
    if found < few:
        return Check(name, "note", f"{found / GIB:.1f} GiB, little for long clips")
    return Check(name, "ok", f"{found / GIB:.1f} GiB")


def memory_bytes() -> int | None:
    """Memory of the machine, None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def accelerator() -> str:
    try:
        import torch
    except Exception:  # said by check_packages
        return "unknown without torch"
    found = torch.accelerator.current_accelerator(check_available=True)
    return f"{found.type} (the engine propagate does not use it)" if found else "none (not needed)"


def check_extras() -> Iterator[Check]:
    """Optional parts, as the installed package itself lists them."""
    for extra, names in extras().items():
        missing = [name for name in names if not _is_installed(name)]
        detail = f"not installed: pip install 'lamina[{extra}]'" if missing else "installed"
        yield Check(f"extra {extra}", "note" if missing else "ok", detail)


def extras() -> dict[str, list[str]]:
    try:
        lines = importlib.metadata.requires("lamina") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {}
    for line in lines:
        if match := re.match(r"([\w.-]+).*extra == ['\"](\w+)['\"]", line):
            found.setdefault(match[2], []).append(match[1])
    return found


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


TASK = Task(DoctorConfig, run)
