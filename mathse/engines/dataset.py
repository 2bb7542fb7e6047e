"""The solutions that a data set brings, in the teacher's role."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from mathse.core.ids import content_id
from mathse.engines.protocol import Completion, Request
from mathse.prompts import CLOSING, PROMPTS_VERSION, choice_letter

VERSION = 1


class DatasetTeacher:
    """Solves a problem by the data set's own worked solution, closed by the usual sentence.

    The answer in the closing sentence is the data set's; for a choice that is named by its text,
    the letter.

    Args:
        problems: `Problem` rows; those with a solution can be asked for.

    Attributes:
        problem_ids: the problems that it can solve.
    """

    def __init__(self, problems: pl.DataFrame) -> None:
        self.digest = content_id("dataset teacher", VERSION)
        self.input_fingerprint = PROMPTS_VERSION
        self._solutions = {
            row["problem_id"]: close(row["solution"], row["answer"], row["choices"])
            for row in problems.filter(pl.col("solution").is_not_null()).iter_rows(named=True)
        }
        self.problem_ids = list(self._solutions)

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Answer requests to solve; anything else becomes an error completion."""
        for request in requests:
            solution = self._solutions.get(request.problem_id)
            if request.task != "solve":
                reason = f"a data set has no answer to the task {request.task!r}"
                yield Completion.failed(request.key, reason)
            elif solution is None:
                reason = f"problem {request.problem_id} has no worked solution"
                yield Completion.failed(request.key, reason)
            else:
                yield Completion(request.key, solution, "stop", 0, 0)

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        """Each request stands alone."""
        return [[index] for index in range(len(requests))]

    def close(self) -> None:
        """Do nothing."""


def close(solution: str, answer: str, choices: Sequence[str]) -> str:
    """Return a solution that ends in the closing sentence."""
    if CLOSING in solution:
        return solution
    named = choice_letter(list(choices).index(answer)) if answer in choices else answer
    lines = [line.strip() for line in solution.splitlines() if line.strip()]
    return "\n".join([*lines, f"{CLOSING} {named}."])
