"""Keep finished default runs by seed, and write the tables over all seeds.

    python -m recipes.documents.seeds             of the run in this folder
    python -m recipes.documents.seeds FOLDER …    of clones, each with another seed

A run's answers go to `results/default/sSEED.json`; from all files there come the tables
`default-seeds….json`. What `python -m bench.best_of_n r3` wrote in a run's folder may stand in
`results/default/best_of_n/sSEED.json`. Runs of other params (seed and controls may differ) are
refused: delete their files first.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mathse.core.ids import content_id
from mathse.core.params import load_params
from recipes.documents.blocks import ROOT
from recipes.documents.results import commit_of, machine, points, write
from recipes.paper.claims import Claim
from recipes.paper.keep import result_of
from recipes.paper.orm_tables import audits_of, rule_rows
from recipes.paper.runs import SPLITS, Runs, last_round
from recipes.paper.tables import columns, gold_used
from recipes.paper.text_tables import teacher_text_rows
from recipes.paper.verdicts import Spread

ARM = "default"


def kept() -> Path:
    """Return the folder of the runs' files."""
    return ROOT / "results" / ARM


def keep(folder: Path) -> Path:
    """Write the file of a finished run and return it."""
    params = load_params(folder / "params.yaml")
    same = params.model_dump(mode="json", exclude={"seed", "controls"})
    about = {"arm": ARM, "seed": params.seed, "params": content_id(ARM, same),
             "commit": commit_of(folder), "date": datetime.now(tz=UTC).date().isoformat(),
             "machine": machine()}  # fmt: skip
    out = kept() / f"s{params.seed}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**about, **result_of(folder)}, separators=(",", ":"))
    out.write_text(text + "\n", encoding="utf-8")
    return out


def models_of(runs: Runs) -> list[str]:
    """Return base, r0, rounds and controls of the seed that has most of them."""
    return max((list(run["models"]) for run in runs.by_arm[ARM].values()), key=len)


def by_seed(values: list[float], form: str) -> str:
    """Return one value for each seed, in the order of the seeds."""
    return ", ".join(format(value, form) for value in values)


def accuracy_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield the accuracies of each model: all seeds' problems together, and by seed."""
    for name in models_of(runs):
        seeds = runs.seeds((ARM, name))
        row: list[Any] = [name, len(seeds)]
        for split in SPLITS:
            single = [runs.accuracy(ARM, name, split, [seed])[0] for seed in seeds]
            row += [runs.accuracy(ARM, name, split, seeds), by_seed(single, ".1f")]
        yield [*row, statistics.mean(gold_used(runs.by_arm[ARM][seed], name) for seed in seeds)]


def answer_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield the accuracies of each model on open problems and on those with choices, apart."""
    for name in models_of(runs):
        seeds = runs.seeds((ARM, name))
        yield [
            name,
            *(
                runs.accuracy(ARM, name, split, seeds, choices=has)
                for split in SPLITS
                for has in (False, True)
            ),
        ]


def contrast_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield the last round against base, r0 and each control, with two intervals."""
    last = last_round(next(iter(runs.by_arm[ARM].values())))
    others = [name for name in models_of(runs) if name in ("base", "r0") or "control" in name]
    found = {
        (name, split): contrast
        for split in SPLITS
        for name in others
        if (contrast := runs.contrast(Claim("", "", (ARM, name), (ARM, "last")), split))
    }
    for (name, split), (pooled, single) in found.items():
        same_split = (
            (((ARM, other), (ARM, "last")), seeds)
            for (other, of), (_, seeds) in found.items()
            if of == split
        )
        interval = Spread.of(same_split).interval(single) if len(single) > 1 else None
        row = [last, name, split, points(pooled), pooled.p_value, pooled.n]
        yield [*row, by_seed(single, "+.1f"), interval]


