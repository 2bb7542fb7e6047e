"""Every path of the project, for stages, reports and tests.

Where the environment variable MATHSE_LAYOUT_LOG names a file, each path that is asked for is
written there as one line: the command, a tab, the path. A test compares these with `dvc.yaml`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mathse.core.machine import load_machine
from mathse.core.work_folder import project_folder


class _Path:
    """A path below a folder of the layout."""

    def __init__(self, *parts: str) -> None:
        self.parts = parts

    def __get__(self, owner: _Folder, _: type) -> Path:
        return _logged(owner.folder.joinpath(*self.parts))


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
    """All paths of a project, from the folder of `params.yaml`."""

    def __init__(self, root: str | Path = "") -> None:
        super().__init__(Path(root))

    params = _Path("params.yaml")
    machine = _Path("machine.yaml")
    imports = _Path("imports.json")
    overrides = _Path("overrides.csv")
    problems = _Path("data", "problems", "problems.parquet")
    images = _Path("data", "problems", "images")
    trained_on = _Path("data", "trained_on.json")
    quarantine = _Path("data", "problems", "quarantine.parquet")
    matches = _Path("data", "decontaminate", "matches.parquet")
    curves = _Path("data", "curves")
    evaluations = _Path("data", "eval")
    accuracy_table = _Path("metrics", "accuracy.csv")
    loss_table = _Path("metrics", "loss.csv")
    result = _Path("metrics", "result.json")
    report = _Path("report.html")
    accepted = _Path("docs", "accepted.md")
    dvc_lock = _Path("dvc.lock")
    code_versions = _Path(".mathse", "code")
    model_hashes = _Path(".mathse", "model_hashes.json")

    @property
    def distill(self) -> RoundLayout:
        """Return the files of the teacher: trajectories and verdicts."""
        return RoundLayout(self.folder / "data" / "distill")

    @property
    def orm(self) -> OrmLayout:
        """Return the files of the ORM."""
        return OrmLayout(self.folder / "data" / "orm")

    def round(self, name: str) -> RoundLayout:
        """Return the files of a round; `*` gives patterns for `glob`."""
        data = self.folder / "data"
        return RoundLayout(data / name if name.startswith("control") else data / "rounds" / name)

    def eval(self, name: str) -> EvalLayout:
        """Return the files of a model's evaluation; `*` gives patterns for `glob`."""
        return EvalLayout(self.folder / "data" / "eval" / name)

    def curve(self, name: str) -> Path:
        """Return the losses of a training run: of a round, of a control, or of "orm"."""
        return _logged(self.folder / "data" / "curves" / f"{name}.tsv")

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
