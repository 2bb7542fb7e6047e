"""Which tests run one after the other where pytest-xdist shares them out among processes."""

from __future__ import annotations

import gc
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

PIPELINE = "pipeline"
SEPARATE = {"tests/pipeline/test_code.py"}
"""Files of that folder whose tests do not use its one run of the pipeline."""


def group_of(test: str) -> str:
    """Return the file of a test, or the name of the tests that share a run of the pipeline.

    Args:
        test: the test's id, as in "tests/core/test_ids.py::test_look_alikes_differ[0]".
    """
    file = test.partition("::")[0]
    shares_run = PIPELINE in PurePosixPath(file).parts and file not in SEPARATE
    return PIPELINE if shares_run else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Send each group of tests to one process.

    The groups of `--dist loadgroup` do not: pytest-xdist 3.8 writes them to an attribute that
    pytest 9.2 no longer reads, so each test was a group, and both processes built each fixture.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return Groups(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the pipeline's tests first: they take longest."""
    items.sort(key=lambda item: group_of(item.nodeid) != PIPELINE)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Keep the modules that are imported by now out of every later collection of garbage."""
    gc.collect()
    gc.freeze()
