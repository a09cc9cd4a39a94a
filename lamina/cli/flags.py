"""From a task's frozen dataclass to the flags of its command.

The dataclass is the one truth: its fields are the flags, its attribute docstrings are the help. What only a command
line knows, which field is written without a flag and which has a short form, stands in one table here.
"""

import ast
import dataclasses
import inspect
import textwrap
from typing import Annotated, Any, TypeVar, get_type_hints

import tyro
from tyro.constructors import (
    MISSING,
    ConstructorRegistry,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

Config = TypeVar("Config")

MARKS: dict[str, tuple[Any, ...]] = {
    "input": (tyro.conf.Positional, tyro.conf.arg(metavar="INPUT")),
    "stack": (tyro.conf.Positional, tyro.conf.arg(metavar="STACK")),
    "path": (tyro.conf.Positional,),
    "recipe": (tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")),
    "protocol": (tyro.conf.Positional,),
    "action": (tyro.conf.Positional,),
    "model": (tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")),
    "out": (tyro.conf.arg(aliases=["-o"]),),
    "mask": (tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=PATH")),
    "effect": (tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=PATH")),
    "solo": (tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=PATH")),
    "without": (tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME")),
    "order": (tyro.conf.arg(metavar="FAR,...,NEAR"),),
    "size": (tyro.conf.arg(metavar="HxW"),),
    "depth": (tyro.conf.arg(metavar="MODEL"),),
    "frames": (tyro.conf.arg(metavar="A-B"),),
    "verbose": (tyro.conf.arg(aliases=["-v"]),),
}
"""What the command line adds to the fields of these names, in whichever task they appear."""


STYLE = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone)


@dataclasses.dataclass(frozen=True)
class OutputFlags:
    """How a command talks. Every command has these."""

    json: bool = False
    """Print one JSON object per line (progress, warnings, result or error) instead of bars and text."""
    verbose: bool = False
    """Show the full trace when something fails."""


def parse(command: str, summary: str, config: type[Config], args: list[str]) -> Config:
    """Fill a task's dataclass from flags; --help and wrong flags leave by SystemExit, with code 0 and 2.

    The output flags are read over here, so that they are checked and explained; `main` acts on them.
    """
    # the names of the two fields are the headings in the help
    call = dataclasses.make_dataclass("Call", [(command, config), ("output", OutputFlags)])
    filled = tyro.cli(
        call,
        prog=f"lamina {command}",
        description=summary,
        args=args,
        config=STYLE,
        registry=_reading(config, OutputFlags),
    )
    return getattr(filled, command)


def attribute_docstrings(config: type) -> dict[str, str]:
    """The strings below the fields of a dataclass and of those it is made from, by field name, each on one line."""
    found = {}
    for base in config.__bases__:
        if dataclasses.is_dataclass(base):
            found |= attribute_docstrings(base)
    body = ast.parse(textwrap.dedent(inspect.getsource(config))).body[0]
    assert isinstance(body, ast.ClassDef)
    for field, doc in zip(body.body, body.body[1:], strict=False):
        match field, doc:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found


def _reading(*kinds: type) -> ConstructorRegistry:
    """Have tyro read dataclasses of these kinds as it would, with the table's marks added."""

    def rule(info: StructTypeInfo) -> StructConstructorSpec | None:
        return StructConstructorSpec(info.type, _flags_of(info.type)) if info.type in kinds else None

    registry = ConstructorRegistry()
    registry.struct_rule(rule)
    return registry


def _flags_of(kind: type) -> tuple[StructFieldSpec, ...]:
    hints, docs = get_type_hints(kind, include_extras=True), attribute_docstrings(kind)
    return tuple(
        StructFieldSpec(
            name=field.name,
            type=_marked(hints[field.name], MARKS.get(field.name, ())),
            default=_default(field),
            helptext=docs.get(field.name),
        )
        for field in dataclasses.fields(kind)
        if field.init
    )


def _marked(hint: Any, marks: tuple[Any, ...]) -> Any:
    for mark in marks:
        # a marker is subscripted with the type, a configured argument is attached to it
        hint = mark[hint] if mark in (tyro.conf.Positional, tyro.conf.UseAppendAction) else Annotated[hint, mark]
    return hint


def _default(field: dataclasses.Field) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else MISSING
