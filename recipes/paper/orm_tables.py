"""Tables of the ORM: on its test rows, in the loop, and choosing among samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from recipes.paper.run import MEASURED
from recipes.paper.runs import Runs, mean_percent


def by_form(runs: Runs) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each form of the ORM with its test metrics, in the seeds that all forms have.

    Another seed has other rows.
    """
    forms = {"main": "diagnostic", "binary": "binary", "stepwise": "stepwise"}
    forms = {arm: form for arm, form in forms.items() if arm in runs.by_arm}
    seeds = runs.seeds(*((arm, "last") for arm in forms))
    for arm, form in forms.items() if seeds else ():
        yield form, [runs.by_arm[arm][seed]["orm"] for seed in seeds]


def orm_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield the ORMs on their test rows, all and the student's own: means over seeds."""
    for form, metrics in by_form(runs):
        for part, label in (("orm", "all"), ("student", "the student's")):
            found = [one[part] for one in metrics]
            names = ("overall_accuracy", "positive_accuracy", "wrong_passed", "error_step_exact")
            shares = [
                mean_percent([one[name]["value"] for one in found if name in one]) for name in names
            ]
            if form == "binary":  # it names no step
                shares[-1] = None
            auc = mean_percent([one["roc_auc"] for one in found])
            yield [form, label, sum(one["n"] for one in found), *shares, auc]


ATTACKS = ("unchanged_right", "swapped_last_line", "unchanged_wrong", "says_correct",
           "pasted_verdict")  # fmt: skip


def attack_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield by form what it passes of changed trajectories and without a picture; its P(correct).

    Means over seeds, in percent.
    """
    for form, metrics in by_form(runs):
        passed = [[one["attacks"][name]["passed"]["value"] for one in metrics] for name in ATTACKS]
        white = [
            [one["blank_picture"][name]["value"] for one in metrics]
            for name in ("positive_accuracy", "wrong_passed")
        ]
        certainty = [[one["orm"][name] for one in metrics] for name in ("brier", "ece")]
        yield [form, *map(mean_percent, (*passed, *white, *certainty))]


def audit_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield what the ORM of an arm did in each round, by the step verifier, over seeds."""
    for arm in ("main", "accept_both", "accept_orm", "binary", "stepwise", "algorithm_1"):
        yield from audits_of(runs, arm)


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
            wrong = sum(part["accepted_wrong"] for part in parts)
            yield [arm, name, origin, sum(part["n"] for part in parts), *shares, wrong]


RULES = {"greedy": "greedy, one text", "random": "random sample", "majority": "majority",
         "orm_best": "highest P(correct)", "weighted_vote": "vote weighted by P(correct)",
         "selected": "the student chooses", "orm_solves": "the ORM's own solution",
         "pass": "pass@n"}  # fmt: skip


def measured(name: str, arm: str) -> list[dict[str, Any]]:
    """Return what a measurement outside of the loop found with an arm, by seed."""
    files = sorted((MEASURED / name).glob(f"{arm}-s*.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def best_rows() -> Iterator[list[Any]]:
    """Yield the rules that choose among n samples: mean accuracies over seeds."""
    for arm in ("main", "stepwise", "select_rows"):
        found = measured("best_of_n", arm)
        for rule, label in RULES.items() if found else ():
            asked = [run for run in found if rule in run["best_of"]["4"]]
            if rule == "selected":  # a student that never names one has chosen nothing
                asked = [run for run in asked if names_one(run)]
            if not asked:
                continue
            shares = [mean_percent([run["best_of"][n][rule]["accuracy"] for run in asked])
                      for n in ("4", "8")]  # fmt: skip
            yield [arm, label, sum(run["problems"] for run in asked), *shares]


def names_one(run: dict[str, Any]) -> bool:
    """Return True if, for each number of samples, some replies of the student named one."""
    replies = [one["selection"] for one in run["best_of"].values()]
    return all(one["unclear"] < one["asked"] for one in replies)
