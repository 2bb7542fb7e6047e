"""Each benchmark scored by its own rules, on hand-made rows and on real ones."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from bench.data import DATA, missing
from mathse.answers import check_rows
from mathse.core.errors import DataError
from mathse.core.tables import read_table
from mathse.datasets.importing import import_source
from mathse.datasets.registry import SOURCES
from mathse.evaluation.accuracy import GRADED, wilson
from mathse.evaluation.benchmark_rules import (
    BENCHMARKS,
    benchmark_table,
    groups_of,
    in_headline,
    scoring_rules,
    title_of,
)
from mathse.figures.clusters import clusters_of
from tests.evaluation.benchmarks import bring_benchmarks, read_benchmarks, said


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    return read_benchmarks(bring_benchmarks(tmp_path_factory.mktemp("benchmarks")))


def check(problems: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    names = ["problem_id", "question_type", "answer_type", "choices", "unit", "precision"]
    return check_rows(
        answers.join(problems.select(*names, gold="answer"), on="problem_id"), workers=1
    )


def grade(problems: pl.DataFrame, checked: pl.DataFrame) -> pl.DataFrame:
    own = problems.select("problem_id", "split").join(clusters_of(problems), on="problem_id")
    rows = checked.join(own, on="problem_id").with_columns(
        round=pl.lit("r1"),
        predicted_answer="found",
        answer_state="state",
        correct=pl.col("state") == "match",
    )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in GRADED.items())


def test_answers_count_as_each_benchmark_counts_them(problems: pl.DataFrame) -> None:
    checked = check(scoring_rules(problems), said(problems))
    wrong = checked.filter((pl.col("state") == "match") != pl.col("counts"))
    assert wrong.select("source", "gold", "response", "state").rows() == []


def test_without_the_rules_some_would_count_otherwise(problems: pl.DataFrame) -> None:
    plain = problems.with_columns(question_type=pl.lit(None, dtype=pl.String))
    checked = check(plain, said(problems))
    missed = checked.filter(pl.col("counts") & (pl.col("state") != "match"))
    assert set(missed["response"]) == {"The answer is 50°.", r"\boxed{1/55}"}


def test_rules_keep_rows_and_leave_other_sources_alone(problems: pl.DataFrame) -> None:
    other = problems.with_columns(source=pl.lit("tabmwp"))
    assert scoring_rules(other).drop("question_type").equals(other)
    assert scoring_rules(other)["question_type"].null_count() == other.height
    assert scoring_rules(problems)["problem_id"].equals(problems["problem_id"])
    assert scoring_rules(problems.clear()).columns == [*problems.columns, "question_type"]
    assert scoring_rules(problems).filter(source="mathvista").sort("question")[
        "precision"
    ].to_list() == [None, 1, 2, None, None]


def test_each_version_of_a_mathverse_problem_counts_once(problems: pl.DataFrame) -> None:
    verse = problems.filter(source="mathverse")
    assert verse.height == 4, "two of the five rows ask the same with the same picture"
    rows = {(row["by"], row["group"]): row for row in table(problems, "mathverse")}
    versions = {
        group: (row["correct"], row["n"])
        for (by, group), row in rows.items()
        if by == "problem_version"
    }
    assert versions == {
        "Text Dominant": (1, 1),
        "Text Lite": (1, 1),
        "Vision Only": (1, 1),
        "Vision Dominant": (0, 1),
        "Text Only": (0, 1),
    }
    total = rows["all", "all"]
    assert (total["correct"], total["n"]) == (3, 4), (
        "all versions but Text Only, each row of the benchmark once"
    )
    # Two rows are of one problem. Deviations from 3/4: 1/2, 1/4, -3/4; 3/2 * 7/8 / 16 is 1.3125
    # times 3/16 / 3.
    bounds = wilson(3, 4, design_effect=1.3125)
    assert (total["low"], total["high"]) == pytest.approx(bounds)
    assert rows["question_type", "multi-choice"]["n"] == 3 and rows["subfield", "Angle"]["n"] == 4


def test_a_row_named_twice_counts_once(problems: pl.DataFrame) -> None:
    first = problems.filter(source="mathverse").filter(pl.col("meta").str.contains("also"))
    meta = json.loads(first["meta"][0])
    meta["also"] *= 3
    again = first.with_columns(meta=pl.lit(json.dumps(meta)))
    assert groups_of(again).equals(groups_of(first))


def test_mathvista_by_its_own_groups(problems: pl.DataFrame) -> None:
    rows = {
        (row["by"], row["group"]): (row["correct"], row["n"])
        for row in table(problems, "mathvista")
    }
    assert rows["all", "all"] == (3, 5) and rows["subset", "GPS"] == (2, 3)
    assert rows["question_type", "multi_choice"] == (1, 1) and rows[
        "question_type", "free_form"
    ] == (2, 4)
    assert rows["answer_type", "float"] == (1, 2) and rows["answer_type", "list"] == (1, 1)
    assert rows["task", "figure question answering"] == (1, 2)
    assert rows["skills", "algebra"] == (2, 3) and rows["skills", "statistical reasoning"] == (1, 2)
    assert not {by for by, _ in rows} & {"level", "subject", "family"}


def test_math_vision_by_subject_and_level(problems: pl.DataFrame) -> None:
    rows = {
        (row["by"], row["group"]): (row["correct"], row["n"])
        for row in table(problems, "math-vision")
    }
    assert rows == {
        ("all", "all"): (2, 3),
        ("subject", "arithmetic"): (2, 2),
        ("subject", "counting"): (0, 1),
        ("level", "3"): (1, 1),
        ("level", "5"): (1, 2),
    }


def test_the_share_of_answers_found_is_reported(problems: pl.DataFrame) -> None:
    found = {(row["by"], row["group"]): row["found"] for row in table(problems, "mathvista")}
    assert found["all", "all"] == 0.8 and found["answer_type", "integer"] == 0.0


def test_a_source_without_rules_is_grouped_by_its_columns(problems: pl.DataFrame) -> None:
    other = problems.filter(source="math-vision").with_columns(
        source=pl.lit("mine"), family=pl.lit("f"), meta=None
    )
    groups = {(by, group) for by, group in groups_of(other).select("by", "group").iter_rows()}
    assert groups == {
        ("all", "all"),
        ("answer", "choice"),
        ("answer", "open"),
        ("subject", "arithmetic"),
        ("subject", "counting"),
        ("level", "3"),
        ("level", "5"),
        ("family", "f"),
    }
    assert title_of("mine") == "mine"


def test_meta_that_is_no_object_is_named(problems: pl.DataFrame) -> None:
    broken = problems.filter(source="mathvista").with_columns(meta=pl.lit("[1]"))
    for work in (scoring_rules, groups_of):
        with pytest.raises(DataError, match="meta is a JSON object"):
            work(broken)


def test_names_are_those_of_the_importers() -> None:
    for name, benchmark in BENCHMARKS.items():
        source = SOURCES[name]
        assert (source.kind, source.title) == ("benchmark", benchmark.title)
        assert all(in_headline(name, by, group or "any") for by, group in benchmark.headline)
    assert {source.name for source in SOURCES.values() if source.kind == "benchmark"} == set(
        BENCHMARKS
    )


def table(problems: pl.DataFrame, source: str) -> list[dict[str, object]]:
    own = problems.filter(source=source)
    rows = benchmark_table(grade(own, check(scoring_rules(own), said(own))), own)
    merged = rows.group_by("source", "by", "group").agg(
        pl.col("n", "correct").sum(), pl.col("low", "high", "found").first()
    )
    assert merged.height == rows.height or source == "mathverse", "only Text Only is another split"
    return merged.to_dicts()


@pytest.mark.skipif(not (DATA / "math-v").is_dir(), reason=missing("math-v"))
def test_real_math_vision_rows_by_subject_and_level(tmp_path: Path) -> None:
    import_source("math-vision", DATA / "math-v", tmp_path / "out")
    own = read_table(tmp_path / "out" / "problems.parquet")
    answers = own.select("problem_id", response=pl.format("The answer is {}.", "answer"))
    checked = check(scoring_rules(own), answers)
    agreed = (checked["state"] == "match").mean()
    assert isinstance(agreed, float) and agreed > 0.99, "gold answers count"
    rows = benchmark_table(grade(own, checked), own)
    by = {name: part for (name,), part in rows.group_by("by")}
    assert set(by) == {"all", "subject", "level"} and set(by["level"]["group"]) == {
        "1",
        "2",
        "3",
        "4",
        "5",
    }
    assert by["subject"].height == 16
    assert by["subject"]["n"].sum() == by["level"]["n"].sum() == by["all"]["n"].sum() >= own.height


def test_mathvista_rounds_floats_alone_and_compares_choices_as_choices(
    problems: pl.DataFrame,
) -> None:
    vista = problems.filter(source="mathvista").with_columns(precision=2)
    rules = scoring_rules(vista).sort("question").select("answer_type", "precision").rows()
    assert rules == [("choice", None), ("float", 2), ("float", 2), ("integer", None),
                     ("list", None)]  # fmt: skip


def test_a_skill_that_is_listed_twice_counts_once(problems: pl.DataFrame) -> None:
    first = problems.filter(source="mathvista").head(1)
    meta = json.loads(first["meta"][0])
    again = first.with_columns(meta=pl.lit(json.dumps(meta | {"skills": meta["skills"] * 2})))
    assert groups_of(again).equals(groups_of(first))


@pytest.mark.parametrize("shown", [["30°"], ["1", "1", "2", "3"], ["", "1", "2", "3"]])
def test_texts_in_the_picture_count_only_where_each_choice_has_its_own(
    problems: pl.DataFrame, shown: list[str]
) -> None:
    row = problems.filter(pl.col("choices").list.len() == 4, source="mathverse").head(1)
    meta = json.loads(row["meta"][0]) | {"choices": shown}
    changed = row.with_columns(meta=pl.lit(json.dumps(meta)))
    assert scoring_rules(changed)["choices"].equals(row["choices"])
