"""Hostile input: a state each time, within limits, and the next answer is still right."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from mathse.answers import STATES, check_one, check_rows
from mathse.answers.sandbox import Question, Sandbox
from tests.answers.hostile import hostile_answers

TIMEOUT_S = 1.0
MEMORY_MB = 640
MATRIX = r"\begin{pmatrix}1 & 2 \\ 3 & 4\end{pmatrix}"


def test_every_hostile_answer_gets_a_state() -> None:
    texts = hostile_answers()
    assert len(texts) >= 200
    rows = []
    for text in texts:
        rows.append(
            {"gold": "x^2+1", "response": f"\\boxed{{{text}}}", "answer_type": "expression"}
        )
        matrix = MATRIX.replace("4", str(len(rows)))
        rows.append(
            {
                "gold": matrix,
                "response": f"So we get $${MATRIX.replace('4', f'{len(rows)}+0')}$$.",
                "answer_type": "expression",
            }
        )
    rows += [{"gold": "5", "response": text, "answer_type": "number"} for text in texts]
    checked = check_rows(pl.DataFrame(rows), workers=2, timeout_s=TIMEOUT_S, memory_mb=MEMORY_MB)
    states = checked["state"].to_list()
    assert set(states) <= set(STATES)
    assert set(states[1 : 2 * len(texts) : 2]) == {"match"}
    for row, state in zip(rows, states, strict=True):
        if row["gold"] == "5" and state == "match":
            assert set("5\uff15\u4e94\U0001d7d3") & set(row["response"]), row["response"][:80]
        if row["gold"] == "x^2+1":
            assert state != "match", row["response"][:80]


@pytest.mark.parametrize("kind", ["number", "choice", "text", None])
def test_rules_alone_stay_fast_on_hostile_text(kind: str | None) -> None:
    from mathse.answers.check_answer import Task, judge

    slow = []
    for text in hostile_answers():
        start = time.process_time()
        judge(Task("7", text, None, kind, ("7", "8", "9") if kind == "choice" else ()))
        if time.process_time() - start > 2.0:
            slow.append(text[:60])
    assert slow == []


REPEATED = (
    *("\n", " ", "\t", " \n", "\u3000", "\u2028", "(", ")", "{", "}", "$", "\\", "-", "*", "_"),
    *("A ", "1,", "1 ", "5%", "(A) ", "and ", "one ", "not ", "= ", "不"),
)


@pytest.mark.parametrize("part", REPEATED)
@pytest.mark.parametrize("frame", ["x\n{}\ny", "The answer is{}5", "It's 5{}5 is wrong"])
def test_rules_alone_stay_fast_on_what_is_repeated(part: str, frame: str) -> None:
    from mathse.answers.check_answer import Task, judge

    text = frame.replace("{}", part * (20_000 // len(part)))
    start = time.process_time()
    judge(Task("5", text, None, "number"))
    judge(Task("A", text, None, "choice", ("5", "increase", "no")))
    assert time.process_time() - start < 2.0


def test_runaway_is_killed_in_time_and_the_next_is_right() -> None:
    runaway = Question("x", r"\int_0^1 \sin(x^{x^{x}}) \cos(x^{x}) dx")
    with Sandbox(workers=1, timeout_s=3.0, memory_mb=MEMORY_MB) as sandbox:
        assert sandbox.decide([Question(MATRIX, MATRIX)])[0].state == "match"
        start = time.monotonic()
        states = [reply.state for reply in sandbox.decide([runaway, Question(MATRIX, MATRIX)])]
        assert states[0] in ("timeout", "error", "unknown", "unreadable")
        assert states[1] == "match"
        assert time.monotonic() - start < 60


ASKED_FOR_TOO_MUCH = f"""
import resource
from mathse.answers.sandbox import Question, Sandbox

if __name__ == "__main__":
    with Sandbox(workers=1, timeout_s=4.0, memory_mb={MEMORY_MB}) as sandbox:
        print(sandbox.decide([Question("2", r"(10^{{9}})! + x^{{10^{{10^{{10}}}}}}")])[0].state)
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_memory_cap_holds(tmp_path: Path) -> None:
    """In a process of its own: children of other tests count as this one's, too."""
    script = tmp_path / "asked.py"
    script.write_text(ASKED_FOR_TOO_MUCH)
    command = [sys.executable, str(script)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    state, most_kib = run.stdout.split()
    assert state in ("timeout", "error")
    assert int(most_kib) <= MEMORY_MB * 1024


def test_code_in_an_answer_is_not_run(tmp_path: Path) -> None:
    target = tmp_path / "made"
    verdict = check_one(
        "x+1", f"$__import__('pathlib').Path('{target}').touch()$", answer_type="expression"
    )
    assert verdict.state != "match"
    assert not target.exists()
