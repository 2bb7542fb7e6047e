"""The code that a stage runs, as a dependency: which modules it imports, and a hash of each.

The hash covers what can change a result: the source without comments, docstrings and blank lines,
cut out of the text, so that it is the same under every Python. Imports are read from the source:

- those inside of functions count, those under `if TYPE_CHECKING` do not;
- a name that an `__init__` only passes on leads to the module that defines it, and to no other;
- the name of a file beside a module ("worker.py") leads to that file: it is run as a program;
- a registry that a module imports by name leads to the modules that its entries name.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("mathse", "schemas", "stages")
REGISTRY = "mathse.core.registry"
NOT_COUNTED = frozenset(
    f"mathse.core.{name}"
    for name in ("code", "errors", "layout", "machine", "params", "processes", "progress")
)
"""Modules that change no byte of a result: params are deps by value, paths by name.

Defaults of a section of the params are no dep. So code that makes a section by itself, not from
`params.yaml`, gives all its keys, as `ONE_EACH` of `mathse.curation.training_rows` does.
"""

_STRING_OR_COMMENT = re.compile(
    r'(?P<string>(?:(?<!\w)[rRbBfFuU]{1,2})?(?:"""(?:\\.|[^\\])*?"""|' + r"'''(?:\\.|[^\\])*?'''"
    r'|"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'))"  # r"""lines""", f'{name}', "a line"
    r"|#[^\n]*",  # a comment
    re.DOTALL,
)
_ENTRY = re.compile(r'"([\w.]+):\w+"')  # "mathse.engines.vllm:VllmEngine"
_FILE = re.compile(r'"(\w+)\.py"')  # "sympy_worker.py"


class Use(NamedTuple):
    """A module that another one imports: the whole of it, or one name."""

    module: str
    name: str | None


class Module:
    """A module by its dotted name: its source, and what it imports."""

    def __init__(self, name: str, file: Path) -> None:
        self.name = name
        self.is_package = file.name == "__init__.py"
        self._source = file.read_text(encoding="utf-8")
        self._statements = list(_statements(ast.parse(self._source)))

    @cached_property
    def text(self) -> str:
        """Return the source without comments, docstrings and blank lines."""
        docstrings = set()
        for node in self._statements:
            match node:
                case ast.Expr(value=ast.Constant(value=str())):
                    docstrings.add(node.lineno)
        return _without_comments(self._source, docstrings)

    @cached_property
    def bindings(self) -> dict[str, Use]:
        """Return what each imported name stands for."""
        found = {}
        for node in self._statements:
            if isinstance(node, ast.ImportFrom):
                assert node.module and not node.level, f"{self.name}: relative import"
                for alias in node.names:
                    found[alias.asname or alias.name] = Use(node.module, alias.name)
            elif isinstance(node, ast.Import):
                found |= {alias.asname or alias.name: Use(alias.name, None) for alias in node.names}
        return found

    def uses(self) -> Iterator[Use]:
        """Yield what the module imports; of `import package`, the names that it takes of it."""
        lines = _STRING_OR_COMMENT.sub("", self.text).split("\n")
        text = "\n".join(line for line in lines if not line.lstrip().startswith("import "))
        for name, use in self.bindings.items():
            if use.name is not None:
                yield use
                continue
            # `schemas.Problem` takes one name, `getattr(schemas, name)` may take any
            taken = set(re.findall(rf"(?<![\w.]){re.escape(name)}(?:\.(\w+)|\b)", text)) or {""}
            yield from (Use(use.module, part or None) for part in sorted(taken))
        if not self.is_package:
            folder = self.name.rpartition(".")[0]
            yield from (Use(f"{folder}.{name}", None) for name in _FILE.findall(self.text))

    def assignments(self) -> dict[str, str]:
        """Return the source of each assignment to a name, such as a registry."""
        found = {}
        for node in self._statements:
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=name), *_])
                    | ast.AnnAssign(target=ast.Name(id=name))
                ):
                    found[name] = ast.get_source_segment(self._source, node) or ""
        return found


class CodeBase:
    """The modules of a project in a folder with `mathse`, `schemas` and `stages`."""

    def __init__(self, root: str | Path = "") -> None:
        self.root = Path(root)
        self._modules: dict[str, Module | None] = {}

    def closure(self, name: str) -> dict[str, str | None]:
        """Return the modules that running one may import, each with the one that led there."""
        found: dict[str, str | None] = {name: None}
        todo = [name]
        while todo:
            importer = todo.pop()
            for target in self._targets(importer):
                if target not in found and target not in NOT_COUNTED:
                    found[target] = importer
                    todo.append(target)
        return found

    def fingerprint(self, name: str) -> dict[str, str]:
        """Return the hash of each module in the closure of one."""
        return {part: self._hash(part) for part in sorted(self.closure(name))}

    def _module(self, name: str) -> Module | None:
        if name not in self._modules:
            path = self.root.joinpath(*name.split("."))
            files = [path.with_suffix(".py"), path / "__init__.py"]
            file = next((file for file in files if file.is_file()), None)
            known = file is not None and name.split(".")[0] in PACKAGES
            self._modules[name] = Module(name, file) if file is not None and known else None
        return self._modules[name]

    def _targets(self, name: str) -> Iterator[str]:
        """Yield the modules that a module, or an entry of a registry, leads to."""
        module = self._module(name)
        if name.startswith(f"{REGISTRY}."):
            yield from _ENTRY.findall(self._registries()[name.rpartition(".")[2]])
        elif module is not None:
            for use in module.uses():
                yield from self._resolve(use)

    def _resolve(self, use: Use) -> Iterator[str]:
        """Yield the module that defines what is used; nothing for modules of other projects."""
        inner = f"{use.module}.{use.name}"
        module = self._module(use.module)
        if use.name is not None and self._module(inner) is not None:
            yield inner
        elif module is None:
            return
        elif module.is_package and use.name in module.bindings:
            yield from self._resolve(module.bindings[use.name])
        else:
            yield use.module
            if use.module == REGISTRY and use.name in self._registries():
                yield inner

    def _registries(self) -> dict[str, str]:
        module = self._module(REGISTRY)
        assigned = module.assignments() if module else {}
        return {name: text for name, text in assigned.items() if _ENTRY.search(text)}

    def _hash(self, name: str) -> str:
        if name.startswith(f"{REGISTRY}."):
            text = self._registries()[name.rpartition(".")[2]]
            return _digest(_without_comments(text, set()))
        module = self._module(name)
        assert module is not None
        text = module.text
        if name == REGISTRY:  # its entries count where they are used
            for entries in self._registries().values():
                text = text.replace(_without_comments(entries, set()), "")
        return _digest(text)


def render_fingerprint(fingerprint: Mapping[str, str | None]) -> str:
    """Return a fingerprint as the text of its file."""
    return json.dumps(fingerprint, indent=0) + "\n"


def explain_change(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each module that was changed, added or removed."""
    for name in sorted({*before, *after}):
        if name not in before:
            yield f"{name} is new"
        elif name not in after:
            yield f"{name} is no longer imported"
        elif before[name] != after[name]:
            yield f"{name} has changed"


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield all statements below a node, but those for type checkers alone."""
    for name in ("body", "orelse", "handlers", "finalbody", "cases"):
        for child in getattr(node, name, []):
            if isinstance(child, ast.stmt):
                yield child
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                for other in child.orelse:
                    yield other
                    yield from _statements(other)
            else:
                yield from _statements(child)


def _without_comments(source: str, docstrings: set[int]) -> str:
    """Cut out comments, blank lines, and the strings that start at the lines of docstrings."""
    kept: list[str] = []
    strings: list[str] = []
    end = line = 0
    for match in _STRING_OR_COMMENT.finditer(source):
        before = source[end : match.start()]
        line += before.count("\n")
        kept.append(before)
        text = match["string"]
        starts_line = not source[source.rfind("\n", 0, match.start()) + 1 : match.start()].strip()
        if text is not None and not (starts_line and line + 1 in docstrings):
            kept.append(f"\0{len(strings)}\0")  # a mark, so that blank lines in a string stay
            strings.append(text)
        line += match[0].count("\n")
        end = match.end()
    kept.append(source[end:])
    lines = (part.rstrip() for part in "".join(kept).split("\n"))
    text = "\n".join(part for part in lines if part)
    return re.sub(r"\0(\d+)\0", lambda mark: strings[int(mark[1])], text)  # the mark of string 7


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
