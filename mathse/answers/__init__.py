"""Find the final answer of a solution and compare it with gold, in a process that can be killed."""

from __future__ import annotations

from mathse.answers.check_answer import STATES, Verdict, check_one, find_answer
from mathse.answers.check_table import check_rows

__all__ = ["STATES", "Verdict", "check_one", "check_rows", "find_answer"]
