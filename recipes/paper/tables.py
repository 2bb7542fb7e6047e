"""Write the tables of docs/paper-mini.md from the arms' files: `python -m recipes.paper.tables`.

An arm that has not been run yet is left out, and so is a comparison with it.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from mathse.evaluation.accuracy import accuracy_table
from mathse.evaluation.paired import Comparison, compare
from recipes.documents.results import percent, points, write
from recipes.paper.arms import ARMS
from recipes.paper.claims import CLAIMS, Claim
from recipes.paper.run import RUNS

SPLITS = ("eval", "eval_hard")
Run = dict[str, Any]
"""The content of an arm's file."""


@dataclass(frozen=True)
class Runs:
    """All runs by arm and seed."""

    by_arm: dict[str, dict[int, Run]]

    @classmethod
    def load(cls) -> Runs:
        """Read the files of all arms."""
        found: dict[str, dict[int, Run]] = {}
        for file in sorted(RUNS.glob("*.json")):
            run = json.loads(file.read_text(encoding="utf-8"))
            found.setdefault(run["arm"], {})[run["seed"]] = run
        return cls(found)

    def model(self, arm: str, name: str, seed: int) -> dict[str, str] | None:
        """Return a model's answers; `last` is that of the arm's last round."""
        run = self.by_arm.get(arm, {}).get(seed)
        if run is None:
            return None
        name = last_round(run) if name == "last" else name
        answers: dict[str, str] | None = run["models"].get(name)
        return answers

    def graded(self, arm: str, name: str, split: str, seeds: list[int]) -> pl.DataFrame:
        """Return problem_id, cluster and correct of a model's answers, over seeds."""
        rows = []
        for seed in seeds:
            bits = self.model(arm, name, seed)
            assert bits is not None
            names = self.by_arm[arm][seed]["clusters"][split]
            rows += [
                (f"s{seed} {index}", f"s{seed} {cluster}", bit == "1")
                for index, (cluster, bit) in enumerate(zip(names, bits[split], strict=True))
            ]
        return pl.DataFrame(rows, schema=["problem_id", "cluster", "correct"], orient="row")

    def seeds(self, *models: tuple[str, str]) -> list[int]:
        """Return the seeds of which all these models were measured, with one set of problems."""
        known = sorted({seed for runs in self.by_arm.values() for seed in runs})
        return [s for s in known if all(self.model(arm, name, s) for arm, name in models)]

    def contrast(self, claim: Claim, split: str) -> tuple[Comparison, list[float]] | None:
        """Return the pooled comparison of a claim's two models, and the points in each seed."""
        if not (seeds := self.seeds(claim.before, claim.after)):
            return None
        pooled = compare(*(self.graded(*m, split, seeds) for m in (claim.before, claim.after)))
        single = [
            compare(*(self.graded(*m, split, [s]) for m in (claim.before, claim.after)))
            for s in seeds
        ]
        return pooled, [100 * one.difference for one in single]


def last_round(run: Run) -> str:
    """Return the name of the last round of a run."""
    return [*run["merge"]][-1]


def verdict(found: Comparison) -> str:
    """Return what a comparison says of a claim that the second model is better."""
    if found.low > 0:
        return "holds"
    return "does not hold" if found.high < 0 else "cannot tell"


def claim_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield a row for each claim and split."""
    for claim in CLAIMS:
        for split in SPLITS:
            if (found := runs.contrast(claim, split)) is None:
                continue
            pooled, single = found
            spread = ", ".join(f"{value:+.1f}" for value in single)
            says = verdict(pooled)
            row = [claim.text, claim.paper, split, points(pooled), pooled.p_value, pooled.n]
            yield [*row, spread, says]


def arm_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield a row for each arm's last model and each control: accuracies, and what was accepted."""
    for arm in ARMS:
        found = runs.by_arm.get(arm.name)
        if not found:
            continue
        models = [(arm.name, "last", arm.about)]
        controls = next(iter(found.values()))["controls"]
        models += [(arm.name, name, "") for name in controls]
        if arm.name == "main":
            models = [("main", "base", "the base"), ("main", "r0", "distilled"), *models]
        for name, model, about in models:
            yield arm_row(runs, name, model, about)


