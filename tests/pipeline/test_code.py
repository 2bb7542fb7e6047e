"""What `dvc` would run again after a change of code, where every output is as it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mathse.copies import copy_pipeline
from tests.closure import ROOT
from tests.pipeline.conftest import run

pytestmark = pytest.mark.slow
CURATION = "mathse/curation/training_rows.py"
TEACHER = {"engine": "transformers", "model": "models/tiny-teacher", "max_new_tokens": 96}


def outputs(folder: Path) -> Iterator[Path]:
    """Yield every output of every stage but `code`, and what stages read in such a folder."""
    rounds = yaml.safe_load((folder / "params.yaml").read_text())["rounds"]
    for stage in yaml.safe_load((folder / "dvc.yaml").read_text())["stages"].values():
        if stage.get("foreach") == "${controls}":
            continue
        own: dict[str, Any] = stage.get("do", stage)
        for kind in ("outs", "metrics", "deps"):
            for out in own.get(kind, []):
                path = out if isinstance(out, str) else next(iter(out))
                inner = kind == "deps" and (not path.startswith("data/") or "${item" in path)
                if inner or path.startswith("code"):
                    continue
                yield from (
                    folder / path.replace("${key}", key)
                    for key in (rounds if "${key}" in path else [""])
                )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the pipeline that DVC takes for finished: each output holds its own name.

    Teacher and reflector are the embedded teacher, student and ORM start from the embedded base.
    """
    folder = copy_pipeline(ROOT, tmp_path_factory.mktemp("code") / "copy", "smoke")
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["teacher"] |= TEACHER
    params["reflector"] |= TEACHER
    params["orm"]["model"] = params["student"]["model"]
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for out in outputs(folder):
        file = out if out.suffix else out / "file"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(out.relative_to(folder)))
    run(folder, "python", "-m", "stages.code", PYTHONPATH=str(folder))
    run(folder, "dvc", "commit", "--force", "--quiet")
    return folder


@pytest.fixture
def again(finished: Path) -> Iterator[Callable[..., set[str]]]:
    """Return a function that edits files and gives the stages that would run after `code` ran."""
    lock = finished / "dvc.lock"  # `mathse accept` changes it
    before: dict[Path, str | None] = {lock: lock.read_text()}

    def edit(*edits: tuple[str, Callable[[str], str]]) -> set[str]:
        for name, change in edits:
            file = finished / name
            before[file] = file.read_text() if file.exists() else None
            file.parent.mkdir(exist_ok=True)
            file.write_text(change(before[file] or ""))
        run(finished, "dvc", "repro", "code", PYTHONPATH=str(finished))
        changed = json.loads(run(finished, "dvc", "status", "--json"))
        return set(changed)

    yield edit
    for file, text in before.items():
        file.unlink() if text is None else file.write_text(text)


def test_comments_docstrings_and_unused_files_run_nothing(again: Callable[..., set[str]]) -> None:
    def comment(text: str) -> str:
        head, _, rest = text.partition("\n")
        return (
            f'"""Another docstring.\n\nOf three lines. {head[3:]}\n# a comment\n\n{rest}\n# end\n'
        )

    changed = again(
        (CURATION, comment),
        ("mathse/core/ids.py", comment),
        ("mathse/core/progress.py", lambda text: text + "CHANGED = True\n"),
        ("mathse/curation/unused.py", lambda _: "UNUSED = True\n"),
    )
    assert changed == set()


def test_a_constant_of_merge_runs_merge_again_and_not_generate(
    finished: Path, again: Callable[..., set[str]]
) -> None:
    changed = again((CURATION, lambda text: text + "\nCHANGED = True\n"))
    assert changed == {"distill", "merge@r1", "merge@r2", "report"}
    said = run(finished, "mathse", "code", "--why", "merge@r1", PYTHONPATH=str(finished))
    assert "mathse.curation.training_rows has changed" in said and said.count("changed") == 1