def audit_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield what the ORM did in each round, and how many accepted texts equal the usual solution.

    Audits are means over seeds, counts and the last share are of all seeds together.
    """
    for _, name, origin, *audit in audits_of(runs, ARM):
        texts = [run["texts"][name][origin] for run in runs.by_arm[ARM].values()]
        distinct = sum(one["distinct"] for one in texts)
        equal = sum(one["equal_solution"] for one in texts)
        yield [name, origin, *audit, 100 * equal / distinct if distinct else None]


def best_rows() -> Iterator[list[Any]]:
    """Yield what best-of-n brings with the last round's model, over the seeds measured."""
    yield from rule_rows([json.loads(file.read_text(encoding="utf-8")) for file in best_files()])


def best_files() -> list[Path]:
    """Return what `bench.best_of_n` wrote, by seed."""
    return sorted((kept() / "best_of_n").glob("s*.json"))


def contents(runs: Runs) -> dict[str, dict[str, Any]]:
    """Return the content of the tables over seeds, by name."""
    kept_runs = runs.by_arm[ARM]
    # Where the numbers come from, the same for each table.
    about = {
        "source": f"written from results/{ARM}/*.json by `python -m recipes.documents.seeds`",
        "command": "make repro, make control",
        "commit": sorted({run["commit"] for run in kept_runs.values()}),
        "seed": [*kept_runs],
        "date": max(run["date"] for run in kept_runs.values()),
        "machine": ", ".join(sorted({run["machine"] for run in kept_runs.values()})),
    }
    # The problems of all seeds together.
    sizes = {
        split: sum(len(names["clusters"][split]) for names in kept_runs.values())
        for split in SPLITS
    }
    eval_, hard = (f"{split} (n = {n:,}) in %:.1f" for split, n in sizes.items())
    # Columns with the form of their numbers, and rows.
    tables = {
        "default-seeds": (
            f"model:| seeds:| {eval_}| eval by seed:| {hard}| eval_hard by seed:| gold used:,.0f",
            accuracy_rows(runs),
        ),
        "default-seeds-answers": (
            "model:| eval, open in %:.1f| eval, choices in %:.1f| eval_hard, open in %:.1f| "
            "eval_hard, choices in %:.1f",
            answer_rows(runs),
        ),
        "default-seeds-contrasts": (
            "model:| against:| split:| points:+.1f| p:p| n:,| by seed:| over seeds:+.1f",
            contrast_rows(runs),
        ),
        "default-seeds-audits": (
            "round:| of:| n:,| right passed in %:.1f| wrong passed in %:.1f| "
            "step exact in %:.1f| accepted wrong:,| of these with the gold answer:,| "
            "accepted ones that equal the usual solution in %:.1f",
            audit_rows(runs),
        ),
        "default-seeds-texts": (
            "of:| seeds:| training rows:,| with a known solution of the teacher in %:.1f| "
            "equal to its text in %:.1f| of the known ones in %:.1f",
            (row[1:] for row in teacher_text_rows(runs, [ARM])),
        ),
        "default-best-of-n": (
            "rule:| problems:,| 4 samples in %:.1f| 8 samples in %:.1f",
            best_rows(),
        ),
    }
    found = {name: (text, [*rows]) for name, (text, rows) in tables.items()}
    written: dict[str, dict[str, Any]] = {
        name: {**about, "columns": columns(text, "| "), "rows": rows}
        for name, (text, rows) in found.items()
        if rows
    }
    # One that comes from a measurement of its own, with the models of some of the runs.
    if "default-best-of-n" in written:
        seeds = [int(file.stem[1:]) for file in best_files()]
        written["default-best-of-n"] |= {
            "source": f"written from results/{ARM}/best_of_n/*.json by "
            "`python -m recipes.documents.seeds`",
            "command": "python -m bench.best_of_n r3",
            "commit": sorted({kept_runs[seed]["commit"] for seed in seeds}),
            "seed": seeds,
        }
    return written


def main(
    folders: Annotated[list[Path] | None, typer.Argument(help="finished runs")] = None,
) -> None:
    """Keep the runs of these folders, and write the tables over all seeds kept."""
    for folder in folders or [ROOT]:
        typer.echo(keep(folder))
    runs = Runs.load(kept())
    runs.check_params()
    for name, content in contents(runs).items():
        write(name, content)


if __name__ == "__main__":
    typer.run(main)
