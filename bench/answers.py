"""Measure the answer checker: agreement with official verdicts, equivalence pairs, speed against Math-Verify in a loop.

    python -m bench.answers official [--out FILE]   every row, clean and all, by data set and
    question type python -m bench.answers pairs                   the equivalence pairs, with each
    one that differs python -m bench.answers speed [--rows N]        the same rows by this checker
    and by Math-Verify alone, in one run

It does not cover answers in images, nor proofs. `MATHSE_DATA` names the folder with the data.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import polars as pl
import typer

from bench.data import need
from mathse.answers import check_one, check_rows
from mathse.evaluation.benchmark_rules import MATH_VISION_PRECISION

app = typer.Typer(add_completion=False)


def figures(rows: pl.DataFrame) -> dict[str, float]:
    """Return agreement, the share of officially wrong rows passed and of officially right rows missed, in percent."""
    passed, right = rows["state"] == "match", rows["official_correct"]
    wrong_rows, right_rows = int((~right).sum()), int(right.sum())
    return {
        "n": rows.height,
        "agree": 100 * float((passed == right).sum()) / max(1, rows.height),
        "passed_wrong": 100 * float((passed & ~right).sum()) / max(1, wrong_rows),
        "missed_right": 100 * float((~passed & right).sum()) / max(1, right_rows),
    }


@app.command()
def official(out: Path | None = None, workers: int = 2) -> None:
    """Compare with the official verdicts."""
    start = time.monotonic()
    rows = check_rows(pl.read_parquet(need("verdicts/official_verdicts.parquet")), workers=workers)
    typer.echo(f"{rows.height} rows in {time.monotonic() - start:.1f} s")
    groups = [("clean", rows.filter("clean")), ("all", rows)]
    for (dataset, kind), part in sorted(
        rows.filter("clean").group_by("dataset", "question_type"), key=lambda pair: str(pair[0])
    ):
        groups.append((f"clean {dataset} {kind}", part))
    free = rows.filter(
        (pl.col("dataset") == "math-v") & (pl.col("question_type") == "free_form") & pl.col("clean")
    )
    decimals = free.with_columns(precision=pl.lit(MATH_VISION_PRECISION))
    groups.append(("clean math-v free, 2 decimals", check_rows(decimals, workers=workers)))
    for name, part in groups:
        result = figures(part)
        typer.echo(
            f"{name:32s} n {result['n']:6.0f}  agree {result['agree']:6.2f}%"
            f"  wrong passed {result['passed_wrong']:5.2f}%"
            f"  right missed {result['missed_right']:5.2f}%"
        )
    typer.echo(str(dict(rows["state"].value_counts().sort("state").iter_rows())))
    if out is not None:
        rows.write_parquet(out)


@app.command()
def pairs() -> None:
    """Compare with the equivalence pairs of public test suites."""
    lines = need("equivalence/pairs.jsonl").read_text(encoding="utf-8").splitlines()
    different = []
    for number, line in enumerate(lines):
        pair = json.loads(line)
        precision = (pair.get("params") or {}).get("precision")
        verdict = check_one(
            pair["gold"], pair["prediction"], precision=precision if precision != 6 else None
        )
        if (verdict.state == "match") != pair["expected_equal"]:
            different.append((number, pair, verdict))
    typer.echo(
        f"{len(lines) - len(different)} of {len(lines)} as expected ({100 - 100 * len(different) / len(lines):.1f}%)"
    )
    for number, pair, verdict in different:
        gold, said = (
            pair["gold"][-60:].replace("\n", " "),
            pair["prediction"][-60:].replace("\n", " "),
        )
        typer.echo(
            f"{number:4d} expected {pair['expected_equal']!s:5} got {verdict.state} {verdict.reason}:"
            f" {gold} | {said} | {verdict.found}"
        )


@app.command()
def speed(rows: int | None = None, workers: int = 2) -> None:
    """Time this checker, start-up included, and Math-Verify called in a loop on the same rows."""
    table = pl.read_parquet(need("verdicts/official_verdicts.parquet"))
    table = table if rows is None else table.sample(rows, seed=3)
    start = time.monotonic()
    check_rows(table, workers=workers)
    ours = time.monotonic() - start
    from math_verify import parse, verify  # type: ignore[import-untyped]

    start = time.monotonic()
    for gold, response in table.select("gold", "response").iter_rows():
        verify(parse(f"${gold}$"), parse(response))
    theirs = time.monotonic() - start
    times = f"this checker {ours:.2f} s, Math-Verify in a loop {theirs:.2f} s, {theirs / ours:.1f} times"
    typer.echo(f"{table.height} rows: {times}")


if __name__ == "__main__":
    app()
