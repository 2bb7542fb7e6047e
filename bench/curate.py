"""Merge millions of trajectories in bounded memory, and the same in pandas and in datasets.

    python -m bench.curate [--rows N] [--parts N] [--keep FOLDER]

Each tool reads the same Parquet files, joins verdicts to trajectories, keeps what was accepted and
finished, drops near-identical trajectories of a problem, caps the rows of a problem (one if the
student always solves it) and writes the training rows. Each runs in a process of its own, one after
the other; time and peak memory are those of that process, start-up included. All must keep the same
rows. MathSE runs `merge_rows` on one range of problem ids after another, so memory depends on
`--parts`, not on the number of rows. pandas and datasets are left out if they are not installed
(`pip install '.[bench]'`). The result goes to `bench/results/curate.json`. Not covered: earlier
training rows, reflections, the ledger.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import typer

from bench.common import peak_mib, save
from mathse.core.params import Merge
from mathse.core.tables import write_parquet, write_table
from mathse.curation.dedup import dedup_key
from mathse.curation.training_rows import merge_rows

MOST, EASY_MOST, PER_PROBLEM = 4, 1, 8
ROWS_PER_FILE = 250_000
ROWS_PER_PART = 250_000
TOOLS = ("mathse", "pandas", "datasets")


def make(folder: Path, rows: int, seed: int = 0) -> None:
    """Write trajectories (by problem) and verdicts (by trajectory), as the stages write them."""
    chance = np.random.default_rng(seed)
    problems = max(1, rows // PER_PROBLEM)
    ids = np.sort(chance.integers(0, 1 << 63, problems, dtype=np.uint64))
    verdicts = []
    for number, start in enumerate(range(0, rows, ROWS_PER_FILE)):
        count = min(ROWS_PER_FILE, rows - start)
        owner = np.minimum((np.arange(start, start + count)) // PER_PROBLEM, problems - 1)
        kind, spelling = chance.integers(0, 12, count), chance.integers(0, 3, count)
        skill = (owner * 2654435761 % 1000) / 900
        accepted = chance.random(count) < skill
        texts = [
            _text(int(p), int(k), int(s)) for p, k, s in zip(owner, kind, spelling, strict=True)
        ]
        names = chance.integers(0, 1 << 63, count, dtype=np.uint64)
        table = pl.DataFrame(
            {
                "trajectory_id": [f"{name:016x}" for name in names],
                "problem_id": [f"{name:016x}" for name in ids[owner]],
                "origin": ["student"] * count,
                "response": texts,
                "finish_reason": np.where(chance.random(count) < 0.03, "length", "stop"),
            }
        )
        write_parquet(table, folder / "trajectories" / f"{number:05d}.parquet")
        score = np.round(chance.random(count), 6)
        verdicts.append(
            table.select("trajectory_id", "problem_id").with_columns(
                accepted=accepted, p_correct=score
            )
        )
    judged = pl.concat(verdicts).sort("trajectory_id")
    for number, start in enumerate(range(0, rows, ROWS_PER_FILE)):
        write_parquet(
            judged.slice(start, ROWS_PER_FILE), folder / "verdicts" / f"{number:05d}.parquet"
        )


def _text(problem: int, kind: int, spelling: int) -> str:
    a, b = problem % 97 + 3, problem % 89 + kind
    lines = [
        f"The figure shows {a} and {b}.",
        f"We add the two numbers in way {kind}: {a}+{b}={a + b}.",
        "So both parts together are known, and nothing else is asked for in the question.",
        f"The answer to this problem is {a + b}.",
    ]
    if spelling == 1:
        return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, start=1))
    return " ".join(lines) if spelling else "\n".join(lines)


def run_mathse(source: Path, out: Path, parts: int) -> None:
    """Merge one range of problem ids after another."""
    edges = [f"{(1 << 63) * part // parts:016x}" for part in range(parts)] + ["g"]
    scans = [pl.scan_parquet(source / name / "*.parquet") for name in ("trajectories", "verdicts")]
    for part in range(parts):
        in_part = pl.col("problem_id").is_between(edges[part], edges[part + 1], closed="left")
        trajectories, verdicts = (
            scan.filter(in_part).collect(engine="streaming") for scan in scans
        )
        train, _ = merge_rows(
            None,
            trajectories,
            verdicts,
            round_name="r1",
            limits=Merge(max_per_problem=MOST, easy_max=EASY_MOST),
        )
        write_table(train, out / f"train-{part:05d}.parquet", sort_by=["row_id"])


def run_pandas(source: Path, out: Path, parts: int) -> None:
    """Do the same in memory."""
    import pandas as pd

    verdicts = pd.read_parquet(source / "verdicts")
    trajectories = pd.read_parquet(source / "trajectories")
    rate = verdicts.groupby("problem_id")["accepted"].mean()
    accepted = verdicts[verdicts["accepted"]].drop(columns="problem_id")
    rows = accepted.merge(trajectories, on="trajectory_id")
    rows = rows[rows["finish_reason"] == "stop"]
    rows["dedup_key"] = rows["response"].map(dedup_key)
    rows = rows.sort_values(
        ["problem_id", "p_correct", "trajectory_id"], ascending=[True, False, True]
    )
    rows = rows.drop_duplicates(["problem_id", "dedup_key"])
    rank = rows.groupby("problem_id").cumcount()
    cap = rows["problem_id"].map(rate).ge(1.0).map({True: EASY_MOST, False: MOST})
    rows = rows[rank < cap]
    out.mkdir(parents=True, exist_ok=True)
    rows[["problem_id", "trajectory_id", "origin", "response"]].to_parquet(
        out / "train.parquet", index=False
    )


def run_datasets(source: Path, out: Path, parts: int) -> None:
    """Do the same with memory-mapped datasets, which have no join: verdicts are in a mapping."""
    import datasets

    datasets.disable_progress_bars()
    cache = str(out / "cache")
    load: Any = datasets.Dataset.from_parquet
    verdicts = load(
        [str(file) for file in sorted((source / "verdicts").glob("*"))], cache_dir=cache
    )
    score: dict[str, float] = {}
    judged: dict[str, list[int]] = {}
    for batch in verdicts.iter(10_000):
        fields = (batch[name] for name in ("trajectory_id", "problem_id", "accepted", "p_correct"))
        for name, problem, accepted, p in zip(*fields, strict=True):
            counts = judged.setdefault(problem, [0, 0])
            counts[0] += 1
            if accepted:
                counts[1] += 1
                score[name] = p
    trajectories = load(
        [str(file) for file in sorted((source / "trajectories").glob("*"))], cache_dir=cache
    )
    rows = trajectories.filter(
        lambda name, end: name in score and end == "stop",
        input_columns=["trajectory_id", "finish_reason"],
    )
    rows = rows.map(
        lambda row: {
            "minus_p": -score[row["trajectory_id"]],
            "dedup_key": dedup_key(row["response"]),
        }
    )
    rows = rows.sort(["problem_id", "minus_p", "trajectory_id"])
    seen: dict[str, set[str]] = {}

    def keep(problem: str, key: str) -> bool:
        kept = seen.setdefault(problem, set())
        total, passed = judged[problem]
        if key in kept or len(kept) >= (EASY_MOST if passed == total else MOST):
            return False
        kept.add(key)
        return True

    rows = rows.filter(keep, input_columns=["problem_id", "dedup_key"])
    names = ["problem_id", "trajectory_id", "origin", "response"]
    rows.select_columns(names).to_parquet(str(out / "train.parquet"))


RUN: dict[str, Callable[[Path, Path, int], None]] = {
    "mathse": run_mathse,
    "pandas": run_pandas,
    "datasets": run_datasets,
}


def child(tool: str, source: Path, out: Path, parts: int) -> dict[str, Any]:
    """Run one tool in a process of its own and return what it measured."""
    words = [sys.executable, "-m", "bench.curate", "--tool", tool, "--keep", str(source)]
    words += ["--parts", str(parts), "--out", str(out)]
    start = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    if done.returncode != 0:
        return {"tool": tool, "failed": done.stderr.strip().splitlines()[-1:]}
    kept = pl.concat(
        [pl.read_parquet(file, columns=["trajectory_id"]) for file in sorted(out.glob("*.parquet"))]
    )
    digest = hashlib.sha256("".join(kept["trajectory_id"].sort()).encode()).hexdigest()[:12]
    measured = json.loads(done.stdout.splitlines()[-1])
    return {"tool": tool, "wall_s": seconds, **measured, "kept": kept.height, "digest": digest}


def main(
    rows: int = 10_000_000,
    parts: int = 0,
    keep: Path | None = None,
    tool: str = "",
    out: Path = Path(),
) -> None:
    """Compare the tools on ROWS trajectories; with PARTS 0 a part has some 250,000 rows."""
    if tool:
        assert keep is not None
        RUN[tool](keep, out, parts)
        used = resource.getrusage(resource.RUSAGE_SELF)
        typer.echo(json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "peak_mib": peak_mib()}))
        return
    with tempfile.TemporaryDirectory() as scratch:
        source = keep or Path(scratch)
        if not (source / "verdicts").is_dir():
            make(source, rows)
        count = pl.scan_parquet(source / "verdicts" / "*.parquet").select(pl.len()).collect().item()
        parts = parts or -(-count // ROWS_PER_PART)
        found = []
        for name in TOOLS:
            if name == "mathse" or importlib.util.find_spec(name) is not None:
                found.append(child(name, source, Path(scratch) / f"out-{name}", parts))
            else:
                typer.echo(f"{name:9s} is not installed")
    typer.echo(f"{count} trajectories, {parts} parts")
    base = found[0]
    for result in found:
        if "failed" in result:
            typer.echo(f"{result['tool']:9s} failed: {result['failed']}")
            continue
        keys = ("wall_s", "cpu_s", "peak_mib")
        result["ratios"] = {key: round(result[key] / base[key], 2) for key in keys}
        ratios = ", ".join(f"{key} x{ratio:.2f}" for key, ratio in result["ratios"].items())
        typer.echo(
            f"{result['tool']:9s} wall {result['wall_s']:8.1f} s  cpu {result['cpu_s']:8.1f} s  "
            f"peak {result['peak_mib']:7.0f} MiB  kept {result['kept']} {result['digest']}"
            f"  ({ratios})"
        )
    packages = tuple(name for name in ("polars", *TOOLS[1:]) if importlib.util.find_spec(name))
    save("curate", {"trajectories": count, "parts": parts, "tools": found}, packages)
    if len({result.get("digest") for result in found if "failed" not in result}) > 1:
        typer.echo("The tools kept different rows.", err=True)
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
