"""control: r0's training rows again; a model learns from them alone for all rounds' steps."""

from __future__ import annotations

import schemas
from mathse.core.layout import Layout
from mathse.core.run_stage import run
from mathse.core.stage_tables import read, write, write_metrics


def control(layout: Layout) -> None:
    """Write the rows of the control without new data."""
    rows = read(layout.round("r0").train, schemas.TrainRow)
    write(rows, layout.round("control").train, schemas.TrainRow, sort_by=["row_id"])
    write_metrics(layout.metrics("control"), {"control": {"rows": rows.height}})


if __name__ == "__main__":
    run(control)
