"""Tables of the ORM: on its test rows, in the loop, and choosing among samples."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from typing import Any

from recipes.documents.results import percent
from recipes.paper.run import MEASURED
from recipes.paper.runs import Runs, mean_percent


def by_form(runs: Runs) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Yield each form of the ORM, its seeds, and its test metrics in each of them.

    Another seed has other rows: forms are shown with the seeds that they share. `stepwise` has
    fewer, and does not narrow the others.
    """
    forms = {"main": "diagnostic", "binary": "binary", "likelihood": "likelihood"}
    forms = {arm: form for arm, form in forms.items() if arm in runs.by_arm}
    shared = runs.seeds(*((arm, "last") for arm in forms)) if forms else []
    for arm, form in (forms | {"stepwise": "stepwise"}).items():
        seeds = [seed for seed in shared if seed in runs.by_arm.get(arm, {})]
        if seeds:
            named = ", ".join(map(str, seeds))
            yield form, named, [runs.by_arm[arm][seed]["orm"] for seed in seeds]


def orm_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield the ORMs on their test rows, all and the student's own: means over seeds."""
    for form, seeds, metrics in by_form(runs):
        for part, label in (("orm", "all"), ("student", "the student's")):
            found = [one[part] for one in metrics]
            names = ("overall_accuracy", "positive_accuracy", "wrong_passed", "error_step_exact")
            shares = [
                mean_percent([one[name]["value"] for one in found if name in one]) for name in names
            ]
            if form == "binary":  # it names no step
                shares[-1] = None
            auc = mean_percent([one["roc_auc"] for one in found])
            yield [form, seeds, label, sum(one["n"] for one in found), *shares, auc]


ATTACKS = ("unchanged_right", "swapped_last_line", "unchanged_wrong", "says_correct",
           "pasted_verdict")  # fmt: skip


def attack_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield by form what it passes of changed trajectories and without a picture; its P(correct).

    Means over seeds, in percent. P(correct) is that of the student's trajectories: wording shows
    which are the teacher's, and these are right more often.
    """
    for form, seeds, metrics in by_form(runs):
        passed = [[one["attacks"][name]["passed"]["value"] for one in metrics] for name in ATTACKS]
        white = [
            [one["blank_picture"][name]["value"] for one in metrics]
            for name in ("positive_accuracy", "wrong_passed")
        ]
        white.append([one["blank_picture"]["roc_auc"] for one in metrics])
        certainty = [[one["student"][name] for one in metrics] for name in ("brier", "ece")]
        yield [form, seeds, *map(mean_percent, (*passed, *white, *certainty))]


def audit_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield what the ORM of an arm did in each round, by the step verifier, over seeds."""
    for arm in ("main", "accept_both", "accept_orm", "binary", "stepwise", "likelihood", "refresh",
                "algorithm_1", "algorithm_1_likelihood"):  # fmt: skip
        yield from audits_of(runs, arm)
    # Its first two rounds are those of `main`.
    yield from (row for row in audits_of(runs, "more_rounds") if row[1] not in ("r1", "r2"))


def audits_of(runs: Runs, arm: str) -> Iterator[list[Any]]:
    """Yield what one arm's ORM did in each round: shares are means over seeds, counts are sums."""
    found = [*runs.by_arm.get(arm, {}).values()]
    for name in found[0]["audit"] if found else ():
        for origin in ("student", "reflection"):
            audits = [run["audit"][name].get(origin) for run in found]
            parts = [part for part in audits if part and part["n"]]
            if not parts:
                continue
            shares = [
                mean_percent([part[key] for part in parts])
                for key in ("right_passed", "wrong_passed", "step_exact")
            ]
            counts = ("accepted_wrong", "accepted_wrong_reasoning")
            accepted = [sum(part[key] for part in parts) for key in counts]
            yield [arm, name, origin, sum(part["n"] for part in parts), *shares, *accepted]


RULES = {"greedy": "greedy, one text", "random": "random sample", "majority": "majority",
         "orm_best": "highest P(correct)", "weighted_vote": "vote weighted by P(correct)",
         "selected": "the student chooses", "orm_solves": "the ORM's own solution",
         "pass": "pass@n"}  # fmt: skip


def measured(name: str, arm: str) -> list[dict[str, Any]]:
    """Return what a measurement outside of the loop found with an arm, by seed."""
    files = sorted((MEASURED / name).glob(f"{arm}-s*.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def measured_runs(name: str) -> list[tuple[str, int]]:
    """Return arm and seed of each model of a measurement outside of the loop."""
    parts = [file.stem.rpartition("-s") for file in sorted((MEASURED / name).glob("*-s*.json"))]
    return [(arm, int(seed)) for arm, _, seed in parts]


def best_rows() -> Iterator[list[Any]]:
    """Yield for each arm that was measured what `rule_rows` does."""
    for arm in ("main", "likelihood", "stepwise", "select_rows"):
        for row in rule_rows(measured("best_of_n", arm)):
            yield [arm, *row]


def rule_rows(found: list[dict[str, Any]]) -> Iterator[list[Any]]:
    """Yield the rules that choose among n samples: mean accuracies over seeds, intervals.

    Args:
        found: what `bench.best_of_n` wrote, by seed.
    """
    for rule, label in RULES.items() if found else ():
        asked = [run for run in found if rule in run["best_of"]["4"]]
        if rule == "selected":  # a student that never names one has chosen nothing
            asked = [run for run in asked if names_one(run)]
        if asked:
            shares = [pooled([run["best_of"][n][rule] for run in asked]) for n in ("4", "8")]
            yield [label, sum(run["problems"] for run in asked), *shares]


def pooled(shares: list[dict[str, float]]) -> list[float]:
    """Return the mean of independent shares in percent, with an interval from those of each."""
    mean = statistics.mean(one["accuracy"] for one in shares)
    halves = [(one["high"] - one["low"]) / 2 for one in shares]
    half = math.hypot(*halves) / len(shares)
    return percent(mean, max(0.0, mean - half), min(1.0, mean + half))


def names_one(run: dict[str, Any]) -> bool:
    """Return True if, for each number of samples, some replies of the student named one."""
    replies = [one["selection"] for one in run["best_of"].values()]
    return all(one["unclear"] < one["asked"] for one in replies)
