"""The paper's claims and ours, each as a difference between two models of the arms."""

from __future__ import annotations

from dataclasses import dataclass

Model = tuple[str, str]
"""An arm and one of its models; `last` is the model of its last round."""


@dataclass(frozen=True)
class Claim:
    """That one model is better than another.

    Attributes:
        text: the claim.
        paper: what the paper measured, or where it says so; empty for a claim of our own.
        before: the model that should be worse.
        after: the model that should be better.
    """

    text: str
    paper: str
    before: Model
    after: Model


_MAIN = ("main", "last")

CLAIMS = (
    Claim("distillation helps the base", "Table 1: +24.5, +8.2, +25.3",
          ("main", "base"), ("main", "r0")),
    Claim("two rounds with reflection, and their steps, help the distilled model",
          "Table 1: +9.4, +8.2, +6.7", ("main", "r0"), _MAIN),
    Claim("a first round, and its steps, help", "", ("main", "r0"), ("main", "r1")),
    Claim("a second round, and its steps, help", "", ("main", "r1"), _MAIN),
    Claim("self-evolving rounds, and their steps, help the distilled model",
          "Table 1: +7.0, +6.4, +6.0", ("main", "r0"), ("no_reflection", "last")),
    Claim("self-evolving rounds beat their steps on r0's rows", "",
          ("main", "control"), ("no_reflection", "last")),
    Claim("self-evolving rounds beat r0's rows in as many trainings", "",
          ("steps_alone", "last"), ("no_reflection", "last")),
    Claim("reflection adds to self-evolving rounds", "Table 1: +2.4, +1.9, +0.7",
          ("no_reflection", "last"), _MAIN),
    Claim("the loop beats its steps on r0's rows", "", ("main", "control"), _MAIN),
    Claim("the loop beats r0's rows in as many trainings", "",
          ("steps_alone", "last"), _MAIN),
    Claim("reflection beats more samples", "", ("resampling", "last"), _MAIN),
    Claim("the ORM's feedback beats none", "", ("feedback_none", "last"), _MAIN),
    Claim("the ORM's feedback beats that on another problem", "",
          ("feedback_shuffled", "last"), _MAIN),
    Claim("the ORM's feedback beats the teacher's (here: the step verifier's)",
          "Table 3: +0.5", ("feedback_annotator", "last"), _MAIN),
    Claim("self-evolving rounds beat as many rows of the teacher, on random problems",
          "Table 4: +4.4", ("no_reflection", "control_teacher"), ("no_reflection", "last")),
    Claim("the loop beats as many rows of the teacher, on random problems", "",
          ("main", "control_teacher"), _MAIN),
    Claim("the loop beats the teacher on the same problems", "",
          ("same_problems", "control_same"), _MAIN),
    Claim("the loop beats the ORM's gold spent on the student", "",
          ("main", "control_gold"), _MAIN),
    Claim("two rounds without gold, and their steps, help the distilled model", "",
          ("main", "r0"), ("accept_orm", "last")),
    Claim("the loop without gold beats its steps on r0's rows", "",
          ("main", "control"), ("accept_orm", "last")),
    Claim("the loop without gold beats the ORM's gold spent on the student", "",
          ("main", "control_gold"), ("accept_orm", "last")),
    Claim("the loop without gold, with the stepwise ORM, beats the ORM's gold spent on the student",
          "", ("main", "control_gold"), ("stepwise", "last")),
    Claim("Algorithm 1, without gold, beats the ORM's gold spent on the student", "",
          ("main", "control_gold"), ("algorithm_1", "last")),
    Claim("without gold, a diagnostic ORM beats a binary one", "Table 5, the ORM alone: +4.5",
          ("binary", "last"), ("accept_orm", "last")),
    Claim("without gold, a stepwise ORM beats a diagnostic one", "",
          ("accept_orm", "last"), ("stepwise", "last")),
    Claim("without gold, a likelihood ORM beats a stepwise one", "",
          ("stepwise", "last"), ("likelihood", "last")),
    Claim("without gold, a likelihood ORM beats a diagnostic one", "",
          ("accept_orm", "last"), ("likelihood", "last")),
    Claim("the loop without gold, with the likelihood ORM, beats the ORM's gold spent on the "
          "student", "", ("main", "control_gold"), ("likelihood", "last")),
    Claim("gold answers beat the likelihood ORM's verdicts", "", ("likelihood", "last"), _MAIN),
    Claim("the loop without gold, with the likelihood ORM, beats its steps on r0's rows", "",
          ("main", "control"), ("likelihood", "last")),
    Claim("gold answers beat the ORM's verdicts", "", ("accept_orm", "last"), _MAIN),
    Claim("gold answers beat the stepwise ORM's verdicts", "", ("stepwise", "last"), _MAIN),
    Claim("the loop without gold, with the stepwise ORM, beats its steps on r0's rows", "",
          ("main", "control"), ("stepwise", "last")),
    Claim("the ORM adds to gold answers", "", _MAIN, ("accept_both", "last")),
    Claim("to learn to choose helps to solve", "", _MAIN, ("select_rows", "last")),
    Claim("to learn to reflect helps to solve", "", _MAIN, ("reflection_rows", "last")),
    Claim("reflection in each round beats one at the end", "",
          ("reflect_once", "last"), _MAIN),
    Claim("Algorithm 1, without gold, and its steps, help the distilled model",
          "Table 1: +9.4, +8.2, +6.7", ("main", "r0"), ("algorithm_1", "last")),
    Claim("Algorithm 1, without gold, beats its steps on r0's rows", "",
          ("main", "control"), ("algorithm_1", "last")),
    Claim("Algorithm 1, without gold, with the likelihood ORM, and its steps, help the distilled "
          "model", "Table 1: +9.4, +8.2, +6.7",
          ("main", "r0"), ("algorithm_1_likelihood", "last")),
    Claim("Algorithm 1, without gold, with the likelihood ORM, beats its steps on r0's rows", "",
          ("main", "control"), ("algorithm_1_likelihood", "last")),
    Claim("Algorithm 1, without gold, with the likelihood ORM, beats the ORM's gold spent on the "
          "student", "", ("main", "control_gold"), ("algorithm_1_likelihood", "last")),
    Claim("four rounds with reflection, and their steps, help the distilled model",
          "Table 1: +9.4, +8.2, +6.7", ("main", "r0"), ("more_rounds", "last")),
    Claim("four rounds with reflection beat their steps on r0's rows", "",
          ("more_rounds", "control"), ("more_rounds", "last")),
    Claim("four rounds without reflection beat their steps on r0's rows", "",
          ("more_rounds", "control"), ("more_rounds_no_reflection", "last")),
    Claim("reflection adds to four rounds", "Table 1: +2.4, +1.9, +0.7",
          ("more_rounds_no_reflection", "last"), ("more_rounds", "last")),
    Claim("in four rounds, reflection beats the teacher's solving again", "",
          ("more_rounds_solve_again", "last"), ("more_rounds", "last")),
    Claim("four rounds with reflection beat as many rows of the teacher, on random problems", "",
          ("more_rounds", "control_teacher"), ("more_rounds", "last")),
    Claim("a third round, and its steps, help", "", _MAIN, ("more_rounds", "r3")),
    Claim("a fourth round, and its steps, help", "", ("more_rounds", "r3"), ("more_rounds", "r4")),
    Claim("a fifth round, and its steps, help", "", ("six_rounds", "r4"), ("six_rounds", "r5")),
    Claim("a sixth round, and its steps, help", "", ("six_rounds", "r5"), ("six_rounds", "r6")),
    Claim("six rounds beat their steps on r0's rows", "",
          ("six_rounds", "control"), ("six_rounds", "last")),
    Claim("without gold, a likelihood ORM that learns from each round helps", "",
          ("likelihood", "last"), ("refresh", "last")),
    Claim("three samples beat one", "", ("one_sample", "last"), _MAIN),
    Claim("six samples beat three", "", _MAIN, ("six_samples", "last")),
    Claim("starting each round from the round before beats starting from the base", "",
          ("from_base", "last"), _MAIN),
)  # fmt: skip
