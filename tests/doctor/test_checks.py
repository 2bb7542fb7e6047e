"""`mathse doctor` names what will fail, and shows no key."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from huggingface_hub import constants

from mathse.core.layout import Layout
from mathse.core.machine import Machine
from mathse.core.params import ModelRole, Params
from mathse.doctor import checks
from mathse.doctor.checks import Check
from mathse.doctor.inputs import check_overrides
from mathse.engines.placeholders import check_placeholders
from mathse.planning.plan import IN_WORK_FOLDER, Plan
from tests.closure import oracle_params
from tests.tiny import build_processor

KEY = "sk-secret-of-the-test"


@pytest.fixture
def url() -> Iterator[str]:
    """Serve the list of models to those who have the key."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.headers.get("Authorization") == f"Bearer {KEY}"
            self.send_response(200 if is_known else 401)
            self.end_headers()
            if is_known:
                self.wfile.write(json.dumps({"data": [{"id": "judge-7b"}]}).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def params(**roles: dict[str, Any]) -> Params:
    values = oracle_params()
    return Params.model_validate(
        values | {name: values[name] | more for name, more in roles.items()}
    )


def served(url: str, model: str = "judge-7b") -> list[Check]:
    machine = {"servers": {"default": {"url": url, "key_env": "MATHSE_TEST_KEY"}}}
    asked = params(teacher={"engine": "openai", "model": model, "max_new_tokens": 9})
    return list(checks.check_servers(asked, Machine.model_validate(machine)))


def test_a_server_with_key_and_model_is_fine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATHSE_TEST_KEY", KEY)
    found = served(url)
    assert [check.state for check in found[:2]] == ["ok", "ok"]
    assert found[1].finding == "MATHSE_TEST_KEY is set in the environment"
    assert KEY not in str(found)


@pytest.mark.parametrize(
    ("key", "model", "finding"),
    [
        (None, "judge-7b", "the key in MATHSE_TEST_KEY is not set"),
        ("sk-other", "judge-7b", "the key in MATHSE_TEST_KEY is refused"),
        (KEY, "judge-8b", "has no model judge-8b; it has judge-7b"),
    ],
)
def test_what_a_server_refuses_fails(
    url: str, monkeypatch: pytest.MonkeyPatch, key: str | None, model: str, finding: str
) -> None:
    monkeypatch.delenv("MATHSE_TEST_KEY", raising=False)
    if key:
        monkeypatch.setenv("MATHSE_TEST_KEY", key)
    found = served(url, model)[0]
    assert found.state == "fails" and finding in found.finding
    assert key is None or key not in found.finding


def test_a_server_that_is_down_or_missing_fails() -> None:
    assert "does not answer" in served("http://127.0.0.1:9/v1")[0].finding
    asked = params(teacher={"engine": "openai", "model": "m", "max_new_tokens": 9})
    found = next(checks.check_servers(asked, Machine()))
    assert found.state == "fails" and "servers.teacher" in found.finding


def test_a_server_without_http_fails() -> None:
    def greet(server: socket.socket) -> None:
        with server.accept()[0] as connection:
            connection.recv(9999)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, args=(server,), daemon=True).start()
        found = served(f"http://127.0.0.1:{server.getsockname()[1]}/v1")[0]
    assert found.state == "fails" and "does not answer in HTTP" in found.finding
    assert "SSH-2.0" in found.finding


