from __future__ import annotations

from pathlib import Path

import pytest

from mathse.core.errors import ParamError
from mathse.core.layout import Layout
from mathse.core.machine import Machine, Replicas, Server, load_machine
from mathse.core.processes import ONE_THREAD
from tests.closure import ROOT


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    assert load_machine(tmp_path / "machine.yaml") == Machine()
    assert Machine().processes >= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("devise: cpu\n", "devise is not a parameter"),
        ("inference_processes: 0\n", "inference_processes"),
        ("device: [\n", "is not valid YAML"),
        ("servers: {tutor: {url: http://x/v1}}\n", "servers.tutor"),
        ("servers: {teacher: {url: x/v1}}\n", "servers.teacher.url"),
        ("servers: {teacher: {url: http://x/v1, key: sk}}\n", "teacher.key is not a parameter"),
        ("servers: {teacher: {url: http://x/v1, budget: {money: 3}}}\n", "needs price"),
        ("engines: {replica: 2}\n", "engines.replica is not a parameter"),
    ],
)
def test_faults_are_named_with_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "machine.yaml"
    file.write_text(text)
    with pytest.raises(ParamError, match=message) as error:
        load_machine(file)
    assert str(file) in str(error.value)


def test_a_file_that_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "machine.yaml"
    file.write_bytes("device: cpu\n# für Köln\n".encode("latin-1"))
    with pytest.raises(ParamError, match=r"machine.yaml: line 2 is not UTF-8"):
        load_machine(file)


def test_journal_and_checkpoints_lie_where_the_machine_says(tmp_path: Path) -> None:
    (tmp_path / "machine.yaml").write_text("work_folder: work\n")
    assert Layout(tmp_path).journal("score r1") == tmp_path / "work/journal/score-r1"
    assert Layout(tmp_path).checkpoints("r1") == tmp_path / "work/checkpoints/r1"


@pytest.mark.parametrize("file", sorted((ROOT / "profiles/machines").glob("*.yaml")), ids=str)
def test_examples_are_valid(file: Path) -> None:
    load_machine(file)


def test_eight_gpus_have_eight_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4,5,6,7")
    machine = load_machine(ROOT / "profiles/machines/eight-gpus.yaml")
    assert len(machine.replica_environments(machine.engines.tensor_parallel)) == 8


def test_a_role_without_a_server_takes_the_default_one() -> None:
    teacher, other = Server(url="http://teacher/v1"), Server(url="https://other/v1")
    machine = Machine(servers={"teacher": teacher, "default": other})
    assert machine.server("teacher") == teacher and machine.server("orm") == other
    with pytest.raises(ParamError, match="servers.orm nor servers.default"):
        Machine(servers={"teacher": teacher}).server("orm")


def test_each_replica_has_gpus_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2,3,GPU-5,6")
    one_each = [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in ("0", "2", "3", "GPU-5", "6")]
    assert Machine().replica_environments() == one_each
    assert Machine().replica_environments(2) == [
        {"CUDA_VISIBLE_DEVICES": "0,2"},
        {"CUDA_VISIBLE_DEVICES": "3,GPU-5"},
    ]
    few = Machine(engines=Replicas(replicas=2))
    assert few.replica_environments() == one_each[:2]
    for tensor_parallel in (3, 6):
        with pytest.raises(ParamError, match=f"2 replicas on {tensor_parallel} GPUs each.*5 GPUs"):
            few.replica_environments(tensor_parallel)


@pytest.mark.parametrize(("device", "visible"), [("cpu", "0,1"), ("auto", ""), ("auto", "-1")])
def test_without_gpus_each_process_has_one_thread(
    monkeypatch: pytest.MonkeyPatch, device: str, visible: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    machine = Machine.model_validate({"device": device, "inference_processes": 3})
    assert not machine.has_gpu and machine.replica_environments(8) == [ONE_THREAD] * 3
