"""What `dvc` would run again after a change of the answer check, where every output is as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mathse.copies import copy_pipeline
from tests.closure import ROOT
from tests.pipeline.conftest import run

pytestmark = pytest.mark.slow


def outputs(folder: Path) -> Iterator[Path]:
    """Yield every output of every stage, rounds filled in, and what stages read inside of such a folder."""
    rounds = yaml.safe_load((folder / "params.yaml").read_text())["rounds"]
    for stage in yaml.safe_load((folder / "dvc.yaml").read_text())["stages"].values():
        own: dict[str, Any] = stage.get("do", stage)
        for kind in ("outs", "plots", "metrics", "deps"):
            for out in own.get(kind, []):
                path = out if isinstance(out, str) else next(iter(out))
                if kind == "deps" and (not path.startswith("data/") or "${item" in path):
                    continue
                yield from (
                    folder / path.replace("${key}", key)
                    for key in (rounds if "${key}" in path else [""])
                )


def stages_to_run(folder: Path) -> set[str]:
    return set(json.loads(run(folder, "dvc", "status", "--json")))


def test_a_new_answer_check_scores_again_and_trains_nothing(tmp_path: Path) -> None:
    folder = copy_pipeline(ROOT, tmp_path / "copy", "smoke")
    shutil.rmtree(folder / "control")
    for out in outputs(folder):
        file = out if out.suffix else out / "file"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(out.relative_to(folder)))
    run(folder, "dvc", "commit", "--force", "--quiet")
    assert stages_to_run(folder) == set()

    code = folder / "mathse" / "answers" / "units.py"
    code.write_text(code.read_text() + "\nCHANGED = True\n")
    again = stages_to_run(folder)
    assert {name.split("@")[0] for name in again} == {
        "distill",
        "orm_data",
        "eval_orm",
        "score",
        "reflect",
        "eval_base",
        "eval_r0",
        "eval",
    }
    assert {f"eval@{name}" for name in ("r1", "r2")} <= again

    rules = folder / "mathse" / "evaluation" / "benchmarks.py"
    code.write_text((ROOT / "mathse" / "answers" / "units.py").read_text())
    rules.write_text(rules.read_text() + "\nCHANGED = True\n")
    assert stages_to_run(folder) == {"eval_base", "eval_r0", "eval@r1", "eval@r2"}
    said = run(folder, "dvc", "repro", "--single-item", "--dry", "eval_base", "eval_r0", "eval")
    ran = {line.split("'")[1] for line in said.splitlines() if line.startswith("Running stage")}
    assert ran == {"eval_base", "eval_r0", "eval@r1", "eval@r2"}, "as the README says"
