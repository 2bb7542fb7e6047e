"""Find the final answer of a solution and compare it with gold, in a process that can be killed."""

from __future__ import annotations

from mathse.answers.table import check_rows
from mathse.answers.verdict import STATES, Verdict, check_one, find_answer

__all__ = ["STATES", "Verdict", "check_one", "check_rows", "find_answer"]
