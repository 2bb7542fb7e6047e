"""Kill a small run of every stage at random moments: what is lost, and is the end the same?

    python -m bench.kills [--kills 30] [--seed 0] [--folder build/kills]

TabMWP is imported (MATHSE_DATA names the folder that holds it), and a server plays teacher,
annotator and reflector. One run goes through undisturbed. In another one, each stage in turn is hit
at a random moment: a worker, the stage's process, `dvc`, or all of them; by SIGKILL or SIGTERM.
Then the same command is started again. Counted are the units (batches, steps of a training,
requests) that were begun before a kill and again after it, by `bench/recorder`. The result goes to
`bench/results/kills.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.common import ROOT, save
from bench.data import need
from mathse.copies import copy_pipeline
from mathse.core.tables import read_table
from mathse.datasets.importing import import_source
from tests.servers.chat import Body, ChatServer, Reply
from tests.servers.data_set_teacher import DataSetTeacher, point_to

RECORDER = ROOT / "bench" / "recorder"
VICTIMS = ("worker", "stage", "dvc", "group")
IMPORT = "import"
END_S = 120.0  # how long processes may take to end after a kill
WORKERS = 1  # processes that generate text, and requests in flight: a kill costs a unit of each
_RUNNING = re.compile(r"Running stage '(.+)':")  # "Running stage 'generate@r1':"
_STAGE = re.compile(r"\S*python\S* (-m stages\.|\S*mathse )")  # "/usr/bin/python -m stages.eval r0"

PARAMS: dict[str, Any] = {
    "problems": {
        "tables": [
            {"path": "data/import/tabmwp", "split": "dev", "use": "train", "limit": 48},
            {"path": "data/import/tabmwp", "split": "test", "use": "eval", "limit": 12},
        ]
    },
    "errors_max_share": 0.5,  # the server errs at a set rate, and there are few requests
    "student": {"batch_size": 4},
    "orm": {"batch_size": 4},
    "distill": {"problems": 20},
    "orm_data": {"samples": 2, "max_new_tokens": 24},
    "train_orm": {"steps": 8, "batch_size": 4, "micro_batch_size": 2},
    "generate": {"samples": 2, "max_problems": None, "hard_samples": 2, "max_new_tokens": 24},
    "score": {"accept": "answer", "max_new_tokens": 48},
    "finetune": {"steps": 8, "batch_size": 4, "processes": 1},
    "evolve": {"steps": 6},
    "eval": {"splits": ["eval"], "limit": None, "max_new_tokens": 24},
    "controls": [],
}


@dataclass(frozen=True)
class Kill:
    """A kill that is planned: who, how, in which stage, at which share of its time."""

    stage: str
    victim: str
    signal: str
    moment: float


@dataclass
class Killed:
    """A kill that was done.

    Attributes:
        stage, second: what ran, and for how long.
        victim, signal: as planned; `stage` in place of `worker` where a stage had none.
        begun: units of the stage that had begun.
        repeated: units that had begun before it and began again after it.
        went_on: the run went on by itself.
        ended_s: until the last process had ended.
        left: processes that had not ended in time.
        line: lines of the log at that moment.
    """

    stage: str
    second: float
    victim: str
    signal: str
    begun: int
    repeated: int = 0
    went_on: bool = True
    ended_s: float = 0.0
    left: int = 0
    line: int = 0


class Units:
    """The log of units that were begun: `STAGE KIND HASH`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.stage = ""
        file.unlink(missing_ok=True)
        file.touch()

    def begin(self, kind: str, content: object) -> None:
        """Write a line, for the stage that runs."""
        digest = hashlib.sha256(repr(content).encode()).hexdigest()[:16]
        with self.file.open("a", encoding="utf-8") as file:
            file.write(f"{self.stage} {kind} {digest}\n")

    def lines(self) -> list[str]:
        """Return all lines so far."""
        return self.file.read_text(encoding="utf-8").splitlines()


