"""Write results/default-*.json from a run: `python -m recipes.documents.results`."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from mathse.core.layout import Layout
from mathse.core.params import Params, load_params
from mathse.curation.ledger import count_states
from mathse.evaluation.paired import Comparison
from mathse.report.summary import RoundSummary, summarize
from recipes.documents.blocks import ROOT

SPLITS = ("eval", "eval_hard")
STATES = ("accepted", "reflected", "hard", "remaining")


def write(name: str, content: dict[str, Any]) -> None:
    """Write results/NAME.json with one line for each fact, column and row."""
    lines = []
    for key, value in content.items():
        text = json.dumps(value, ensure_ascii=False)
        if key in ("columns", "rows"):
            inner = ",\n".join(f"    {json.dumps(item, ensure_ascii=False)}" for item in value)
            text = f"[\n{inner}\n  ]"
        lines.append(f'  "{key}": {text}')
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    (ROOT / "results" / f"{name}.json").write_text(text, encoding="utf-8")


def origin(seed: int, controls: bool) -> dict[str, Any]:
    """Return command, commit, seed, date and machine of a run that was made here and now."""
    return {
        "source": "written from data/ and metrics/ by `make results`",
        "command": "make control" if controls else "make repro",
        "commit": commit_of(ROOT),
        "seed": seed,
        "date": datetime.now(tz=UTC).date().isoformat(),
        "machine": machine(),
    }


def commit_of(folder: Path) -> str:
    """Return the commit that a clone is at; "" for a folder without Git."""
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def machine() -> str:
    """Return processor and number of cores."""
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    return f"{found[1] if found else 'unknown processor'}, {os.cpu_count()} cores"


def percent(value: float, low: float, high: float) -> list[float]:
    """Return a share with its interval in percent."""
    return [100 * value, 100 * low, 100 * high]


def gold_used(line: RoundSummary, params: Params, layout: Layout) -> int | None:
    """Return of how many problems the gold answer decided what a model learned.

    r0: those that the teacher was asked for. A round: those, the problems whose trajectories were
    annotated for the ORM, and all training problems tried so far; where `score.accept` is orm, only
    those of earlier rounds, and only if the ORM learned from them (`orm.refresh`). A control: those
    of r0, and those that the teacher was asked for: solutions that it refused were refused by their
    gold answers. A problem that counts for two of these counts twice.
    """
    first = pl.read_parquet(layout.distill.trajectories)["problem_id"].n_unique()
    if line.name == "base":
        return 0
    if line.name in ("r0", "control"):
        return first
    if line.name in params.controls:
        tried = json.loads(layout.metrics(line.name).read_text(encoding="utf-8"))[line.name]
        return first + int(tried["tried"])
    states = line.states
    if params.score.accept == "orm":
        earlier = pl.read_parquet(layout.round(params.rounds[line.name].prev).ledger)
        states = count_states(earlier) if params.orm.refresh == "round" else {}
    tried = sum(states.get(state, 0) for state in STATES[:3])
    return first + annotated_for_orm(layout) + tried


def annotated_for_orm(layout: Layout) -> int:
    """Return of how many problems trajectories were annotated to train the ORM."""
    judged = pl.read_parquet(layout.orm.trajectories, columns=["problem_id"])
    problems = pl.read_parquet(layout.problems, columns=["problem_id", "split"])
    judged = judged.join(problems.filter(split="orm"), on="problem_id", how="semi")
    return judged["problem_id"].n_unique()


def round_row(line: RoundSummary, gold: int | None) -> list[Any]:
    """Return a row of default-rounds: accuracies, change on eval, problems by state, rows, gold."""
    accuracies = [
        percent(found.correct / found.n, found.low, found.high)
        for found in (line.accuracy[split] for split in SPLITS)
    ]
    change = line.change.get("eval")
    return [
        line.name,
        *accuracies,
        points(change) if change else None,
        change.p_value if change else None,
        *(line.states.get(state) for state in STATES),
        line.train_rows,
        gold,
    ]


def points(found: Comparison) -> list[float]:
    """Return a difference with its interval in points."""
    return percent(found.difference, found.low, found.high)


def orm_rows() -> list[list[Any]]:
    """Return the ORM's figures on its test trajectories."""
    metrics = json.loads((ROOT / "metrics/eval_orm.json").read_text(encoding="utf-8"))
    orm, student, blank = metrics["orm"], metrics.get("student"), metrics.get("blank_picture")
    shares = {
        "overall right": "overall_accuracy",
        "correct ones passed": "positive_accuracy",
        "wrong ones caught": "negative_accuracy",
        "wrong ones passed": "wrong_passed",
        "faulty step exact": "error_step_exact",
        "unparseable": "unparseable",
    }
    found = [(title, orm[name]) for title, name in shares.items()]
    if student:
        found += [
            (f"{title}, student's trajectories", student[name])
            for title, name in list(shares.items())[:4]
        ]
    if blank:
        found += [("overall right, white picture", blank["overall_accuracy"])]
    attacks = metrics.get("attacks", {})
    found += [(f"passed: {name.replace('_', ' ')}", one["passed"]) for name, one in attacks.items()]
    rows = [
        [title, percent(share["value"], share["low"], share["high"]), share["n"]]
        for title, share in found
    ]
    rows += [["ROC AUC × 100", 100 * orm["roc_auc"], orm["n"]]]
    if student:
        rows += [["ROC AUC × 100, student's trajectories", 100 * student["roc_auc"], student["n"]]]
        rows += [["macro-F1 over steps × 100", 100 * orm["macro_f1_steps"], orm["n"]]]
    return rows


def main() -> None:
    """Write default-rounds, default-contrasts and default-orm."""
    params = load_params(ROOT / "params.yaml")
    summary = summarize(ROOT / "data", [*params.rounds, *params.controls])
    sizes = {split: summary.rounds[0].accuracy[split].n for split in SPLITS}
    about = origin(params.seed, bool(params.controls))
    named = [{"name": f"{split} (n = {n}), %", "format": ".1f"} for split, n in sizes.items()]
    change = [{"name": "change on eval, points", "format": "+.1f"}, {"name": "p", "format": "p"}]
    counts = ("by student", "by reflection", "still hard", "untried", "training rows", "gold used")
    columns = [
        {"name": "model"},
        *named,
        *change,
        *({"name": count, "format": ","} for count in counts),
    ]
    layout = Layout(ROOT)
    rows = [round_row(line, gold_used(line, params, layout)) for line in summary.rounds]
    write("default-rounds", {**about, "columns": columns, "rows": rows})
    columns = [{"name": name} for name in ("model", "against", "split")]
    columns += [{"name": "points", "format": "+.1f"}, {"name": "p", "format": "p"}, {"name": "n"}]
    rows = [
        [last, name, split, points(found), found.p_value, found.n]
        for last, name, split, found in summary.contrasts
        if found
    ]
    write("default-contrasts", {**about, "columns": columns, "rows": rows})
    columns = [{"name": "ORM"}, {"name": "%", "format": ".1f"}, {"name": "n"}]
    write("default-orm", {**about, "columns": columns, "rows": orm_rows()})


if __name__ == "__main__":
    main()
