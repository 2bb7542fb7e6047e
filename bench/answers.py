"""Measure the answer checker: official verdicts, equivalence pairs, speed against Math-Verify.

    python -m bench.answers official [--out FILE]   agreement by data set and question type
    python -m bench.answers pairs                   the equivalence pairs, with each that differs
    python -m bench.answers speed [--rows N]        this checker and Math-Verify on the same rows

`MATHSE_DATA` names the folder with the data. Results go to `bench/results/answers-*.json`. Answers
in images and proofs are not covered.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import polars as pl
import typer

from bench.common import save
from bench.data import need
from mathse.answers import check_one, check_rows
from mathse.evaluation.benchmark_rules import MATH_VISION_PRECISION

app = typer.Typer(add_completion=False)


def metrics_of(rows: pl.DataFrame) -> dict[str, float]:
    """Return agreement, wrong rows that passed and right rows that were missed, in percent."""
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
    results = {name: metrics_of(part) for name, part in groups}
    for name, result in results.items():
        typer.echo(
            f"{name:32s} n {result['n']:6.0f}  agree {result['agree']:6.2f}%"
            f"  wrong passed {result['passed_wrong']:5.2f}%"
            f"  right missed {result['missed_right']:5.2f}%"
        )
    states = dict(rows["state"].value_counts().sort("state").iter_rows())
    typer.echo(str(states))
    rounded = {
        name: {key: round(value, 3) for key, value in result.items()}
        for name, result in results.items()
    }
    save("answers-official", {"states": states, "groups": rounded}, ("math-verify", "sympy"))
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
    same = len(lines) - len(different)
    typer.echo(f"{same} of {len(lines)} as expected ({100 * same / len(lines):.1f}%)")
    for number, pair, verdict in different:
        gold, prediction = (pair[key][-60:].replace("\n", " ") for key in ("gold", "prediction"))
        typer.echo(
            f"{number:4d} expected {pair['expected_equal']!s:5} got {verdict.state}"
            f" {verdict.reason}: {gold} | {prediction} | {verdict.found}"
        )
    save("answers-pairs", {"n": len(lines), "as_expected": same}, ("math-verify", "sympy"))


@app.command()
def speed(rows: int | None = None, workers: int = 2) -> None:
    """Time this checker, start-up included, and Math-Verify called in a loop on the same rows."""
    table = pl.read_parquet(need("verdicts/official_verdicts.parquet"))
    table = table if rows is None else table.sample(rows, seed=3)
    start = time.monotonic()
    check_rows(table, workers=workers)
    checker_s = time.monotonic() - start
    from math_verify import parse, verify  # type: ignore[import-untyped]

    start = time.monotonic()
    for gold, response in table.select("gold", "response").iter_rows():
        verify(parse(f"${gold}$"), parse(response))
    loop_s = time.monotonic() - start
    ratio = loop_s / checker_s
    typer.echo(
        f"{table.height} rows: this checker {checker_s:.2f} s,"
        f" Math-Verify in a loop {loop_s:.2f} s, {ratio:.1f} times"
    )
    result = {"rows": table.height, "workers": workers, "checker_s": round(checker_s, 2)}
    result |= {"math_verify_loop_s": round(loop_s, 2), "ratio": round(ratio, 2)}
    save("answers-speed", result, ("math-verify", "sympy"))


if __name__ == "__main__":
    app()
