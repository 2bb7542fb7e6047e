"""Processes that begin with the model libraries imported, for tests that start many.

Importing them takes seconds in each process of its own, and more than what it does in a test.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver

import pytest

from mathse.core import processes
from tests.closure import ROOT

CONTEXT = multiprocessing.get_context("forkserver")
"""Its processes are forks of one that has imported `MODULES` and started no thread."""
MODULES = [
    "mathse.training.loop",
    "mathse.engines.transformers_engine",
    "torch.distributed",
    "tests.engines.fake",
    "tests.training.given",
]


def start_server() -> None:
    """Start the process that is forked, unless it runs."""
    CONTEXT.set_forkserver_preload(MODULES)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**processes.ONE_THREAD, "PYTHONPATH": str(ROOT)}.items():
            patch.setenv(name, value)
        forkserver.ensure_running()


@contextmanager
def preloaded_workers() -> Iterator[None]:
    """Have `start_worker` start forks of the server; else it starts each Python anew."""
    start_server()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "_CONTEXT", CONTEXT)
        yield
