"""A table judged in several processes: the same verdicts, whatever becomes of the processes."""

from __future__ import annotations

import sys

import pytest

from mathse.answers import rules_worker
from mathse.answers.check_answer import Task, judge
from mathse.answers.rules_worker import judge_chunks

TASKS = [
    Task(str(number), f"So the answer is {number + number % 2}.", answer_type="number")
    for number in range(60)
] + [Task(f"{number}x+1", f"The answer is $1+{number}x$.") for number in range(30)]


def judged_in(processes: int) -> dict[Task, object]:
    found: dict[Task, object] = {}
    judge_chunks(TASKS, processes, found.__setitem__)
    return found


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_worker, "MIN_TASKS", 10)
    monkeypatch.setattr(rules_worker, "CHUNK", 4)


@pytest.mark.parametrize("processes", [1, 3])
def test_several_processes_say_what_one_says(processes: int) -> None:
    assert judged_in(processes) == {task: judge(task) for task in TASKS}


def test_what_a_dead_process_leaves_is_judged_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nexit 3\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    assert judged_in(3) == {task: judge(task) for task in TASKS}
