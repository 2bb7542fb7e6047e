from __future__ import annotations

import pickle

from mathse.core.errors import DataError, MathseError, ParamError


def test_all_parts_are_shown() -> None:
    error = DataError(
        "No answer.", file="p.parquet", row=0, rule="answer is not empty", fix="add one"
    )
    assert str(error).splitlines() == [
        "No answer.",
        "  file: p.parquet",
        "  row: 0",
        "  rule: answer is not empty",
        "  fix: add one",
    ]


def test_unknown_parts_are_left_out() -> None:
    assert str(DataError("No answer.")) == "No answer."


def test_an_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(DataError("No.", file="f", row=3, rule="r", fix="x")))
    assert isinstance(error, DataError)
    assert (error.file, error.row, error.rule, error.fix, error.message) == (
        "f",
        3,
        "r",
        "x",
        "No.",
    )


def test_one_base_for_all() -> None:
    assert issubclass(DataError, MathseError) and issubclass(ParamError, MathseError)
