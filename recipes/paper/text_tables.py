"""Tables of what student and reflector wrote: wrong texts, copies, what became of mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from recipes.paper.runs import Run, Runs
from schemas.enums import ERROR_KINDS


def wrong_share(runs: list[Run], origin: str) -> float | None:
    """Return how many percent of what the rounds accepted the step verifier calls wrong.

    Args:
        runs: of one arm.
        origin: student or reflection.
    """
    wrong = accepted = 0
    for run in runs:
        for name, audit in run["audit"].items():
            wrong += audit.get(origin, {}).get("accepted_wrong", 0)
            accepted += run["texts"][name][origin]["accepted"]
    return 100 * wrong / accepted if accepted else None


def equal_share(runs: list[Run]) -> float | None:
    """Return how many percent of the student's different accepted texts equal the usual one."""
    parts = [part["student"] for run in runs for part in run["texts"].values()]
    distinct = sum(part["distinct"] for part in parts)
    return 100 * sum(part["equal_solution"] for part in parts) / distinct if distinct else None


FEEDBACK = (
    {"main": "the ORM's", "feedback_annotator": "the step verifier's", "feedback_none": "none",
     "feedback_shuffled": "on another problem"},
    {"more_rounds": "the ORM's",
     "more_rounds_solve_again": "the problem alone, without the wrong solution"},
)  # fmt: skip
"""Arms whose r1 has the same mistakes, for r0 made them, by what the reflector is shown."""


def feedback_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield what became of the reflections on r1's mistakes, in the seeds that all arms have."""
    for arms in FEEDBACK:
        seeds = runs.seeds(*((arm, "last") for arm in arms))
        for arm, label in arms.items() if seeds else ():
            found = [runs.by_arm[arm][seed] for seed in seeds]
            texts = [run["texts"]["r1"]["reflection"] for run in found]
            total = sum(one["n"] for one in texts)
            accepted = sum(one["accepted"] for one in texts)
            right = sum(run["audit"]["r1"]["reflection"]["right"] for run in found)
            named = ", ".join(map(str, seeds))
            yield [label, named, total, 100 * accepted / total, 100 * right / total]


def teacher_text_rows(
    runs: Runs, arms: Iterable[str] = ("main", "no_reflection", "more_rounds")
) -> Iterator[list[Any]]:
    """Yield by arm and origin how many of the loop's training rows are the teacher's text."""
    for arm in arms:
        known = [run["teacher_texts"] for run in runs.by_arm.get(arm, {}).values()
                 if run.get("teacher_texts")]  # fmt: skip
        for origin in ("student", "reflection") if known else ():
            rows, solved, equal = (
                sum(one[origin][name] for one in known) for name in ("rows", "known", "equal")
            )
            if rows:
                same = 100 * equal / solved if solved else None
                yield [arm, origin, len(known), rows, 100 * solved / rows, 100 * equal / rows, same]


def fault_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield of the student's and the reflector's wrong texts in `main` what went wrong first."""
    found = runs.by_arm.get("main", {}).values()
    for origin in ("student", "reflection"):
        for name in next(iter(found), {"faults": {}})["faults"]:
            counts = [run["faults"][name][origin] for run in found]
            sums = [sum(one.get(kind, 0) for one in counts) for kind in ERROR_KINDS]
            if wrong := sum(sums):
                yield [name, origin, wrong, *(100 * count / wrong for count in sums)]
