from __future__ import annotations

from pathlib import Path

from mathse.core.finished import FINISHED, remove_finished
from mathse.core.layout import Layout


def test_checkpoints_go_once_dvc_has_recorded_the_curve(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    finished, unfinished = (layout.checkpoints("r1") / name for name in ("one", "other"))
    for folder in (finished, unfinished):
        (folder / "step-00000004").mkdir(parents=True)
    (finished / FINISHED).write_text("1b3f")
    remove_finished(layout)
    (tmp_path / "dvc.lock").write_text("md5: 77aa")
    remove_finished(layout)
    assert finished.exists()
    (tmp_path / "dvc.lock").write_text("md5: 77aa\nmd5: 1b3f")
    remove_finished(layout)
    assert not finished.exists() and unfinished.exists()
    # A mark that was not written whole says nothing.
    (unfinished / FINISHED).touch()
    remove_finished(layout)
    assert unfinished.exists()
