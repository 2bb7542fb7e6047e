from __future__ import annotations

from pathlib import Path

import pytest

from mathse.core.errors import ParamError
from mathse.core.layout import Layout
from mathse.core.machine import Machine, Server, load_machine
from tests.closure import ROOT


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    assert load_machine(tmp_path / "machine.yaml") == Machine()
    assert Machine().processes >= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("devise: cpu\n", "devise is not a parameter"),
        ("inference_processes: 0\n", "inference_processes"),
        ("device: [\n", "cannot be read"),
        ("servers: {tutor: {url: http://x/v1}}\n", "servers.tutor"),
        ("servers: {teacher: {url: x/v1}}\n", "servers.teacher.url"),
        ("servers: {teacher: {url: http://x/v1, key: sk}}\n", "teacher.key is not a parameter"),
        ("servers: {teacher: {url: http://x/v1, budget: {money: 3}}}\n", "needs price"),
    ],
)
def test_faults_are_named_with_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "machine.yaml"
    file.write_text(text)
    with pytest.raises(ParamError, match=message) as error:
        load_machine(file)
    assert str(file) in str(error.value)


def test_journal_and_checkpoints_lie_where_the_machine_says(tmp_path: Path) -> None:
    (tmp_path / "machine.yaml").write_text("work_folder: work\n")
    assert Layout(tmp_path).journal("score r1") == tmp_path / "work/journal/score-r1"
    assert Layout(tmp_path).checkpoints("r1") == tmp_path / "work/checkpoints/r1"


@pytest.mark.parametrize("file", sorted((ROOT / "profiles/machines").glob("*.yaml")), ids=str)
def test_examples_are_valid(file: Path) -> None:
    load_machine(file)


def test_a_role_without_a_server_takes_the_default_one() -> None:
    teacher, other = Server(url="http://teacher/v1"), Server(url="https://other/v1")
    machine = Machine(servers={"teacher": teacher, "default": other})
    assert machine.server("teacher") == teacher and machine.server("orm") == other
    with pytest.raises(ParamError, match="servers.orm nor servers.default"):
        Machine(servers={"teacher": teacher}).server("orm")
