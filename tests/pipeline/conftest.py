from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from mathse.copies import copy_pipeline
from mathse.core.params import load_params
from mathse.profiles import apply_profile
from tests.closure import ROOT

RECORDER = Path(__file__).parent / "recorder"
MACHINE = {"inference_processes": 1}


@dataclass(frozen=True)
class Pipeline:
    """A copy of the pipeline on smoke params: what its first `dvc repro` printed and locked."""

    folder: Path
    output: str
    layout_log: Path
    params_log: Path
    first_lock: str

    def dvc(self, *words: str) -> str:
        return run(self.folder, "dvc", *words)

    def mathse(self, *words: str) -> str:
        return run(self.folder, "mathse", *words)


def environment() -> dict[str, str]:
    """Return a plain machine's environment: Python writes compiled modules beside the code."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHONDONTWRITE")
    }
    return {**kept, "PATH": path, "DVC_NO_ANALYTICS": "1", "NO_COLOR": "1"}


def run(folder: Path, *words: str, timeout: float = 800, **variables: str) -> str:
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment() | variables,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def recorded(folder: Path) -> str:
    """Return a PYTHONPATH with the recorder, which imports the code of this folder."""
    return os.pathsep.join(map(str, (folder, RECORDER)))


def copy_smoke(folder: Path) -> Path:
    """Return a copy on smoke params where students train, and models generate, in one process.

    Each process imports the model libraries, which takes most of the time of so small a run. The
    ORM trains in two, and learns from each round.
    """
    copy_pipeline(ROOT, folder, "smoke")
    apply_profile(folder, "oracle")  # a student that learns so little can learn one text a problem
    (folder / "machine.yaml").write_text(yaml.safe_dump(MACHINE))
    file = folder / "params.yaml"
    head, section, rest = file.read_text().partition("\nfinetune:")
    head = head.replace("refresh: never", "refresh: round")
    file.write_text(head + section + rest.replace("processes: 2", "processes: 1", 1))
    params = load_params(file)
    assert (params.orm.refresh, params.orm.refresh_steps) == ("round", 2)
    assert (params.train_orm.processes, params.finetune.processes) == (2, 1)
    return folder


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = copy_smoke(tmp_path_factory.mktemp("pipeline") / "copy")
    files, params = folder.parent / "layout.log", folder.parent / "params.log"
    variables = {"MATHSE_LAYOUT_LOG": str(files), "MATHSE_PARAMS_LOG": str(params)}
    output = run(folder, "dvc", "repro", PYTHONPATH=recorded(folder), **variables)
    return Pipeline(folder, output, files, params, (folder / "dvc.lock").read_text())
