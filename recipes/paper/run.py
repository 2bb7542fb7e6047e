"""Run the arms: `python -m recipes.paper.run [--seeds 3] [--arms main,binary] [--workers 2]`.

Each arm is a copy of the pipeline under build/paper, run by `dvc repro`; all share one DVC cache.
It starts as a copy of the seed's first arm, so only what the arm changes is computed. (DVC's run
cache would do that too, but keeps no stage whose metrics are in Git.) An arm that has its file
under results/paper/runs, made with the same params, is not run again; one that was killed resumes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
import yaml

from mathse.copies import copy_pipeline
from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.processes import ONE_THREAD
from mathse.profiles import apply_profile
from recipes.documents.results import machine
from recipes.paper.arms import ARMS, Arm

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "results" / "paper" / "runs"
BEST = ROOT / "results" / "paper" / "best_of_n"
WORK = ROOT / "build" / "paper"
PROFILE = "paper-mini"
SHARED = ("eval_base", "eval_r0", "eval_orm")
"""Targets that most arms of a seed have in common."""
_PREPARING = threading.Lock()  # the YAML parser of the profiles serves one thread at a time
# "Running stage 'score@r1':"
_RAN = re.compile(r"^Running stage '([^']+)'", re.MULTILINE)


def prepare(arm: Arm, seed: int, workers: int) -> Path:
    """Make the copy of an arm, or bring it up to date, and return its folder."""
    folder, first = (WORK / f"s{seed}" / name for name in (arm.name, ARMS[0].name))
    if not folder.exists() and (first / "dvc.lock").is_file():
        left_out = shutil.ignore_patterns(".git", "repro.log")
        shutil.copytree(first, folder, symlinks=True, ignore=left_out)
    copy_pipeline(ROOT, folder, PROFILE)
    changes = {**arm.changes, "seed": seed}
    text = f"# {arm.about}\n{yaml.safe_dump(changes)}"
    (folder / "profiles" / "arm.yaml").write_text(text, encoding="utf-8")
    apply_profile(folder, "arm")
    # One process for each arm, as many arms as workers. The params say so for the trainings.
    if workers > 1:
        (folder / "machine.yaml").write_text("inference_processes: 1\n", encoding="utf-8")
    cache = f"[cache]\n    dir = {WORK / 'cache'}\n"
    (folder / ".dvc" / "config.local").write_text(cache, encoding="utf-8")
    return folder


def params_digest(folder: Path) -> str:
    """Return a content id of the params of a copy."""
    return content_id("paper", yaml.safe_load((folder / "params.yaml").read_text("utf-8")))


def targets_of(folder: Path) -> list[str]:
    """Return what `dvc repro` is asked for: the evaluation and the audit of every round."""
    params = load_params(folder / "params.yaml")
    names = [*SHARED]
    for name in params.rounds:
        names += [f"eval@{name}", f"audit@{name}"]
    return names + [f"eval_control@{name}" for name in params.controls]


def repro(folder: Path, targets: list[str]) -> tuple[float, list[str]]:
    """Run `dvc repro`; return its seconds and the stages that were computed.

    Raises:
        RuntimeError: with the end of the log, if a stage fails.
    """
    environment = {**os.environ, **ONE_THREAD, "DVC_NO_ANALYTICS": "1"}
    environment |= {"PYTHONPATH": str(folder), "TOKENIZERS_PARALLELISM": "false"}
    start, log = time.monotonic(), folder / "repro.log"
    with log.open("a", encoding="utf-8") as file:
        begin = file.tell()
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "repro", *targets],
            cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    text = log.read_text(encoding="utf-8", errors="replace")[begin:]
    if done.returncode:
        raise RuntimeError(f"dvc repro failed in {folder}:\n{text[-3000:]}")
    return time.monotonic() - start, _RAN.findall(text)


def graded_bits(layout: Layout, name: str) -> dict[str, str]:
    """Return for each split which problems a model solved: 1 or 0, in the order of their ids."""
    rows = pl.read_parquet(layout.eval(name).graded).sort("problem_id")
    return {
        split: "".join("1" if hit else "0" for hit in part["correct"])
        for (split,), part in sorted(rows.partition_by("split", as_dict=True).items())
    }


def clusters(layout: Layout, name: str) -> dict[str, list[int]]:
    """Return for each split the number of each problem's cluster, in the order of their ids."""
    rows = pl.read_parquet(layout.eval(name).graded).sort("problem_id")
    return {
        split: part["cluster"].rank("dense").cast(pl.Int64).to_list()
        for (split,), part in sorted(rows.partition_by("split", as_dict=True).items())
    }


def result_of(folder: Path) -> dict[str, Any]:
    """Return what is kept of an arm's run: answers by problem, and the metrics of its stages."""
    layout, params = Layout(folder), load_params(folder / "params.yaml")
    models = ["base", "r0", *params.rounds, *params.controls]

    def metrics(stage: str, name: str | None = None) -> Any:
        return json.loads(layout.metrics(stage, name).read_text(encoding="utf-8"))

    kinds = {"merge": [*params.rounds], "score": [*params.rounds], "reflect": [*params.rounds],
             "audit": [*params.rounds], "finetune": ["r0", *params.rounds]}  # fmt: skip
    return {
        "models": {name: graded_bits(layout, name) for name in models},
        "clusters": clusters(layout, "base"),
        "orm": metrics("eval_orm"),
        "distill": metrics("distill"),
        "accept": params.score.accept,
        "gold": gold_of(layout),
        **{kind: {name: metrics(kind, name)[name] for name in names}
           for kind, names in kinds.items()},
        "texts": {name: texts_of(layout, name) for name in params.rounds},
        "controls": {name: metrics(name).get(name) for name in params.controls},
    }  # fmt: skip


