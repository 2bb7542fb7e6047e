"""A served model distils and annotates over HTTP: nothing is asked twice, cost is counted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import schemas
import stages.orm_data
from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.stage_tables import empty, read, read_problems
from mathse.core.tables import write_table
from mathse.prompts.roles import BUILT_IN
from stages.distill import distill
from stages.orm_data import orm_data
from stages.problems import problems
from tests.closure import oracle_params
from tests.judge.trajectories import trajectories, trajectory
from tests.servers.chat import Body, ChatServer, Reply, images_of, prompt_of

WRONG = "1. No.\nThe answer to this problem is 99999."
FEEDBACK = {"error_step": 1, "error_analysis": "Look at the picture again."}
DOUBTFUL = "Read it again: the answer is"


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.chdir(tmp_path)
    values = oracle_params()
    values["problems"]["figures"] = {"train": 8, "orm": 6, "orm_test": 6, "eval": 4, "eval_hard": 4}
    for role in ("teacher", "annotator"):
        values[role] |= {"engine": "openai", "model": "served", "max_new_tokens": 500}
    values["train_orm"]["form"] = "diagnostic"
    values["orm_data"]["teacher_share"] = 1.0
    Path("params.yaml").write_text(yaml.safe_dump(values))
    problems(Layout())
    write_table(empty(schemas.Match), Layout().matches, sort_by=["problem_id"])
    return Layout()


def teacher_of(layout: Layout) -> Any:
    """Return a server's answers: it knows a problem by its picture, and gives one answer away."""
    images = ImageStore(layout.images)
    known = {
        images.get(row["image_ids"][0]): row for row in read_problems(layout).iter_rows(named=True)
    }

    def answer(body: Body) -> Reply:
        row, text = known[images_of(body)[0][1]], prompt_of(body)
        if "Standard answer" not in text:
            return Reply(f"**Step 1**\n{row['solution']}", tokens=(80, 0, 40))
        if WRONG.split("\n")[1] not in text:
            return Reply('So:\n```json\n{"status": "CORRECT"}\n```', tokens=(100, 0, 20))
        more = {"improvement_suggestion": f"{DOUBTFUL} {row['answer']}."}
        gives_away = row["split"] == "orm_test"
        verdict = {"status": "WRONG", **FEEDBACK, **(more if gives_away else {})}
        return Reply(json.dumps(verdict), tokens=(100, 0, 20))

    return answer


def test_a_served_model_distils_and_annotates(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = read_problems(layout, "orm", "orm_test").sort("split", "problem_id")
    written = trajectories(
        *(
            trajectory(
                0,
                WRONG if number % 3 else row["solution"],
                problem_id=row["problem_id"],
                round="r0",
                input_fingerprint="0" * 16,
            )
            for number, row in enumerate(pool.iter_rows(named=True))
        )
    )
    monkeypatch.setattr(stages.orm_data, "load_journaled", lambda *words: None)
    monkeypatch.setattr(stages.orm_data, "solve", lambda *words, **more: written)
    with ChatServer(teacher_of(layout)) as server:
        price = {"prompt": 2.5, "completion": 10}
        Path("machine.yaml").write_text(
            yaml.safe_dump({"servers": {"default": {"url": server.url, "price": price}}})
        )
        distill(layout)
        orm_data(layout)
        asked = len(server.received)
        distill(layout)
        orm_data(layout)
        assert len(server.received) == asked
    counts = json.loads(layout.metrics("distill").read_text())["distill"]
    assert counts["accepted"] == 8 and counts["usage"]["teacher"]["cost"] == 0.0048
    rows = read(layout.distill.trajectories, schemas.Trajectory)
    assert all(step.startswith("**Step 1**\n1.") for step in rows["steps"].list.first())
    counts = json.loads(layout.metrics("orm_data").read_text())["orm_data"]
    assert counts["dropped"]["reveals_answer"] == 4
    assert counts["usage"]["annotator"]["requests"] == 12 + counts["usage"]["teacher"]["requests"]
    wrong = read(layout.orm.rows, schemas.OrmRow).filter(status="wrong")
    assert wrong.height and wrong.select(*FEEDBACK).unique().to_dicts() == [FEEDBACK]


def test_a_changed_prompt_is_paid_again_where_it_is_sent_alone(layout: Layout) -> None:
    shutil.copytree(BUILT_IN, "own")
    values = yaml.safe_load(layout.params.read_text())
    values["prompts"]["folder"] = "own"
    layout.params.write_text(yaml.safe_dump(values))
    names, asked = [], []
    with ChatServer(teacher_of(layout)) as server:
        Path("machine.yaml").write_text(
            yaml.safe_dump({"servers": {"default": {"url": server.url}}})
        )
        for changed in (None, "reflect.en.txt", "solve.zh.txt", "solve.en.txt"):
            if changed:
                file = Path("own") / changed
                file.write_text(f"{file.read_text()}\nBe brief.")
            distill(layout)
            asked.append(len(server.received))
            rows = read(layout.distill.trajectories, schemas.Trajectory)
            names.append(rows["input_fingerprint"].unique().to_list())
    assert asked == [8, 8, 8, 16], "no problem is in Chinese"
    assert names[0] == names[1] != names[2] != names[3]
