"""Recipes from TOML: every key is a field of a dataclass, and nothing else is let through."""

import dataclasses
import difflib
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lamina.errors import InputError
from lamina.train.recipe import Recipe

WANTED = {str: "text", int: "a whole number", float: "a finite number"}


def read_recipe(path: Path) -> Recipe:
    """A recipe from a .toml file.

    Raises:
        InputError: it cannot be read, has an unknown key, lacks one, or a value is not what it should be.
    """
    try:
        given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        got = getattr(error, "strerror", None) or str(error)
        raise InputError(f"recipe {path}", got=got, wanted="a TOML file", do="See recipes/ for some.") from error
    return _dataclass(Recipe, given, f"recipe {path}")


def _dataclass(kind: type, given: Any, at: str) -> Any:
    if not isinstance(given, Mapping):
        raise _bad(at, repr(given), "a table")
    hints = get_type_hints(kind)
    for key in given:
        if key not in hints:
            near = difflib.get_close_matches(key, hints, 1)
            do = f"Did you mean {near[0]!r}?" if near else "Remove it."
            raise InputError(f"{at}: {key}", got="an unknown key", wanted=f"one of {', '.join(hints)}", do=do)
    missing = [field.name for field in dataclasses.fields(kind) if field.name not in given and not _has_default(field)]
    if missing:
        raise _bad(at, f"no {', '.join(missing)}", "these too")
    return kind(**{key: _value(hints[key], value, f"{at}: {key}") for key, value in given.items()})


def _has_default(field: dataclasses.Field) -> bool:
    return not field.default is field.default_factory is dataclasses.MISSING


def _value(hint: Any, given: Any, at: str) -> Any:
    kind, parts = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint, given, at)  # type: ignore[arg-type]
    if kind in (Union, UnionType):
        [real] = [part for part in parts if part is not NoneType]
        return _value(real, given, at)
    if kind is Literal:
        if given not in parts:
            raise _bad(at, repr(given), " or ".join(map(repr, parts)))
        return given
    if kind is tuple:
        return _tuple(parts, given, at)
    if hint is Path and isinstance(given, str):
        return Path(given)
    if hint is float and isinstance(given, int) and not isinstance(given, bool):
        return float(given)
    if type(given) is not hint or (hint is float and not math.isfinite(given)):
        raise _bad(at, repr(given), WANTED.get(hint, "true or false"))
    return given


def _tuple(parts: tuple, given: Any, at: str) -> tuple:
    endless = len(parts) == 2 and parts[1] is Ellipsis
    if not isinstance(given, list) or not (endless or len(given) == len(parts)):
        raise _bad(at, repr(given), "a list" if endless else f"a list of {len(parts)}")
    kinds = [parts[0]] * len(given) if endless else parts
    return tuple(_value(kind, value, f"{at} {k}") for k, (kind, value) in enumerate(zip(kinds, given, strict=True)))


def _bad(at: str, got: str, wanted: str) -> InputError:
    return InputError(at, got=got, wanted=wanted, do="See docs/training.md.")