def test_answer_rules_score_again_and_train_nothing(again: Callable[..., set[str]]) -> None:
    changed = again(("mathse/answers/units.py", lambda text: text + "\nCHANGED = True\n"))
    assert {name.split("@")[0] for name in changed} == {
        "distill",
        "orm_data",
        "score",
        "reflect",
        "refresh",
        "refresh_r0",
        "eval_orm",
        "eval_base",
        "eval_r0",
        "eval",
        "report",
    }


def test_rules_of_benchmarks_score_again_and_train_nothing(again: Callable[..., set[str]]) -> None:
    rules = "mathse/evaluation/benchmark_rules.py"
    changed = again((rules, lambda text: text + "\nCHANGED = True\n"))
    assert changed == {"eval_base", "eval_r0", "eval@r1", "eval@r2", "report"}


def test_another_benchmark_trains_nothing(again: Callable[..., set[str]]) -> None:
    changed = again(("data/problems/file", lambda text: text + " and a benchmark"))
    assert {name.split("@")[0] for name in changed} == {
        "problems",  # its output has changed
        "decontaminate",
        "predict_base",
        "predict_r0",
        "predict",
        "eval_base",
        "eval_r0",
        "eval",
        "report",
    }


def test_other_training_problems_train_again(again: Callable[..., set[str]]) -> None:
    changed = again(("data/trained_on.json", lambda text: text + " and others"))
    trained = {"distill", "finetune_r0", "orm_data", "train_orm", "eval_orm"}
    rounds = {"generate", "score", "reflect", "refresh", "audit", "merge", "finetune"}
    assert {name.split("@")[0] for name in changed} == {"problems"} | trained | rounds


def test_an_accepted_change_runs_nothing(finished: Path, again: Callable[..., set[str]]) -> None:
    assert "merge@r1" in again((CURATION, lambda text: text + "\nCHANGED = True\n"))
    said = run(finished, "mathse", "accept", "merge", PYTHONPATH=str(finished))
    assert "mathse.curation.training_rows has changed" in said
    assert set(json.loads(run(finished, "dvc", "status", "--json", "merge", "distill"))) == {
        "distill"
    }
    assert "merge@r2" in (finished / "docs" / "accepted.md").read_text()


def reformat(text: str) -> str:
    """Return other bytes of a JSON file with the same values."""
    return text + "\n"


def test_a_changed_model_runs_the_stages_of_its_roles(
    finished: Path, again: Callable[..., set[str]]
) -> None:
    assert again() == set()
    changed = again(("models/tiny-teacher/config.json", reformat))
    assert changed == {"distill", "orm_data", "reflect@r1", "reflect@r2", "report"}
    said = run(finished, "mathse", "code", "--why", "distill", "score", PYTHONPATH=str(finished))
    assert said == "distill: the model folder of teacher has changed\n"


def test_a_changed_base_model_trains_again(again: Callable[..., set[str]]) -> None:
    changed = again(("models/tiny-base/config.json", reformat))
    trained = {"finetune_r0", "finetune@r1", "finetune@r2", "train_orm"}
    assert changed == trained | {"predict_base", "report"}


def test_a_model_card_runs_nothing(again: Callable[..., set[str]]) -> None:
    assert again(("models/tiny-teacher/README.md", reformat)) == set()


def test_a_model_of_no_role_runs_nothing(again: Callable[..., set[str]]) -> None:
    weights = ("models/other/model.safetensors", lambda _: "weights")
    assert again(weights, ("models/other/config.json", lambda _: "{}")) == set()


def test_an_accepted_model_runs_nothing(finished: Path, again: Callable[..., set[str]]) -> None:
    assert "reflect@r1" in again(("models/tiny-teacher/config.json", reformat))
    said = run(finished, "mathse", "accept", "reflect", PYTHONPATH=str(finished))
    assert said == "accepted the model folder of reflector has changed: reflect@r1, reflect@r2\n"
    assert set(json.loads(run(finished, "dvc", "status", "--json", "reflect", "distill"))) == {
        "distill"
    }
