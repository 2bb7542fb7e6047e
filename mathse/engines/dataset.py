"""The solutions that a data set brings, in the teacher's place."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from mathse.core.ids import content_id
from mathse.engines.protocol import Completion, Request, SamplingParams
from mathse.prompts import CLOSING, choice_letter, prompts_digest

VERSION = 1


class DatasetTeacher:
    """An engine that solves a problem by the data set's own worked solution, closed by the usual sentence.

    The answer in the closing sentence is the data set's; for a choice that is named by its text,
    the letter.

    Args:
        problems: `Problem` rows; those with a solution can be asked for.
    """

    def __init__(self, problems: pl.DataFrame) -> None:
        self.digest = content_id("dataset teacher", VERSION)
        self.input_fingerprint = prompts_digest()
        self._paths = {
            row["problem_id"]: close(row["solution"], row["answer"], row["choices"])
            for row in problems.filter(pl.col("solution").is_not_null()).iter_rows(named=True)
        }

    def complete(self, requests: Sequence[Request], sampling: SamplingParams) -> list[Completion]:
        """Answer requests to solve; anything else becomes an error completion."""
        done = []
        for request in requests:
            if request.task != "solve":
                done.append(
                    Completion.failed(
                        request.key, f"a data set has no answer to the task {request.task!r}"
                    )
                )
            elif request.problem_id not in self._paths:
                done.append(
                    Completion.failed(
                        request.key, f"problem {request.problem_id} has no worked solution"
                    )
                )
            else:
                done.append(Completion(request.key, self._paths[request.problem_id], "stop", 0, 0))
        return done


def close(solution: str, answer: str, choices: Sequence[str]) -> str:
    """Return a solution that ends in the closing sentence."""
    if CLOSING in solution:
        return solution
    named = choice_letter(list(choices).index(answer)) if answer in choices else answer
    lines = [line.strip() for line in solution.splitlines() if line.strip()]
    return "\n".join([*lines, f"{CLOSING} {named}."])
