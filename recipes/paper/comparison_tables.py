"""Tables of comparisons: the claims, each arm against its steps, kinds of problems apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from mathse.evaluation.paired import Comparison
from recipes.documents.results import points
from recipes.paper.arms import ARMS
from recipes.paper.claims import CLAIMS, Claim
from recipes.paper.runs import SPLITS, Runs
from recipes.paper.verdicts import Spread, verdict

_MAIN = ("main", "last")
Contrasts = dict[tuple[Claim, str], tuple[Comparison, list[float]]]
"""By claim and split: the pooled comparison, and the points of each seed."""


@cache
def contrasts_of(runs: Runs) -> Contrasts:
    """Return the comparisons of all claims whose models are known; two tables need them."""
    found = {(claim, split): runs.contrast(claim, split) for claim in CLAIMS for split in SPLITS}
    return {key: contrast for key, contrast in found.items() if contrast is not None}


def intervals_of(
    contrasts: Contrasts,
) -> dict[str, Callable[[Sequence[float]], list[float] | None]]:
    """Return by split what gives the interval over seeds, its spread pooled over all claims.

    Where no comparison has two seeds nothing is known of it: None.
    """
    found: dict[str, Callable[[Sequence[float]], list[float] | None]] = {}
    for split in SPLITS:
        known = [((claim.before, claim.after), seeds)
                 for (claim, one), (_, seeds) in contrasts.items() if one == split]  # fmt: skip
        more = any(len(seeds) > 1 for _, seeds in known)
        found[split] = Spread.of(known).interval if more else lambda _: None
    return found


def claim_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield a row for each claim and split."""
    contrasts = contrasts_of(runs)
    intervals = intervals_of(contrasts)
    for (claim, split), (pooled, seeds) in contrasts.items():
        by_seed = ", ".join(f"{value:+.1f}" for value in seeds)
        interval = intervals[split](seeds)
        row = [claim.text, models_of(claim), claim.paper, split, points(pooled), pooled.p_value]
        yield [*row, pooled.n, by_seed, interval, verdict(pooled, seeds, interval)]


def control_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield each arm against its steps on r0's rows, in the seeds that have both."""
    intervals = intervals_of(contrasts_of(runs))
    for arm in ARMS:
        control = "more_rounds" if arm.name.startswith("more_rounds") else "main"
        control = arm.name if "control" in arm.changes.get("controls", ()) else control
        claim = Claim("", "", (control, "control"), (arm.name, "last"))
        found = {split: runs.contrast(claim, split) for split in SPLITS}
        if not all(found.values()):
            continue
        row: list[Any] = [arm.name, len(runs.seeds(claim.before, claim.after))]
        for split, contrast in found.items():
            if contrast is not None:
                pooled, seeds = contrast
                row += [points(pooled), intervals[split](seeds)]
        yield row


def models_of(claim: Claim) -> str:
    """Return the two models of a claim, as the table of the arms names them."""
    names = (arm if model == "last" else f"{arm}: {model}"
             for arm, model in (claim.after, claim.before))  # fmt: skip
    return " − ".join(names)


def kind_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield the loop against its controls on open problems and on those with choices, apart."""
    pairs = {
        _MAIN: [("main", "control"), ("main", "control_teacher")],
        ("no_reflection", "last"): [("main", "control"), ("no_reflection", "control_teacher")],
        ("likelihood", "last"): [("main", "control"), _MAIN],
        ("more_rounds", "last"): [
            ("more_rounds", "control"),
            ("more_rounds", "control_teacher"),
            ("more_rounds_no_reflection", "last"),
            ("more_rounds_solve_again", "last"),
        ],
        ("more_rounds_no_reflection", "last"): [("more_rounds", "control")],
        ("more_rounds_solve_again", "last"): [
            ("more_rounds", "control"),
            ("more_rounds_no_reflection", "last"),
        ],
    }
    kinds = [(split, label, has) for split in SPLITS
             for label, has in (("open", False), ("choices", True))]  # fmt: skip
    for claim in (Claim("", "", before, after) for after in pairs for before in pairs[after]):
        for split, label, has in kinds:
            if (found := runs.contrast(claim, split, choices=has)) is None:
                continue
            pooled, values = found
            by_seed = ", ".join(f"{value:+.1f}" for value in values)
            row = [models_of(claim), split, label, len(values), points(pooled)]
            yield [*row, pooled.p_value, pooled.n, by_seed]
