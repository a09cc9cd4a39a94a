"""Files of weights as mappings from names to tensors, and modules that take all of them or fail."""

import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lamina.errors import MissingExtra, WeightsError

LENGTH_BYTES = 8
"""In front of a file's header: how long it is."""
NAMED = 5
"""So many names of tensors are told in an error."""
COUNTED = re.compile(r"(.*)-(\d+)-of-(\d+)(\..*)")


class Checkpoint(Mapping[str, Tensor]):
    """All tensors of one or several .safetensors files; headers are read at once, a tensor when it is asked for."""

    def __init__(self, files: Sequence[Path]):
        """
        Raises:
            WeightsError: a file is missing, is cut off, or holds something else.
        """
        self.files = tuple(files)
        self._file_of: dict[str, Any] = {}
        for file in self.files:
            opened = _open_safetensors(file)
            self._file_of |= dict.fromkeys(opened.keys(), opened)

    def __getitem__(self, name: str) -> Tensor:
        return self._file_of[name].get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._file_of)

    def __len__(self) -> int:
        return len(self._file_of)


def open_checkpoint(files: Sequence[Path]) -> Mapping[str, Tensor]:
    """Tensors of .safetensors files, or of one .pth file, by name.

    A .pth file may hold tensors only: code in it is not run.

    Raises:
        WeightsError: a file is missing, is cut off, or holds something else.
    """
    if len(files) == 1 and files[0].suffix in (".pth", ".pt", ".bin"):
        return _read_pickle(files[0])
    return Checkpoint(files)


def shards(folder: Path, pattern: str) -> tuple[Path, ...]:
    """The files of a pattern, there or not: those that an index beside them lists, or all that fit.

    Files that count themselves are called `..-00002-of-00007..`; where one of them is there, all seven are given.

    Raises:
        WeightsError: the index is none.
    """
    index = min(folder.glob(pattern + ".index.json"), default=None)
    if index is not None:
        return tuple(index.parent / name for name in _listed(index))
    found = set(folder.glob(pattern))
    for file in list(found):
        if counted := COUNTED.fullmatch(file.name):
            start, digits, total, end = counted.groups()
            numbers = (str(number).zfill(len(digits)) for number in range(1, int(total) + 1))
            found |= {file.with_name(f"{start}-{number}-of-{total}{end}") for number in numbers}
    return tuple(sorted(found))


def read_json(path: Path) -> dict[str, Any]:
    """A .json file of a model.

    Raises:
        WeightsError: it is missing or is not JSON.
    """
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}", got=_reason(error), wanted="JSON", do="Download it again.") from error
    if not isinstance(found, dict):
        raise WeightsError(f"{path}", got=type(found).__name__, wanted="a JSON object", do="Download it again.")
    return found


@contextmanager
def reading_sizes(source: str) -> Iterator[None]:
    """While this is entered, sizes that no model has are a fault of the file `source`.

    Raises:
        WeightsError: something is missing, or there is no such model.
    """
    try:
        yield
    except (TypeError, ValueError, KeyError, ZeroDivisionError, RuntimeError) as error:
        do = "Take the files of this very model: `lamina weights list` says which."
        raise WeightsError(f"sizes of {source}", got=_reason(error), wanted="those of this model", do=do) from error


def build_on_meta(make: Callable[[], nn.Module], source: str) -> nn.Module:
    """A module without memory for its weights; what it computes for itself, such as tables of positions, is real.

    source: what its sizes are called in errors.

    Raises:
        WeightsError: there is no such module with these sizes.
    """
    accelerate = imported("accelerate")
    with (
        reading_sizes(source),
        torch.random.fork_rng(devices=[]),
        accelerate.init_empty_weights(include_buffers=False),
    ):
        return make()


