"""Algorithm 1 on one screen: one round in memory. The stages call the same functions.

Source:
    arXiv 2511.06805, Algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from mathse.core.failures import check_failures
from mathse.core.params import Params
from mathse.curation.merge_round import merge_round
from mathse.curation.plan import plan_round
from mathse.engines.protocol import Engine
from mathse.judge.feedback import Annotator, with_feedback
from mathse.judge.judging import Judge
from mathse.reflection import Reflector, carry_mistakes, limit_mistakes, reflect
from mathse.trajectories import sampling_params, solve_round


@dataclass(frozen=True)
class RoundState:
    """What a round hands to the next one, and the tables that it wrote on the way.

    Attributes:
        name: of the round.
        train: `TrainRow` rows that the student learns from after the round.
        ledger: `LedgerRow` rows: one state for each problem.
        mistakes: wrong trajectories of unsolved problems, with the judge's feedback.
        tables: trajectories, verdicts, reflections, reflection_verdicts and dropped of the round.
    """

    name: str
    train: pl.DataFrame
    ledger: pl.DataFrame
    mistakes: pl.DataFrame
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)


def run_round(
    name: str,
    state: RoundState,
    problems: pl.DataFrame,
    *,
    student: Engine,
    judge: Judge,
    reflector: Reflector,
    params: Params,
    annotator: Annotator | None = None,
) -> RoundState:
    """Run one round: generate, score, reflect, merge. Fine-tuning and evaluation follow.

    Args:
        name: of the round, in `params.rounds`.
        state: of the round before.
        problems: the training problems.
        student: the model of the round before.
        judge: the ORM with the answer check.
        reflector: who writes new solutions from feedback.
        params: all parameters.
        annotator: who gives feedback in the judge's place, where `reflect.feedback` says so.
    """
    # 3a: the student solves what is not solved yet.
    plan = plan_round(state.ledger, params, name)
    trajectories = solve_round(student, problems, plan, params, name)
    check_failures(trajectories, max_share=params.errors_max_share, label=f"generate {name}")
    # 3b: the judge gives each trajectory its verdict.
    verdicts = judge(trajectories)
    # 3c: wrong trajectories of problems that nobody solved, of this round and earlier.
    mistakes = carry_mistakes(state.mistakes, state.ledger, verdicts, trajectories, params.reflect)
    # 4: new solutions from the feedback, judged like any other.
    chosen = with_feedback(
        limit_mistakes(mistakes, params, name), problems, params, name, annotator
    )
    sampling = sampling_params(params.reflector, params.seed)
    reflections = reflect(reflector, problems, chosen, sampling=sampling, round_name=name)
    check_failures(reflections, max_share=params.errors_max_share, label=f"reflect {name}")
    judged = judge(reflections)
    # 3d, 5: what is accepted joins the training rows; the ledger keeps a state for each problem.
    train, ledger, dropped = merge_round(
        state.train,
        state.ledger,
        trajectories,
        verdicts,
        reflections,
        judged,
        mistakes,
        round_name=name,
        params=params,
    )
    tables = {"trajectories": trajectories, "verdicts": verdicts, "reflections": reflections}
    tables |= {"reflection_verdicts": judged, "dropped": dropped}
    return RoundState(name, train, ledger, mistakes, tables)
