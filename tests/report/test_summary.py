from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathse.core.errors import DataError
from mathse.core.tables import write_table
from mathse.evaluation.accuracy import wilson
from mathse.evaluation.benchmark_rules import ALL
from mathse.report.benchmark_tables import render_benchmarks
from mathse.report.summary import render, sort_rounds, summarize, to_table
from mathse.report.text_tables import plain_table, print_table
from mathse.report.usage import render_usage
from tests.report.world import CORRECT, N_EVAL, build, graded


def as_text(summary) -> str:
    out = io.StringIO()
    render(summary, out)
    return out.getvalue()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("run") / "data")


def test_rounds_stand_in_order_with_their_figures(data):
    summary = summarize(data)
    assert [line.name for line in summary.rounds] == ["base", "r0", "r1", "control"]
    base, r0, r1, control = summary.rounds
    assert r1.accuracy == {
        "eval": (30, 40, *wilson(30, 40)),
        "eval_hard": (15, 20, *wilson(15, 20)),
    }
    assert base.change == {} and control.change == {}
    assert r1.change["eval"].difference == 0.5 and r1.change["eval"].gained == 20
    assert r0.change["eval"].difference == pytest.approx(0.2)
    assert (r0.train_rows, r1.train_rows, control.train_rows) == (1, 3, None)
    assert {
        name: r1.states[name]
        for name in ("distilled", "accepted", "reflected", "hard", "remaining")
    } == {"distilled": 1, "accepted": 1, "reflected": 1, "hard": 1, "remaining": 1}


def test_the_last_round_is_compared_with_base_first_and_control(data):
    found = {(last, name, split): result for last, name, split, result in summarize(data).contrasts}
    assert set(found) == {
        ("r1", name, split) for name in ("base", "r0", "control") for split in ("eval", "eval_hard")
    }
    assert found["r1", "control", "eval"].difference == pytest.approx((30 - 12) / 40)


def test_problems_of_one_cluster_widen_the_interval(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "data")
    for name in ("r0", "r1"):
        few = pl.col("problem_id").rank("ordinal").over("split") % 8
        rows = graded(name).with_columns(cluster=pl.format("{}{}", few, "split"))
        write_table(rows, copy / f"eval/{name}/graded.parquet", sort_by=["problem_id"])
    alone, together = summarize(data).rounds[2], summarize(copy).rounds[2]
    assert together.name == "r1" and together.accuracy["eval"][:2] == (30, 40)
    assert together.change["eval"].p_value > alone.change["eval"].p_value


def test_the_text_shows_accuracy_interval_n_change_and_counts(data):
    text = as_text(summarize(data))
    low, high = wilson(CORRECT["r1"], N_EVAL)
    assert max(map(len, text.splitlines())) <= 80
    line = " ".join(line for line in text.splitlines() if line.startswith("r1  "))
    assert (
        f"75.0 [{100 * low:.1f}, {100 * high:.1f}]" in line
        and "+50.0 [" in line
        and "p<0.001" in line
    )
    counts = [word for word in line.split() if word != "r1"][-5:]
    assert counts == ["1", "1", "1", "1", "3"]
    header = " ".join(line for line in text.splitlines() if line.startswith("round "))
    for title in (
        "eval (n = 40)",
        "eval_hard (n = 20)",
        "by student",
        "by reflection",
        "still hard",
        "train rows",
    ):
        assert title in header
    assert "5 problems, 1 with a teacher's solution" in text
    assert "r1 against control on eval: +45.0 [" in text
    assert "\x1b" not in text


def test_other_problems_are_named_not_compared(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "data")
    few = graded("r0").filter(pl.int_range(pl.len()).over("split") > 0)
    write_table(few, copy / "eval/r0/graded.parquet", sort_by=["problem_id"])
    header, lines, _ = to_table(summarize(copy))
    assert "eval" in header and "n=39" in lines[1][1] and "other problems" in lines[2]


def test_a_run_without_ledger_still_has_a_table(data, tmp_path):
    shutil.copytree(data / "eval", tmp_path / "eval")
    header, lines, notes = to_table(summarize(tmp_path))
    assert header == ["round", "eval (n = 40)", "eval_hard (n = 20)", "change on eval"]
    assert len(lines) == 4 and not any("pool" in note for note in notes)


def test_a_round_that_the_parameters_no_longer_name_is_left_out_and_named(data):
    summary = summarize(data, ["r2", "control"])
    assert [line.name for line in summary.rounds] == ["base", "r0", "control"]
    assert {last for last, *_ in summary.contrasts} == {"r0"}
    assert "Left out: r1," in as_text(summary)
    assert summarize(data, ["r1", "control"]) == summarize(data)


def test_controls_have_training_rows_and_are_compared_with_the_last_round(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "data")
    shutil.copytree(copy / "eval/control", copy / "eval/control_teacher")
    (copy / "control_teacher").mkdir()
    shutil.copy(copy / "rounds/r1/train.parquet", copy / "control_teacher")
    summary = summarize(copy, ["r1", "control", "control_teacher"])
    found = {line.name: line.train_rows for line in summary.rounds}
    assert found == {"base": None, "r0": 1, "r1": 3, "control": None, "control_teacher": 3}
    compared = {(last, name) for last, name, *_ in summary.contrasts}
    assert {("r1", "control"), ("r1", "control_teacher")} < compared


