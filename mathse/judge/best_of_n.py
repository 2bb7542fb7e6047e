"""Best-of-n: accuracy where one of n sampled trajectories counts, chosen by the ORM or without it.

Rules, each by the first sample where several are equal:

- greedy: the trajectory that the evaluation has; no sample;
- random: the mean over the samples;
- majority: the final answer that most samples have;
- orm_best: the sample with the highest P(correct); a sample without one comes last;
- weighted_vote: the final answer with the highest sum of P(correct);
- selected: the sample that the student chooses itself, where it was asked;
- orm_solves: the ORM's own greedy solution, where its form has it learn to solve: what a choice
  would bring if the ORM passed what agrees with itself;
- pass: right if any sample is; no rule can choose better.

Source:
    Cobbe et al. (2021), arXiv 2110.14168, for the choice by a verifier; Wang et al. (2023), arXiv
    2203.11171, for the majority of final answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from mathse.answers.check_table import check_rows
from mathse.core.errors import DataError
from mathse.evaluation.accuracy import accuracy_table
from mathse.evaluation.paired import paired_bootstrap, sign_flip_exact
from schemas import Graded, column_types

RULES = ("greedy", "random", "majority", "orm_best", "weighted_vote", "selected",
         "orm_solves", "pass")  # fmt: skip
CHOICES = ("orm_best", "selected")
COMPARED = ("greedy", "random", "majority", "orm_solves")
"""What each choice is compared with."""


class Sample(NamedTuple):
    """A sampled trajectory: its final answer, None if it has none, P(correct), and the check."""

    answer: str | None
    p_correct: float | None
    correct: bool


def measure_best_of_n(
    samples: pl.DataFrame,
    greedy: pl.DataFrame,
    clusters: pl.DataFrame,
    *,
    sizes: Sequence[int],
    seed: int,
    selected: Mapping[int, Mapping[str, int]] | None = None,
    solved: Mapping[str, bool] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the accuracy of each rule for each n, and how much better the choices are than others.

    Args:
        samples: problem_id, sample_idx, answer (see `with_answer_groups`), p_correct and correct.
        greedy: problem_id and correct of the greedy trajectories.
        clusters: problem_id and cluster.
        sizes: the n to measure: the first n samples of each problem count.
        seed: of the bootstrap.
        selected: by n the sample_idx that the student chooses of each problem, if it was asked.
        solved: whether the ORM's own solution of each problem is right, if it has one.

    Returns:
        By n, then by rule: accuracy with the number of problems and the 95% interval of clusters;
        under differences a choice less another rule, paired by problem.

    Raises:
        DataError: if a problem has fewer samples than an n, or no greedy trajectory.
    """
    # The samples of each problem, in order.
    by_problem: dict[str, list[Sample]] = {}
    ordered = samples.sort("problem_id", "sample_idx")
    for name, *values in ordered.select("problem_id", *Sample._fields).iter_rows():
        by_problem.setdefault(name, []).append(Sample(*values))
    greedily = dict(greedy.select("problem_id", "correct").iter_rows())
    fewest = min(map(len, by_problem.values()), default=0)
    if not 1 <= min(sizes) <= max(sizes) <= fewest or by_problem.keys() - greedily.keys():
        raise DataError(
            f"best-of-n of {sorted(sizes)} needs a greedy trajectory and as many samples of each "
            f"of {len(by_problem)} problems; the fewest are {fewest}"
        )
    found = {}
    for n in sorted(set(sizes)):
        # A row for each problem and rule: whether it is right by that rule.
        rows = pl.DataFrame(
            [
                (name, right, rule)
                for name, sampled in by_problem.items()
                for rule, right in [
                    ("greedy", greedily[name]),
                    *_results(sampled[:n]),
                    *([("selected", sampled[selected[n][name]].correct)] if selected else []),
                    *([("orm_solves", solved[name])] if solved else []),
                ]
            ],
            schema={**column_types(Graded, "problem_id", "correct"), "rule": pl.String()},
            orient="row",
        ).join(clusters, on="problem_id", how="left", validate="m:1")
        # The share of each rule, then what each choice brings over the others.
        table = accuracy_table(rows.with_columns(answer_state=pl.lit("")), by=["rule"])
        shares = {row.pop("rule"): row for row in table.iter_rows(named=True)}
        measured: dict[str, Any] = {
            rule: {
                **{key: shares[rule][key] for key in ("accuracy", "low", "high")},
                "n": len(by_problem),
            }
            for rule in RULES
            if rule in shares
        }
        measured["differences"] = {
            f"{choice} - {rule}": _difference(rows, choice, rule, n, seed)
            for choice in CHOICES
            if choice in shares
            for rule in COMPARED
            if rule in shares
        }
        found[str(n)] = measured
    return found


