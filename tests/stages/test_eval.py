"""Benchmarks through the stages problems and eval; what a new answer check runs again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import schemas
from mathse.core.layout import Layout
from mathse.core.tables import read_table, write_table
from mathse.datasets.import_records import record_import
from mathse.datasets.importing import import_source
from mathse.report.benchmark_tables import read_accuracy, render_benchmarks
from stages.eval import evaluate
from stages.problems import problems as make_problems
from tests.closure import ROOT
from tests.datasets.made import picture, put
from tests.evaluation.benchmarks import SAID, bring_benchmarks, said
from tests.stages.imported import use_imported

TABLES = [
    {"path": "import/mathvista", "use": "eval"},
    {"path": "import/mathverse", "use": "eval"},
    {"path": "import/math-vision", "use": "eval_hard"},
    {"path": "import/tabmwp", "split": "train", "use": "train"},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with three benchmarks, evaluated for base (which found no answer) and r0."""
    root = tmp_path_factory.mktemp("run")
    bring_benchmarks(root)
    row = {
        "question": "How many?",
        "choices": None,
        "answer": "3",
        "unit": None,
        "solution": "It is 3.",
        "grade": 3,
        "table": "",
        "ques_type": "free_text",
        "ans_type": "integer_number",
        "split": "train",
    }
    rows = {name: {**row, "question": f"How many {name}s?"} for name in ("7", "8", "9")}
    put(root / "tabmwp" / "problems_train.json", rows)
    for name in rows:
        put(root / "tabmwp" / "tables" / f"{name}.png", picture(int(name)))
    import_source("tabmwp", root / "tabmwp", root / "import" / "tabmwp")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["problems"] |= {
        "source": "tables",
        "tables": TABLES,
        "orm_share": 0.3,
        "orm_test_share": 0.3,
    }
    use_imported(params)
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for table in TABLES:
            record_import(Layout(), table["path"])
        make_problems(Layout())
        answer("base", {key: ("I do not know.", False) for key in SAID})
        answer("r0", SAID)
        yield root


def answer(name: str, answers: dict[tuple[str, str], tuple[str, bool]]) -> None:
    """Write a model's predictions, of base's one that failed in each split, and evaluate them."""
    pool = read_table(Path("data/problems/problems.parquet"))
    pool = pool.filter(pl.col("split").is_in(["eval", "eval_hard"]))
    rows = said(pool, answers).join(pool.select("problem_id", "split"), on="problem_id")
    has_failed = pl.lit(name == "base") & (pl.int_range(pl.len()).over("split") == 0)
    given = rows.with_columns(
        round=pl.lit(name),
        response=pl.when(has_failed).then(pl.lit("")).otherwise("response"),
        error=pl.when(has_failed).then(pl.lit("Server busy")),
        error_kind=pl.when(has_failed).then(pl.lit("retryable")),
        finish_reason=pl.when(has_failed).then(pl.lit("error")).otherwise(pl.lit("stop")),
        response_tokens=pl.lit(5),
    )
    types = schemas.column_types(schemas.Prediction)
    out = Path("data/eval") / name
    predictions = given.select(pl.col(column).cast(dtype) for column, dtype in types.items())
    write_table(predictions, out / "predictions.parquet", sort_by=["split", "problem_id"])
    evaluate(Layout(), name)


def metrics(run: Path, name: str) -> dict[str, Any]:
    file = run / "metrics" / "eval" / f"{name}.json"
    read: dict[str, Any] = json.loads(file.read_text())["details"][0]
    return read


def test_benchmarks_that_share_a_split_are_kept_apart(run: Path) -> None:
    found = metrics(run, "r0")
    assert set(found["eval"]["sources"]) == {"mathvista", "mathverse"}
    assert set(found["eval_hard"]["sources"]) == {"math-vision"}
    assert found["eval"]["n"] == 9, "problems of the split, each once"
    vista, verse = found["eval"]["sources"]["mathvista"], found["eval"]["sources"]["mathverse"]
    assert (vista["accuracy"], vista["n"], vista["found"]) == (0.6, 5, 0.8)
    assert vista["low"] < 0.6 < vista["high"] and vista["subset"]["GPS"]["n"] == 3
    assert (verse["accuracy"], verse["n"]) == (0.75, 4), (
        "rows of the benchmark: one problem stands for two"
    )
    versions = {
        version: figures["accuracy"] for version, figures in verse["problem_version"].items()
    }
    assert versions == {
        "Text Dominant": 1,
        "Text Lite": 1,
        "Vision Only": 1,
        "Vision Dominant": 0,
        "Text Only": 0,
    }
    assert found["eval_hard"]["sources"]["math-vision"]["n"] == 3