class Run:
    """A command in a session of its own; follows which stage runs.

    Args:
        command: `dvc repro`, or another one, which is one stage.
        folder: where it runs.
        units: what it logs to.
    """

    def __init__(self, command: Sequence[str], folder: Path, units: Units) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        python_path = os.pathsep.join([str(RECORDER), str(ROOT)])
        more = {"PATH": path, "PYTHONPATH": python_path, "MATHSE_UNITS_LOG": str(units.file)}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **more, "DVC_NO_ANALYTICS": "1", "TOKENIZERS_PARALLELISM": "false"},
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.lines: list[str] = []
        self.at = ("", time.monotonic())
        self._units = units
        self._stages: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        if command[0] != "dvc":
            self._enter(IMPORT)
        threading.Thread(target=self._follow, daemon=True).start()

    def _enter(self, stage: str) -> None:
        self.at = (stage, time.monotonic())
        self._units.stage = stage
        self._stages.put(stage)

    def _follow(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if found := _RUNNING.search(line):
                self._enter(found[1])
        self._stages.put(None)

    def next_stage(self) -> str | None:
        """Wait for the next stage and return its name; None at the end."""
        return self._stages.get()

    def tail(self) -> str:
        """Return the last lines that it printed."""
        return "".join(self.lines[-40:])

    def processes(self) -> dict[int, tuple[int, str]]:
        """Return parent and command of each process of the session."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, ValueError):
                # "17 (bash) S 12 17 17 …": state, parent, group, session
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == self.process.pid and fields[0] != "Z":
                    command = (entry / "cmdline").read_text().replace("\0", " ")
                    found[int(entry.name)] = (int(fields[1]), command)
        return found

    def victims(self, kind: str) -> list[int]:
        """Return the processes of a kind: dvc, the stage, or its workers."""
        if kind == "dvc":
            return [self.process.pid]
        alive = self.processes()
        stages = [pid for pid, (_, command) in alive.items() if _STAGE.match(command)]
        if kind == "stage":
            return stages or [self.process.pid]
        return [
            pid
            for pid, (parent, command) in alive.items()
            if parent in stages and "spawn_main" in command
        ]

    def end(self) -> tuple[float, int]:
        """Wait until no process is left; return seconds, and how many had to be killed."""
        start_s = time.monotonic()
        while self.processes() and time.monotonic() - start_s < END_S:
            time.sleep(0.05)
        left = self.processes()
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        return round(time.monotonic() - start_s, 1), len(left)


def plan_kills(stages: Sequence[str], count: int, seed: int) -> list[Kill]:
    """Return kills in the order of the stages, spread over all of them; each way in turn."""
    chance = random.Random(seed)
    numbers = [*range(len(stages))] * (count // len(stages))
    numbers += chance.sample(range(len(stages)), count - len(numbers))
    ways = [(victim, name) for victim in VICTIMS for name in ("SIGKILL", "SIGTERM")]
    ways = [way for _ in range(0, count, len(ways)) for way in chance.sample(ways, len(ways))]
    return [
        Kill(stages[number], *way, chance.random())
        for number, way in zip(sorted(numbers), ways, strict=False)
    ]


def watch(folder: Path, units: Units, command: Sequence[str]) -> dict[str, float]:
    """Run a command undisturbed; return the seconds of each stage.

    Raises:
        SystemExit: if it fails.
    """
    run = Run(command, folder, units)
    seconds: dict[str, float] = {}
    stage, start_s = run.next_stage(), time.monotonic()
    while stage is not None:
        following, end_s = run.next_stage(), time.monotonic()
        seconds[stage] = end_s - start_s
        stage, start_s = following, end_s
    if run.process.wait() != 0:
        raise SystemExit(run.tail())
    return seconds


def disturb(
    folder: Path,
    units: Units,
    command: Sequence[str],
    kills: Sequence[Kill],
    seconds: Mapping[str, float],
    report: Callable[[Killed], None] = lambda _: None,
) -> list[Killed]:
    """Run a command and kill it as planned, each time starting it again, until it is through.

    Args:
        folder: where it runs.
        units: what it logs to.
        command: as for `Run`.
        kills: in the order of the stages.
        seconds: how long each stage takes, in the order in which they run.
        report: called after each kill.

    Raises:
        SystemExit: if the run fails otherwise than by a kill.
    """
    order, waiting, done = list(seconds), list(kills), list[Killed]()
    run, hurt = Run(command, folder, units), False
    while True:
        stage = run.next_stage()
        if stage is None:
            code = run.process.wait()
            if code and not hurt:
                raise SystemExit(run.tail())
            if code == 0:
                break
            done[-1].went_on = False
            done[-1].ended_s, done[-1].left = run.end()
            run, hurt = Run(command, folder, units), False
            continue
        if waiting and order.index(waiting[0].stage) <= order.index(stage):
            kill = waiting.pop(0)
            killed = _kill(run, kill, seconds[kill.stage], units)
            if killed.victim == "worker":
                hurt = True  # some stages go on without it
            else:
                killed.went_on = False
                killed.ended_s, killed.left = run.end()
                run, hurt = Run(command, folder, units), False
            done.append(killed)
            report(killed)
    lines, ends = units.lines(), [killed.line for killed in done]
    for killed, end in zip(done, [*ends[1:], None], strict=False):
        before = set(lines[: killed.line])
        killed.repeated = sum(line in before for line in lines[killed.line : end])
    return done


def _kill(run: Run, kill: Kill, length_s: float, units: Units) -> Killed:
    """Wait for the moment of a kill and do it."""
    name, start_s = run.at

    def runs() -> bool:
        return run.process.poll() is None and run.at[0] == name

    while runs() and time.monotonic() - start_s < kill.moment * length_s:
        time.sleep(0.01)
    victim = kill.victim
    while victim == "worker" and runs() and not run.victims("worker"):
        time.sleep(0.02)  # it loads before it starts one; some stages have none
    if victim == "worker" and not run.victims("worker"):
        victim = "stage"
    (stage, start_s), now_s, lines = run.at, time.monotonic(), units.lines()
    begun = sum(line.startswith(f"{stage} ") for line in lines)
    with suppress(OSError):
        if victim == "group":
            os.killpg(run.process.pid, signal.Signals[kill.signal])
        else:
            os.kill(random.choice(run.victims(victim)), signal.Signals[kill.signal])
    return Killed(stage, round(now_s - start_s, 2), victim, kill.signal, begun, line=len(lines))


def recorded(folder: Path) -> dict[str, str]:
    """Return the hash of all that the stages read and wrote, from `dvc.lock`."""
    stages = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    parts = [part for one in stages.values() for kind in ("deps", "outs") for part in one[kind]]
    return {part["path"]: part["md5"] for part in parts}


def prepare(folder: Path, url: str) -> None:
    """Make a copy of the pipeline on very little imported data, with a served teacher."""
    shutil.rmtree(folder, ignore_errors=True)
    copy_pipeline(ROOT, folder, "real")
    file = folder / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    for section, values in PARAMS.items():
        params[section] = {**params[section], **values} if isinstance(values, dict) else values
    file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    machine = {"save_every_steps": 1, "inference_processes": WORKERS}
    (folder / "machine.yaml").write_text(yaml.safe_dump(machine), encoding="utf-8")
    point_to(folder, url)
    machine = yaml.safe_load((folder / "machine.yaml").read_text(encoding="utf-8"))
    machine["servers"]["default"]["concurrency"] = WORKERS
    (folder / "machine.yaml").write_text(yaml.safe_dump(machine), encoding="utf-8")


def main() -> None:
    """Print each kill as it is done; write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "kills")
    parser.add_argument("--again", action="store_true", help="keep the undisturbed run of before")
    args = parser.parse_args()
    args.folder = args.folder.resolve()  # stages log units from their own folder
    random.seed(args.seed)
    data = need("tabmwp")
    args.folder.mkdir(parents=True, exist_ok=True)
    whole, killed = args.folder / "whole", args.folder / "killed"
    import_source("tabmwp", data, args.folder / "known")
    rows = read_table(args.folder / "known" / "problems.parquet").to_dicts()
    teacher = DataSetTeacher(rows, errs=0.1, delay_s=0.2)
    units = Units(args.folder / "units.log")

    def answer(body: Body) -> Reply:
        units.begin("request", sorted(body.items()))
        return teacher(body)

    importing = ["mathse", "import", "tabmwp", str(data)]
    running = ["dvc", "repro"]
    with ChatServer(answer) as server:
        calm = args.folder / "calm.json"
        if not (args.again and calm.is_file()):
            prepare(whole, server.url)
            seconds = watch(whole, units, importing) | watch(whole, units, running)
            calm.write_text(json.dumps({"seconds": seconds, "units": units.lines()}))
        seconds, once = json.loads(calm.read_text()).values()
        print(f"{len(once)} units, {len(set(once))} different; {sum(seconds.values()):.0f} s")
        prepare(killed, server.url)
        planned = plan_kills(list(seconds), args.kills, args.seed)
        units = Units(args.folder / "units.log")

        def report(one: Killed) -> None:
            print(f"{one.stage:>18} {one.second:>6.1f} s: {one.signal} to {one.victim}", flush=True)

        first = [kill for kill in planned if kill.stage == IMPORT]
        done = disturb(killed, units, importing, first, seconds, report)
        done += disturb(killed, units, running, planned[len(first) :], seconds, report)
    one, other = recorded(whole), recorded(killed)
    different = sorted(
        name for name in one.keys() | other.keys() if one.get(name) != other.get(name)
    )
    result = {
        "seed": args.seed,
        "stages": len(seconds),
        "kills": len(done),
        "workers": WORKERS,
        "hashes": len(one),
        "different": different,
        "units": len(json.loads(calm.read_text())["units"]),
        "repeated_max": max(killed.repeated for killed in done),
        "repeated": sum(killed.repeated for killed in done),
        "left": sum(killed.left for killed in done),
        "each": [asdict(killed) for killed in done],
    }
    print(json.dumps({name: value for name, value in result.items() if name != "each"}, indent=2))
    save("kills", result, ("dvc", "torch", "transformers", "accelerate"))
    sys.exit(bool(different) or result["repeated_max"] > WORKERS or result["left"] > 0)


if __name__ == "__main__":
    main()
