"""Measure the answer checker: sets of answers with known verdicts, speed against Math-Verify.

    python -m bench.answers sets [NAME...] [--out FOLDER]   agreement with the verdicts of each set
    python -m bench.answers speed [--loop-rows N]           this checker beside Math-Verify

The pairs of `bench/answer_pairs*.jsonl` are in the repository; the second file was written when the
checker was finished. `MATHSE_DATA` names the folder with the other sets; what it lacks is named.
Results go to `bench/results/answers-*.json`. Answers in images and proofs are not covered.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from bench.common import ROOT, save
from bench.data import DATA, missing, need
from mathse.answers import check_rows
from mathse.evaluation.benchmark_rules import MATH_VISION_PRECISION
from mathse.report.answer_tables import read_answers

app = typer.Typer(add_completion=False)

OFFICIAL = "verdicts/official_verdicts.parquet"
PACKAGES = ("math-verify", "sympy")
NO_VERDICT = ("unreadable", "unknown", "timeout", "error")
Metrics = dict[str, Any]


@dataclass(frozen=True)
class AnswerSet:
    """Answers with known verdicts.

    Attributes:
        file: where they are: below the repository, else below the folder with published data.
        bars: the least share that agrees, the largest share of wrong ones passed and of right ones
            missed, in percent.
        own: True if the repository holds it.
        listed: True if each difference is printed and saved; the set is small.
    """

    file: str
    bars: dict[str, float] = field(default_factory=dict)
    own: bool = False
    listed: bool = False

    @property
    def path(self) -> Path:
        """The file of the set."""
        return (ROOT if self.own else DATA) / self.file


def _bars(agree: float, passed_wrong: float = 100.0, missed_right: float = 100.0) -> Metrics:
    return {"agree": agree, "passed_wrong": passed_wrong, "missed_right": missed_right}


SETS = {
    "own": AnswerSet("bench/answer_pairs.jsonl", _bars(95, 1), own=True, listed=True),
    "second": AnswerSet("bench/answer_pairs_second.jsonl", _bars(95, 1), own=True, listed=True),
    "official": AnswerSet(OFFICIAL, _bars(99.1, 0.4, 3)),
    "equivalence": AnswerSet("equivalence/pairs.jsonl", _bars(95), listed=True),
    "suites": AnswerSet("answers/suites_pairs.jsonl", _bars(95), listed=True),
    "gsm8k": AnswerSet("answers/gsm8k_openai.jsonl", _bars(99.5)),
    "gaokao": AnswerSet("answers/gaokao_gpt4_zh.jsonl", _bars(95)),
    "hardverify": AnswerSet("answers/hardverify_math.jsonl", _bars(93, 1)),
    "kinds": AnswerSet("answers/pairs.jsonl", _bars(95, 1), listed=True),
}


def read_set(known: AnswerSet) -> pl.DataFrame:
    """Return the rows of a set that can be checked, with their verdicts in `expected`."""
    table = read_answers(known.path)
    rows = table.rows.with_columns(expected=pl.Series(table.expected, dtype=pl.Boolean))
    if "prediction" in rows.columns:  # the equivalence pairs
        digits = pl.col("params").struct.field("precision")
        rows = rows.rename({"prediction": "response"}).with_columns(
            precision=pl.when(digits != 6).then(digits)
        )
    return rows.with_columns(pl.lit(True).alias("clean")) if "clean" not in rows.columns else rows


def metrics_of(rows: pl.DataFrame) -> Metrics:
    """Return counts, and in percent agreement, wrong rows passed and right rows missed."""
    passed, right = rows["state"] == "match", rows["expected"]
    wrong_passed, right_missed = int((passed & ~right).sum()), int((~passed & right).sum())
    wrong, n = int((~right).sum()), rows.height
    return {
        "n": n,
        "agree": round(100 * float((passed == right).sum()) / max(1, n), 3),
        "passed_wrong": round(100 * wrong_passed / max(1, wrong), 3),
        "missed_right": round(100 * right_missed / max(1, n - wrong), 3),
        "wrong_passed": f"{wrong_passed} of {wrong}",
        "right_missed": f"{right_missed} of {n - wrong}",
        "called_wrong": int(((rows["state"] == "mismatch") & right).sum()),
        "no_verdict": int(rows["state"].is_in(NO_VERDICT).sum()),
        "states": dict(rows["state"].value_counts().sort("state").iter_rows()),
    }


@app.command()
def sets(
    names: Annotated[list[str] | None, typer.Argument()] = None, out: Path | None = None
) -> None:
    """Compare with the verdicts of each set, all by default."""
    results: dict[str, Metrics] = {}
    differences: dict[str, list[dict[str, Any]]] = {}
    left_out = []
    for name in names or SETS:
        known = SETS[name]
        if not known.path.is_file():
            left_out.append(missing(known.file))
            continue
        start = time.monotonic()
        rows = check_rows(read_set(known))
        seconds = time.monotonic() - start
        for group, part in _groups(name, rows):
            results[group] = metrics_of(part)
        bars = [_bar(results[name], key, limit) for key, limit in known.bars.items() if limit < 100]
        results[name]["bars"] = dict(filter(None, bars))
        typer.echo(f"{name}: {rows.height} rows in {seconds:.1f} s; {results[name]['bars']}")
        if known.listed:
            differences[name] = _differences(rows.filter("clean"))
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            rows.write_parquet(out / f"{name}.parquet")
    _print(results, differences)
    for line in left_out:
        typer.echo(f"not measured: {line}")
    if names:
        typer.echo("a part of the sets: results are not written")
        return
    result = {"sets": results, "differences": differences, "not_measured": len(left_out)}
    save("answers-sets" if not left_out else "answers-own", result, PACKAGES)


def _groups(name: str, rows: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Return the clean rows of a set, and of the official verdicts parts of them and all rows."""
    clean = rows.filter("clean")
    groups = [(name, clean)]
    if name == "official":
        kinds = sorted(clean.group_by("dataset", "question_type"), key=lambda kind: str(kind[0]))
        groups += [(f"{name} {dataset} {kind}", part) for (dataset, kind), part in kinds]
        free = (pl.col("dataset") == "math-v") & (pl.col("question_type") == "free_form")
        decimals = clean.filter(free).with_columns(precision=pl.lit(MATH_VISION_PRECISION))
        groups.append((f"{name} math-v free_form, 2 decimals", check_rows(decimals)))
    if clean.height < rows.height:
        groups.append((f"{name}, noise included", rows))
    return groups


