from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from mathse.cli import app
from mathse.core.errors import DataError, ParamError
from mathse.core.tables import write_table
from mathse.datasets.overrides import read_overrides
from mathse.report.suspects import SUSPECTS, find_suspects, to_review
from tests.judge.trajectories import WRONG, problem_id, problems, trajectory, verdict, verdicts


def judged(
    number: int, count: int, answer: str, *, orm: str = "correct", round_name: str = "r1"
) -> list[dict[str, Any]]:
    feedback = {} if orm == "wrong" else {"error_step": None, "error_analysis": None}
    return [
        verdict(
            trajectory(number, f"{WRONG} {answer} {index}", index, round=round_name),
            answer == "7",
            predicted_answer=answer,
            orm_status=orm,
            **feedback,
        )
        for index in range(count)
    ]


def world(folder: Path, rows: dict[str, list[dict[str, Any]]], table: str = "verdicts") -> Path:
    write_table(problems(6), folder / "problems/problems.parquet", sort_by=["problem_id"])
    for name, found in rows.items():
        write_table(
            verdicts(*found), folder / f"rounds/{name}/{table}.parquet", sort_by=["trajectory_id"]
        )
    return folder


def test_agreement_against_gold_that_the_orm_backs_is_listed_over_all_rounds(
    tmp_path: Path,
) -> None:
    data = world(
        tmp_path,
        {
            "r1": [
                *judged(0, 2, "9"),
                *judged(1, 3, "7"),
                *judged(2, 3, "8", orm="wrong"),
                *judged(3, 2, "5"),
            ],
            "r2": [*judged(0, 1, " 9 ", round_name="r2"), *judged(0, 1, "7", round_name="r2")],
        },
    )
    found = find_suspects(data)
    assert found.schema == SUSPECTS
    row = found.drop("question", "source", "split", "p_correct").rows()
    assert row == [(problem_id(0), "7", "9", 3, 1, 4, "r1 r2")]


@pytest.mark.parametrize(
    "rows",
    [
        [*judged(0, 3, "9"), *judged(0, 4, "7")],
        [*judged(0, 3, "9"), *judged(0, 5, "8", orm="wrong")],
        [*judged(0, 2, "9"), *judged(0, 2, "8")],
    ],
    ids=["more trajectories match gold", "most trajectories give otherwise", "too few agree"],
)
def test_what_speaks_for_gold_or_for_chance_is_not_listed(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    assert find_suspects(world(tmp_path, {"r1": rows})).is_empty()


def test_reflections_count(tmp_path: Path) -> None:
    data = world(tmp_path, {"r1": judged(0, 2, "9")})
    world(data, {"r1": judged(0, 3, "9")[2:]}, "reflection_verdicts")
    assert find_suspects(data)["agree"].to_list() == [3]


def test_the_list_is_a_file_to_review(tmp_path: Path) -> None:
    data = world(tmp_path / "data", {"r1": judged(0, 3, "9")})
    file = tmp_path / "overrides.csv"
    done = CliRunner().invoke(app, ["suspects", "--data", str(data), "--out", str(file)])
    assert done.exit_code == 0 and "1 problems" in done.output
    assert file.read_text("utf-8").splitlines()[0] == "problem_id,answer,note,keep"
    with pytest.raises(DataError, match="1 corrected answers are not reviewed"):
        read_overrides(file)
    note = "REVIEW: gold 7, 3 of 3 trajectories give 9"
    for keep, kept in (("yes", {problem_id(0): ("9", note)}), ("No", {})):
        pl.read_csv(file, infer_schema=False).with_columns(keep=pl.lit(keep)).write_csv(file)
        assert read_overrides(file) == kept
    pl.read_csv(file, infer_schema=False).with_columns(keep=pl.lit("maybe")).write_csv(file)
    with pytest.raises(DataError, match="not reviewed"):
        read_overrides(file)
    pl.read_csv(file, infer_schema=False).drop("keep").write_csv(file)
    with pytest.raises(DataError, match="not reviewed"):
        read_overrides(file)
    shown = CliRunner().invoke(app, ["suspects", "--data", str(data)])
    assert problem_id(0) in shown.output
    assert (
        "No gold"
        in CliRunner()
        .invoke(app, ["suspects", "--data", str(data), "--min-trajectories", "4"])
        .output
    )


def test_a_reviewed_or_other_file_is_left_as_it_is(tmp_path: Path) -> None:
    data, file = world(tmp_path / "data", {"r1": judged(0, 3, "9")}), tmp_path / "review.csv"
    command = ["suspects", "--data", str(data), "--out", str(file)]
    file.touch()
    assert CliRunner().invoke(app, command).exit_code == 0
    written = file.read_bytes()
    assert CliRunner().invoke(app, command).exit_code == 0 and file.read_bytes() == written
    reviewed = written.replace(b",\n", b",yes\n").replace(b',""\n', b",yes\n")
    other = b"problem_id,answer,note\n"
    for kept, reason in (
        (reviewed, "has 1 reviewed rows"),
        (other, "is not a list to review"),
        (b"\xff\xfe;", "is not a list to review"),
    ):
        file.write_bytes(kept)
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 1 and reason in done.stderr and "another name" in done.stderr
        assert file.read_bytes() == kept


def test_the_precision_on_built_in_problems_is_reported(tmp_path: Path) -> None:
    data = world(tmp_path / "data", {"r1": [*judged(0, 3, "9"), *judged(1, 3, "8")]})
    file = data / "problems/problems.parquet"
    sources = {problem_id(0): "figures", problem_id(1): "tabmwp"}
    rows = pl.read_parquet(file)
    named = pl.col("problem_id").replace_strict(sources, default="tabmwp", return_dtype=pl.String)
    write_table(rows.with_columns(source=named), file, sort_by=["problem_id"])
    shown = CliRunner().invoke(app, ["suspects", "--data", str(data)]).output
    assert "Precision on the built-in problems: 0 of 1." in shown and "; 1 other problems" in shown
    write_table(rows.with_columns(source=pl.lit("tabmwp")), file, sort_by=["problem_id"])
    assert "Precision" not in CliRunner().invoke(app, ["suspects", "--data", str(data)]).output


def test_wrong_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="judged"):
        find_suspects(tmp_path)
    with pytest.raises(ParamError, match="at least 2"):
        find_suspects(tmp_path, min_trajectories=1)
    assert to_review(pl.DataFrame(schema=SUSPECTS)).is_empty()
