from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from mathse.core.errors import DataError
from mathse.core.tables import read_table, write_table
from mathse.report.sql import query
from mathse.report.terminal_picture import protocol_of, show_pictures
from mathse.report.trace import render_trace
from tests.judge.trajectories import problem_id
from tests.report.world import CORRECTION, FIRST, HARD, MISTAKE, SAME, build


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("run") / "data")


def test_a_problem_is_traced_from_question_to_training_row(data):
    text, _ = render_trace(data, problem_id(2))
    for part in (
        "Question 2?",
        "answer: 7 (number)",
        "r0: remaining, 0 of 0 attempts passed",
        "r1: reflected, 0 of 1 attempts passed",
        "> [1] 1. The bar shows 2.",
        "rejected: answer_mismatch; answer mismatch (6); ORM wrong, P(correct) 0.100",
        "ORM on step 1 (vision): The bar was misread.",
        f"corrects {MISTAKE['trajectory_id']}",
        "training row since r1",
        "r1 evaluation (eval): match, found 7",
    ):
        assert part in text, part
    assert text.index(MISTAKE["trajectory_id"]) < text.index(
        f"trajectory {CORRECTION['trajectory_id']}"
    )


def test_a_trajectory_is_shown_with_what_corrects_it(data):
    text, _ = render_trace(data, MISTAKE["trajectory_id"])
    assert MISTAKE["trajectory_id"] in text and CORRECTION["trajectory_id"] in text
    alone, _ = render_trace(data, FIRST["trajectory_id"])
    assert FIRST["trajectory_id"] in alone and SAME["trajectory_id"] not in alone


def test_why_an_accepted_trajectory_is_not_in_the_training_rows(data):
    text, _ = render_trace(data, SAME["trajectory_id"])
    assert "accepted, but left out of the training rows: near_identical" in text
    assert "ended by length" in render_trace(data, HARD["trajectory_id"])[0]


def test_an_analysis_that_names_no_step_is_shown(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "data")
    file = copy / "rounds/r1/verdicts.parquet"
    rows = read_table(file).with_columns(error_step=pl.lit(None, dtype=pl.Int64))
    write_table(rows, file, sort_by=["trajectory_id"])
    text, _ = render_trace(copy, MISTAKE["trajectory_id"])
    assert "ORM on no step (vision): The bar was misread." in text


def test_choices_are_shown_with_letters(data):
    assert "A. 6\n  B. 7" in render_trace(data, problem_id(1))[0]


def test_the_start_of_an_id_is_enough_and_must_be_one(data):
    assert render_trace(data, problem_id(2)[:10]) == render_trace(data, problem_id(2))
    with pytest.raises(DataError, match="give more characters"):
        render_trace(data, "")
    with pytest.raises(DataError, match="begins with 'zzz'"):
        render_trace(data, "zzz")


def test_a_problem_that_was_never_tried(data):
    assert "It has no trajectory to learn from." in render_trace(data, problem_id(4))[0]


def test_a_training_row_is_shown_as_its_trajectory(data):
    row_id = query(data, "SELECT row_id FROM lineage WHERE parent_id IS NOT NULL")[1][0][0]
    text, _ = render_trace(data, row_id)
    assert f"row {row_id}" in text and MISTAKE["trajectory_id"] in text
    assert SAME["trajectory_id"] not in text


def test_a_row_without_its_trajectory_is_no_error(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "data")
    row = read_table(copy / "rounds/r0/train.parquet").with_columns(
        row_id=pl.lit("f" * 16), trajectory_id=pl.lit("e" * 16)
    )
    write_table(row, copy / "control/train.parquet", sort_by=["row_id"])
    text, _ = render_trace(copy, "ffff")
    assert "It has no trajectory to learn from." in text


@pytest.mark.parametrize(
    ("environment", "protocol", "begin"),
    [
        ({"KITTY_WINDOW_ID": "1"}, "kitty", "\x1b_Ga=T,f=100,m=1;"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm", "\x1b]1337;File=inline=1:"),
    ],
)
def test_a_terminal_that_can_gets_the_picture(tmp_path, environment, protocol, begin):
    assert protocol_of({"TERM": "xterm-256color"}) is None
    assert protocol_of(environment) == protocol
    image = {"image_id": "a", "bytes": bytes(range(256)) * 20, "format": "PNG"}
    write_table(pl.DataFrame([image]), tmp_path / "images-0.parquet", sort_by=["image_id"])
    text = "".join(show_pictures(tmp_path, ["a"], protocol))
    assert text.startswith(begin)
    shown = "".join(re.findall(r"[;:]([A-Za-z0-9+/=]+)[\x07\x1b]", text))
    assert base64.b64decode(shown) == image["bytes"]
