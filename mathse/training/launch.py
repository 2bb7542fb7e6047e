"""One training run in several processes: on a CPU over gloo, on GPUs under torchrun."""

from __future__ import annotations

import logging
import multiprocessing.connection
import os
import pickle
import shlex
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

from mathse.core.errors import MathseError, ParamError
from mathse.core.machine import Launcher, Machine
from mathse.core.params import Training
from mathse.core.processes import ONE_THREAD, end_with_launcher, no_garbage, start_worker
from mathse.core.tables import open_durably
from mathse.training.examples import Example
from mathse.training.stopping import STOP, Stopped, stop_when_asked
from mathse.training.train_report import TrainReport

_TASK, _RESULT = "task.pickle", "result.pickle"
SHUTDOWN_S = 900
"""How long torchrun, asked to end, waits for its processes: a checkpoint may have 90 GB."""
GRACE_S = 5
"""How long the processes beside one that has failed may take to fail as well."""

log = logging.getLogger(__name__)


class ExampleFile:
    """Examples in a file, read one at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, examples: Iterable[Example]) -> None:
        """Write them, one at a time."""
        with open_durably(self.path) as file:
            for example in examples:
                pickle.dump(example, file)

    def __iter__(self) -> Iterator[Example]:
        """Read one after the other."""
        with self.path.open("rb") as file:
            while file.peek():
                yield pickle.load(file)


def train(
    examples: Iterable[Example],
    *,
    config: Training,
    machine: Machine,
    checkpoints: Path,
    **options: Any,
) -> TrainReport:
    """Call `train_loop.finetune` in one process, or in several that share each batch.

    Args:
        examples: as for `finetune`.
        config: as for `finetune`; its `processes` are those on the CPU alone.
        machine: whether there are GPUs, and how processes start on them.
        checkpoints: as for `finetune`; also what the processes have to know goes there.
        options: the other arguments of `finetune`, picklable.

    Raises:
        ParamError: if there are GPUs that PyTorch cannot use, or fewer than processes.
    """
    options |= {"config": config, "checkpoints": checkpoints, "cpu": machine.device == "cpu"}
    options["save_every_steps"] = machine.save_every_steps
    launcher = machine.launcher
    options["peak_tflops"] = launcher.peak_tflops
    # What would fail in every process fails here, before examples are written.
    if machine.has_gpu:
        from mathse.engines.precision import check_gpus

        check_gpus()
    on_gpus = machine.has_gpu and launcher.processes * launcher.nodes > 1
    if on_gpus and launcher.processes > len(machine.gpus) and not launcher.prefix:
        raise ParamError(
            f"launcher.processes in machine.yaml: {launcher.processes}, and this machine has "
            f"{len(machine.gpus)} GPUs; each process needs one"
        )
    # A stop that was asked of an earlier training does not end this one.
    stop = checkpoints / STOP
    stop.unlink(missing_ok=True)
    with stop_when_asked(stop):
        if not on_gpus and (config.processes == 1 or machine.has_gpu):
            from mathse.training.train_loop import finetune

            return finetune(examples, **options)
        # Several processes get the examples through a file, read one at a time.
        folder = checkpoints / "launch"
        folder.mkdir(parents=True, exist_ok=True)
        shared = ExampleFile(folder / "examples.pickle")
        shared.write(examples)
        try:
            if on_gpus:
                return run_torchrun(shared, folder, launcher, options)
            return _train_on_cpu(shared, folder, config.processes, options)
        except _EndedError as error:
            if stop.exists():
                raise Stopped("Stopped as asked, before the first step.") from error
            raise MathseError(
                "A process of this training has ended, killed or for want of memory.\n"
                "  fix: if memory is short, lower micro_batch_size or processes; the next run goes "
                "on from the last checkpoint"
            ) from error
        finally:
            shutil.rmtree(folder)


def run_torchrun(
    examples: ExampleFile, folder: Path, launcher: Launcher, options: dict[str, Any]
) -> TrainReport:
    """Train in processes that `torchrun` starts, on one node or several that share the folder.

    Raises:
        MathseError: the one that a process raised; or where they ended without one.
    """
    (folder / _TASK).write_bytes(pickle.dumps((examples, options)))
    (folder / _RESULT).unlink(missing_ok=True)
    meeting = [f"--nnodes={launcher.nodes}", "--rdzv-backend=c10d", "--rdzv-id=mathse"]
    meeting.append(f"--rdzv-endpoint={launcher.rendezvous}")
    command = [*launcher.prefix, sys.executable, "-m", "torch.distributed.run"]
    command += meeting if launcher.nodes > 1 else ["--standalone"]
    command += [f"--nproc-per-node={launcher.processes}", "-m", __name__, str(folder)]
    if launcher.nodes > 1 and not launcher.prefix:
        log.info("run on each other node, in this folder: %s", shlex.join(command))
    # Ctrl-C does not reach it: the stop file ends its processes, each with its checkpoint written.
    environment = os.environ | {"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(SHUTDOWN_S)}
    done = subprocess.run(command, check=False, env=environment, start_new_session=True)
    ended = done.returncode
    if not (folder / _RESULT).is_file():
        raise MathseError(f"torchrun ended with {ended} and no result; its messages are above.")
    result = pickle.loads((folder / _RESULT).read_bytes())
    if isinstance(result, Exception):
        raise result
    return cast(TrainReport, result)


def run_rank(folder: Path) -> None:
    """Train as one of the processes of `torchrun`; write the result or the error."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("mathse").setLevel(logging.INFO)
    end_with_launcher()
    examples, options = pickle.loads((folder / _TASK).read_bytes())
    from mathse.training.train_loop import finetune

    result: TrainReport | MathseError
    try:
        result = finetune(examples, **options)
    except MathseError as error:
        result = error
    if os.environ["RANK"] == "0" or isinstance(result, MathseError):
        part = folder / f"{_RESULT}.{os.environ['RANK']}"
        part.write_bytes(pickle.dumps(result))
        part.rename(folder / _RESULT)
    sys.exit(isinstance(result, MathseError))


