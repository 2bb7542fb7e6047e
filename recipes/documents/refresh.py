"""Keep finished runs by `orm.refresh`, and write what an ORM that learns from the rounds brings.

    python -m recipes.documents.refresh FOLDER …

A run goes to `results/refresh/ARM-sSEED.json`; from all files there come the tables
`default-refresh….json`. The runs of a seed go on from the same r1 and differ in `orm.refresh`
alone, or, in the arm `answer`, in `score.accept`.
"""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.params import Params, load_params
from mathse.judge.orm_metrics import roc_auc
from recipes.documents.blocks import ROOT
from recipes.documents.results import commit_of, machine, points, write
from recipes.documents.seeds import by_seed
from recipes.paper.claims import Claim
from recipes.paper.keep import result_of
from recipes.paper.runs import SPLITS, Runs, last_round, mean_percent
from recipes.paper.tables import columns

ARMS = {
    "never": "its own rows, once",
    "own_rows": "its own rows, longer",
    "round": "the rounds' rows too",
}
"""Values of `orm.refresh`, and how a table names them."""
ANSWER = "answer"
"""The arm in which the answer check alone accepts: what as much gold brings without any ORM."""
ACCEPTING = ARMS | {ANSWER: "is not asked: gold answers accept"}
NEW, TRIED = "new", "tried before"
"""Problems by whether an earlier round tried them: with `round` the ORM knows their solutions."""


def kept() -> Path:
    """Return the folder of the runs' files."""
    return ROOT / "results" / "refresh"


def keep(folder: Path) -> Path:
    """Write the file of a finished run and return it."""
    layout, params = Layout(folder), load_params(folder / "params.yaml")
    arm = ANSWER if params.score.accept == "answer" else params.orm.refresh
    differ = {"seed": True, "controls": True, "orm": {"refresh"}, "score": {"accept"}}
    same = params.model_dump(mode="json", exclude=differ)
    about = {"arm": arm, "seed": params.seed, "params": content_id("refresh", same),
             "commit": commit_of(folder), "date": datetime.now(tz=UTC).date().isoformat(),
             "machine": machine()}  # fmt: skip
    found = result_of(folder) | {"verdicts": verdicts_of(layout, params)}
    # Base, r0 and r1 are the same in all arms.
    found["models"] = {name: found["models"][name] for name in ("r0", *params.rounds)}
    out = kept() / f"{arm}-s{params.seed}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**about, **found}, separators=(",", ":"))
    out.write_text(text + "\n", encoding="utf-8")
    return out


def verdicts_of(layout: Layout, params: Params) -> dict[str, dict[str, dict[str, Any]]]:
    """Return by round, origin and NEW or TRIED how the ORM judged, by the step verifier."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name in params.rounds:
        rows = pl.read_parquet(layout.round(name).audit)
        tried = tried_before(layout, params, name)
        rows = rows.with_columns(
            part=pl.when(pl.col("problem_id").is_in(tried)).then(pl.lit(TRIED)).otherwise(
                pl.lit(NEW)),
            passed=(pl.col("orm_status") == "correct")
            & (pl.col("p_correct").fill_null(1.0) >= params.score.min_p_correct),
        )  # fmt: skip
        found[name] = {}
        for (origin, part), some in sorted(rows.group_by("origin", "part")):
            found[name].setdefault(str(origin), {})[str(part)] = counts_of(some)
    return found


def tried_before(layout: Layout, params: Params, round_name: str) -> list[str]:
    """Return the problems of which a round before this one has trajectories."""
    before = params.chain(round_name)[1:-1]
    files = [layout.round(name).trajectories for name in before]
    tables = [pl.read_parquet(file, columns=["problem_id"]) for file in files]
    return pl.concat(tables)["problem_id"].unique().to_list() if tables else []


def counts_of(rows: pl.DataFrame) -> dict[str, Any]:
    """Count audited verdicts: n, right and wrong ones, shares of both that passed, ROC AUC."""
    right, wrong = (rows.filter(truth=truth) for truth in ("right", "wrong"))
    scored = pl.concat([right, wrong]).drop_nulls("p_correct")
    labels, scores = (scored["truth"] == "right").to_list(), scored["p_correct"].to_list()
    return {
        "n": rows.height,
        "right": right.height,
        "wrong": wrong.height,
        "right_passed": right["passed"].mean(),
        "wrong_passed": wrong["passed"].mean(),
        "roc_auc": roc_auc(labels, scores) if len(set(labels)) > 1 else None,
    }


def verdict_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield how each ORM judged in the rounds after the first: means over seeds."""
    some = next(iter(runs.by_arm["never"].values()))["verdicts"]
    for name in [*some][1:]:
        for origin in ("student", "reflection"):
            for part in (NEW, TRIED):
                for arm, label in ARMS.items():
                    found = [run["verdicts"][name].get(origin, {}).get(part)
                             for run in runs.by_arm.get(arm, {}).values()]  # fmt: skip
                    counts = [one for one in found if one]
                    if not counts:
                        continue
                    keys = ("right_passed", "wrong_passed", "roc_auc")
                    shares = [mean_percent([one[key] for one in counts]) for key in keys]
                    yield [name, origin, part, label, len(counts),
                           sum(one["n"] for one in counts), *shares]  # fmt: skip


