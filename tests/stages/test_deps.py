from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.closure import ROOT, closure

IGNORED = {"mathse/__init__.py", "stages/__init__.py"}


def stages() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for file in ("dvc.yaml", "control/dvc.yaml"):
        for name, stage in yaml.safe_load((ROOT / file).read_text())["stages"].items():
            found.append((f"{file}:{name}", stage.get("do", stage)))
    return found


@pytest.mark.parametrize(("name", "stage"), stages(), ids=[name for name, _ in stages()])
def test_code_that_a_stage_runs_is_among_its_deps(name: str, stage: dict[str, Any]) -> None:
    module = stage["cmd"].split("-m ")[1].split()[0]
    needed = {
        str(file.relative_to(ROOT)) for file in closure(ROOT / (module.replace(".", "/") + ".py"))
    } - IGNORED
    deps = [dep for dep in stage["deps"] if not dep.startswith(("data/", "models/"))]
    covered = {
        file for file in needed if any(file == dep or file.startswith(dep + "/") for dep in deps)
    }
    assert needed == covered, f"{name} lacks {sorted(needed - covered)}"
    idle = [
        dep for dep in deps if not any(file == dep or file.startswith(dep + "/") for file in needed)
    ]
    assert not idle, f"{name} names {idle} and never runs it"


def test_round_names_are_strings() -> None:
    rounds = yaml.safe_load(Path(ROOT / "params.yaml").read_text())["rounds"]
    assert rounds and all(isinstance(name, str) for name in rounds)
