from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mathse.report.control import control_is_outdated

PARAMS = {"seed": 0, "rounds": {"r1": {"prev": "r0"}}}
RUN = {"finetune_r0": {"outs": [{"path": "data/rounds/r0/model", "md5": "a.dir"}]}}
CONTROL = {
    "finetune": {
        "deps": [
            {"path": "data/rounds/r0/model", "md5": "a.dir"},
            {"path": "mathse/core", "md5": "b.dir"},
        ],
        "params": {"params.yaml": PARAMS},
    },
    "eval": {"deps": [{"path": "data/eval/control", "md5": "c"}]},
}


def write(root: Path, params: dict, run: dict | None, control: dict | None) -> Path:
    (root / "control").mkdir()
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    for path, stages in (("dvc.lock", run), ("control/dvc.lock", control)):
        if stages is not None:
            (root / path).write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return root


@pytest.mark.parametrize(
    ("params", "run", "control", "outdated"),
    [
        (PARAMS, RUN, CONTROL, False),
        (PARAMS, RUN, None, False),
        (PARAMS, None, CONTROL, False),
        ({**PARAMS, "rounds": {}}, RUN, CONTROL, True),
        ({**PARAMS, "other": 1}, RUN, CONTROL, False),
        (
            PARAMS,
            {"finetune_r0": {"outs": [{"path": "data/rounds/r0/model", "md5": "z.dir"}]}},
            CONTROL,
            True,
        ),
    ],
)
def test_a_control_of_another_run_is_outdated(tmp_path, params, run, control, outdated) -> None:
    assert control_is_outdated(write(tmp_path, params, run, control)) is outdated