def test_nothing_evaluated_is_explained(tmp_path):
    with pytest.raises(DataError, match="No round was evaluated yet"):
        summarize(tmp_path)


def test_a_terminal_gets_a_drawn_table(data):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    render(summarize(data), out)
    assert "┃" in out.getvalue() or "│" in out.getvalue()


def test_rounds_are_sorted_by_number():
    names = ["r10", "control", "r2", "final", "base", "r1", "r0", "control_r1"]
    assert sort_rounds(names) == ["base", "r0", "r1", "r2", "r10", "final", "control", "control_r1"]


def test_rounds_come_as_the_parameters_name_them(data, tmp_path):
    names = ["final", "r1", "r0", "control", "base"]
    assert sort_rounds(names, ["r1", "final"]) == ["base", "r0", "r1", "final", "control"]
    copy = shutil.copytree(data, tmp_path / "data")
    shutil.copytree(copy / "eval/r1", copy / "eval/final")
    summary = summarize(copy, ["r1", "final", "control"])
    assert [line.name for line in summary.rounds] == ["base", "r0", "r1", "final", "control"]
    assert {last for last, *_ in summary.contrasts} == {"final"}
    assert summary.rounds[3].change["eval"].difference == 0


def test_a_branch_is_compared_with_the_round_that_it_follows(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "data")
    shutil.copytree(copy / "eval/r0", copy / "eval/r2")
    shutil.copytree(copy / "eval/r1", copy / "eval/r3")
    rounds = "{r1: {prev: r0}, r2: {prev: r1}, r3: {prev: r1}}"
    (tmp_path / "params.yaml").write_text(f"rounds: {rounds}\ncontrols: [control]\n")
    summary = summarize(copy, ["r1", "r2", "r3", "control"])
    found = {line.name: line.change["eval"].difference for line in summary.rounds if line.change}
    assert found == {"r0": pytest.approx(0.2), "r1": 0.5, "r2": -0.5, "r3": 0.0}


def test_benchmarks_are_shown_for_the_same_rounds_in_the_same_order(tmp_path):
    for name in ("r0", "r1", "final", "old"):
        row = {
            "round": name,
            "split": "eval",
            "source": "mathvista",
            "by": ALL,
            "group": ALL,
            "n": 10,
            "correct": 5,
            "low": 0.125,
            "high": 0.875,
        }
        write_table(
            pl.DataFrame([row]), tmp_path / f"eval/{name}/accuracy.parquet", sort_by=["round"]
        )
    out = io.StringIO()
    render_benchmarks(tmp_path, out, ["final", "r1"])
    headers = [line.split() for line in out.getvalue().split("\n") if line.startswith("benchmark")]
    assert headers == [["benchmark", "n", "r0", "final"], ["benchmark", "r1"]]
    assert out.getvalue().count("50.0 [12.5, 87.5]") == 3


@settings(deadline=None)
@given(
    st.lists(st.from_regex(r"\A[a-z][a-z0-9_]{0,6}\Z"), unique=True),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rounds_is_one_order(names, random):
    shuffled = list(names)
    random.shuffle(shuffled)
    assert sort_rounds(shuffled) == sort_rounds(names)


def test_plain_tables_align():
    text = plain_table(["name", "n"], [["a", "5"], ["long one", "1000"]])
    assert text == "name         n\n--------  ----\na            5\nlong one  1000\n"
    assert plain_table(["a"], []) == "a\n-\n"


def test_cells_cannot_steer_the_terminal():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for out in (io.StringIO(), Terminal()):
        print_table(["a\x1b]0;t\x07", "[red]b"], [["\x1b[2J\u202e7", "x\ny"]], out)
        text = out.getvalue()
        assert "\\u001b[2J\\u202e7" in text and "x⏎y" in text and "[red]b" in text
        assert not set(text) & set("\x07\u202e") and "\x1b[2J" not in text and "\x1b]0" not in text


def test_what_models_took_is_shown_by_stage_and_role(tmp_path: Path) -> None:
    out = io.StringIO()
    render_usage(tmp_path, out)
    assert out.getvalue() == ""
    used = {"requests": 12, "failed": 1, "prompt_tokens": 900, "cached_tokens": 0,
            "response_tokens": 80, "cost": 0.25}  # fmt: skip
    (tmp_path / "reflect").mkdir()
    (tmp_path / "reflect/r1.json").write_text(json.dumps({"r1": {"usage": {"reflector": used}}}))
    (tmp_path / "distill.json").write_text(json.dumps({"distill": {"rows": 3}, "details": []}))
    render_usage(tmp_path, out)
    lines = out.getvalue().split("\n")
    assert lines[1].split() == [
        "stage,",
        "role",
        "requests",
        "failed",
        "prompt",
        "tokens",
        "cached",
        "tokens",
    ]
    assert lines[3].split() == ["reflect", "r1", "reflector", "12", "1", "900", "0"]
    assert lines[7].split() == ["reflect", "r1", "reflector", "80", "0.25"]
    assert max(map(len, lines)) <= 80
