"""Who may import whom: the contracts in pyproject.toml, and here what those cannot say."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

import schemas

ROOT = Path(__file__).resolve().parents[1]

ALLOWED_OUTSIDE = {
    "schemas": {"polars", "pandera", "schemas"},
    "schemas/dictionary.py": {"polars", "pandera", "schemas", "yaml"},
    "mathse/core": {"polars", "pydantic", "yaml", "rich", "mathse", "schemas"},
}
MODEL_LIBRARIES = {"torch", "transformers", "accelerate", "peft", "openai", "ray", "vllm"}
OPTIONAL_LIBRARIES = {"openai", "peft", "ray", "vllm"}
MAX_STAGE_LINES = 60
POLARS_TYPES = {
    name for name in dir(pl) if isinstance(getattr(pl, name), pl.datatypes.DataTypeClass)
}
LOADED_BY_VLLM = {"mathse/engines/vllm_forced.py"}
MODEL_PACKAGES = ("mathse/engines/", "mathse/training/")
PILLOW_PACKAGES = tuple(
    f"mathse/{package}/"
    for package in ("figures", "datasets", "engines", "training", "curation", "report")
)


class Found(NamedTuple):
    name: str  # as written: "torch.nn"
    line: int
    lazy: bool  # inside a function

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


def imports(source: str) -> list[Found]:
    """List all absolute imports of a module; a relative one is an error of style here."""

    def walk(node: ast.AST, lazy: bool) -> Iterator[Found]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Found(alias.name, child.lineno, lazy) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0 and child.module, (
                    f"line {child.lineno}: use absolute imports"
                )
                yield Found(child.module, child.lineno, lazy)
            else:
                yield from walk(
                    child, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
                )

    return list(walk(ast.parse(source), False))


def broken_rules(name: str, source: str) -> list[str]:
    """Return what a module's imports break, one line each. `name`: its path from the root."""
    broken = []
    for found in imports(source):
        where = f"{name}:{found.line} imports {found.name}"
        for folder, allowed in ALLOWED_OUTSIDE.items():
            in_folder = name.startswith(f"{folder}/") and name not in ALLOWED_OUTSIDE
            if (in_folder or name == folder) and found.top not in allowed | sys.stdlib_module_names:
                broken.append(
                    f"{where}: {folder} stands on the standard library and {sorted(allowed)} only"
                )
        if (
            name.startswith("mathse/core/")
            and found.top == "mathse"
            and found.name.split(".")[1:2] != ["core"]
        ):
            broken.append(f"{where}: core knows no other package")
        if found.top in MODEL_LIBRARIES and not name.startswith(MODEL_PACKAGES):
            broken.append(f"{where}: model libraries stay in engines and training")
        if found.top in OPTIONAL_LIBRARIES and not found.lazy and name not in LOADED_BY_VLLM:
            broken.append(f"{where}: {found.top} is imported inside functions only")
        if found.top == "PIL" and not name.startswith(PILLOW_PACKAGES):
            broken.append(f"{where}: pictures are handled in {PILLOW_PACKAGES}")
        if name.startswith("mathse/") and found.top in ("stages", "pandera"):
            broken.append(f"{where}: mathse does not import stages or pandera")
        if found.top == "tests":
            broken.append(f"{where}: the program does not need its tests")
    return broken


def modules() -> list[Path]:
    return sorted(
        file for top in ("mathse", "schemas", "stages") for file in (ROOT / top).rglob("*.py")
    )


def test_imports_keep_the_rules() -> None:
    files = modules()
    assert {ROOT / "mathse/core/ids.py", ROOT / "schemas/problem.py"} <= set(files)
    names = [file.relative_to(ROOT).as_posix() for file in files]
    broken = [
        line
        for name, file in zip(names, files, strict=True)
        for line in broken_rules(name, file.read_text("utf-8"))
    ]
    assert not broken, "\n".join(broken)