def accuracy_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield r2 and r3 of each arm, in the seeds that it has, and what was accepted."""
    names = [*next(iter(runs.by_arm["never"].values()))["merge"]][1:]
    for name in names:
        for arm, label in ACCEPTING.items():
            if not (seeds := runs.seeds((arm, name))):
                continue
            row: list[Any] = [name, label, len(seeds)]
            for split in SPLITS:
                single = [runs.accuracy(arm, name, split, [seed])[0] for seed in seeds]
                row += [runs.accuracy(arm, name, split, seeds), by_seed(single, ".1f")]
            some = [runs.by_arm[arm][seed] for seed in seeds]
            row.append(statistics.mean(run["merge"][name]["rows"] for run in some))
            for kind, key in (("texts", "accepted"), ("audit", "accepted_wrong")):
                counts = [sum(one[key] for one in run[kind][name].values()) for run in some]
                row.append(statistics.mean(counts))
            yield row


def contrast_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield the last round of an arm against that of another; few seeds give no interval."""
    last = last_round(next(iter(runs.by_arm["never"].values())))
    pairs = [("round", "never"), ("own_rows", "never"), ("round", "own_rows"),
             (ANSWER, "never"), (ANSWER, "round")]  # fmt: skip
    for split, (arm, other) in itertools.product(SPLITS, pairs):
        claim = Claim("", "", (other, "last"), (arm, "last"))
        if (contrast := runs.contrast(claim, split)) is None:
            continue
        pooled, single = contrast
        row = [last, ACCEPTING[arm], ACCEPTING[other], split, points(pooled), pooled.p_value]
        yield [*row, pooled.n, by_seed(single, "+.1f")]


def contents(runs: Runs) -> dict[str, dict[str, Any]]:
    """Return the content of the tables, by name."""
    found = [run for of_arm in runs.by_arm.values() for run in of_arm.values()]
    about = {
        "source": "written from results/refresh/*.json by `python -m recipes.documents.refresh`",
        "command": "the stages of r2 and r3 one by one, from the same r1, with orm.refresh: round "
        "and own_rows, and with score.accept: answer",
        "commit": sorted({run["commit"] for run in found}),
        "seed": sorted({run["seed"] for run in found}),
        "date": max(run["date"] for run in found),
        "machine": ", ".join(sorted({run["machine"] for run in found})),
    }
    tables = {
        "default-refresh": (
            "round:| of:| problems:| the ORM is trained on:| seeds:| n:,| right passed in %:.1f| "
            "wrong passed in %:.1f| ROC AUC × 100:.1f",
            verdict_rows(runs),
        ),
        "default-refresh-accuracy": (
            "model:| the ORM:| seeds:| eval in %:.1f| eval by seed:| eval_hard in %:.1f| "
            "eval_hard by seed:| training rows:,.0f| accepted:,.0f| of them wrong:,.0f",
            accuracy_rows(runs),
        ),
        "default-refresh-contrasts": (
            "model:| the ORM:| against:| split:| points:+.1f| p:p| n:,| by seed:",
            contrast_rows(runs),
        ),
    }
    return {
        name: {**about, "columns": columns(text, "| "), "rows": [*rows]}
        for name, (text, rows) in tables.items()
    }


def main(
    folders: Annotated[list[Path] | None, typer.Argument(help="finished runs")] = None,
) -> None:
    """Keep the runs of these folders, and write the tables over all that are kept."""
    for folder in folders or []:
        typer.echo(keep(folder))
    runs = Runs.load(kept())
    runs.check_params()
    for name, content in contents(runs).items():
        write(name, content)


if __name__ == "__main__":
    typer.run(main)
