"""Run the arms: `python -m recipes.paper.run [--seeds 3] [--first 0] [--arms …] [--workers 2]`.

Each arm is a copy of the pipeline under build/paper, run by `dvc repro`; all share one DVC cache.
It starts as a copy of another arm of the seed, so only what differs is computed. (DVC's run cache
would do that too, but keeps no stage whose metrics are in Git.) An arm that has its file
under results/paper/runs, made with the same params, is not run again; one that was killed resumes.
Where these files came from another machine, `main` is run once more without its controls, for the
arms that start from it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import yaml

from mathse.copies import copy_pipeline
from mathse.core.ids import content_id
from mathse.core.params import load_params
from mathse.core.processes import ONE_THREAD
from mathse.profiles import apply_profile
from recipes.documents.results import commit_of, machine
from recipes.paper.arms import ARMS, Arm
from recipes.paper.keep import result_of

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "results" / "paper" / "runs"
MEASURED = ROOT / "results" / "paper"
WORK = ROOT / "build" / "paper"
PROFILE = "paper-mini"
SHARED = ("eval_base", "eval_r0", "eval_orm")
"""Targets that most arms of a seed have in common."""
_BEST_OF_N = ["best_of_n", "{last}", "--n", "4", "--n", "8", "--candidates", "3"]
AFTER = {arm: (_BEST_OF_N,) for arm in ("main", "likelihood", "stepwise", "select_rows")}
"""Measurements of `bench` in the folder of an arm: outside of the loop, so no stages."""
_PREPARING = threading.Lock()  # the YAML parser of the profiles serves one thread at a time
# "Running stage 'score@r1':"
_RAN = re.compile(r"^Running stage '([^']+)'", re.MULTILINE)


def prepare(arm: Arm, seed: int, workers: int) -> Path:
    """Make the copy of an arm, or bring it up to date, and return its folder."""
    folder = WORK / f"s{seed}" / arm.name
    starts = (folder.with_name(name) for name in (arm.start, ARMS[0].name))
    first = next((start for start in starts if (start / "dvc.lock").is_file()), None)
    if not folder.exists() and first is not None:
        # A kill leaves no half of a copy under the arm's name.
        partial = folder.with_name(f"{arm.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        left_out = shutil.ignore_patterns(".git", "repro.log", "journal")
        shutil.copytree(first, partial, symlinks=True, ignore=left_out)
        partial.replace(folder)
    copy_pipeline(ROOT, folder, PROFILE)
    apply_arm(folder, arm, seed)
    # One process for each arm, as many arms as workers. The params say so for the trainings.
    if workers > 1:
        (folder / "machine.yaml").write_text("inference_processes: 1\n", encoding="utf-8")
    cache = f"[cache]\n    dir = {WORK / 'cache'}\n"
    (folder / ".dvc" / "config.local").write_text(cache, encoding="utf-8")
    return folder


def apply_arm(folder: Path, arm: Arm, seed: int) -> None:
    """Apply an arm's changes to the params of a folder."""
    changes = yaml.safe_dump({**arm.changes, "seed": seed}, sort_keys=False)  # rounds in order
    text = f"# {arm.about}\n{changes}"
    (folder / "profiles" / "arm.yaml").write_text(text, encoding="utf-8")
    apply_profile(folder, "arm")