def _train_on_cpu(
    examples: ExampleFile, folder: Path, processes: int, options: dict[str, Any]
) -> TrainReport:
    """Train in processes of their own. When one fails, the others are ended: they wait for it."""
    rendezvous = folder / "rendezvous"
    rendezvous.unlink(missing_ok=True)
    ranks = [
        start_worker(
            ONE_THREAD, partial(_train_rank, rank, processes, rendezvous, examples, options)
        )
        for rank in range(processes)
    ]
    results: dict[Connection, TrainReport] = {}
    try:
        while waiting := [connection for _, connection in ranks if connection not in results]:
            ready = cast(list[Connection], multiprocessing.connection.wait(waiting))
            got = [(connection, _receive(connection)) for connection in ready]
            errors = [result for _, result in got if isinstance(result, Exception)]
            # The reason, rather than what it did to the other processes.
            for error in sorted(errors, key=lambda error: not isinstance(error, MathseError)):
                if isinstance(error, Stopped):
                    for process, _ in ranks:
                        process.join()  # all stop at this step; one may still write the checkpoint
                raise error
            results |= {c: result for c, result in got if isinstance(result, TrainReport)}
        return results[ranks[0][1]]
    finally:
        for process, connection in ranks:
            process.join(GRACE_S)
            process.kill()
            process.join()
            connection.close()


class _EndedError(Exception):
    """A process has ended without a word."""


def _receive(connection: Connection) -> TrainReport | Exception:
    try:
        return cast("TrainReport | Exception", connection.recv())
    except (EOFError, ConnectionError):
        return _EndedError()


def _train_rank(
    rank: int,
    world: int,
    rendezvous: Path,
    examples: ExampleFile,
    options: dict[str, Any],
    connection: Connection,
) -> None:
    """Train as one of several processes; send the result or the error."""
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
        "ACCELERATE_USE_CPU": "true",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
    }
    if sys.platform == "linux":
        # The host's name may resolve to an interface that is down.
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    with no_garbage():
        from torch import distributed

        from mathse.training.train_loop import finetune

    url = f"file://{rendezvous.absolute()}"
    distributed.init_process_group("gloo", init_method=url, rank=rank, world_size=world)
    try:
        connection.send(finetune(examples, **{**options, "cpu": True}))
    except Exception as error:
        if not isinstance(error, MathseError):
            error.add_note(traceback.format_exc())
        connection.send(error)  # before the group ends, which is an error for the others
        raise SystemExit(1) from None
    distributed.destroy_process_group()


if __name__ == "__main__":
    run_rank(Path(sys.argv[1]))
