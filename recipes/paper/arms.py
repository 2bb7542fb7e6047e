"""The arms of the experiments: what each changes in `profiles/paper-mini.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def rounds(count: int, **switches: bool) -> dict[str, dict[str, Any]]:
    """Return `rounds` of the params: r1 to r`count`, each with the same switches."""
    return {f"r{i}": {"prev": f"r{i - 1}", **switches} for i in range(1, count + 1)}


@dataclass(frozen=True)
class Arm:
    """One run of the loop.

    Attributes:
        name: of the arm.
        about: what it is, for the tables.
        changes: of `profiles/paper-mini.yaml`, as a profile is written.
        start: the arm that it shares most with: it starts as a copy of that one's results.
        seeds: most seeds that `make paper` runs: three of the paper's claims, one of our own.
    """

    name: str
    about: str
    changes: dict[str, Any] = field(default_factory=dict)
    start: str = "main"
    seeds: int = 3


CONTROLS = ("control", "control_teacher", "control_gold", "control_same")
_LAST = {"prev": "r2", "generate": False, "reflect": True}
_THIRD = {"steps": 133}  # three trainings instead of two, of as many steps together
_ONCE = {**rounds(2, reflect=False), "final": _LAST}
# With the threshold of the default run; 0.5 of paper-mini stands for the verdict of other forms.
_LIKELIHOOD = {
    "score": {"accept": "orm", "min_p_correct": 0.7},
    "train_orm": {"form": "likelihood", "learning_rate": 3.0e-4, "steps": 400},
}

ARMS = (
    Arm("main", "reflection with the ORM's feedback in each round",
        {"controls": list(CONTROLS[:3])}),
    Arm("no_reflection", "no reflection",
        {"reflect": {"enabled": False}, "controls": ["control_teacher"]}),
    Arm("likelihood", "no gold answers, likelihood ORM", _LIKELIHOOD),
    Arm("accept_orm", "no gold answers: what the ORM passes", {"score": {"accept": "orm"}}),
    Arm("resampling", "no reflection; four samples of each problem in place of three",
        {"reflect": {"enabled": False}, "generate": {"samples": 4, "hard_samples": 4}}),
    Arm("steps_alone", "no loop: r0's rows in as many trainings as rounds, each in the same order",
        {"rounds": rounds(2, generate=False, reflect=False)}),
    Arm("feedback_none", "reflection without step and analysis", {"reflect": {"feedback": "none"}}),
    Arm("feedback_annotator", "reflection with the step verifier's feedback",
        {"reflect": {"feedback": "annotator"}}),
    Arm("feedback_shuffled", "reflection with the feedback on another problem",
        {"reflect": {"feedback": "shuffled"}}),
    Arm("same_problems", "as main; the teacher on the problems that the loop solved",
        {"controls": ["control_same"]}),
    Arm("algorithm_1_likelihood", "Algorithm 1, likelihood ORM",
        {**_LIKELIHOOD, "rounds": _ONCE, "evolve": _THIRD}, start="likelihood"),
    Arm("binary", "no gold answers, binary ORM",
        {"score": {"accept": "orm"}, "train_orm": {"form": "binary"}}),
    Arm("algorithm_1", "Algorithm 1: reflection in a last round, no gold answers",
        {"rounds": _ONCE, "evolve": _THIRD, "score": {"accept": "orm"}}, start="accept_orm"),
    Arm("accept_both", "gold answers and the ORM", {"score": {"accept": "both"}}),
    Arm("more_rounds", "four rounds",
        {"rounds": rounds(4), "controls": ["control", "control_teacher"]}),
    Arm("more_rounds_no_reflection", "four rounds, no reflection",
        {"rounds": rounds(4), "reflect": {"enabled": False}}, start="no_reflection"),
    Arm("more_rounds_solve_again",
        "four rounds; the teacher solves the problem again, without sight of the wrong solution",
        {"rounds": rounds(4), "reflect": {"feedback": "solve_again"}}),
    Arm("reflect_once", "reflection in a last round of its own",
        {"rounds": _ONCE, "evolve": _THIRD}),
    Arm("six_rounds", "six rounds", {"rounds": rounds(6), "controls": ["control"]},
        start="more_rounds", seeds=1),
    Arm("refresh", "no gold answers, likelihood ORM that is trained further on each round",
        {**_LIKELIHOOD, "orm": {"refresh": "round"}}, start="likelihood", seeds=1),
    Arm("stepwise", "no gold answers, stepwise ORM",
        {"score": {"accept": "orm"}, "train_orm": {"form": "stepwise"}}, seeds=1),
    Arm("one_sample", "one sample of each problem",
        {"generate": {"samples": 1, "hard_samples": 1}}, seeds=1),
    Arm("six_samples", "six samples of each problem",
        {"generate": {"samples": 6, "hard_samples": 6}}, seeds=1),
    Arm("from_base", "each round from the base, as many steps as r0 and both rounds",
        {"evolve": {"init": "base", "steps": 900}}, seeds=1),
    Arm("select_rows", "as main; rows also teach to choose among three solutions",
        {"merge": {"select_rows": 3}}, seeds=1),
    Arm("reflection_rows", "as main; rows also teach to reflect",
        {"merge": {"reflection_rows": True}}, seeds=1),
)  # fmt: skip
