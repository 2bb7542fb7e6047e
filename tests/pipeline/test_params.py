"""What each stage reads of params.yaml is what `dvc.yaml` says."""

from __future__ import annotations

import shutil
from pathlib import Path
from re import fullmatch
from typing import Any

import pytest
import yaml

from tests.pipeline.conftest import Pipeline, recorded, run

pytestmark = pytest.mark.slow
FREE = {"controls"}  # of names alone: which rounds there are
NOT_USED = {"score.accept", "score.min_p_correct"}  # eval_orm makes a judge and accepts nothing
OTHER: dict[str, dict[str, Any]] = {
    "generate": {"choices": "hidden"},
    "orm": {"refresh": "own_rows"},
    "score": {"accept": "both"},
    "reflect": {"feedback": "annotator"},
    "reflector": {"engine": "student"},
    "merge": {"select_rows": 2, "jaccard_min": 0.9},
    "finetune": {"steps": None},
    "evolve": {"init": "base", "steps": None},
}
"""Values with which the stages of a round read further parameters than with the usual ones."""
STAGES = ("generate", "score", "reflect", "refresh", "merge", "finetune")


def covers(key: str, path: str) -> bool:
    return path == key or path.startswith(f"{key}.")


def read_by_command(log: Path) -> dict[str, set[str]]:
    """Return the parameters that each command read, as the recorder wrote them down."""
    read: dict[str, set[str]] = {}
    for line in log.read_text().splitlines():
        command, path = line.split("\t")
        read.setdefault(command, set()).add(path)
    return read


def faults(read: dict[str, set[str]], lock: str) -> list[str]:
    """Return which commands read a parameter that the lock does not name for them."""
    named: dict[str, set[str]] = {
        stage["cmd"].removeprefix("python "): set(stage.get("params", {}).get("params.yaml", {}))
        for stage in yaml.safe_load(lock)["stages"].values()
    }
    return [
        f"{command} reads {path}"
        for command, paths in read.items()
        for path in sorted(paths - (NOT_USED if "eval_orm" in command else set()))
        if not any(covers(key, path) for key in named[command] | FREE)
        and not fullmatch(r"rounds\.\w+\.prev", path)  # rounds.r1.prev: the paths of deps have it
    ]


def test_stages_read_the_parameters_that_dvc_yaml_names(pipeline: Pipeline) -> None:
    read = read_by_command(pipeline.params_log)
    assert len(read) > 20
    found = faults(read, pipeline.first_lock)
    assert not found, "\n".join(found)


def test_they_name_what_is_read_with_other_values_too(pipeline: Pipeline, tmp_path: Path) -> None:
    folder, log = tmp_path / "copy", tmp_path / "params.log"
    shutil.copytree(pipeline.folder, folder, ignore=shutil.ignore_patterns(".dvc", ".mathse"))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    for section, values in OTHER.items():
        params[section] |= values
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for stage in STAGES:
        command = ("python", "-m", f"stages.{stage}", "r1")
        run(folder, *command, PYTHONPATH=recorded(folder), MATHSE_PARAMS_LOG=str(log))
    read = read_by_command(log)
    found = faults(read, pipeline.first_lock)
    assert not found, "\n".join(found)
    assert "score.accept" in read["-m stages.merge r1"]
    assert "annotator.engine" in read["-m stages.reflect r1"]
