"""Leaks between training and evaluation, and corrected answers, through the stages themselves."""

from __future__ import annotations

import hashlib
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import schemas
from mathse.core.errors import DataError
from mathse.core.ids import content_id
from mathse.core.images import write_images
from mathse.core.layout import Layout
from mathse.core.tables import read_table, write_table
from mathse.figures.source import build_tables
from stages.decontaminate import decontaminate
from stages.distill import distill
from stages.orm_data import orm_data
from stages.problems import problems
from tests.closure import oracle_params
from tests.curation.pictures import recompressed
from tests.judge.trajectories import Scripted, says


def settings(folder: Path, **sections: dict[str, Any]) -> None:
    values = oracle_params()
    for name, changes in sections.items():
        values[name] |= changes
    (folder / "params.yaml").write_text(yaml.safe_dump(values))


@pytest.fixture
def planted(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Write problems; one of each training split is a recompressed copy of an evaluated one."""
    rows, images = build_tables(
        {"train": 12, "orm": 6, "orm_test": 2, "eval": 4, "eval_hard": 2}, seed=5
    )
    names = {}
    for split, copied in (("train", "eval"), ("orm", "eval_hard")):
        original = rows.filter(pl.col("split") == copied).row(0, named=True)
        data = recompressed(70)(
            dict(images.select("image_id", "bytes").iter_rows())[original["image_ids"][0]]
        )
        image = images.row(0, named=True) | {
            "image_id": hashlib.sha256(data).hexdigest(),
            "bytes": data,
            "format": "JPEG",
        }
        ids = [image["image_id"]]
        copy = original | {
            "split": split,
            "image_ids": ids,
            "question": "Look closely. " + original["question"],
        }
        copy["problem_id"] = content_id(copy["question"], copy["choices"], copy["answer"], ids)
        names[split] = copy["problem_id"]
        rows = pl.concat([rows, pl.DataFrame([copy], schema=rows.schema)])
        images = pl.concat([images, pl.DataFrame([image], schema=images.schema)])
    types = schemas.column_types(schemas.Problem)
    rows = rows.select(pl.col(name).cast(dtype) for name, dtype in types.items())
    write_table(rows, Layout(tmp_path).problems, sort_by=["split", "problem_id"])
    write_images(images, Layout(tmp_path).images)
    return tmp_path, names


def test_a_leak_is_listed_and_used_in_no_training(planted: tuple[Path, dict[str, str]]) -> None:
    folder, names = planted
    settings(folder, distill={"problems": 100})
    layout = Layout(folder)
    decontaminate(layout)
    matches = read_table(layout.matches)
    assert sorted(matches["problem_id"]) == sorted(names.values())
    counts = json.loads(layout.metrics("decontaminate").read_text())["decontaminate"]
    assert counts["contaminated"] == {"train": 1, "orm": 1} and counts["matches"] == 2
    distill(layout)
    first = layout.round("r0")
    ledger = read_table(first.ledger)
    state = dict(ledger.select("problem_id", "state").iter_rows())
    assert state.pop(names["train"]) == "contaminated" and set(state.values()) == {"distilled"}
    assert names["train"] not in read_table(first.train)["problem_id"].to_list()
    assert names["train"] not in read_table(layout.distill.trajectories)["problem_id"].to_list()


@pytest.mark.parametrize(
    ("missing", "contaminated"),
    [("orm_test", {"train": 1, "orm": 1}), ("train", {"train": 0, "orm": 1}), ("eval", None)],
)
def test_a_split_without_problems_has_no_match(
    planted: tuple[Path, dict[str, str]], missing: str, contaminated: dict[str, int] | None
) -> None:
    folder, _ = planted
    settings(folder)
    layout = Layout(folder)
    # Without evaluated problems there is nothing to compare with.
    lost = pl.col("split").str.starts_with(missing)
    if missing == "eval":
        lost |= pl.col("split") == "orm_test"
    rows = read_table(layout.problems).filter(~lost)
    write_table(rows, layout.problems, sort_by=["split", "problem_id"])
    decontaminate(layout)
    counts = json.loads(layout.metrics("decontaminate").read_text())["decontaminate"]
    assert counts["contaminated"] == (contaminated or {"train": 0, "orm": 0})


def test_a_stepwise_orm_without_solutions_is_refused_before_anything_is_asked(
    planted: tuple[Path, dict[str, str]],
) -> None:
    folder, names = planted
    layout = Layout(folder)
    no_solution = pl.lit(None, dtype=pl.String)
    rows = read_table(layout.problems)
    # Nothing learns from a contaminated problem, and the ORM from none of `train`.
    unused = (pl.col("problem_id") == names["orm"]) | (pl.col("split") != "orm")
    for lost, form, refused in (
        (unused, "stepwise", False),
        (pl.col("split") == "orm", "stepwise", True),
        (pl.col("split") == "orm", "diagnostic", False),
    ):
        solution = pl.when(~lost).then("solution").otherwise(no_solution)
        changed = rows.with_columns(solution=solution)
        write_table(changed, layout.problems, sort_by=["split", "problem_id"])
        settings(folder, train_orm={"form": form})
        with pytest.raises(DataError, match="no solution") if refused else nullcontext():
            decontaminate(layout)


def test_switched_off_nothing_is_listed(planted: tuple[Path, dict[str, str]]) -> None:
    folder, _ = planted
    settings(folder, decontaminate={"enabled": False})
    decontaminate(Layout(folder))
    assert read_table(Layout(folder).matches).is_empty()


def test_corrected_answers_are_laid_over_the_problems(tmp_path: Path) -> None:
    figures = {"train": 6, "orm": 2, "orm_test": 2, "eval": 2, "eval_hard": 2}
    settings(tmp_path, problems={"figures": figures})
    layout = Layout(tmp_path)
    problems(layout)
    before = read_table(layout.problems)
    row = before.filter(
        (pl.col("answer_type") == "number") & (pl.col("choices").list.len() == 0)
    ).row(0, named=True)
    file = tmp_path / "overrides.csv"
    file.write_text(f"problem_id,answer,note\n{row['problem_id']},12345,by hand\n")
    problems(layout)
    after = read_table(layout.problems)
    changed = after.join(before, on="problem_id", how="anti")
    assert changed["answer"].to_list() == ["12345"] and after.height == before.height
    file.write_text("problem_id,answer,note\nffffffffffffffff,1,\n")
    with pytest.raises(DataError, match="not among the problems"):
        problems(layout)


def test_the_student_is_not_asked_about_a_leak_for_the_orm(
    planted: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, names = planted
    settings(folder)
    layout = Layout(folder)
    decontaminate(layout)
    student = Scripted(says("1. I see.\nThe answer to this problem is 98765."))
    monkeypatch.setattr("stages.orm_data.load_journaled", lambda *_: student)
    orm_data(layout)
    pool = read_table(layout.problems).filter(pl.col("split").is_in(["orm", "orm_test"]))
    asked = {request.problem_id for request in student.requests}
    assert asked == {*pool["problem_id"]} - {names["orm"]}
