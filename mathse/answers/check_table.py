"""Check a table of responses: rules first, Math-Verify for the rest, every distinct row once."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from mathse.answers.check_answer import Pending, Task, Verdict, parse_choices
from mathse.answers.rules_worker import judge_chunks
from mathse.answers.sandbox import Question, Reply, Sandbox
from mathse.core.errors import DataError

if TYPE_CHECKING:
    import polars as pl

REQUIRED = ("gold", "response")
OPTIONAL = ("question_type", "answer_type", "choices", "unit", "precision")
_TEXT_COLUMNS = ("gold", "response", "question_type", "answer_type", "unit")


def check_rows(
    df: pl.DataFrame, *, workers: int | None = None, timeout_s: float = 5.0, memory_mb: int = 1024
) -> pl.DataFrame:
    """Check every row of a table.

    Args:
        df: columns gold and response; where known question_type, answer_type, choices (a JSON list
            or a list of strings), unit, precision. Other columns are kept.
        workers: processes to use, one per core by default; a small table takes only this one.
        timeout_s: wall-clock limit for one comparison by Math-Verify.
        memory_mb: cap on the address space of one such process.

    Returns:
        The same rows in the same order with state, found and reason added (or replaced).

    Raises:
        DataError: if gold or response is missing as a column.
    """
    import polars as pl  # not above: a process that judges by rules starts sooner without it

    missing = [name for name in REQUIRED if name not in df.columns]
    if missing:
        raise DataError(
            f"the table to check lacks the column {missing[0]}; it has {', '.join(df.columns)}",
            rule="gold and response are needed",
            fix="rename the column of the right answer to gold, of the model's text to response",
        )
    rows = df.select(
        name if name in df.columns else pl.lit(None).alias(name) for name in REQUIRED + OPTIONAL
    )
    # Rules judge each distinct task once; what they leave undecided goes to the sandbox.
    tasks = [_task(row) for row in rows.iter_rows(named=True)]
    distinct = list(dict.fromkeys(task for task in tasks if task is not None))
    judged: dict[Task, Verdict | Pending] = {}
    with Sandbox(workers=workers, timeout_s=timeout_s, memory_mb=memory_mb) as sandbox:
        asked: dict[Question, Future[Reply]] = {}

        def record(task: Task, item: Verdict | Pending) -> None:
            judged[task] = item
            if isinstance(item, Pending) and item.question not in asked:
                asked[item.question] = sandbox.submit(item.question)

        judge_chunks(distinct, sandbox.workers, record)
        replies = {question: future.result() for question, future in asked.items()}
    # Settle what the sandbox answered; a row without a task has an empty gold answer.
    final: dict[Task | None, Verdict] = {None: Verdict("error", None, "gold_empty")}
    for task, item in judged.items():
        final[task] = item.settle(replies[item.question]) if isinstance(item, Pending) else item
    return df.with_columns(
        pl.Series(name, [getattr(final[task], name) for task in tasks], dtype=pl.String)
        for name in ("state", "found", "reason")
    )


def _task(row: dict[str, Any]) -> Task | None:
    """Return the task of a row, None without gold. A precision that is no number is ignored."""
    text = {name: None if row[name] is None else str(row[name]) for name in _TEXT_COLUMNS}
    if text["gold"] is None:
        return None
    try:
        precision = None if row["precision"] is None else int(float(str(row["precision"])))
    except (ValueError, OverflowError):
        precision = None
    text["response"] = text["response"] or ""
    choices = parse_choices(row["choices"])
    return Task(**text, choices=choices, precision=precision)  # type: ignore[arg-type]


def check_answers(rows: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """Add state, found and reason of the answer check to trajectories or predictions.

    Args:
        rows: trajectories or predictions.
        problems: their `Problem` rows, with question_type where a benchmark has one.
    """
    names = [name for name in OPTIONAL if name in problems.columns]
    gold = problems.select("problem_id", *names, gold="answer")
    joined = rows.join(gold, on="problem_id", how="left", maintain_order="left")
    return check_rows(joined).drop("gold", *names)
