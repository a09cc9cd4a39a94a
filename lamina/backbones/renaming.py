"""Tables of names, applied: tensors under published names become tensors under the names that a class wants."""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from torch import Tensor

Table = Mapping[str, str | tuple[str, ...] | None]
"""From a published name to ours: without the ending `.weight`, `.bias` or `.gamma`; `{}` is a number, `*` anything."""

ENDING = r"(\.(?:weight|bias|gamma))?"


class Renamed(Mapping[str, Tensor]):
    """A view of tensors under other names. Nothing is read before it is asked for; unknown names stay as they are."""

    def __init__(self, tensors: Mapping[str, Tensor], table: Table):
        self._tensors = tensors
        self._source: dict[str, tuple[str, int, int]] = {}
        for name in tensors:
            parts = renamed(table, name)
            self._source |= {part: (name, k, len(parts)) for k, part in enumerate(parts)}

    def __getitem__(self, name: str) -> Tensor:
        source, part, parts = self._source[name]
        return self._tensors[source].chunk(parts)[part] if parts > 1 else self._tensors[source]

    def __iter__(self) -> Iterator[str]:
        return iter(self._source)

    def __len__(self) -> int:
        return len(self._source)


def renamed(table: Table, name: str) -> tuple[str, ...]:
    """What a tensor is called, and how its parts are; nothing for one that is left out.

    >>> renamed({"blocks.{}.attn.qkv": ("layers.{}.q", "layers.{}.k"), "head": None}, "blocks.7.attn.qkv.bias")
    ('layers.7.q.bias', 'layers.7.k.bias')
    >>> renamed({"head": None}, "head")
    ()
    """
    for theirs, ours in table.items():
        if match := _pattern(theirs).fullmatch(name):
            *numbers, ending = match.groups(default="")
            targets = (ours,) if isinstance(ours, str) else ours or ()
            return tuple(target.format(*numbers) + ending for target in targets)
    return (name,)


def inverted(table: Table) -> Table:
    """The way back, for a table that neither splits tensors nor leaves any out."""
    return {ours: theirs for theirs, ours in table.items() if isinstance(ours, str)}


@cache
def _pattern(theirs: str) -> re.Pattern[str]:
    return re.compile(re.escape(theirs).replace(r"\{\}", r"(\d+)").replace(r"\*", ".*") + ENDING)