def test_the_contracts_of_import_linter_hold() -> None:
    code = (
        "import sys; from importlinter.cli import lint_imports\n"
        "sys.exit(lint_imports(no_cache=True))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout and "4 kept" in done.stdout


def declared_again(source: str) -> list[str]:
    """Return the declarations of two or more columns of one table, with their types or as a schema.

    Found are dictionaries, `dict.fromkeys` and comprehensions with types of polars as values,
    unions of these, and lists of names given as `schema`.
    """
    tables = {table.__name__: set(schemas.column_types(table)) for table in schemas.TABLES}
    tree = ast.parse(source)
    lists = {
        target.id: names_in(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = []
    for node in ast.walk(tree):
        names = declared_names(node, lists)
        for table, columns in tables.items():
            if len(names & columns) >= 2:
                found.append(f"line {node.lineno}: {sorted(names & columns)} of {table}")
                break
    return found


def declared_names(node: ast.AST, lists: dict[str, set[str]]) -> set[str]:
    """Return the columns that a node declares; `lists` has the names in each variable's list."""

    def listed(values: ast.AST) -> set[str]:
        return lists.get(values.id, set()) if isinstance(values, ast.Name) else names_in(values)

    match node:
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            return {
                name
                for key, value in pairs
                for name in (
                    declared_names(value, lists)
                    if key is None
                    else names_in(key)
                    if is_type(value)
                    else ()
                )
            }
        case ast.DictComp():
            return listed(node.generators[0].iter) if is_type(node.value) else set()
        case ast.BinOp(op=ast.BitOr()):
            return declared_names(node.left, lists) | declared_names(node.right, lists)
        case ast.Call(func=ast.Attribute(attr="fromkeys"), args=[names, value]):
            return listed(names) if is_type(value) else set()
        case ast.keyword(arg="schema", value=ast.List() | ast.Tuple() | ast.Name() as names):
            return listed(names)
    return set()


def names_in(node: ast.AST) -> set[str]:
    """Return the text itself, or the texts of a list or tuple: "n", ("n", "share")."""
    values = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    return {
        one.value for one in values if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }


def is_type(node: ast.AST) -> bool:
    """Return True if an expression has a type of polars in it, such as `pl.List(pl.String)`."""
    return any(
        isinstance(part, ast.Attribute)
        and ast.unparse(part.value) in ("pl", "polars")
        and part.attr in POLARS_TYPES
        for part in ast.walk(node)
    )


def test_columns_are_declared_in_schemas_alone() -> None:
    files = [file for file in modules() if not file.is_relative_to(ROOT / "schemas")]
    again = [
        f"{file.relative_to(ROOT)} {line}: use schemas.column_types"
        for file in files
        for line in declared_again(file.read_text("utf-8"))
    ]
    assert not again, "\n".join(again)


@pytest.mark.parametrize(
    "source",
    [
        'X = pl.Schema({"problem_id": pl.String, "state": pl.String})',
        'pl.DataFrame(rows, schema={"round": pl.String, "split": pl.String})',
        'X = {"round": pl.String(), "split": pl.String(), "note": pl.String()}',
        'N = ("round", "skill")\nX = {**dict.fromkeys(N, pl.String), "correct": pl.Boolean}',
        'X = {**dict.fromkeys(("round",), pl.String), "correct": pl.Boolean}',
        'X = {"round": pl.String} | {"correct": pl.Boolean}',
        'names = ("round", "skill")\nX = {name: pl.String() for name in names}',
        'pl.DataFrame(rows, schema=["before", "after", "n"], orient="row")',
    ],
)
def test_a_second_declaration_is_found(source: str) -> None:
    assert declared_again(source)


@pytest.mark.parametrize(
    "source",
    [
        'X = pl.Schema({"problem_id": pl.String, "note": pl.String})',
        'X = pl.Schema({**column_types(Graded), "note": pl.String})',
        'row = {"round": name, "split": split}',
        'N = ("round", "skill")\nX = {name: row[name] for name in N}',
    ],
)
def test_what_declares_no_columns_is_not_found(source: str) -> None:
    assert not declared_again(source)


def test_words_and_image_placeholders_are_declared_once() -> None:
    """The words of a parameter or column stand in one `Literal`, the placeholder in one pattern."""
    literals: dict[str, list[str]] = {}
    for file in modules():
        source, name = file.read_text("utf-8"), file.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Tuple(elts=words)):
                    key = ", ".join(sorted(map(ast.unparse, words)))
                    literals.setdefault(key, []).append(f"{name}:{node.lineno}")
        if "<image[" in source:
            literals.setdefault("<image[", []).append(name)
    assert literals.pop("<image[") == ["schemas/enums.py"], "use schemas.IMAGE_PLACEHOLDER"
    assert {key: where for key, where in literals.items() if len(where) > 1} == {}


def test_stages_read_and_write_tables_by_their_contracts() -> None:
    plain = [
        f"{file.name}: {found.name}"
        for file in sorted((ROOT / "stages").glob("*.py"))
        for found in imports(file.read_text("utf-8"))
        if found.name == "mathse.core.tables"
    ]
    assert not plain, "read and write of mathse.core.stage_tables check: " + ", ".join(plain)


def test_stages_have_at_most_60_lines() -> None:
    lengths = {
        file.name: len(file.read_text("utf-8").splitlines())
        for file in (ROOT / "stages").glob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > MAX_STAGE_LINES} == {}


@pytest.mark.parametrize(
    ("name", "source", "rule"),
    [
        ("schemas/x.py", "import mathse.core.ids", "schemas stands on"),
        ("schemas/x.py", "import yaml", "schemas stands on"),
        ("mathse/core/x.py", "def f():\n    import torch", "model libraries stay"),
        ("mathse/core/x.py", "import duckdb", "mathse/core stands on"),
        ("mathse/core/x.py", "from mathse.judge import rows", "core knows no other package"),
        ("mathse/judge/x.py", "if True:\n    from torch.nn import Module", "model libraries stay"),
        ("stages/x.py", "import transformers", "model libraries stay"),
        ("mathse/engines/x.py", "import vllm", "vllm is imported inside"),
        ("mathse/engines/x.py", "import openai", "openai is imported inside"),
        ("mathse/judge/x.py", "def f():\n    import openai", "model libraries stay"),
        ("mathse/judge/x.py", "from PIL import Image", "pictures are handled"),
        ("mathse/judge/x.py", "import pandera", "does not import stages or pandera"),
        ("mathse/judge/x.py", "from stages import score", "does not import stages or pandera"),
        ("mathse/judge/x.py", "from tests.tiny import x", "does not need its tests"),
    ],
)
def test_each_rule_finds_its_breach(name: str, source: str, rule: str) -> None:
    assert any(rule in line for line in broken_rules(name, source))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("schemas/x.py", "import json\nimport polars as pl\nfrom schemas.table import Table"),
        ("mathse/core/x.py", "import yaml\nimport schemas\nfrom mathse.core.ids import content_id"),
        ("mathse/engines/x.py", "import torch\ndef f():\n    import vllm"),
        ("mathse/figures/x.py", "from PIL import Image"),
        ("stages/x.py", "import schemas\nfrom mathse.judge import rows"),
    ],
)
def test_what_is_allowed_passes(name: str, source: str) -> None:
    assert broken_rules(name, source) == []


def test_relative_imports_are_refused() -> None:
    with pytest.raises(AssertionError, match="absolute"):
        imports("from .ids import content_id")