def _bar(result: Metrics, key: str, limit: float) -> tuple[str, str] | None:
    reached: Callable[[float, float], bool] = float.__ge__ if key == "agree" else float.__le__
    passed = reached(float(result[key]), float(limit))
    return f"{key} {'>=' if key == 'agree' else '<='} {limit:g}%", "met" if passed else "missed"


def _differences(rows: pl.DataFrame) -> list[dict[str, Any]]:
    numbered = rows.with_row_index("row")
    different = numbered.filter((pl.col("state") == "match") != pl.col("expected"))
    names = ("row", "kind", "gold", "response", "expected", "state", "found", "reason")
    return different.select(name for name in names if name in different.columns).to_dicts()


def _print(results: dict[str, Metrics], differences: dict[str, list[dict[str, Any]]]) -> None:
    for name, rows in differences.items():
        for row in rows:
            gold, response = (row[key][-60:].replace("\n", " ") for key in ("gold", "response"))
            typer.echo(
                f"{name} {row['row']:3d} {row.get('kind') or '':16s} expected {row['expected']!s:5}"
                f" got {row['state']} {row['reason']}: {gold} | {response} | {row['found']}"
            )
    for name, result in results.items():
        typer.echo(
            f"{name:34s} n {result['n']:6d}  agree {result['agree']:6.2f}%"
            f"  wrong passed {result['passed_wrong']:5.2f}% ({result['wrong_passed']})"
            f"  right missed {result['missed_right']:5.2f}% ({result['right_missed']},"
            f" {result['called_wrong']} called wrong)  no verdict {result['no_verdict']}"
        )


@app.command()
def speed(rows: int | None = None, workers: int = 2, loop_rows: int | None = None) -> None:
    """Time this checker, start-up included, and Math-Verify called in a loop on the same rows.

    Math-Verify's time is scaled up from a random sample if --loop-rows is given.
    """
    if not (DATA / OFFICIAL).is_file():
        typer.echo(f"speed is not measured: {missing(OFFICIAL)}")
        return
    table = pl.read_parquet(need(OFFICIAL))
    table = table if rows is None else table.sample(rows, seed=3)
    start, cpu = time.monotonic(), _cpu_s()
    check_rows(table, workers=workers)
    checker_s, checker_cpu_s = time.monotonic() - start, _cpu_s() - cpu
    from math_verify import parse, verify  # type: ignore[import-untyped]

    timed = table if loop_rows is None else table.sample(loop_rows, seed=4)
    start, cpu = time.monotonic(), _cpu_s()
    for gold, response in timed.select("gold", "response").iter_rows():
        verify(parse(f"${gold}$"), parse(response))
    scale = table.height / timed.height
    loop_s, loop_cpu_s = scale * (time.monotonic() - start), scale * (_cpu_s() - cpu)
    typer.echo(
        f"{table.height} rows: this checker {checker_s:.2f} s,"
        f" Math-Verify in a loop {loop_s:.2f} s, {loop_s / checker_s:.1f} times"
        f" ({loop_cpu_s / checker_cpu_s:.1f} times by CPU time)"
    )
    result = {"rows": table.height, "workers": workers, "checker_s": round(checker_s, 2)}
    result |= {"math_verify_loop_s": round(loop_s, 2), "ratio": round(loop_s / checker_s, 2)}
    result |= {"loop_rows": timed.height, "cpu_ratio": round(loop_cpu_s / checker_cpu_s, 2)}
    save("answers-speed", result, PACKAGES)


def _cpu_s() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


if __name__ == "__main__":
    app()
