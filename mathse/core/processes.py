"""Worker processes that share one piece of work on a CPU, each with one thread."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def worker_pool(
    processes: int, prepare: Callable[..., None] | None = None, *given: Any
) -> ProcessPoolExecutor:
    """Return a pool of fresh processes that log as this one does, and that end when this one ends or is killed.

    Two processes with one thread each do more than one process with two threads where a model is
    small.

    Args:
        processes: how many.
        prepare: called in each process before its first task. What it raises breaks the pool
            without a reason, so it had better do little.
        given: arguments of `prepare`; they and every task must be picklable.
    """
    context = multiprocessing.get_context("spawn")  # polars and threads do not survive a fork
    loggers = logging.root.manager.loggerDict.items()
    levels = {
        name: logger.level
        for name, logger in loggers
        if isinstance(logger, logging.Logger) and logger.level
    }
    return ProcessPoolExecutor(
        processes, mp_context=context, initializer=_start, initargs=(levels, prepare, given)
    )


def _start(
    levels: dict[str, int], prepare: Callable[..., None] | None, given: tuple[Any, ...]
) -> None:
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = (
        "1"  # before any library that counts cores
    )
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    if prepare is not None:
        prepare(*given)


def _end_with_parent() -> None:
    """Wait for the parent's end: a worker whose parent was killed would go on beside the next run."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
