"""Which modules of this repository a stage imports, directly or not, by reading the source."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("mathse", "schemas", "stages", "models")


def module_file(name: str) -> Path | None:
    """Return the file of a dotted module name, or None if it is not one of ours."""
    if name.split(".")[0] not in PACKAGES:
        return None
    path = ROOT.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def imports(file: Path) -> set[Path]:
    """Return the files of ours that a file imports, anywhere in it, with their packages' `__init__`."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: relative import"
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                target = module_file(".".join(parts[:end]))
                if target is not None:
                    found.add(target)
    return found


def closure(start: Path) -> set[Path]:
    """Return every file of ours that running `start` may import, itself included."""
    todo, seen = [start], {start}
    while todo:
        for target in imports(todo.pop()):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return seen
