"""The sets of answers with known verdicts that `make bench-answers` measures."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from bench import answers as bench
from bench.answers import SETS, metrics_of, read_set

OF_PROJECT = [name for name, known in SETS.items() if known.own]


@pytest.mark.parametrize("name", OF_PROJECT)
def test_own_pairs_are_whole_and_of_both_halves(name: str) -> None:
    rows = read_set(SETS[name])
    assert rows.height >= 140 and rows["expected"].null_count() == 0
    assert rows.drop("kind", "expected").is_unique().all()
    assert 0.35 < rows["expected"].mean() < 0.65  # type: ignore[operator]
    by_kind = rows.group_by("kind").len()
    assert by_kind.height >= 20 and by_kind["len"].min() >= 3  # type: ignore[operator]


def test_what_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "DATA", tmp_path)
    monkeypatch.setattr(bench, "SETS", {name: SETS[name] for name in SETS if not SETS[name].own})
    monkeypatch.setattr(bench, "save", lambda name, *_: print(name))
    done = CliRunner().invoke(bench.app, ["sets"])
    assert done.exit_code == 0, done.output
    assert done.output.count("not measured: ") == len(bench.SETS) == 7
    assert done.output.splitlines()[-1] == "answers-own"
    assert "speed is not measured" in CliRunner().invoke(bench.app, ["speed"]).output


def test_metrics() -> None:
    rows = pl.DataFrame(
        {
            "state": ["match", "match", "mismatch", "unreadable", "no_answer"],
            "expected": [True, False, True, True, False],
        }
    )
    found = metrics_of(rows)
    assert found["agree"] == 40.0 and found["wrong_passed"] == "1 of 2"
    assert found["right_missed"] == "2 of 3" and found["called_wrong"] == 1
    assert found["passed_wrong"] == 50.0 and found["no_verdict"] == 1
