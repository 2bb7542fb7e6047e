"""`mathse check --rows` on tables as people have them, and as an audit of the checker."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from mathse.cli import app
from mathse.core.errors import DataError
from mathse.datasets.fields import choice_texts
from mathse.datasets.protocol import BadRow
from mathse.report.answer_tables import read_answers

ROWS = [{"gold": str(n), "response": f"The answer is {n}."} for n in range(150)]
LATE = {"gold": "B", "response": "So it is 12.", "choices": ["10", "12"]}
TEXT = "gold,response\n7,The answer is 7.\n,\n1/2,It is 0.5\n"


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def states(file: Path) -> list[str]:
    out = file.with_name("out.parquet")
    assert call("--rows", file, "--out", out).exit_code == 0
    return pl.read_parquet(out)["state"].to_list()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("array.json", json.dumps([*ROWS, LATE])),
        ("late.jsonl", lines([*ROWS, LATE])),
        ("late.ndjson", lines([*ROWS, LATE])),
        ("bom.jsonl", "\ufeff" + lines([*ROWS, LATE])),
        ("bom.json", "\ufeff" + json.dumps([*ROWS, LATE])),
        ("python.jsonl", lines([*ROWS, LATE | {"choices": "['10', '12']"}])),
        ("json_text.jsonl", lines([*ROWS, LATE | {"choices": '["10", "12"]'}])),
        ("letters.jsonl", lines([*ROWS, LATE | {"choices": {"A": "10", "B": "12"}}])),
        (
            "mixed.jsonl",
            lines([{"gold": 7, "response": "7"}, LATE, {"gold": 0.5, "response": "1/2"}]),
        ),
    ],
)
def test_every_row_is_checked(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert set(states(tmp_path / name)) == {"match"}
    assert len(states(tmp_path / name)) == (3 if name == "mixed.jsonl" else 151)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", TEXT),
        ("bom.csv", "\ufeff" + TEXT),
        ("excel.csv", TEXT.replace(",", ";")),
        ("windows.csv", TEXT.replace("\n", "\r\n")),
        ("tabs.tsv", TEXT.replace(",", "\t")),
        ("tabs.csv", TEXT.replace(",", "\t")),
        ("capital.CSV", TEXT),
    ],
)
def test_cells_are_text_and_empty_cells_are_none(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    assert states(tmp_path / name) == ["match", "error", "match"]


def test_a_cell_may_hold_lines_and_much_text(tmp_path: Path) -> None:
    with (tmp_path / "long.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([["gold", "response"], ["8", "x " * 100_000 + "\nThe answer is 8."]])
    assert states(tmp_path / "long.csv") == ["match"]


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("r.jsonl", lines(ROWS[:2]) + "{broken\n", ("row: 2", "line is JSON")),
        ("r.csv", "gold,response\n1,1\n2,2,2\n", ("row: 1", "3 cells and the header 2")),
        ("r.csv", 'gold,response\n1,1\n2,"open\n', ("row: 1", "quotes are broken")),
        ("r.jsonl", lines([ROWS[0], {"gold": ["1", "2"], "response": "1"}]), ("gold is text",)),
        (
            "r.jsonl",
            lines([ROWS[0], LATE | {"choices": "10 or 12"}]),
            ("row: 1", "choices is a list of texts"),
        ),
        (
            "r.jsonl",
            lines([ROWS[0], LATE | {"choices": "['10' '12']"}]),
            ("choices is a list of texts",),
        ),
    ],
)
def test_a_row_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: str, parts: tuple[str, ...]
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    done = call("--rows", tmp_path / name, "--out", tmp_path / "out.csv")
    assert done.exit_code == 1 and (tmp_path / "out.csv").is_file()
    for part in (*parts, str(tmp_path / name), "rule: ", "fix: ", "1 rows cannot be read"):
        assert part in done.stderr, done.stderr
    assert done.stdout.startswith("match: ")


def test_text_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes("gold,response\n1,1\n2,größer\n".encode("latin-1"))
    done = call("--rows", tmp_path / "r.csv")
    assert done.exit_code == 1 and "not UTF-8" in done.stderr and "match: 1" in done.stdout
    (tmp_path / "r.csv").write_bytes("gold,response,größe\n1,1,1\n".encode("latin-1"))
    done = call("--rows", tmp_path / "r.csv")
    assert done.exit_code == 1 and "not UTF-8" in done.stderr and "no rows" in done.stdout


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("r.xlsx", "x", "use one of"),
        ("r.csv", "answer,response\n1,1\n", "rename the column"),
        ("r.parquet", "no parquet", "r.parquet"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_do(
    tmp_path: Path, name: str, content: str, part: str
) -> None:
    (tmp_path / name).write_text(content)
    done = call("--rows", tmp_path / name)
    assert done.exit_code == 1 and part in done.stderr and "Traceback" not in done.output


def test_lists_are_written_to_csv_as_json(tmp_path: Path) -> None:
    row = LATE | {"tags": ["α", "b"], "more": {"k": 1}}
    (tmp_path / "r.jsonl").write_text(lines([row]), encoding="utf-8")
    for suffix, separator in (("csv", ","), ("tsv", "\t")):
        out = tmp_path / f"out.{suffix}"
        assert call("--rows", tmp_path / "r.jsonl", "--out", out).exit_code == 0
        written = pl.read_csv(out, separator=separator, infer_schema=False).row(0, named=True)
        assert json.loads(written["choices"]) == ["10", "12"]
        assert json.loads(written["tags"]) == ["α", "b"] and json.loads(written["more"]) == {"k": 1}
        assert read_answers(out).rows["choices"].to_list() == [["10", "12"]]
    done = call("--rows", tmp_path / "r.jsonl", "--out", tmp_path / "out.xlsx")
    assert done.exit_code == 1 and ".csv" in done.stderr


def test_large_numbers_keep_their_digits(tmp_path: Path) -> None:
    for large in (2**80, 2**53 + 1):
        (tmp_path / "r.jsonl").write_text(lines([{"gold": large}, {"gold": 0.5}]))
        golds = read_answers(tmp_path / "r.jsonl").rows["gold"].to_list()
        assert golds == [str(large), "0.5"]


@pytest.mark.parametrize(
    ("value", "choices"),
    [
        (None, []),
        ("", []),
        ([1, 2.5], ["1", "2.5"]),
        ('["it\'s", "b"]', ["it's", "b"]),
        ('{"A": "x", "B": "y"}', ["x", "y"]),
    ],
)
def test_choices_in_many_forms(value: object, choices: list[str]) -> None:
    assert choice_texts({"choices": value}, "choices") == choices


@pytest.mark.parametrize(
    "value", ["12", "10 or 12", {"B": "1", "C": "2"}, [["a"]], "['a'\n 'b']", "__import__('os')", 3]
)
def test_choices_in_other_forms_are_refused(value: object) -> None:
    with pytest.raises(BadRow):
        choice_texts({"choices": value}, "choices")


JUDGED = [
    {"gold": "7", "response": "The answer is 7.", "is_correct": True},
    {"gold": "7", "response": "The answer is 7.", "is_correct": False},
    {"gold": "7", "response": "The answer is 8.", "is_correct": False},
    {"gold": "7", "response": "The answer is 8.", "is_correct": True},
    {"gold": "7", "response": "The answer is 8.", "is_correct": None},
]


def test_verdicts_of_the_table_are_compared(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(lines(JUDGED))
    done = call("--rows", tmp_path / "r.jsonl")
    assert done.exit_code == 0
    assert "agrees with is_correct in 50.0% [15.0, 85.0] of 4 rows" in done.stdout
    assert "false accepts: 1 of 2 wrong ones; false rejects: 1 of 2 right ones" in done.stdout
    accepts, rejects = done.stdout.split("\nfalse ")[1:]
    assert accepts.splitlines()[3].split()[0] == "1" and rejects.splitlines()[3].split()[0] == "3"


def test_the_column_of_verdicts_can_be_named(tmp_path: Path) -> None:
    renamed = [{"human": "right" if row["is_correct"] else "wrong", **row} for row in JUDGED]
    (tmp_path / "r.jsonl").write_text(lines(renamed))
    assert (
        "agrees with human in" in call("--rows", tmp_path / "r.jsonl", "--expected", "human").stdout
    )
    done = call("--rows", tmp_path / "r.jsonl", "--expected", "people")
    assert done.exit_code == 1 and "human" in done.stderr
    done = call("--rows", tmp_path / "r.jsonl", "--expected", "response")
    assert done.exit_code == 1 and "write true or false" in done.stderr


def test_a_column_of_answers_is_no_column_of_verdicts(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("gold,response,expected,correct\n7,7,7,1\n8,9,8,0\n")
    assert "agrees with correct in 100.0%" in call("--rows", tmp_path / "r.csv").stdout


def test_a_verdict_that_is_none_spoils_its_row_alone(tmp_path: Path) -> None:
    verdicts = ("true", "false", "true", "true", "maybe")
    rows = "".join(f"5,5,{verdict}\n" for verdict in verdicts)
    (tmp_path / "r.csv").write_text("gold,response,is_correct\n" + rows)
    done = call("--rows", tmp_path / "r.csv")
    assert done.exit_code == 1 and "agrees with is_correct in 75.0%" in done.stdout
    assert "row: 4" in done.stderr and "write true or false" in done.stderr
    (tmp_path / "r.csv").write_text("gold,response,is_correct\n5,5,good\n5,6,bad\n")
    done = call("--rows", tmp_path / "r.csv")
    assert done.exit_code == 0 and "is_correct is not compared" in done.stdout


def test_numbers_of_32_bits_and_missing_ones(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"gold": [0.1, float("nan"), float("inf")], "response": ["0.1", "nan", "inf"]}
    )
    frame.cast({"gold": pl.Float32}).write_parquet(tmp_path / "r.parquet")
    assert states(tmp_path / "r.parquet") == ["match", "error", "error"]
    assert read_answers(tmp_path / "r.parquet").rows["gold"].to_list() == ["0.1", None, None]
    values = (1e999, float("nan"), "B", 0.1 + 0.2)
    (tmp_path / "r.jsonl").write_text(lines([{"gold": one, "response": "5"} for one in values]))
    golds = read_answers(tmp_path / "r.jsonl").rows["gold"].to_list()
    assert golds == [None, None, "B", "0.3"]


def test_rules_are_compared(tmp_path: Path) -> None:
    rows = [
        {"gold": "7", "response": "The answer is 7."},
        {"gold": "3.14", "response": "The answer is 3.14159.", "answer_type": "float"},
        {"gold": "1/2", "response": "The answer is 0.5."},
    ]
    (tmp_path / "r.jsonl").write_text(lines(rows))
    out = tmp_path / "out.jsonl"
    done = call("--rows", tmp_path / "r.jsonl", "--rules", "mathse, mathvista", "--out", out)
    assert done.exit_code == 0, done.output
    assert "mathvista: 66.7%" in done.stdout
    assert "right by mathse, not by mathvista: 1 rows" in done.stdout
    assert pl.read_ndjson(out)["by_mathvista"].to_list() == [True, True, False]
    done = call("--rows", tmp_path / "r.jsonl", "--rules", "mathse,other")
    assert done.exit_code == 1 and "math-verify" in done.stderr


def test_no_column_of_this_name_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(lines(ROWS))
    with pytest.raises(DataError):
        read_answers(tmp_path / "r.jsonl", "verdict")
