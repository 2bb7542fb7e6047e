"""Keep finished runs by `orm.refresh`, and write what an ORM that learns from the rounds brings.

    python -m recipes.documents.refresh FOLDER …

A run goes to `results/refresh/REFRESH-sSEED.json`; from all files there come the tables
`default-refresh….json`. The runs of a seed differ in `orm.refresh` alone.
"""

from __future__ import annotations

import json
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
from recipes.paper.verdicts import Spread

ARMS = {
    "never": "its own rows, once",
    "own_rows": "its own rows, longer",
    "round": "the rounds' rows too",
}
"""Values of `orm.refresh`, and how a table names them."""
NEW, TRIED = "new", "tried before"
"""Problems by whether an earlier round tried them: with `round` the ORM knows their solutions."""


def kept() -> Path:
    """Return the folder of the runs' files."""
    return ROOT / "results" / "refresh"


def keep(folder: Path) -> Path:
    """Write the file of a finished run and return it."""
    layout, params = Layout(folder), load_params(folder / "params.yaml")
    arm = params.orm.refresh
    same = params.model_dump(mode="json", exclude={"seed": True, "controls": True,
                                                   "orm": {"refresh"}})  # fmt: skip
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
    """Yield r2 and r3 of each arm, in the seeds that it has, and what was accepted wrongly."""
    names = [*next(iter(runs.by_arm["never"].values()))["merge"]][1:]
    for name in names:
        for arm, label in ARMS.items():
            if not (seeds := runs.seeds((arm, name))):
                continue
            row: list[Any] = [name, label, len(seeds)]
            for split in SPLITS:
                single = [runs.accuracy(arm, name, split, [seed])[0] for seed in seeds]
                row += [runs.accuracy(arm, name, split, seeds), by_seed(single, ".1f")]
            audits = [runs.by_arm[arm][seed]["audit"][name] for seed in seeds]
            for key in ("accepted", "accepted_wrong"):
                row.append(sum(counted(one, key) for one in audits))
            yield row


def counted(audit: dict[str, Any], key: str) -> int:
    """Return the sum of a count over origins; of `accepted`: those that passed and were right."""
    if key == "accepted":
        return sum(round((one["right_passed"] or 0) * one["right"]) for one in audit.values())
    return sum(one[key] for one in audit.values())


def contrast_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield the last round with `round` against the other arms, with two intervals."""
    found = {
        (arm, split): contrast
        for split in SPLITS
        for arm in ("never", "own_rows")
        if (contrast := runs.contrast(Claim("", "", (arm, "last"), ("round", "last")), split))
    }
    last = last_round(next(iter(runs.by_arm["never"].values())))
    for (arm, split), (pooled, single) in found.items():
        same_split = (
            (((other, "last"), ("round", "last")), seeds)
            for (other, of), (_, seeds) in found.items()
            if of == split
        )
        interval = Spread.of(same_split).interval(single) if len(single) > 1 else None
        row = [last, ARMS["round"], ARMS[arm], split, points(pooled), pooled.p_value, pooled.n]
        yield [*row, by_seed(single, "+.1f"), interval]


def contents(runs: Runs) -> dict[str, dict[str, Any]]:
    """Return the content of the tables, by name."""
    found = [run for of_arm in runs.by_arm.values() for run in of_arm.values()]
    about = {
        "source": "written from results/refresh/*.json by `python -m recipes.documents.refresh`",
        "command": "dvc exp run -S orm.refresh=round, -S orm.refresh=own_rows",
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
            "model:| the ORM is trained on:| seeds:| eval in %:.1f| eval by seed:| "
            "eval_hard in %:.1f| eval_hard by seed:| right ones passed:,| accepted wrong:,",
            accuracy_rows(runs),
        ),
        "default-refresh-contrasts": (
            "model:| the ORM is trained on:| against:| split:| points:+.1f| p:p| n:,| by seed:| "
            "over seeds:+.1f",
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
