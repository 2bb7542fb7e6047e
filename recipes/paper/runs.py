"""All runs of the arms, read from their files: accuracies and comparisons over seeds."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mathse.evaluation.accuracy import accuracy_table
from mathse.evaluation.paired import Comparison, compare
from recipes.documents.results import percent
from recipes.paper.claims import Claim
from recipes.paper.run import RUNS

SPLITS = ("eval", "eval_hard")
Run = dict[str, Any]
"""The content of an arm's file."""


@dataclass(frozen=True, eq=False)
class Runs:
    """All runs by arm and seed."""

    by_arm: dict[str, dict[int, Run]]

    @classmethod
    def load(cls, folder: Path = RUNS) -> Runs:
        """Read the files of all arms."""
        found: dict[str, dict[int, Run]] = {}
        for file in sorted(folder.glob("*.json")):
            run = json.loads(file.read_text(encoding="utf-8"))
            found.setdefault(run["arm"], {})[run["seed"]] = run
        return cls(found)

    def check_params(self) -> None:
        """Refuse runs whose params differ in more than their arms and seeds do.

        Raises:
            ValueError: with the runs by the digest of their params.
        """
        by_params: dict[str, list[str]] = {}
        for arm, found in self.by_arm.items():
            for seed, run in found.items():
                by_params.setdefault(run["params"], []).append(f"{arm} s{seed}")
        if len(by_params) > 1:
            groups = "; ".join(", ".join(names) for names in by_params.values())
            raise ValueError(
                f"These runs have different params, delete the files of the old ones: {groups}"
            )

    def model(self, arm: str, name: str, seed: int) -> dict[str, str] | None:
        """Return a model's answers; `last` is that of the arm's last round."""
        run = self.by_arm.get(arm, {}).get(seed)
        if run is None:
            return None
        name = last_round(run) if name == "last" else name
        answers: dict[str, str] | None = run["models"].get(name)
        return answers

    def graded(
        self, arm: str, name: str, split: str, seeds: list[int], *, choices: bool | None = None
    ) -> pl.DataFrame:
        """Return problem_id, cluster and correct of a model's answers, over seeds.

        Args:
            arm: the arm.
            name: the model.
            split: the split.
            seeds: of these.
            choices: True: problems with choices alone; False: those without; None: all.
        """
        rows = []
        for seed in seeds:
            bits = self.model(arm, name, seed)
            assert bits is not None
            names = self.by_arm[arm][seed]["clusters"][split]
            wanted = ["1"] * len(names)
            if choices is not None:
                offered = self.by_arm[arm][seed]["choices"][split]
                wanted = [str(int((one == "1") == choices)) for one in offered]
            rows += [
                (f"s{seed} {index}", f"s{seed} {cluster}", bit == "1")
                for index, (cluster, bit, kept) in enumerate(
                    zip(names, bits[split], wanted, strict=True)
                )
                if kept == "1"
            ]
        return pl.DataFrame(rows, schema=["problem_id", "cluster", "correct"], orient="row")

    def accuracy(
        self, arm: str, name: str, split: str, seeds: list[int], *, choices: bool | None = None
    ) -> list[float]:
        """Return a model's accuracy in percent with its 95% interval, over seeds; see `graded`."""
        rows = self.graded(arm, name, split, seeds, choices=choices)
        state = pl.when("correct").then(pl.lit("match")).otherwise(pl.lit("mismatch"))
        rows = rows.with_columns(round=pl.lit(name), split=pl.lit(split), answer_state=state)
        one = accuracy_table(rows).row(0, named=True)
        return percent(one["accuracy"], one["low"], one["high"])

    def seeds(self, *models: tuple[str, str]) -> list[int]:
        """Return the seeds of which all these models were measured, with one set of problems."""
        known = sorted({seed for runs in self.by_arm.values() for seed in runs})
        found = [s for s in known if all(self.model(arm, name, s) for arm, name in models)]
        return [
            s
            for s in found
            if len({json.dumps(self.by_arm[arm][s]["problems"]) for arm, _ in models}) == 1
        ]

    def contrast(
        self, claim: Claim, split: str, *, choices: bool | None = None
    ) -> tuple[Comparison, list[float]] | None:
        """Return the pooled comparison of a claim's two models, and the points in each seed.

        Args:
            claim: the claim.
            split: the split.
            choices: see `graded`.
        """
        models = (claim.before, claim.after)
        if not (seeds := self.seeds(*models)):
            return None

        def over(some: list[int]) -> Comparison:
            return compare(*(self.graded(*model, split, some, choices=choices) for model in models))

        return over(seeds), [100 * over([seed]).difference for seed in seeds]


def last_round(run: Run) -> str:
    """Return the name of the last round of a run."""
    return [*run["merge"]][-1]


def mean_of(values: list[float | None]) -> float | None:
    """Return the mean of the known values; None if there is none."""
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def mean_percent(values: list[float | None]) -> float | None:
    """Return the mean of the known shares in percent."""
    found = mean_of(values)
    return None if found is None else 100 * found
