"""Speed beside what people use: `python -m bench.speed [--prompts 2000] [--repeats 5]`.

Generation, training and the judge, each beside its peers (see `bench.speed_runs`), and the rate of
matrix products on this machine. All contenders of a round run one after the other, each in a
process of its own, and every round begins with another one. After each round
`bench/results/speed.json` has the medians so far, their ratios to mathse's and the spread; what ran
stays in `build/speed`, and the same call goes on from there.

The embedded base describes pictures: it writes next to nothing where it is to solve. With models of
a finished run: `--ask solve --model data/rounds/r1/model --judge-model data/orm/model`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Annotated

import polars as pl
import typer

from bench.common import ROOT, is_installed, save
from bench.speed_inputs import Found, Task

CONTENDERS = [
    "matrix.torch",
    "generation.ours",
    "generation.generate-16",
    "generation.generate-256",
    "generation.pipeline-256",
    "generation.ours-vllm",
    "generation.vllm",
    "prompts.ours",
    "training.ours",
    "training.trl",
    "judge.ours",
    "judge.generate-256",
]
NEEDS = {
    "generation.ours-vllm": ("vllm", "make bench installs it where VLLM_CPU has an installer"),
    "generation.vllm": ("vllm", "make bench installs it where VLLM_CPU has an installer"),
    "training.trl": ("trl", "pip install -c constraints.txt trl datasets"),
}
"""The package that a contender needs, and how to get it."""
PACKAGES = ("torch", "transformers", "accelerate", "vllm", "vllm-cpu", "trl")
NOTES = {
    "all": "each run in a process of its own, its model loaded before the time is taken; prompts "
    "sorted for all, longest first; what texts of two contenders share is counted without blanks "
    "at their ends",
    "generation": "plain code pads on the left and decodes greedily; ours: one process with one "
    "thread for each core, the others as many threads as they choose",
    "prompts": "the first token alone: what reading the prompts takes of ours",
    "training": "seconds: from the first step to the last; whole: also loading, rows and writing",
    "judge": "ours writes under a grammar and adds P(correct); plain code writes what it likes",
}


def main(
    prompts: Annotated[int, typer.Option(help="problems to solve, and to judge")] = 2000,
    repeats: Annotated[int, typer.Option(help="rounds; medians need five")] = 5,
    model: Annotated[Path, typer.Option(help="who solves, and is trained")] = Path(
        "models/tiny-base"
    ),
    judge_model: Annotated[Path | None, typer.Option(help="who judges; else the model")] = None,
    ask: Annotated[str, typer.Option(help="solve; describe, which the base can do")] = "describe",
    dtype: Annotated[str, typer.Option(help="auto, bfloat16, float32; of all")] = "auto",
    max_new_tokens: int = 96,
    judge_tokens: int = 60,
    steps: Annotated[int, typer.Option(help="of training")] = 120,
    batch_size: Annotated[int, typer.Option(help="rows of a step of training")] = 32,
    frozen: Annotated[
        str, typer.Option(help="parts of names that are not trained")
    ] = "vision_model",
    seed: int = 4242,
    only: Annotated[list[str] | None, typer.Option(help="generation, training.trl, …")] = None,
    timeout_s: Annotated[float, typer.Option(help="of one run")] = 3600,
    work: Annotated[Path, typer.Option(help="inputs, logs and single runs")] = ROOT / "build/speed",
) -> None:
    """Measure all contenders, or those that ONLY names, in as many rounds as REPEATS."""
    if dtype == "auto":
        from mathse.engines.precision import auto_dtype

        dtype = str(auto_dtype("cpu")).removeprefix("torch.")
    task = Task(
        model=str(model.resolve()),
        ask=ask,
        judge_model=str((judge_model or model).resolve()),
        dtype=dtype,
        prompts=prompts,
        max_new_tokens=max_new_tokens,
        judge_tokens=judge_tokens,
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        frozen=frozen.split(","),
    )
    chosen = [name for name in CONTENDERS if not only or is_chosen(name, only)]
    if not chosen:
        raise typer.BadParameter(f"--only {' '.join(only or [])}: there are {CONTENDERS}")
    folder = prepare(work, task)
    runs = read_runs(folder)
    for number in range(repeats):
        shift = number % len(chosen)
        for name in [*chosen[shift:], *chosen[:shift]]:
            mine = [run for run in runs if run["name"] == name]
            if any(run["round"] == number or "not_run" in run for run in mine):
                continue  # measured by an earlier call, or it cannot run
            run = {"round": number, "name": name, "load_before": round(os.getloadavg()[0], 1)}
            run |= measure(name, folder, timeout_s)
            runs.append(run)
            if "not_run" not in run:
                with (folder / "runs.jsonl").open("a", encoding="utf-8") as file:
                    file.write(json.dumps(run) + "\n")
            figures = f"{run['seconds']:.1f} s" if "seconds" in run else run.get("not_run", "done")
            typer.echo(f"round {number + 1} of {repeats}, {name}: {figures}")
        done = tuple(name for name in PACKAGES if is_installed(name))
        save("speed", summarize(runs, task), done)


def is_chosen(name: str, only: Sequence[str]) -> bool:
    """Return True if a contender or its group is named."""
    return name in only or name.split(".")[0] in only


def prepare(work: Path, task: Task) -> Path:
    """Write the inputs; return their folder, another one for another task or other code."""
    from mathse.core.images import write_images
    from mathse.figures.source import build_tables
    from mathse.prompts import solve_messages

    digest = hashlib.sha256(json.dumps(asdict(task)).encode())
    for file in sorted([*(ROOT / "mathse").rglob("*.py"), *(ROOT / "bench").glob("speed*.py")]):
        digest.update(file.read_bytes())
    digest.update(
        str([importlib.metadata.version(p) for p in PACKAGES if is_installed(p)]).encode()
    )
    folder = work / digest.hexdigest()[:12]
    if not (folder / "task.json").is_file():
        counts = {"eval": task.prompts, "train": min(task.steps * task.batch_size, 2000)}
        rows, images = build_tables(counts, seed=task.seed)
        chars = [
            len(str(solve_messages(question, choices, 1)))
            for question, choices in rows.select("question", "choices").iter_rows()
        ]
        rows = rows.with_columns(pl.Series("chars", chars))
        rows = rows.sort(["chars", "problem_id"], descending=[True, False]).drop("chars")
        write_images(images, folder / "images")
        rows.write_parquet(folder / "problems.parquet")
        text = json.dumps(asdict(task), indent=2)
        (folder / "task.json").write_text(text, encoding="utf-8")
    return folder


def read_runs(folder: Path) -> list[Found]:
    """Return the runs of earlier calls; a line that broke off is left out."""
    file, runs = folder / "runs.jsonl", []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        try:
            runs.append(json.loads(line))
        except ValueError:
            continue
    return runs


def measure(name: str, folder: Path, timeout_s: float = 3600) -> Found:
    """Run a contender in a process of its own; return its figures, or why there are none."""
    package, fix = NEEDS.get(name, ("torch", ""))
    if find_spec(package) is None:
        return {"not_run": f"the package {package} is not installed here: {fix}"}
    result, log = folder / f"{name}.json", folder / f"{name}.log"
    result.unlink(missing_ok=True)
    for leftover in ("train", "trl"):  # no training goes on from another one's checkpoint
        shutil.rmtree(folder / leftover, ignore_errors=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    environment |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-m", "bench.speed_runs", name, str(folder)]
    start = time.perf_counter()
    with log.open("w", encoding="utf-8") as file:
        try:
            done = subprocess.run(
                command, env=environment, stdout=file, stderr=file, cwd=ROOT, timeout=timeout_s
            )
        except subprocess.TimeoutExpired:
            return {"not_run": f"no result within {timeout_s:.0f} s; see {log}"}
    if done.returncode or not result.is_file():
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""]
        return {"not_run": f"ended with {done.returncode}: {said[-1][:200]}; see {log}"}
    found: Found = json.loads(result.read_text(encoding="utf-8"))
    return found | {"process_s": round(time.perf_counter() - start, 1)}


def summarize(runs: Sequence[Found], task: Task) -> Found:
    """Return medians, spread and ratios by contender, and the shares of the matrix rate."""
    result: Found = {"task": asdict(task) | {"model": Path(task.model).name}, "notes": NOTES}
    result["task"]["judge_model"] = Path(task.judge_model).name
    for name in CONTENDERS:
        mine = [run for run in runs if run["name"] == name]
        measured = [run for run in mine if "not_run" not in run]
        if not measured:
            if mine:
                result[name] = {"not_run": mine[-1]["not_run"]}
            continue
        base = [run for run in runs if run["name"] == f"{name.split('.')[0]}.ours"]
        entry: Found = {"runs": len(measured), "load_before": [r["load_before"] for r in measured]}
        for key in ("seconds", "whole_s", "start_s", "process_s"):
            if values := [run[key] for run in measured if key in run]:
                entry[key] = {"median": round(median(values), 2), "all": rounded(values, 2)}
                if key in ("seconds", "whole_s"):
                    entry[key] |= ratios(measured, base, key)
        last = measured[-1]
        for key in ("tokens", "rows", "errors", "final_loss", "verdicts", "compiled", "threads"):
            entry |= {key: last[key]} if key in last else {}
        if "texts" in last:
            entry |= {"texts": len(last["texts"])} | identical(last, base)
        if "gflops" in last:
            names = last["gflops"]
            entry["gflops"] = {n: median(run["gflops"][n] for run in measured) for n in names}
        counted = len(last.get("texts", ())) or last.get("rows")
        if counted:
            entry["a_second"] = round(counted / entry["seconds"]["median"], 1)
        if "flops" in last:
            entry["gflop"] = round(last["flops"] / 1e9, 1)
        result[name] = entry
    return result | {"shares": shares(result, task.dtype)}


def rounded(values: Sequence[float], digits: int) -> list[float]:
    """Return rounded values."""
    return [round(value, digits) for value in values]


def ratios(measured: Sequence[Found], base: Sequence[Found], key: str) -> Found:
    """Return the median over that of ours, and the least and largest ratio within a round."""
    rounds = {run["round"]: run[key] for run in base if key in run}
    values = [run[key] / rounds[run["round"]] for run in measured if run["round"] in rounds]
    if not values:
        return {}
    ours = median(rounds.values())
    return {
        "times_ours": round(median(run[key] for run in measured) / ours, 3),
        "times_ours_by_round": [round(min(values), 3), round(max(values), 3)],
    }


def identical(run: Found, base: Sequence[Found]) -> Found:
    """Count the texts that are those of ours."""
    known = [one["texts"] for one in base if "texts" in one]
    if not known or len(known[-1]) != len(run["texts"]):
        return {}
    pairs = zip(run["texts"], known[-1], strict=True)
    return {"identical_to_ours": sum(a.strip() == b.strip() for a, b in pairs)}


def shares(result: Found, dtype: str) -> Found:
    """Say what share of the machine's matrix rate ours reaches, and where the rest goes.

    The peak is the largest square product in the precision of the run. Operations are those of
    `mathse.planning.formulas`: what prompts, written tokens and rows need, no padding.
    """
    rates = result.get("matrix.torch", {}).get("gflops")
    if not rates:
        return {}
    own = {name.split(", ")[1]: rate for name, rate in rates.items() if name.startswith(dtype)}
    peak = max(rate for name, rate in own.items() if name.startswith("square"))
    found: Found = {"precision": dtype, "peak_gflops": peak}
    found["of_peak_at_sizes_of_the_model"] = {
        name: round(rate / peak, 3) for name, rate in own.items() if not name.startswith("square")
    }
    work = {
        name: (result[f"{name}.ours"]["gflop"], result[f"{name}.ours"]["seconds"]["median"])
        for name in ("generation", "prompts", "training")
        if "gflop" in result.get(f"{name}.ours", {})
    }
    if "generation" in work and "prompts" in work:
        (whole, whole_s), (prompts, prompts_s) = work["generation"], work["prompts"]
        if whole_s > prompts_s:
            work["tokens after the first"] = (whole - prompts, whole_s - prompts_s)
    found["ours"] = {
        name: {"gflop": round(gflop, 1), "seconds": round(seconds, 2)}
        | {"gflops": round(gflop / seconds, 1), "of_peak": round(gflop / seconds / peak, 4)}
        for name, (gflop, seconds) in work.items()
    }
    return found


if __name__ == "__main__":
    typer.run(main)