def test_a_key_is_sent_without_its_newline(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATHSE_TEST_KEY", f"{KEY}\n")
    assert served(url)[0].state == "ok"
    assert "does not answer" in served("http://127.0.0.1:9/v1")[0].finding
    monkeypatch.setenv("MATHSE_TEST_KEY", f"{KEY}\n{KEY}")
    found = served(url)[0]
    assert found.state == "fails" and "cannot be sent" in found.finding
    assert KEY not in found.finding


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(name: str) -> str | None:
        return None if name == "openai" else version(name)

    version = checks._installed
    monkeypatch.setattr(checks, "_installed", installed)
    asked = params(teacher={"engine": "openai", "model": "m", "max_new_tokens": 9})
    (fault,) = [check for check in checks.check_libraries(asked) if check.state == "fails"]
    assert (
        fault.subject == "openai"
        and "pip install -c constraints.txt -e '.[openai]'" in fault.finding
    )
    assert not [check for check in checks.check_libraries(params()) if check.state == "fails"]


def test_torchvision_is_asked_for_where_the_model_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(model_type: str, **more: str) -> list[Check]:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
        listed = checks.check_libraries(params(student={"model": str(tmp_path), **more}))
        return [check for check in listed if check.subject == "torchvision"]

    version = checks._installed
    others = {"torchvision": None, "vllm": "0.32", "openai": "3.57"}
    monkeypatch.setattr(checks, "_installed", lambda name: others.get(name, version(name)))
    (fault,) = found("qwen2_vl")
    assert fault.state == "fails" and f"student.model {tmp_path}" in fault.finding
    assert "pip install -c constraints.txt -e '.[vlm]'" in fault.finding
    assert found("idefics3") == []
    others["torchvision"] = "0.28.0+cpu"
    assert found("qwen2_vl") == []


def test_a_hub_that_does_not_answer_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    local = params()
    assert [*checks.check_hub(local)] == [] and not constants.HF_HUB_OFFLINE
    student = local.student.model_copy(update={"model": "someone/model"})
    (check,) = checks.check_hub(local.model_copy(update={"student": student}))
    assert check.state == "note" and "127.0.0.1:9 does not answer" in check.finding
    assert constants.HF_HUB_OFFLINE


def test_corrected_answers_that_cannot_be_read_fail(tmp_path: Path) -> None:
    (tmp_path / "overrides.csv").write_text("problem_id,answer,note\n")
    assert [*check_overrides(Layout(tmp_path))] == []
    (tmp_path / "overrides.csv").write_text("problem_id,answer,note\na,5\n")
    (check,) = check_overrides(Layout(tmp_path))
    assert check.state == "fails" and "2 values" in check.finding


def test_a_hub_model_without_a_commit_is_noted(tmp_path: Path) -> None:
    def noted(**student: str) -> list[str]:
        asked = params(student={"model": "owner/name", **student})
        return [f"{one.state} {one.subject}" for one in checks.check_revisions(asked)]

    assert noted() == ["note student.revision"]
    assert noted(revision="0123abc") == noted(model=str(tmp_path)) == []
    teacher = {"engine": "openai", "model": "owner/name", "max_new_tokens": 9}
    assert [*checks.check_revisions(params(teacher=teacher))] == []


def test_an_old_library_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_installed", lambda name: "0.1")
    found = {check.subject: check for check in checks.check_libraries(params())}
    assert found["torch"].state == "fails" and "installed: 0.1" in found["torch"].finding
    assert found["constraints"].state == "note" and "torch 0.1" in found["constraints"].finding


def test_disk_against_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(params(), Machine(), Layout(tmp_path), {})
    assert next(checks.check_disk(plan)).state == "ok"
    monkeypatch.setattr(plan, "disk", lambda: {"models": 1e18})
    assert next(checks.check_disk(plan)).state == "fails"


def test_a_work_folder_on_another_disk_is_measured_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, scratch = tmp_path / "project", tmp_path / "scratch"
    project.mkdir()
    (scratch / "mathse").mkdir(parents=True)
    (project / "machine.yaml").write_text(f"work_folder: {scratch / 'mathse'}\n")
    plan = Plan(params(), Machine(work_folder=str(scratch / "mathse")), Layout(project), {})
    assert {*IN_WORK_FOLDER} <= {*plan.disk()}
    sizes = {"4 students": 10e9, "checkpoints of a training": 180e9, "journal": 8e9}
    monkeypatch.setattr(plan, "disk", lambda: dict(sizes))

    def found(project_gb: int, scratch_gb: int) -> list[tuple[str, str, str]]:
        def usage(folder: Path) -> SimpleNamespace:
            return SimpleNamespace(
                free=1e9 * (scratch_gb if scratch in folder.parents else project_gb)
            )

        monkeypatch.setattr(checks.shutil, "disk_usage", usage)
        return [(one.subject, one.state, one.finding) for one in checks.check_disk(plan)]

    (both,) = found(50, 500)
    assert both[:2] == ("disk", "fails") and "198.0 GB more" in both[2]
    monkeypatch.setattr(checks, "_device", lambda folder: int(scratch in folder.parents))
    of_project, of_work = found(50, 500)
    assert of_project[:2] == ("disk", "ok") and "10.0 GB more" in of_project[2]
    assert of_work[:2] == ("disk of work folder", "ok") and "188.0 GB more" in of_work[2]
    assert [state for _, state, _ in found(500, 50)] == ["ok", "fails"]


def test_a_work_folder_of_several_nodes_is_noted(tmp_path: Path) -> None:
    def found(work: Path | str, nodes: int = 1) -> list[Check]:
        launcher = {"nodes": nodes, "rendezvous": "first:29500"}
        values = {"work_folder": str(work), "launcher": launcher}
        (tmp_path / "machine.yaml").write_text(yaml.safe_dump(values))
        machine = Machine.model_validate(values)
        return [*checks.check_work_folder(machine, Layout(tmp_path))]

    assert found(".mathse", nodes=2) == []
    # One that is not there is not made by asking.
    (check,) = found(tmp_path / "work" / "mathse")
    assert check.state == "note" and f"will be made in {tmp_path}. Is its disk" in check.finding
    assert not (tmp_path / "work").exists()
    (tmp_path / "work").mkdir()
    assert [check.state for check in found(tmp_path / "work")] == ["ok"]
    (check,) = found(tmp_path / "work", nodes=2)
    assert check.state == "note" and "all 2 nodes must see it" in check.finding
    (check,) = found(tmp_path / "machine.yaml")
    assert check.state == "fails" and "another work_folder" in check.finding


def test_work_of_other_projects_does_not_count_as_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "machine.yaml").write_text(f"work_folder: {tmp_path / 'work'}\n")
    (tmp_path / "work" / "another").mkdir(parents=True)
    with (tmp_path / "work" / "another" / "checkpoint").open("wb") as file:
        file.truncate(2_000_000_000)  # takes no space
    machine = Machine(work_folder=str(tmp_path / "work"))
    plan = Plan(params(), machine, Layout(tmp_path), {})
    monkeypatch.setattr(plan, "disk", lambda: {"models": 2e9})
    assert "2.0 GB more" in next(checks.check_disk(plan)).finding


