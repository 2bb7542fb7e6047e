"""Which tests run one after the other where pytest-xdist shares them out among processes."""

from __future__ import annotations

from pathlib import Path

import pytest

FIRST = "pipeline"
"""The folder whose tests share one run of the pipeline: the longest part, so it comes first."""


def group_of(item: pytest.Item) -> str:
    """Return the file of a test, or the folder whose tests share a run."""
    path = Path(item.location[0])
    return FIRST if FIRST in path.parts else str(path)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, and start the longest group first."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
    items.sort(key=lambda item: group_of(item) != FIRST)
