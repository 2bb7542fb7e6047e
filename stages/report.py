"""report: write the page about the whole run; no model runs."""

from __future__ import annotations

from mathse.core.layout import Layout
from mathse.core.run_stage import run
from mathse.report.page.render import write_report
from mathse.report.page.run_tables import RunTables


def report(layout: Layout) -> None:
    """Write report.html about what the tables have."""
    write_report([RunTables(layout)], layout.report)


if __name__ == "__main__":
    run(report)