def test_failed_requests_are_counted_by_split_and_kind(run: Path) -> None:
    found = {name: metrics(run, name) for name in ("base", "r0")}
    assert [found["base"][split]["failed"] for split in ("eval", "eval_hard")] == [
        {"retryable": 1},
        {"retryable": 1},
    ]
    assert found["r0"]["eval"]["failed"] == {}


def test_each_benchmark_is_compared_with_the_round_before(run: Path) -> None:
    gain = metrics(run, "r0")["eval"]["sources"]["mathvista"]["gain"]
    assert (gain["n"], gain["gained"], gain["lost"]) == (5, 3, 0)
    assert metrics(run, "r0")["eval_gain"]["n"] == 9
    assert "gain" not in metrics(run, "base")["eval"]["sources"]["mathvista"]


def test_graded_rows_say_what_the_picture_shows(run: Path) -> None:
    problems = read_table(run / "data/problems/problems.parquet")
    rows = read_table(run / "data/eval/r0/graded.parquet").join(problems, on="problem_id")
    pictures = rows.group_by("cluster").agg(pl.col("image_ids").n_unique())
    assert rows["cluster"].null_count() == 0 and set(pictures["image_ids"]) == {1}
    alone = pl.col("cluster") == pl.col("problem_id")
    no_picture = rows.filter(pl.col("image_ids").list.len() == 0)
    assert 0 < no_picture.height == no_picture.filter(alone).height == rows.filter(alone).height


def test_dvc_shows_accuracy_and_change_alone(run: Path) -> None:
    shown = json.loads((run / "metrics/eval/r0.json").read_text())
    assert isinstance(shown.pop("details"), list), "DVC shows no lists"
    gain = metrics(run, "r0")["eval_gain"]["difference"]
    accuracy = metrics(run, "r0")["eval"]["accuracy"]
    assert shown["eval"] == {"accuracy": accuracy, "change": gain} and len(shown) == 2


def test_the_accuracy_table_has_every_group(run: Path) -> None:
    table = read_accuracy(run / "data")
    assert set(table["round"]) == {"base", "r0"}
    by = {source: set(part["by"]) for (source,), part in table.group_by("source")}
    assert by["math-vision"] == {"all", "subject", "level"}
    assert by["mathverse"] == {"all", "problem_version", "question_type", "subject", "subfield"}
    assert by["mathvista"] >= {"all", "subset", "question_type", "answer_type", "task", "skills"}
    assert table.filter(by="level", group="5", round="r0").select("correct", "n").row(0) == (1, 2)


def test_show_names_benchmarks(run: Path) -> None:
    import io

    out = io.StringIO()
    render_benchmarks(run / "data", out)
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines[1] == "benchmark n base r0"
    titles = [line.split("  ")[0] for line in out.getvalue().splitlines()[3:] if line[0] != " "]
    assert titles == ["MathVerse (eval)", "MathVista (eval)", "MATH-Vision (eval_hard)"]
    (gps,) = [line for line in lines if line.startswith("GPS")]
    assert gps.startswith("GPS 3 0.0 [0.0, ") and " 66.7 [" in gps
    assert sum(line.startswith(("Text", "Vision")) for line in lines) == 5


def test_scoring_again_gives_the_same_bytes(run: Path) -> None:
    files = [
        run / "data/eval/r0/graded.parquet",
        run / "data/eval/r0/accuracy.parquet",
        run / "metrics/eval/r0.json",
    ]
    before = [file.read_bytes() for file in files]
    answer("r0", SAID)
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize("name", ["real", "benchmarks"])
def test_profiles_evaluate_splits_that_their_tables_fill(name: str) -> None:
    profile = yaml.safe_load((ROOT / "profiles" / f"{name}.yaml").read_text())
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    splits = profile.get("eval", {}).get("splits") or params["eval"]["splits"]
    used = {table["use"] for table in profile["problems"]["tables"]} - {"train"}
    assert used == set(splits) & used and used
