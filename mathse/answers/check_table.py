"""Check a whole table of responses: rules first, Math-Verify for the rest, every distinct row once."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from mathse.answers.check_answer import Pending, Task, Verdict, parse_choices, settle
from mathse.answers.rules_worker import judge_chunks
from mathse.answers.sandbox import Question, Reply, Sandbox
from mathse.core.errors import DataError

if TYPE_CHECKING:
    import polars as pl

REQUIRED = ("gold", "response")
OPTIONAL = ("question_type", "answer_type", "choices", "unit", "precision")


def check_rows(
    df: pl.DataFrame, *, workers: int | None = None, timeout_s: float = 5.0, memory_mb: int = 1024
) -> pl.DataFrame:
    """Check every row of a table.

    Args:
        df: columns gold and response; where known question_type, answer_type, choices (a JSON list
            or a list of strings), unit, precision. Other columns are kept.
        workers: processes to use, one per core by default; none but this one for a small table that
            rules decide.
        timeout_s: wall-clock limit for one comparison by Math-Verify.
        memory_mb: cap on the address space of one such process.

    Returns:
        The same rows in the same order with state, found and reason added (or replaced).

    Raises:
        DataError: if gold or response is missing as a column.
    """
    import polars as pl  # here, since a process that judges by rules is ready sooner without

    missing = [name for name in REQUIRED if name not in df.columns]
    if missing:
        raise DataError(
            f"the table to check lacks the column {missing[0]}; it has {', '.join(df.columns)}",
            rule="gold and response are needed",
            fix="rename the columns that hold the right answer and the model's text to gold and response",
        )
    columns = [
        df[name].to_list() if name in df.columns else [None] * df.height
        for name in REQUIRED + OPTIONAL
    ]
    tasks = [_task(*cells) for cells in zip(*columns, strict=True)]
    distinct = list(dict.fromkeys(task for task in tasks if task is not None))
    with Sandbox(workers=workers, timeout_s=timeout_s, memory_mb=memory_mb) as sandbox:
        ahead = _Ahead(sandbox)
        judged: dict[Task, Verdict | Pending] = {}

        def done(task: Task, item: Verdict | Pending) -> None:
            judged[task] = item
            if isinstance(item, Pending):
                ahead.ask(item.question)

        try:
            judge_chunks(distinct, sandbox.workers, done)
        finally:
            ahead.stop()
        replies = ahead.replies()
    verdicts = [
        Verdict("error", None, "gold_empty") if task is None else _final(judged[task], replies)
        for task in tasks
    ]
    return df.with_columns(
        pl.Series("state", [verdict.state for verdict in verdicts], dtype=pl.String),
        pl.Series("found", [verdict.found for verdict in verdicts], dtype=pl.String),
        pl.Series("reason", [verdict.reason for verdict in verdicts], dtype=pl.String),
    )


class _Ahead:
    """Has open questions decided, one after the other, while further tasks are still judged by rules."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._waiting: SimpleQueue[Question | None] = SimpleQueue()
        self._asked: dict[Question, Reply | None] = {}
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._stop = False

    def ask(self, question: Question) -> None:
        if question in self._asked:
            return
        self._asked[question] = None
        self._waiting.put(question)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        try:
            while (question := self._waiting.get()) is not None and not self._stop:
                self._asked[question] = self._sandbox.decide([question])[0]
        except BaseException as failure:
            self._failure = failure

    def stop(self) -> None:
        """Finish the question at hand, and begin no other."""
        self._stop = True
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()

    def replies(self) -> dict[Question, Reply]:
        """After `stop`: have what is left decided by all workers, and return everything."""
        if self._failure is not None:
            raise self._failure
        left = [question for question, reply in self._asked.items() if reply is None]
        found = {question: reply for question, reply in self._asked.items() if reply is not None}
        return found | dict(zip(left, self._sandbox.decide(left), strict=True))


def _task(
    gold: object,
    response: object,
    question_type: object,
    answer_type: object,
    choices: object,
    unit: object,
    precision: object,
) -> Task | None:
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
