from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mathse.core.layout import Layout
from tests.closure import ROOT

LAYOUT = ROOT / "mathse/core/layout.py"
# What an import writes is called so, too.
TABLES = {*re.findall(r'"(\w+\.parquet)"', LAYOUT.read_text())} - {
    *("problems.parquet", "quarantine.parquet")
}
# "data/problems/images", "rounds/*/train.parquet", "train.parquet"; no sentence and no command
PATH = re.compile(
    rf"(data|metrics|models)/\w\S*|(rounds|eval)/\S*|\S*\b({'|'.join(map(re.escape, TABLES))})"
)
FOLDERS = ("data", "metrics", "models", "rounds", "eval")
NO_PATHS_OF_A_RUN = {
    ("datasets/tabmwp.py", "data/tabmwp"),  # as this data set is published
    ("datasets/geometry_sets.py", "data"),  # and this one
    ("datasets/exporting.py", "data"),  # of an export
    ("planning/shapes.py", "models/internvl2_5-8b"),  # a model's name
}


def test_every_path_lies_below_the_root(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.problems == tmp_path / "data/problems/problems.parquet"
    assert layout.round("r1").train == tmp_path / "data/rounds/r1/train.parquet"
    assert layout.round("control").model == tmp_path / "data/control/model"
    assert layout.metrics("score", "r1") == tmp_path / "metrics/score/r1.json"
    assert layout.journal("score r1") == tmp_path / ".mathse/journal/score-r1"
    assert str(Layout().eval("*").graded) == "data/eval/*/graded.parquet"


def test_a_data_folder_may_have_any_name(tmp_path: Path) -> None:
    layout = Layout(data=tmp_path / "old")
    assert layout.images == tmp_path / "old/problems/images"
    assert layout.round("control").train == tmp_path / "old/control/train.parquet"
    assert layout.params == tmp_path / "params.yaml"
    assert Layout(data="data").metrics("eval", "r0") == Path("metrics/eval/r0.json")


def test_files_are_found_by_the_name_of_their_folder(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "a[b]")
    for name in ("r1", "r0", "base"):
        layout.eval(name).graded.parent.mkdir(parents=True)
        layout.eval(name).graded.touch()
    layout.eval("base").graded.unlink()
    found = layout.find(layout.eval("*").graded)
    assert list(found.items()) == [(name, layout.eval(name).graded) for name in ("r0", "r1")]


def paths_in(source: str) -> Iterator[str]:
    """Yield the strings of a module that are paths of a run, or parts of one."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    parts = {id(node.right) for node in nodes if isinstance(node, ast.BinOp)}  # folder / "data"
    for node in nodes:  # Path("data", name), folder.joinpath("data")
        match node:
            case ast.Call(func=ast.Name(id="Path") | ast.Attribute(attr="joinpath")):
                parts |= {id(given) for given in node.args}
    for node in nodes:
        match node:
            case ast.Constant(value=str(text)) if id(node) not in prose:
                if PATH.fullmatch(text) or (id(node) in parts and text in FOLDERS):
                    yield text


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('root.glob("eval/*/graded.parquet")', ["eval/*/graded.parquet"]),
        ('root / "problems" / "images", root / "data"', ["data"]),
        ('f"{name}/train.parquet", f"rounds/{name}"', ["/train.parquet", "rounds/"]),
        ('Path("data", "import"), "data/import"', ["data", "data/import"]),
        ('"see data/import", {"data": "a.parquet"}, key == "data"', []),
        ('def f():\n    """data/eval"""\n', []),
    ],
)
def test_paths_are_found_in_code(source: str, found: list[str]) -> None:
    assert sorted(paths_in(source)) == sorted(found)


def test_the_layout_alone_knows_paths_of_data_metrics_and_models() -> None:
    found = {
        (file.relative_to(ROOT / "mathse").as_posix(), path)
        for file in ROOT.glob("mathse/**/*.py")
        if file != LAYOUT
        for path in paths_in(file.read_text())
    }
    assert found == NO_PATHS_OF_A_RUN


def test_asked_paths_are_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATHSE_LAYOUT_LOG", str(tmp_path / "log"))
    Layout().orm.rows, Layout().metrics("eval", "r0"), Layout().orm  # noqa: B018
    lines = (tmp_path / "log").read_text().splitlines()
    paths = [line.split("\t")[1] for line in lines]
    assert paths == ["data/orm/data/rows.parquet", "metrics/eval/r0.json"]
