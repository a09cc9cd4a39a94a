"""Where training stands, on disk: whole or not at all, tensors and JSON only, the last two kept.

    00001000/  network.safetensors    what is trained, by name
               optimizer.safetensors  what the optimiser keeps, as NAME:KEY
               average.safetensors    the average over steps, where there is one
               state.json             the step, and where the mix stands
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lamina.errors import MediaError
from lamina.media.landing import whole_folder
from lamina.media.stack import to_json
from lamina.train.loop import TrainState
from lamina.train.optimizers import set_rate
from lamina.train.parallel import put, whole

VERSION = 1
KEPT = 2
STATE = "state.json"


def save_checkpoint(folder: Path, state: TrainState) -> None:
    """Write a checkpoint below `folder`; every process must call. Raises OutputError when it cannot be written."""
    gathered = {name: _whole(tensors) for name, tensors in _parts(state).items()}
    if state.accelerator.is_main_process:
        _keep_only(checkpoints(folder), folder)
        with whole_folder(folder / f"{state.step:08}") as part:
            for name, tensors in gathered.items():
                save_file(tensors, part / f"{name}.safetensors")
            (part / STATE).write_text(to_json(_words(state)), encoding="utf-8")
        _keep_only(checkpoints(folder)[-KEPT:], folder)
    state.accelerator.wait_for_everyone()


def _keep_only(kept: list[Path], folder: Path) -> None:
    """Remove other checkpoints, and parts of some that a stop has left, half written or half removed."""
    for path in {path for path in folder.glob("*") if path.is_dir()} - set(kept):
        shutil.rmtree(path)


def checkpoints(folder: Path) -> list[Path]:
    """All whole ones, oldest first."""
    return sorted(path for path in folder.glob("[0-9]*") if (path / STATE).is_file())


def load_checkpoint(path: Path, state: TrainState) -> None:
    """Go on from there: parameters, average, optimiser, step and data. Every process must call.

    Raises:
        MediaError: a file is damaged, or does not hold what is trained.
        InputError: the mix is another one.
    """
    words = _read_words(path)
    state.mix.load_state_dict(words["mix"])
    _fill_optimizer(state)
    for name, tensors in _parts(state).items():
        _read(path / f"{name}.safetensors", tensors)
    state.step = words["step"]


def _parts(state: TrainState) -> dict[str, Mapping[str, Tensor]]:
    parts: dict[str, Mapping[str, Tensor]] = {"network": state.parameters, "optimizer": _optimizer_tensors(state)}
    return parts | ({"average": state.ema.averages} if state.ema else {})


def _optimizer_tensors(state: TrainState) -> dict[str, Tensor]:
    kept = state.optimizer.state
    return {
        f"{name}:{key}": value for name, parameter in state.parameters.items() for key, value in kept[parameter].items()
    }


def _fill_optimizer(state: TrainState) -> None:
    """Have the optimiser make all that it keeps, where and as it keeps it, by a step that moves nothing."""
    for parameter in state.parameters.values():
        parameter.grad = torch.zeros_like(parameter)
    set_rate(state.optimizer, 0.0)
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)


def _whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: whole(tensor).contiguous() for name, tensor in tensors.items()}


def _words(state: TrainState) -> dict[str, Any]:
    taken = (state.place - state.mix.start) // state.mix.config.ranks
    return {"version": VERSION, "step": state.step, "mix": state.mix.state_dict(taken)}


def _read_words(path: Path) -> dict[str, Any]:
    try:
        words = json.loads((path / STATE).read_text(encoding="utf-8"))
        if words["version"] != VERSION:
            raise _damaged(path / STATE, f"version {words['version']!r}")
        return {"step": int(words["step"]), "mix": words["mix"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path / STATE, f"{type(error).__name__}: {error}") from error


def _read(path: Path, into: Mapping[str, Tensor]) -> None:
    try:
        with safe_open(path, framework="pt") as file:
            if differing := sorted(set(file.keys()) ^ set(into)):
                raise _damaged(path, f"another set of tensors, first {differing[0]}")
            for name, tensor in into.items():
                put(file.get_tensor(name), tensor)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, got: str) -> MediaError:
    do = f"Remove {path.parent.name}: the run goes on from the checkpoint before it."
    return MediaError(f"{path}", got=got, wanted="a checkpoint of this run", do=do)
