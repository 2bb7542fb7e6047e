from __future__ import annotations

import io

import polars as pl
import pytest

from mathse.core.errors import DataError
from mathse.core.tables import read_table, write_table
from mathse.report.diff import render_diff
from tests.judge.trajectories import problem_id
from tests.report.history import History
from tests.report.world import SAME, build, complete, graded


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """HEAD~1: a run; HEAD: the ORM refuses one trajectory more, r1 loses an answer and a row."""
    history = History(tmp_path_factory.mktemp("history"))
    data = build(history.root / "data")
    history.commit("a run")
    complete(data)
    train = read_table(data / "rounds/r1/train.parquet")
    write_table(train.head(2), data / "rounds/r1/train.parquet", sort_by=["row_id"])
    verdicts = read_table(data / "rounds/r1/verdicts.parquet").with_columns(
        accepted=pl.col("accepted") & (pl.col("trajectory_id") != SAME["trajectory_id"]),
        reason=pl.when(trajectory_id=SAME["trajectory_id"])
        .then(pl.lit("orm_wrong"))
        .otherwise("reason"),
    )
    write_table(verdicts, data / "rounds/r1/verdicts.parquet", sort_by=["trajectory_id"])
    history.commit("another one")
    return history


def diff(history: History, before: str, after: str, limit: int = 20) -> str:
    out = io.StringIO()
    render_diff(history.root, before, after, out, limit=limit)
    return out.getvalue()


def part(text: str, title: str) -> list[list[str]]:
    """Return the lines of a part, as words."""
    found = text.split(f"{title}\n")[1].split("\n\n")[0]
    return [line.split() for line in found.splitlines()[2:]]


def test_two_rounds_are_paired_by_problem(history):
    text = diff(history, "r0", "r1", limit=3)
    first = part(text, "Answers")[0]
    assert first[:5] == ["r1", "eval", "40", "20", "0"] and first[5] == "+50.0"
    assert len(part(text, "Newly solved, the first 3 of 30")) == 3
    assert [line[2] for line in part(text, "Newly broken")] == [problem_id(1000)]
    assert ["remaining", "accepted", "1"] in part(text, "States in the ledger")
    assert sum(int(line[2]) for line in part(text, "Training rows")) == 1


def test_two_runs_differ_where_they_differ(history):
    text = diff(history, "HEAD~1", "HEAD")
    assert part(text, "Answers")[-3][:5] == ["r1", "eval_hard", "20", "0", "1"]
    assert "Newly solved: none" in text
    assert [line[2] for line in part(text, "Newly broken")] == [problem_id(1000)]
    (flip,) = part(text, "Verdicts that flipped")
    assert flip == ["r1", "accepted", "orm_wrong", "1", SAME["trajectory_id"]]
    dropped = [int(line[3]) for line in part(text, "Training rows")]
    assert sum(dropped) == 1
    assert diff(history, "HEAD", "workspace").count(": none") == 4


def test_problems_of_one_cluster_count_as_one_change(tmp_path):
    history = History(tmp_path)
    data = build(tmp_path / "data")
    history.commit("each problem is a cluster")
    for file in data.glob("eval/*/graded.parquet"):
        write_table(read_table(file).drop("cluster"), file, sort_by=["problem_id"])
    assert part(diff(history, "r0", "r1"), "Answers")[0][-1] == "1.9e-06", "2 / 2**20"
    assert part(diff(history, "HEAD", "workspace"), "Answers")[0][-1] == "1", "one lacks the column"
    # 20 problems are newly solved, in two clusters: signs are equal in two of four cases.
    for name in ("r0", "r1"):
        rows = graded(name)
        half = pl.int_range(pl.len()).over("split") % 2
        in_two = rows.with_columns(cluster=half.cast(pl.String))
        write_table(in_two, data / f"eval/{name}/graded.parquet", sort_by=["problem_id"])
    assert part(diff(history, "r0", "r1"), "Answers")[0][-1] == "0.5"


def test_what_cannot_be_compared_is_explained(history, tmp_path):
    for pair in (("r7", "r1"), ("r1", "r7")):
        with pytest.raises(
            DataError, match=r"no evaluated round r7 here.*\n.*\n.*name one of base, r0"
        ):
            diff(history, *pair)
    with pytest.raises(DataError, match="main2 is no commit"):
        diff(history, "main2", "r1")
    other = History(tmp_path)
    build(tmp_path / "data")
    other.commit("a run")
    for folder in (tmp_path / "data/eval").iterdir():
        (folder / "graded.parquet").unlink()
    other.commit("no evaluation")
    with pytest.raises(DataError, match="no evaluated round in common"):
        diff(other, "HEAD~1", "HEAD")