def test_large_models_without_links_are_noted(tmp_path: Path) -> None:
    model = {"model": "Qwen/Qwen2-VL-7B-Instruct"}
    plan = Plan(params(student=model), Machine(), Layout(tmp_path), {})
    assert next(checks.check_cache(plan)).state == "note"
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config.local").write_text("[cache]\n    type = hardlink,symlink\n")
    assert next(checks.check_cache(plan)).state == "ok"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    build_processor().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_picture_becomes_the_tokens_that_the_processor_makes(model: Path) -> None:
    faults, found = check_placeholders(ModelRole(model=str(model)))
    assert not faults and found.count(": 4 tokens") == 3


def test_a_template_without_placeholders_is_found(model: Path) -> None:
    file = model / "chat_template.jinja"
    file.write_text(file.read_text().replace("<image>", "picture"))
    faults, _ = check_placeholders(ModelRole(model=str(model)))
    assert faults


def test_a_photo_longer_than_the_prompt_is_found(model: Path) -> None:
    faults, _ = check_placeholders(ModelRole(model=str(model), max_prompt_tokens=20))
    assert "max_prompt_tokens is 20" in faults[0]


def test_pictures_of_a_model_that_is_not_there_fail() -> None:
    roles = params(student={"model": "models/none"}, orm={"model": "models/none"})
    # Twice: the prompts of student and orm may have other lengths.
    assert [check.state for check in checks.check_pictures(roles)] == ["fails", "fails"]


