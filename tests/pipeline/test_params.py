"""What each stage reads of params.yaml is what `dvc.yaml` says."""

from __future__ import annotations

from re import fullmatch

import pytest
import yaml

from tests.pipeline.conftest import Pipeline

pytestmark = pytest.mark.slow
FREE = {"controls"}  # of names alone: which rounds there are
NOT_USED = {"score.accept", "score.min_p_correct"}  # eval_orm makes a judge and accepts nothing


def covers(key: str, path: str) -> bool:
    return path == key or path.startswith(f"{key}.")


def test_stages_read_the_parameters_that_dvc_yaml_names(pipeline: Pipeline) -> None:
    read: dict[str, set[str]] = {}
    for line in pipeline.params_log.read_text().splitlines():
        command, path = line.split("\t")
        read.setdefault(command, set()).add(path)
    named: dict[str, set[str]] = {
        stage["cmd"].removeprefix("python "): set(stage.get("params", {}).get("params.yaml", {}))
        for stage in yaml.safe_load(pipeline.first_lock)["stages"].values()
    }
    assert len(read) > 20
    faults = [
        f"{command} reads {path}"
        for command, paths in read.items()
        for path in sorted(paths - (NOT_USED if "eval_orm" in command else set()))
        if not any(covers(key, path) for key in named[command] | FREE)
        and not fullmatch(r"rounds\.\w+\.prev", path)  # rounds.r1.prev: the paths of deps have it
    ]
    assert not faults, "\n".join(faults)