def _results(samples: Sequence[Sample]) -> Iterator[tuple[str, bool]]:
    """Yield each rule, and True if it is right about a problem; random: once for each sample."""
    yield from (("random", sample.correct) for sample in samples)
    yield "majority", _vote(samples, lambda _: 1.0)
    yield "orm_best", max(samples, key=_p_correct).correct
    yield "weighted_vote", _vote(samples, lambda sample: sample.p_correct or 0.0)
    yield "pass", any(sample.correct for sample in samples)


def _p_correct(sample: Sample) -> float:
    return -1.0 if sample.p_correct is None else sample.p_correct


def _vote(samples: Sequence[Sample], weight: Callable[[Sample], float]) -> bool:
    """Return True if the answer with most votes is right; samples without one do not vote."""
    first: dict[str, Sample] = {}
    votes: dict[str, float] = {}
    for sample in samples:
        if sample.answer is not None:
            first.setdefault(sample.answer, sample)
            votes[sample.answer] = round(votes.get(sample.answer, 0.0) + weight(sample), 9)
    return bool(votes) and first[max(votes, key=lambda answer: votes[answer])].correct


def _difference(
    rows: pl.DataFrame, choice: str, rule: str, n: int, seed: int
) -> dict[str, float | int]:
    """Return the accuracy of a choice less that of another rule, in whole n-ths of a problem."""
    right = pl.col("correct")
    hits = rows.group_by("problem_id", "cluster", "rule").agg(
        hits=n * right.sum().cast(pl.Int64) // right.len()
    )
    best, other = (hits.filter(rule=name) for name in (choice, rule))
    pairs = best.join(other, on="problem_id", validate="1:1")
    changes: list[tuple[int, int]] = (
        pairs.group_by("cluster")
        .agg(change=(pl.col("hits") - pl.col("hits_right")).sum(), size=n * pl.len().cast(pl.Int64))
        .select("change", "size")
        .rows()
    )
    low, high = paired_bootstrap(changes, seed=seed)
    value = sum(change for change, _ in changes) / (n * pairs.height)
    p_value = sign_flip_exact([change for change, _ in changes])
    return {"value": value, "low": low, "high": high, "p_value": p_value, "n": pairs.height}


def with_answer_groups(checked: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """Add the answer that stands for each final answer: equal ones may be written differently.

    In multiple choice that is the letter. An open answer is that of the first sample with which
    the answer check finds it equal: `0.5` after `1/2` is `1/2`.

    Args:
        checked: problem_id, sample_idx and found (None without an answer).
        problems: `Problem` rows as the answer check scores them.

    Returns:
        The rows in their order with answer added.
    """
    answers = (
        checked.drop_nulls("found")
        .sort("problem_id", "sample_idx")
        .unique(["problem_id", "found"], keep="first", maintain_order=True)
        .select("problem_id", "found")
        .with_row_index()
    )
    # Each two answers to an open problem, the first as gold.
    names = [
        name
        for name in ("question_type", "answer_type", "unit", "precision")
        if name in problems.columns
    ]
    is_open = problems.filter(pl.col("choices").list.len() == 0).select("problem_id", *names)
    pairs = answers.join(answers, on="problem_id").filter(pl.col("index") < pl.col("index_right"))
    pairs = pairs.join(is_open, on="problem_id").rename(
        {"found": "gold", "found_right": "response"}
    )
    same = check_rows(pairs).filter(state="match")
    equal = set(same.select("problem_id", "gold", "response").iter_rows())
    # The first of those that are equal stands for all.
    known: dict[str, list[str]] = {}
    group: dict[tuple[str, str | None], str] = {}
    for _, name, found in answers.select("index", "problem_id", "found").iter_rows():
        earlier = known.setdefault(name, [])
        match = next((one for one in earlier if (name, one, found) in equal), None)
        earlier += [found] if match is None else []
        group[name, found] = found if match is None else match
    keys = checked.select("problem_id", "found").iter_rows()
    stands_for = [group.get((name, found)) for name, found in keys]
    return checked.with_columns(pl.Series("answer", stands_for, dtype=pl.String))
