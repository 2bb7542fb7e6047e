"""What each stage reads of params.yaml is what `dvc.yaml` says."""

from __future__ import annotations

import pytest
import yaml

from tests.pipeline.conftest import Pipeline

pytestmark = pytest.mark.slow


def covers(key: str, path: str) -> bool:
    return path == key or path.startswith(f"{key}.")


def test_stages_read_the_parameters_that_dvc_yaml_names(pipeline: Pipeline) -> None:
    read: dict[str, set[str]] = {}
    for line in pipeline.params_log.read_text().splitlines():
        command, path = line.split("\t")
        read.setdefault(command, set()).add(path)
    named: dict[str, set[str]] = {
        stage["cmd"].removeprefix("python "): set(stage.get("params", {}).get("params.yaml", {}))
        for stage in yaml.safe_load((pipeline.folder / "dvc.lock").read_text())["stages"].values()
    }
    assert len(read) > 20
    faults = [
        f"{command} reads {path}"
        for command, paths in read.items()
        for path in sorted(paths)
        if not any(covers(key, path) for key in named[command])
    ]
    # A stage may read a section as a whole; a key of another section that no round reads is idle.
    for stage in {command.split()[1] for command in named}:
        commands = [command for command in named if command.split()[1] == stage]
        paths = set[str]().union(*(read.get(command, set()) for command in commands))
        faults += [
            f"{stage} names {key} and never reads it"
            for key in sorted(set[str]().union(*(named[command] for command in commands)))
            if not any(covers(key, path) for path in paths)
        ]
    assert not faults, "\n".join(faults)