def arm_row(runs: Runs, arm: str, model: str, about: str) -> list[Any]:
    """Return a row: model, what it is, seeds, accuracies, rows and what was accepted wrongly."""
    seeds = runs.seeds((arm, model))
    shares = []
    for split in SPLITS:
        rows = runs.graded(arm, model, split, seeds)
        one = accuracy_table(rows.with_columns(round=pl.lit(model), split=pl.lit(split))).row(
            0, named=True
        )
        shares.append(percent(one["accuracy"], one["low"], one["high"]))
    some = [runs.by_arm[arm][seed] for seed in seeds]
    counts: list[float | None] = [None, None]
    if model == "last":
        counts = [
            statistics.mean(run["merge"][last_round(run)]["rows"] for run in some),
            wrong_share(some),
        ]
    label = arm if model == "last" else f"{arm}: {model}"
    return [label, about, len(seeds), *shares, *counts]


def wrong_share(runs: list[Run]) -> float | None:
    """Return how many percent of what the rounds accepted is wrong by the step verifier."""
    wrong = accepted = 0
    for run in runs:
        for name, audit in run["audit"].items():
            wrong += sum(part["accepted_wrong"] for part in audit.values())
            accepted += sum(run["merge"][name]["new"].values())
    return 100 * wrong / accepted if accepted else None


def audit_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield what the ORM of an arm did in each round, by the step verifier, over seeds."""
    for arm, found in runs.by_arm.items():
        if arm not in ("accept_orm", "binary", "stepwise", "algorithm_1"):
            continue
        for name in next(iter(found.values()))["audit"]:
            for origin in ("student", "reflection"):
                parts = [run["audit"][name][origin] for run in found.values() if
                         run["audit"][name].get(origin, {}).get("n")]  # fmt: skip
                if not parts:
                    continue
                yield [
                    arm,
                    name,
                    origin,
                    sum(part["n"] for part in parts),
                    *(_mean(parts, key) for key in ("right_passed", "wrong_passed", "step_exact")),
                    sum(part["accepted_wrong_reasoning"] for part in parts),
                ]


def _mean(parts: list[Run], key: str) -> float | None:
    values = [part[key] for part in parts if part[key] is not None]
    return 100 * statistics.mean(values) if values else None


def main() -> None:
    """Write claims, arms and audits."""
    runs = Runs.load()
    all_runs = [run for found in runs.by_arm.values() for run in found.values()]
    about = {
        "source": "written from results/paper/runs/*.json by `python -m recipes.paper.tables`",
        "command": "make paper",
        "commit": sorted({run["commit"] for run in all_runs}),
        "seed": sorted({run["seed"] for run in all_runs}),
        "date": max(run["date"] for run in all_runs),
        "machine": ", ".join(sorted({run["machine"] for run in all_runs})),
    }
    columns = [{"name": "claim"}, {"name": "paper"}, {"name": "split"},
               {"name": "points", "format": "+.1f"}, {"name": "p", "format": "p"},
               {"name": "n", "format": ","}, {"name": "by seed"}, {"name": "says"}]  # fmt: skip
    write("paper/claims", {**about, "columns": columns, "rows": [*claim_rows(runs)]})
    columns = [{"name": "arm"}, {"name": "what"}, {"name": "seeds"},
               {"name": "eval, %", "format": ".1f"}, {"name": "eval_hard, %", "format": ".1f"},
               {"name": "training rows", "format": ",.0f"},
               {"name": "accepted wrong, %", "format": ".1f"}]  # fmt: skip
    write("paper/arms", {**about, "columns": columns, "rows": [*arm_rows(runs)]})
    columns = [{"name": name} for name in ("arm", "round", "of")]
    columns += [{"name": "n", "format": ","}]
    columns += [{"name": name, "format": ".1f"} for name in
                ("right passed, %", "wrong passed, %", "step exact, %")]  # fmt: skip
    columns += [{"name": "accepted wrong", "format": ","}]
    write("paper/audits", {**about, "columns": columns, "rows": [*audit_rows(runs)]})


if __name__ == "__main__":
    main()