def gold_of(layout: Layout) -> dict[str, int]:
    """Return of how many problems the gold answer decided what r0 and what the ORM learned."""
    judged = pl.read_parquet(layout.orm.rows).filter(pl.col("part") == "train")
    distilled = pl.read_parquet(layout.distill.trajectories)
    return {"r0": distilled["problem_id"].n_unique(), "orm": judged["problem_id"].n_unique()}


def texts_of(layout: Layout, name: str) -> dict[str, Any]:
    """Return what a round wrote and accepted: numbers, lengths, tokens, and copies of solutions.

    `equal_solution` counts accepted trajectories that equal the problem's usual worked solution.
    """
    files = layout.round(name)
    solutions = pl.read_parquet(layout.problems, columns=["problem_id", "solution"])
    found = {}
    parts = {
        "student": (files.trajectories, files.verdicts),
        "reflection": (files.reflections, files.reflection_verdicts),
    }
    for origin, (texts, verdicts) in parts.items():
        judged = pl.read_parquet(verdicts, columns=["trajectory_id", "accepted"])
        rows = pl.read_parquet(texts).join(judged, on="trajectory_id", validate="1:1")
        rows = rows.join(solutions, on="problem_id", how="left", validate="m:1")
        accepted = rows.filter("accepted").unique(["problem_id", "response"])
        found[origin] = {
            "n": rows.height,
            "response_tokens": rows["response_tokens"].sum(),
            "prompt_tokens": rows["prompt_tokens"].sum(),
            "mean_chars": rows["response"].str.len_chars().mean(),
            "accepted": accepted.height,
            "accepted_mean_chars": accepted["response"].str.len_chars().mean(),
            "equal_solution": accepted.filter(pl.col("response") == pl.col("solution")).height,
        }
    return found


class Scheduler:
    """Hands out arms, one at a time of each seed, so that what a seed's arms share is there."""

    def __init__(self, tasks: list[tuple[Arm, int]], workers: int) -> None:
        self.tasks, self.workers = tasks, workers
        self.busy: set[int] = set()
        self.failed: list[str] = []
        self.free = threading.Condition()

    def work(self) -> None:
        """Run arms until none is left."""
        while True:
            with self.free:
                while True:
                    if not self.tasks:
                        return
                    found = next((t for t in self.tasks if t[1] not in self.busy), None)
                    if found is not None:
                        break
                    self.free.wait()
                self.tasks.remove(found)
                self.busy.add(found[1])
            try:
                run_arm(*found, self.workers)
                if found[0] is ARMS[0]:
                    choose_among_samples(found[1])
            except Exception as error:  # the other arms go on
                self.failed.append(f"{found[0].name}, seed {found[1]}: {error}")
                typer.echo(self.failed[-1], err=True)
            with self.free:
                self.busy.discard(found[1])
                self.free.notify_all()


def run_arm(arm: Arm, seed: int, workers: int) -> None:
    """Run an arm and write its file, unless it is there."""
    with _PREPARING:
        folder = prepare(arm, seed, workers)
    digest, out = params_digest(folder), RUNS / f"{arm.name}-s{seed}.json"
    if out.is_file() and json.loads(out.read_text(encoding="utf-8"))["params"] == digest:
        return
    typer.echo(f"{time.strftime('%H:%M')} {arm.name}, seed {seed}: {arm.about}")
    seconds, ran = repro(folder, targets_of(folder))
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    about = {"arm": arm.name, "seed": seed, "about": arm.about, "params": digest, "commit": commit,
             "date": time.strftime("%Y-%m-%d"), "machine": machine(), "workers": workers,
             "seconds": round(seconds), "stages_run": ran}  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**about, **result_of(folder)}, separators=(",", ":"))
    partial = out.with_suffix(".partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(out)
    typer.echo(f"{time.strftime('%H:%M')} {arm.name}, seed {seed}: done in {seconds / 60:.1f} min")


def choose_among_samples(seed: int) -> None:
    """Measure best-of-n with the last model of the first arm, unless that is done.

    Raises:
        RuntimeError: with what it printed, if it fails.
    """
    folder, out = WORK / f"s{seed}" / ARMS[0].name, BEST / f"s{seed}.json"
    if out.is_file():
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    last = [*load_params(folder / "params.yaml").rounds][-1]
    words = ["bench.best_of_n", last, "--n", "4", "--n", "8", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-P", "-m", *words],
        cwd=folder, env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"best-of-n of seed {seed} failed:\n{done.stderr[-3000:]}")


def main(
    seeds: Annotated[int, typer.Option(help="how many seeds, from 0")] = 3,
    arms: Annotated[str, typer.Option(help="names, with commas; empty: all")] = "",
    workers: Annotated[int, typer.Option(help="arms at a time, one core each")] = 2,
) -> None:
    """Run the arms of all seeds, the most important ones first."""
    chosen = [arm for arm in ARMS if not arms or arm.name in arms.split(",")]
    tasks = [(arm, seed) for arm in chosen for seed in range(seeds)]
    scheduler = Scheduler(tasks, workers)
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(scheduler.work) for _ in range(workers)]:
            future.result()
    if scheduler.failed:
        raise SystemExit(f"{len(scheduler.failed)} arms failed")


if __name__ == "__main__":
    typer.run(main)
