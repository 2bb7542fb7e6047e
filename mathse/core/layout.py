"""Every path of the project, for stages, reports and tests.

Where the environment variable MATHSE_LAYOUT_LOG names a file, each path that is asked for is
written there as one line: the command, a tab, the path. A test compares these with `dvc.yaml`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

from mathse.core.machine import load_machine
from mathse.core.work_folder import project_folder


class _Path:
    """A path below a folder of the layout: its own, or the data folder."""

    def __init__(self, *parts: str, below: Literal["folder", "data"] = "folder") -> None:
        self.parts, self.below = parts, below

    def __get__(self, owner: _Folder, _: type) -> Path:
        return _logged(getattr(owner, self.below).joinpath(*self.parts))


class _Folder:
    """A folder of which some paths have names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder


class RoundLayout(_Folder):
    """The files of one round, of r0, or of a control."""

    trajectories = _Path("trajectories.parquet")
    verdicts = _Path("verdicts.parquet")
    mistakes = _Path("mistakes.parquet")
    reflections = _Path("reflections.parquet")
    reflection_verdicts = _Path("reflection_verdicts.parquet")
    train = _Path("train.parquet")
    ledger = _Path("ledger.parquet")
    audit = _Path("audit.parquet")
    dropped = _Path("dropped.parquet")
    model = _Path("model")
    orm_rows = _Path("orm", "rows.parquet")
    orm_model = _Path("orm", "model")
    orm_curve = _Path("orm_curve.tsv")


class EvalLayout(_Folder):
    """The files of one model's evaluation."""

    predictions = _Path("predictions.parquet")
    graded = _Path("graded.parquet")
    accuracy = _Path("accuracy.parquet")
    transitions = _Path("transitions.parquet")
    gate = _Path("gate.json")
    canary = _Path("canary.parquet")


class OrmLayout(_Folder):
    """The files of the ORM: what it learns from, the model, its judgements of the test rows."""

    trajectories = _Path("data", "trajectories.parquet")
    rows = _Path("data", "rows.parquet")
    model = _Path("model")
    judgements = _Path("judgements.parquet")


class Layout(_Folder):
    """All paths of a project, or of another revision of it.

    Args:
        root: the folder of `params.yaml`.
        data: instead: the data folder, which may have any name; `root` is the folder around it.
    """

    def __init__(self, root: str | Path = "", *, data: str | Path | None = None) -> None:
        super().__init__(Path(root) if data is None else Path(data).parent)
        self.data = self.folder / "data" if data is None else Path(data)

    params = _Path("params.yaml")
    machine = _Path("machine.yaml")
    imports = _Path("imports.json")
    overrides = _Path("overrides.csv")
    problems = _Path("problems", "problems.parquet", below="data")
    images = _Path("problems", "images", below="data")
    trained_on = _Path("trained_on.json", below="data")
    quarantine = _Path("problems", "quarantine.parquet", below="data")
    matches = _Path("decontaminate", "matches.parquet", below="data")
    imported = _Path("import", below="data")
    curves = _Path("curves", below="data")
    evaluations = _Path("eval", below="data")
    accuracy_table = _Path("metrics", "accuracy.csv")
    loss_table = _Path("metrics", "loss.csv")
    result = _Path("metrics", "result.json")
    models = _Path("models")
    report = _Path("report.html")
    accepted = _Path("docs", "accepted.md")
    dvc_lock = _Path("dvc.lock")
    code_versions = _Path(".mathse", "code")
    model_hashes = _Path(".mathse", "model_hashes.json")
    revisions = _Path(".mathse", "revisions")
    sql_history = _Path(".mathse", "sql_history")

    @property
    def distill(self) -> RoundLayout:
        """Return the files of the teacher: trajectories and verdicts."""
        return RoundLayout(self.data / "distill")

    @property
    def orm(self) -> OrmLayout:
        """Return the files of the ORM."""
        return OrmLayout(self.data / "orm")

    def round(self, name: str) -> RoundLayout:
        """Return the files of a round; `*` gives patterns for `glob`."""
        above = self.data if name.startswith("control") else self.data / "rounds"
        return RoundLayout(above / name)

    def eval(self, name: str) -> EvalLayout:
        """Return the files of a model's evaluation; `*` gives patterns for `glob`."""
        return EvalLayout(self.data / "eval" / name)

    def curve(self, name: str) -> Path:
        """Return the losses of a training run: of a round, of a control, or of "orm"."""
        return _logged(self.data / "curves" / f"{name}.tsv")

    def find(self, pattern: Path) -> dict[str, Path]:
        """Return the files that fit a pattern, by the names of their folders, sorted.

        Example:
            `find(eval("*").graded)` has the graded answers of each model that was evaluated.
        """
        files = self.data.glob(str(pattern.relative_to(self.data)))
        return {file.parent.name: file for file in sorted(files)}

    def metrics(self, stage: str, round_name: str | None = None) -> Path:
        """Return the metrics file of a stage."""
        parts = [stage] if round_name is None else [stage, round_name]
        return _logged(self.folder.joinpath("metrics", *parts).with_suffix(".json"))

    def code(self, stage: str) -> Path:
        """Return the code fingerprint of a stage."""
        return self.folder / "code" / f"{stage}.json"

    def role(self, name: str) -> Path:
        """Return the fingerprint of a role: that of its model."""
        return self.folder / "code" / "roles" / f"{name}.json"

    def journal(self, label: str) -> Path:
        """Return the journal of one piece of work, outside every stage's outputs.

        DVC deletes the outputs of a stage before it runs it.
        """
        return self.work / "journal" / label.replace(" ", "-")

    def checkpoints(self, name: str) -> Path:
        """Return the checkpoints of one training run; outside the outputs too."""
        return self.work / "checkpoints" / name

    def lock(self, stage: str, round_name: str = "") -> Path:
        """Return the lock that a stage has while it runs."""
        return self.folder / ".mathse" / "locks" / f"{stage}-{round_name}".rstrip("-")

    @property
    def work(self) -> Path:
        """Return the folder of journal and checkpoints, this project's own."""
        work = Path(load_machine(self.folder / "machine.yaml").work_folder)
        is_shared = work.is_absolute()
        return project_folder(work, self.folder) if is_shared else self.folder / work


def _logged(path: Path) -> Path:
    if log := os.environ.get("MATHSE_LAYOUT_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{' '.join(sys.orig_argv[1:])}\t{path}\n")
    return path