def load_strictly(
    module: nn.Module, tensors: Mapping[str, Tensor], source: str, dtype: torch.dtype, copies: Mapping[str, str] = {}
) -> nn.Module:
    """Give a module that was built on meta all its weights.

    Args:
        tensors: exactly the module's names and shapes; but for axes of length 1 in front.
        source: what the weights are called in errors.
        dtype: what floating point weights become, but where the module's class asks for float32.
        copies: names that are another's weights under a second name, as tied embeddings are. The second may be
            missing in `tensors`.

    Returns:
        The module, on the CPU, in evaluation mode, its weights without gradients.

    Raises:
        WeightsError: names or shapes differ; the first of them are named.
    """
    wanted = module.state_dict()
    _check_names(set(wanted) - set(copies), set(tensors) - set(copies), source)
    loaded: dict[str, Tensor] = {}
    for name in (name for name in wanted if name not in copies):
        tensor = _as_wanted(tensors[name], wanted[name].shape)
        if tensor is None:
            raise _differs(source, f"{name} of shape {_shape(tensors[name])}", _shape(wanted[name]))
        is_number = tensor.is_floating_point()
        if is_number != wanted[name].is_floating_point():
            raise _differs(source, f"{name} of {tensor.dtype}", f"{wanted[name].dtype} or the like")
        loaded[name] = tensor.to(_kept_dtype(module, name) or dtype) if is_number else tensor
    module.load_state_dict(loaded | {name: loaded[of] for name, of in copies.items()}, strict=True, assign=True)
    return module.requires_grad_(False).eval()


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], words: Mapping[str, str]) -> None:
    """Write tensors and words about them; the same ones give the same bytes."""
    save_file(dict(tensors), path, {"format": "pt", **words})
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        header = json.loads(file.read(length))
        # safetensors puts the words in an order by chance; in another one they take as much room
        header = {"__metadata__": dict(sorted(header.pop("__metadata__").items())), **header}
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        file.seek(LENGTH_BYTES)
        file.write(text.ljust(length))


def require_names(tensors: Mapping[str, Tensor], names: Sequence[str], source: str) -> None:
    """Hold weights whose sizes are read from themselves to the names that tell them.

    Raises:
        WeightsError: names are missing.
    """
    if missing := sorted(set(names) - set(tensors)):
        raise _differs(source, f"no {_some(missing)}; it holds {_some(sorted(tensors))} instead", "these too")


def imported(package: str) -> Any:
    """A package of the extra `models`.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return __import__(package)
    except ImportError as error:
        raise MissingExtra(
            "video diffusion models",
            got=f"no package {package}",
            wanted="the extra `models`",
            do="Install it with: pip install 'lamina[models]'.",
        ) from error


def _listed(index: Path) -> list[str]:
    """The files that an index of shards names."""
    listed = read_json(index).get("weight_map")
    if not isinstance(listed, dict) or not all(isinstance(name, str) for name in listed.values()):
        wanted = "files by the names of their tensors under `weight_map`"
        raise WeightsError(f"{index}", got=f"weight_map {listed!r:.40}", wanted=wanted, do="Download it again.")
    return sorted(set(listed.values()))


def _open_safetensors(file: Path) -> Any:
    try:
        return safe_open(file, framework="pt")
    except (OSError, SafetensorError) as error:
        raise _unreadable(file, error, "a whole .safetensors file") from error


def _read_pickle(file: Path) -> Mapping[str, Tensor]:
    try:
        found = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception as error:  # a file can be broken in as many ways as pickle and zip have errors
        raise _unreadable(file, error, "a whole file of tensors and nothing else") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsError(f"{file}", got=type(found).__name__, wanted="tensors by name", do="Download it again.")
    return found


def _unreadable(file: Path, error: Exception, wanted: str) -> WeightsError:
    got = _reason(error) + (f" ({file.stat().st_size} bytes)" if file.is_file() else "")
    return WeightsError(f"{file}", got=got, wanted=wanted, do="Download it again.")


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, KeyError):
        return f"no {error}"
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__


def _check_names(wanted: set[str], found: set[str], source: str) -> None:
    if missing := sorted(wanted - found):
        others = f"; it holds {_some(sorted(found - wanted))} instead" if found - wanted else ""
        raise _differs(source, f"no {_some(missing)}{others}", f"the {len(wanted)} tensors of this model")
    if extra := sorted(found - wanted):
        raise _differs(source, f"{_some(extra)} beside", f"the {len(wanted)} tensors of this model alone")


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _differs(source: str, got: str, wanted: str) -> WeightsError:
    do = "Take the file of this very model: `lamina weights list` says which."
    return WeightsError(f"weights {source}", got=got, wanted=wanted, do=do)


def _as_wanted(tensor: Tensor, shape: torch.Size) -> Tensor | None:
    """The tensor without axes of length 1 in front, where that makes it fit."""
    while tensor.ndim > len(shape) and tensor.shape[0] == 1:
        tensor = tensor[0]
    return tensor if tensor.shape == shape else None


def _kept_dtype(module: nn.Module, name: str) -> torch.dtype | None:
    """float32 for what diffusers computes in float32. The published Wan code holds these in bfloat16.

    The numbers are those of the bfloat16 file; only sums and products of them are rounded less than there.
    """
    kept = getattr(module, "_keep_in_fp32_modules", None) or ()
    return torch.float32 if set(kept) & set(name.split(".")) else None


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
