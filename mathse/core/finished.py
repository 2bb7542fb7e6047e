"""Checkpoints of finished trainings: kept until DVC has recorded what they led to.

DVC deletes the outputs of a stage that was killed before it had cached them. With the checkpoint
of the last step, the stage writes them again without training.
"""

from __future__ import annotations

import shutil

from mathse.core.layout import Layout

FINISHED = "finished"
"""A file beside the checkpoint, with the MD5 of the run's loss curve, as `dvc.lock` writes it."""


def remove_finished(layout: Layout) -> None:
    """Remove the checkpoints of every run whose curve `dvc.lock` has."""
    lock = layout.dvc_lock
    if marks := list(layout.checkpoints("*").parent.glob(f"*/*/{FINISHED}")):
        recorded = lock.read_text(encoding="utf-8") if lock.is_file() else ""
        for mark in marks:
            if (digest := mark.read_text(encoding="ascii")) and digest in recorded:
                shutil.rmtree(mark.parent)
