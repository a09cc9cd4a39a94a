"""The package as the house tests see it: its files, parsed."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "lamina"


@dataclass(frozen=True)
class Module:
    path: Path
    """Relative to the package."""
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def folder(self) -> str:
        """Name of the folder below the package, "" for the ground floor."""
        return self.path.parts[0] if len(self.path.parts) > 1 else ""


def modules(package: Path = PACKAGE) -> list[Module]:
    return [Module(path.relative_to(package), path.read_text()) for path in sorted(package.rglob("*.py"))]


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything imported from this package, relative imports resolved."""
    here = ("lamina", *module.path.with_suffix("").parts)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level]) if node.level else ""
            source = ".".join(part for part in (base, node.module) if part)
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)
