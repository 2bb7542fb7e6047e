"""Check a whole table of responses: rules first, Math-Verify for the rest, every distinct row once."""

from __future__ import annotations

import polars as pl

from mathse.answers.rules_worker import MIN_TASKS, Helper
from mathse.answers.sandbox import Question, Reply, Sandbox
from mathse.answers.verdict import Pending, Task, Verdict, judge, parse_choices, settle
from mathse.core.errors import DataError

REQUIRED = ("gold", "response")
QUESTIONS_PER_WORKER = 100
"""One more worker is started for each so many questions: loading SymPy takes as long as answering about that many."""
OPTIONAL = ("question_type", "answer_type", "choices", "unit", "precision")


def check_rows(
    df: pl.DataFrame, *, workers: int | None = None, timeout_s: float = 5.0, memory_mb: int = 1024
) -> pl.DataFrame:
    """Check every row of a table.

    Args:
        df: columns gold and response; where known question_type, answer_type, choices (a JSON list or a list of
            strings), unit, precision. Other columns are kept.
        workers: processes to use, one per core by default; none but this one for a small table that rules decide.
        timeout_s: wall-clock limit for one comparison by Math-Verify.
        memory_mb: cap on the address space of one such process.

    Returns:
        The same rows in the same order with state, found and reason added (or replaced).

    Raises:
        DataError: if gold or response is missing as a column.
    """
    missing = [name for name in REQUIRED if name not in df.columns]
    if missing:
        raise DataError(
            f"the table to check lacks the column {missing[0]}; it has {', '.join(df.columns)}",
            rule="gold and response are needed",
            fix="rename the columns that hold the right answer and the model's text to gold and response",
        )
    columns = [df[name].to_list() if name in df.columns else [None] * df.height for name in REQUIRED + OPTIONAL]
    tasks = [_task(*cells) for cells in zip(*columns, strict=True)]
    distinct = list(dict.fromkeys(task for task in tasks if task is not None))
    with Sandbox(workers=workers, timeout_s=timeout_s, memory_mb=memory_mb) as sandbox:
        judged = _judge_all(distinct, sandbox)
        questions = list(dict.fromkeys(item.question for item in judged.values() if isinstance(item, Pending)))
        replies = dict(zip(questions, sandbox.decide(questions), strict=True))
    verdicts = [
        Verdict("error", None, "gold_empty") if task is None else _final(judged[task], replies) for task in tasks
    ]
    return df.with_columns(
        pl.Series("state", [verdict.state for verdict in verdicts], dtype=pl.String),
        pl.Series("found", [verdict.found for verdict in verdicts], dtype=pl.String),
        pl.Series("reason", [verdict.reason for verdict in verdicts], dtype=pl.String),
    )


def _judge_all(tasks: list[Task], sandbox: Sandbox) -> dict[Task, Verdict | Pending]:
    """Judge distinct tasks by rules, a large table in several processes; the first open question warms the sandbox."""
    processes = sandbox.workers if len(tasks) >= MIN_TASKS else 1
    shares = [tasks[first::processes] for first in range(processes)]
    helpers = [Helper(share) for share in shares[1:]]
    judged: dict[Task, Verdict | Pending] = {}
    pending = 0
    try:
        for task in shares[0]:
            item = judged[task] = judge(task)
            if isinstance(item, Pending):
                pending += 1
                sandbox.warm(1 + pending // QUESTIONS_PER_WORKER)
        for helper in helpers:
            judged.update(zip(helper.tasks, helper.results(), strict=True))
    finally:
        for helper in helpers:
            helper.kill()
    return judged


def _task(
    gold: object, response: object, question_type: object, answer_type: object, choices: object, unit: object,
    precision: object,
) -> Task | None:  # fmt: skip
    if gold is None:
        return None
    return Task(
        str(gold),
        "" if response is None else str(response),
        None if question_type is None else str(question_type),
        None if answer_type is None else str(answer_type),
        parse_choices(choices),  # type: ignore[arg-type]
        None if unit is None else str(unit),
        _whole(precision),
    )


def _whole(precision: object) -> int | None:
    """A precision as a whole number; one that is none counts as not given."""
    try:
        return None if precision is None else int(float(str(precision)))
    except (ValueError, OverflowError):
        return None


def _final(item: Verdict | Pending, replies: dict[Question, Reply]) -> Verdict:
    return settle(item, replies[item.question]) if isinstance(item, Pending) else item
