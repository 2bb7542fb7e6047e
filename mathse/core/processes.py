"""Processes: workers that share one piece of work on a CPU, and ends that belong together.

A worker ends when the stage ends, a stage when the `dvc` that runs it ends, whatever ended them.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from mathse.core.errors import DataError, ParamError

WATCH_EVERY_S = 1.0
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # oneDNN keeps 1,024 kernels, each for one shape of a batch; hardly one comes back
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",
}
"""Environment of a worker on a CPU. Where a model is small, two processes with one thread each do
more than one process with two threads."""

os.register_at_fork(after_in_child=gc.enable)  # in what a library forks inside of `no_garbage`

_CONTEXT = multiprocessing.get_context("spawn")  # polars and threads do not survive a fork


def start_worker(
    environment: Mapping[str, str], run: Callable[[Connection], None]
) -> tuple[SpawnProcess, Connection]:
    """Start a fresh process that logs as this one does, and that ends with this one.

    Args:
        environment: variables that are set in the process before it imports a model library.
        run: called there with its end of a connection; picklable.

    Returns:
        The process and this end of the connection.
    """
    connection, other_end = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_start, args=(dict(environment), _levels(), run, other_end))
    process.start()
    other_end.close()
    return process, connection


def join_parent() -> None:
    """Let this worker end when its parent does, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides, and ends this one
    threading.Thread(target=_end_with_parent, daemon=True).start()


@contextmanager
def no_garbage() -> Iterator[None]:
    """Import libraries and load a model without the search for garbage, a quarter of the time.

    What is there afterwards is never searched again: it stays as long as the process.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def end_workers() -> None:
    """End the workers of this process: at its exit it would wait for them."""
    for process in multiprocessing.active_children():
        process.terminate()


def _levels() -> dict[str, int]:
    """Return the levels of all loggers that have one."""
    loggers = logging.root.manager.loggerDict.items()
    return {
        name: logger.level
        for name, logger in loggers
        if isinstance(logger, logging.Logger) and logger.level
    }


def _start(
    environment: dict[str, str],
    levels: dict[str, int],
    run: Callable[[Connection], None],
    connection: Connection,
) -> None:
    # After all that libraries do at the end: to take a thousand modules apart takes a second.
    ended: list[bool] = []
    atexit.register(lambda: _leave() if ended else None)
    os.environ |= environment  # before any library that counts cores is imported
    join_parent()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    run(connection)
    ended.append(True)


def _leave() -> None:
    """End this process at once, after the finalizers of `weakref`: they may come after this."""
    weakref.finalize._exitfunc()  # type: ignore[attr-defined]
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _end_with_parent() -> None:
    """Wait for the parent's end: a worker of a killed parent would go on beside the next run."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def environment_for_workers(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for processes that start inside of the block."""
    before = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ |= variables
    try:
        yield
    finally:
        for name in variables.keys() - before.keys():
            del os.environ[name]
        os.environ |= before


@contextmanager
def single_run(lock: Path, what: str) -> Iterator[None]:
    """Keep a second run of the same thing out while this one lasts.

    The lock goes with the process, whatever ends it.

    Raises:
        ParamError: if another process has it.
        DataError: if it cannot be written: read-only folder.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a+", encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"The lock of {what} cannot be written: {error.strerror}",
            file=lock,
            fix="make the project's folder writable, and run it again",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ParamError(
                f"{what} runs already in this folder, as process {file.read().strip()}.\n"
                "  fix: wait until it has ended, or end it; what it has finished is kept"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def end_with_dvc() -> None:
    """End this stage when the `dvc` that runs it ends: else it would go on beside the next run."""
    parents = [(os.getpid(), os.getppid())]
    if "DVC_STAGE" not in os.environ or parents[0][1] == 1:
        return
    if _is_shell(parents[0][1]) and (above := _parent_of(parents[0][1])):
        parents.append((parents[0][1], above))
    threading.Thread(target=_watch, args=(parents,), daemon=True).start()


def end_with_launcher() -> None:
    """End this process when what launched it ends, or what started the launcher."""
    parents = [(os.getpid(), os.getppid())]
    if above := _parent_of(os.getppid()):
        parents.append((os.getppid(), above))
    threading.Thread(target=_watch, args=(parents,), daemon=True).start()


def _watch(parents: list[tuple[int, int]]) -> None:
    while all(_parent_of(child) == parent for child, parent in parents):
        time.sleep(WATCH_EVERY_S)
    print("dvc has ended, and this stage with it; `dvc repro` goes on from here", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGTERM)


def _parent_of(process: int) -> int | None:
    """Return the parent of a process; of others than this one only where there is /proc."""
    if process == os.getpid():
        return os.getppid()
    try:  # "17 (bash) S 12 ..."
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _is_shell(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip() in ("sh", "bash", "dash", "zsh")
    except OSError:
        return False
