"""What each stage asks of the layout is what `dvc.yaml` says that it reads and writes."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

import pytest
import yaml

from tests.pipeline.conftest import Pipeline

pytestmark = pytest.mark.slow
ASKED_ALWAYS = {"params.yaml", "machine.yaml", "dvc.lock"}
ASKED_ALWAYS |= {".mathse/code", ".mathse/model_hashes.json"}
NOT_ASKED = ("code", "models", "imports.json")  # built-in problems need no imports
TRAINED_ON = "data/trained_on.json"
"""Stands for the problems of these splits, which are read from the table of all problems."""


def declared(pipeline: Pipeline) -> dict[str, set[str]]:
    """Return the deps, outs, plots and metrics of each stage in the lock, by its command."""
    lock = yaml.safe_load(pipeline.first_lock)["stages"]
    files: dict[str, set[str]] = {}
    for stage in lock.values():
        named: list[dict[str, Any]] = [*stage.get("deps", []), *stage.get("outs", [])]
        paths = {entry["path"] for entry in named}
        paths |= {"data/problems"} if TRAINED_ON in paths else set()
        files[stage["cmd"].removeprefix("python ")] = {
            path for path in paths if not path.startswith(("mathse", "schemas", "stages"))
        }
    return files


def asked(pipeline: Pipeline) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in pipeline.layout_log.read_text().splitlines():
        command, path = line.split("\t")
        found.setdefault(command, set()).add(path)
    return found


def any_round(files: dict[str, set[str]], stage: str) -> set[str]:
    """Return the paths of all commands of a stage, with * for the names of rounds."""
    return {
        re.sub(
            r"/(base|control|control_teacher|control_gold|r\d)(?=[/.])", "/*", path
        )  # data/rounds/r1/train.parquet
        for command, paths in files.items()
        if command.split()[1] == stage
        for path in paths
        if not path.startswith((*NOT_ASKED, TRAINED_ON))
    }


def test_stages_read_and_write_what_dvc_yaml_says(pipeline: Pipeline) -> None:
    used = asked(pipeline)
    known = declared(pipeline)
    assert len(known) > 20
    for command, paths in known.items():
        if command not in used:
            continue
        inside = {
            path
            for path in used[command] - ASKED_ALWAYS
            if not any(PurePath(path).is_relative_to(one) for one in paths)
        }
        assert not inside, f"{command} uses {sorted(inside)}: not in dvc.yaml"
    # a round may have nothing to judge or to reflect on, and then loads no model
    for stage in {command.split()[1] for command in known} & {line.split()[1] for line in used}:
        idle = any_round(known, stage) - {
            parent
            for path in any_round(used, stage)
            for parent in (path, *map(str, PurePath(path).parents))
        }
        assert not idle, f"{stage} never asks for {sorted(idle)}"
    assert set(known) - set(used) <= {"-m stages.code"}, "every stage that ran asked for something"