def params_digest(arm: Arm, seed: int) -> str:
    """Return a content id of an arm's params."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "params.yaml", folder)
        (folder / "profiles").mkdir()
        shutil.copy(ROOT / "profiles" / f"{PROFILE}.yaml", folder / "profiles")
        apply_profile(folder, PROFILE)
        apply_arm(folder, arm, seed)
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
    text = log.read_bytes()[begin:].decode("utf-8", errors="replace")
    if done.returncode:
        raise RuntimeError(f"dvc repro failed in {folder}:\n{text[-3000:]}")
    return time.monotonic() - start, _RAN.findall(text)


class Scheduler:
    """Hands out arms, each once what it starts from is there."""

    def __init__(
        self, tasks: list[tuple[Arm, int]], workers: int, again: Collection[int] = ()
    ) -> None:
        self.tasks, self.workers, self.again = tasks, workers, again
        self.busy: list[tuple[Arm, int]] = []
        self.failed: list[str] = []
        self.free = threading.Condition()

    def work(self) -> None:
        """Run arms until none is left."""
        while True:
            with self.free:
                while (found := self._ready()) is None:
                    if not self.tasks:
                        return
                    self.free.wait()
                self.tasks.remove(found)
                self.busy.append(found)
            arm, seed = found
            is_start = arm is ARMS[0] and seed in self.again
            work = make_start if is_start else run_arm
            is_done = self._try(arm, seed, partial(work, workers=self.workers))
            with self.free:
                if not is_done and arm is ARMS[0]:  # the others start from it
                    self.tasks = [task for task in self.tasks if task[1] != seed]
                self.busy.remove(found)
                self.free.notify_all()
            if is_done:
                self._try(arm, seed, measure)

    def _ready(self) -> tuple[Arm, int] | None:
        """Return the first arm that waits for no other of its seed."""
        awaited = {(arm.name, seed) for arm, seed in [*self.tasks, *self.busy]}
        return next((task for task in self.tasks if task[0].start == task[0].name
                     or (task[0].start, task[1]) not in awaited), None)  # fmt: skip

    def _try(self, arm: Arm, seed: int, work: Callable[[Arm, int], None]) -> bool:
        """Do a piece of work and return if it ended well; the others go on if not."""
        try:
            work(arm, seed)
        except Exception as error:
            self.failed.append(f"{arm.name}, seed {seed}: {error}")
            typer.echo(self.failed[-1], err=True)
            return False
        return True


def is_made(out: Path, digest: str) -> bool:
    """Return True if a file of results is there, made with these params."""
    return out.is_file() and json.loads(out.read_text(encoding="utf-8")).get("params") == digest


def seeds_without_start(tasks: list[tuple[Arm, int]]) -> set[int]:
    """Return the seeds whose first arm has its file, but no folder that others could start from."""
    runs = [
        (arm, seed, is_made(RUNS / f"{arm.name}-s{seed}.json", params_digest(arm, seed)))
        for arm, seed in tasks
    ]
    to_run = {seed for _, seed, done in runs if not done}
    start = ARMS[0]
    return {
        seed
        for arm, seed, done in runs
        if arm is start and done and seed in to_run
        and not (WORK / f"s{seed}" / start.name / "dvc.lock").is_file()
    }  # fmt: skip


def make_start(arm: Arm, seed: int, workers: int) -> None:
    """Run an arm whose file is there, without its controls, for those that start from it."""
    with _PREPARING:
        folder = prepare(arm, seed, workers)
    typer.echo(f"{time.strftime('%H:%M')} {arm.name}, seed {seed}: again, for what starts from it")
    controls = [f"eval_control@{name}" for name in load_params(folder / "params.yaml").controls]
    repro(folder, [target for target in targets_of(folder) if target not in controls])


def run_arm(arm: Arm, seed: int, workers: int) -> None:
    """Run an arm and write its file, unless it is there."""
    out = RUNS / f"{arm.name}-s{seed}.json"
    with _PREPARING:
        digest = params_digest(arm, seed)
        if is_made(out, digest):
            return
        is_new = not (WORK / f"s{seed}" / arm.name).exists()
        folder = prepare(arm, seed, workers)
    typer.echo(f"{time.strftime('%H:%M')} {arm.name}, seed {seed}: {arm.about}")
    seconds, ran = repro(folder, targets_of(folder))
    about = {"arm": arm.name, "seed": seed, "about": arm.about, "params": digest,
             "commit": commit_of(ROOT), "date": time.strftime("%Y-%m-%d"), "machine": machine(),
             "workers": workers, "seconds": round(seconds) if is_new else None,
             "stages_run": ran}  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**about, **result_of(folder)}, separators=(",", ":"))
    partial = out.with_suffix(".partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(out)
    typer.echo(f"{time.strftime('%H:%M')} {arm.name}, seed {seed}: done in {seconds / 60:.1f} min")


def measure(arm: Arm, seed: int) -> None:
    """Run the measurements of an arm, but for those that are done.

    Raises:
        RuntimeError: with what one printed, if it fails.
    """
    folder = WORK / f"s{seed}" / arm.name
    if not folder.is_dir():  # the arm was run on another machine
        return
    with _PREPARING:
        digest = params_digest(arm, seed)
    for name, *words in AFTER.get(arm.name, ()):
        out = MEASURED / name / f"{arm.name}-s{seed}.json"
        if is_made(out, digest):
            continue
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = out.with_suffix(".partial")
        last = load_params(folder / "params.yaml").last_round
        words = [word.format(last=last) for word in words]
        done = subprocess.run(
            [sys.executable, "-P", "-m", f"bench.{name}", *words, "--out", str(partial)],
            cwd=folder, env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{name} of seed {seed} failed:\n{done.stderr[-3000:]}")
        found = {"params": digest, **json.loads(partial.read_text(encoding="utf-8"))}
        partial.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        partial.replace(out)


def main(
    seeds: Annotated[int, typer.Option(help="how many seeds, from 0")] = 3,
    first: Annotated[int, typer.Option(help="leave out the seeds before this one")] = 0,
    arms: Annotated[
        str, typer.Option(help="names, with commas; empty: all, some of them with one seed")
    ] = "",
    workers: Annotated[int, typer.Option(help="arms at a time, one core each")] = 2,
) -> None:
    """Run the arms of all seeds, the most important ones first."""
    wanted = [name for name in arms.split(",") if name]
    if unknown := {*wanted} - {arm.name for arm in ARMS}:
        raise typer.BadParameter(f"there is no arm {', '.join(sorted(unknown))}")
    tasks = [
        (arm, seed)
        for arm in ARMS
        for seed in range(first, seeds if wanted else min(seeds, arm.seeds))
        if not wanted or arm.name in wanted
    ]
    scheduler = Scheduler(tasks, workers, seeds_without_start(tasks))
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(scheduler.work) for _ in range(workers)]
        try:
            for future in futures:
                future.result()
        except KeyboardInterrupt:
            scheduler.tasks.clear()  # the stages that run end by the same signal
            raise
    if scheduler.failed:
        raise SystemExit(f"{len(scheduler.failed)} arms or measurements failed")


if __name__ == "__main__":
    typer.run(main)