@pytest.mark.parametrize("processes", [1, 2])
def test_gpus_that_would_not_train_are_named(
    processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho one GPU\necho another GPU\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    machine = Machine.model_validate({"launcher": {"processes": processes}})
    notes = [one.finding for one in checks.check_machine(machine) if one.subject == "launcher"]
    found = ["1 of 2 GPUs trains. Fix: launcher: {processes: 2} in machine.yaml"]
    assert notes == (found if processes == 1 else [])


@pytest.mark.parametrize(
    ("processes", "nodes", "prefix", "found"),
    [
        (4, 1, [], []),
        (6, 1, [], ["finetune.batch_size"]),
        (4, 3, ["srun"], ["finetune.batch_size"]),
        (16, 1, [], ["launcher"]),
        (16, 1, ["ssh", "node"], []),
    ],
)
def test_a_launcher_that_no_training_takes_fails(
    processes: int, nodes: int, prefix: list[str], found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4,5,6,7")
    launcher = {"processes": processes, "nodes": nodes, "prefix": prefix, "rendezvous": "first:1"}
    batch = {"batch_size": 128, "micro_batch_size": 1}
    asked = params(finetune=batch, train_orm={"batch_size": 96, "micro_batch_tokens": None})
    checked = [*checks.check_trainings(asked, Machine.model_validate({"launcher": launcher}))]
    assert [one.subject for one in checked if one.state == "fails"] == found
    if found == ["finetune.batch_size"]:
        text = f"128 is not a multiple of micro_batch_size 1 times the {processes * nodes} "
        assert text in checked[0].finding and "machine.yaml" in checked[0].finding


def test_another_trainer_takes_the_launcher_on_a_cpu_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    machine = Machine.model_validate({"launcher": {"processes": 3}})
    for trainer, subjects in (("accelerate", []), ("ms-swift", ["finetune.batch_size"])):
        asked = params(finetune={"batch_size": 32, "trainer": trainer})
        assert [one.subject for one in checks.check_trainings(asked, machine)] == subjects


def test_rounds_without_problems_are_named(tmp_path: Path) -> None:
    def found(problems: int) -> list[Check]:
        asked = params(distill={"problems": problems})
        return [*checks.check_rounds(Plan(asked, Machine(), Layout(tmp_path), {}))]

    assert found(320) == []
    (check,) = found(100_000)
    assert check.state == "note" and "nothing to solve in r1, r2, r3" in check.finding
    assert "distill.problems: 100000 takes all 4000 training problems" in check.finding


def test_a_teacher_who_takes_all_problems_is_noted(tmp_path: Path) -> None:
    api = {"engine": "openai", "model": "gpt-4o", "max_new_tokens": 512}

    def found(taken: int, **sections: dict[str, Any]) -> list[str]:
        asked = params(distill={"problems": taken}, teacher=api, **sections)
        plan = Plan(asked, Machine(), Layout(tmp_path), {})
        assert all(one.state == "note" for one in checks.check_rounds(plan))
        return [one.finding for one in checks.check_rounds(plan)]

    assert found(3999) == []
    (all_of_them,) = found(4000)
    assert "distill.problems: 4000 takes all 4000 training problems" in all_of_them
    assert "a smaller distill.problems" in all_of_them
    # A table that is not imported yet is assumed to have 10,000 rows.
    uses = ("train", "eval", "eval_hard")
    tables = [{"path": "data/import/geo", "split": use, "use": use} for use in uses]
    roles = {"annotator": {"engine": "answer"}, "reflector": {"engine": "student"}}
    roles |= {"train_orm": {"form": "binary"}, "canary": {"problems": 0}}
    (assumed,) = found(100_000, problems={"source": "tables", "tables": tables}, **roles)
    assert "all 7000 training problems (a table that is not imported counts as 10000)" in assumed
    # Not the teacher, but the first round leaves nothing.
    (later,) = found(320, generate={"max_problems": None, "hard_samples": 0})
    assert "nothing to solve in r2, r3" in later and "generate.max_problems" in later
