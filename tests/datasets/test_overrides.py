from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from mathse.core.errors import DataError
from mathse.core.ids import content_id
from mathse.datasets.overrides import apply_overrides, read_overrides
from tests.judge.trajectories import problem_id, problems

POOL = problems(4).with_columns(
    answer_type=pl.when(pl.col("choices").list.len() > 0)
    .then(pl.lit("choice"))
    .otherwise(pl.lit("number"))
)


def file(folder: Path, *lines: str, header: str = "problem_id,answer,note") -> Path:
    path = folder / "overrides.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_corrected_problem_has_the_answer_a_new_id_and_its_past(tmp_path: Path) -> None:
    given = file(tmp_path, f'{problem_id(2)},008,"the picture shows eight, not seven"')
    found = apply_overrides(POOL, given)
    row = found.row(2, named=True)
    before = POOL.row(2, named=True)
    assert row["answer"] == "008"
    assert row["problem_id"] == content_id(before["question"], [], "008", before["image_ids"])
    assert json.loads(row["meta"])["corrected"] == {
        "problem_id": problem_id(2),
        "answer": "7",
        "note": "the picture shows eight, not seven",
    }
    rest = pl.Series([True, True, False, True])
    assert found.filter(rest).equals(POOL.filter(rest)) and found.schema == POOL.schema


def test_the_answer_that_is_there_changes_nothing(tmp_path: Path) -> None:
    assert apply_overrides(POOL, file(tmp_path, f"{problem_id(0)},7,")).equals(POOL)
    assert apply_overrides(POOL, file(tmp_path)).equals(POOL)


def test_the_same_row_twice_is_no_conflict(tmp_path: Path) -> None:
    line = f"{problem_id(1)},B,looked at twice"
    assert apply_overrides(POOL, file(tmp_path, line, line))["answer"].to_list() == [
        "7",
        "B",
        "7",
        "7",
    ]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["0123456789abcdef,8,"], "not among the problems"),
        ([f"{problem_id(0)},8,", f"{problem_id(0)},9,"], "two answers"),
        ([f"{problem_id(0)}, ,"], "no answer"),
        ([f"{problem_id(1)},C,"], "none of its 2 choices"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_rule(
    tmp_path: Path, lines: list[str], words: str
) -> None:
    given = file(tmp_path, *lines)
    with pytest.raises(DataError, match=words) as error:
        apply_overrides(POOL, given)
    assert error.value.file == str(given) and error.value.rule


def test_other_columns_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="columns"):
        apply_overrides(POOL, file(tmp_path, header="problem_id,gold"))
    with pytest.raises(DataError, match="cannot be read"):
        apply_overrides(POOL, tmp_path / "none.csv")


def test_a_correction_must_not_make_two_problems_one(tmp_path: Path) -> None:
    twin = POOL.row(0, named=True) | {"answer": "8"}
    twin["problem_id"] = content_id(twin["question"], [], "8", twin["image_ids"])
    both = pl.concat([POOL, pl.DataFrame([twin], schema=POOL.schema)])
    with pytest.raises(DataError, match="is the same as"):
        apply_overrides(both, file(tmp_path, f"{problem_id(0)},8,"))


def test_a_reviewed_list_can_be_appended(tmp_path: Path) -> None:
    review = "problem_id,answer,note,keep\na,5,REVIEW: 3 of 4,yes\nb,6,REVIEW: 4 of 4,no\n"
    given = tmp_path / "overrides.csv"
    for text in (
        "problem_id,answer,note\nc,7,typo\n" + review,
        "problem_id,answer,note\nc,7,typo\n" + review.partition("\n")[2],
        "problem_id,answer,note,keep\nc,7,typo,yes\n" + review,
    ):
        given.write_text(text)
        assert read_overrides(given) == {"a": ("5", "REVIEW: 3 of 4"), "c": ("7", "typo")}
    # What is not reviewed is refused there, too; so is a row of another length.
    given.write_text("problem_id,answer,note\nc,7,typo\n" + review.replace(",yes", ","))
    with pytest.raises(DataError, match=r"1 corrected answers are not reviewed, such as that of a"):
        read_overrides(given)
    # Without a column or a value of keep, the note says that a row waits.
    given.write_text("problem_id,answer,note\nc,7,typo\na,5,REVIEW: 3 of 4\n")
    with pytest.raises(DataError, match=r"1 corrected answers are not reviewed, such as that of a"):
        read_overrides(given)
    given.write_text("problem_id,answer,note\nc,7\n")
    with pytest.raises(DataError, match=r"This row has 2 values.*\n.*file.*\n.*row: 0"):
        read_overrides(given)
