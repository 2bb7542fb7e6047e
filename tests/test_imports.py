"""Who may import whom: the contracts in pyproject.toml, and here what those cannot say."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import schemas

ROOT = Path(__file__).resolve().parents[1]

ALLOWED_OUTSIDE = {
    "schemas": {"polars", "pandera", "schemas"},
    "schemas/dictionary.py": {"polars", "pandera", "schemas", "yaml"},
    "mathse/core": {"polars", "pydantic", "yaml", "rich", "mathse", "schemas"},
}
MODEL_LIBRARIES = {"torch", "transformers", "accelerate", "peft", "ray", "vllm"}
LOADED_BY_VLLM = {"mathse/engines/vllm_forced.py"}
MODEL_ROOMS = ("mathse/engines/", "mathse/training/")
PILLOW_ROOMS = tuple(
    f"mathse/{room}/"
    for room in ("figures", "datasets", "engines", "training", "curation", "report")
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
            broken.append(f"{where}: core knows no other room")
        if found.top in MODEL_LIBRARIES and not name.startswith(MODEL_ROOMS):
            broken.append(f"{where}: model libraries stay in engines and training")
        if found.top in ("ray", "vllm") and not found.lazy and name not in LOADED_BY_VLLM:
            broken.append(f"{where}: {found.top} is imported inside functions only")
        if found.top == "PIL" and not name.startswith(PILLOW_ROOMS):
            broken.append(f"{where}: pictures are handled in {PILLOW_ROOMS}")
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
    """Return the frame schemas of a module that spell out two or more columns of one table."""
    tables = {table.__name__: set(schemas.column_types(table)) for table in schemas.TABLES}
    found = []
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        is_schema = ast.unparse(call.func) in ("pl.Schema", "polars.Schema")
        given = [word.value for word in call.keywords if word.arg == "schema"]
        for node in [*(call.args if is_schema else ()), *given]:
            if not isinstance(node, ast.Dict):
                continue
            names = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            for table, columns in tables.items():
                if len(names & columns) >= 2:
                    found.append(f"line {call.lineno}: {sorted(names & columns)} of {table}")
                    break
    return found


def test_columns_are_declared_in_schemas_alone() -> None:
    files = [file for file in modules() if not file.is_relative_to(ROOT / "schemas")]
    again = [
        f"{file.relative_to(ROOT)} {line}: use schemas.column_types"
        for file in files
        for line in declared_again(file.read_text("utf-8"))
    ]
    assert not again, "\n".join(again)


def test_a_second_declaration_is_found() -> None:
    assert declared_again('X = pl.Schema({"problem_id": pl.String, "state": pl.String})')
    assert declared_again('pl.DataFrame(rows, schema={"round": pl.String, "split": pl.String})')
    assert not declared_again('X = pl.Schema({"problem_id": pl.String, "note": pl.String})')
    assert not declared_again('X = pl.Schema({**column_types(Graded), "note": pl.String})')


@pytest.mark.parametrize(
    ("name", "source", "rule"),
    [
        ("schemas/x.py", "import mathse.core.ids", "schemas stands on"),
        ("schemas/x.py", "import yaml", "schemas stands on"),
        ("mathse/core/x.py", "def f():\n    import torch", "model libraries stay"),
        ("mathse/core/x.py", "import duckdb", "mathse/core stands on"),
        ("mathse/core/x.py", "from mathse.judge import rows", "core knows no other room"),
        ("mathse/judge/x.py", "if True:\n    from torch.nn import Module", "model libraries stay"),
        ("stages/x.py", "import transformers", "model libraries stay"),
        ("mathse/engines/x.py", "import vllm", "vllm is imported inside"),
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
