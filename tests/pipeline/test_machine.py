"""`machine.yaml` changes no result: DVC runs nothing again, a forced run ends alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
import yaml

from mathse.core.machine import Machine, Server, ServerName
from mathse.core.params import Section
from tests.pipeline.conftest import MACHINE, Pipeline

pytestmark = pytest.mark.slow
EXAMPLES: dict[type, tuple[Any, Any]] = {
    bool: (True, False),
    int: (2, 3),
    float: (0.5, 0.25),
    str: ("other", "another"),
    tuple: (["other"], []),
}
"""Two values of each type, so that one of them differs from any given one."""
CHOSEN = {
    "save_every_steps": 1,  # the run has fewer steps than the default
    "url": "http://localhost:8000/v1",  # its form is checked
}
NOT_ON_THE_CPU_LOOP = {
    "ray": "with an address, the models run in the actors of that cluster; tests/engines has them"
}
"""Keys that keep their default here, with the reason."""
FORCED = ("orm_data", "train_orm", "generate@r1", "score@r1", "reflect@r1", "finetune@r1",
          "predict@r1")  # fmt: skip
"""Stages that run a model, and what feeds them."""


def other_values(section: type[Section], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return for each key of a section another value than the usual one, or than its default."""
    values = {}
    for name, field in section.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        value = usual.get(name, default)
        if name not in NOT_ON_THE_CPU_LOOP:
            values[name] = CHOSEN.get(name) or other_value(field.annotation, value)
    return values


def other_value(kind: Any, usual: Any) -> Any:
    """Return a value of a type that differs from the usual one."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return other_values(kind, dict(usual) if usual else {})
    parts = get_args(kind)
    if get_origin(kind) is Literal:
        return next(word for word in parts if word != usual)
    if get_origin(kind) in (UnionType, Union):
        return other_value(next(part for part in parts if part is not NoneType), usual)
    if get_origin(kind) is dict:
        keys, value = parts
        return {key: other_value(value, None) for key in get_args(keys) or ("gpus",)}
    return next(one for one in EXAMPLES[get_origin(kind) or kind] if one != usual)


def leaves(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return each value that is no section, by its key with dots."""
    found = {}
    for name, value in values.items():
        inner = isinstance(value, Mapping) and value
        found |= leaves(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return found


VALUES = other_values(Machine, MACHINE)


@pytest.fixture
def changed_machine(pipeline: Pipeline) -> Iterator[Path]:
    file = pipeline.folder / "machine.yaml"
    before = file.read_text()
    file.write_text(yaml.safe_dump(VALUES))
    yield file
    file.write_text(before)


def test_every_key_of_every_section_has_another_value() -> None:
    changed = Machine.model_validate(VALUES)
    assert set(changed.servers) == set(get_args(ServerName))
    server = Server(url="http://127.0.0.1/v1")
    pairs = [(Machine.model_validate(MACHINE), changed)]
    pairs += [(server, one) for one in changed.servers.values()]
    for usual, other in pairs:
        before, after = leaves(usual.model_dump()), leaves(other.model_dump())
        same = {key for key in before.keys() & after.keys() if before[key] == after[key]}
        assert {key.rpartition(".")[2] for key in same} <= set(NOT_ON_THE_CPU_LOOP), same
    assert {"launcher.prefix", "engines.tensor_parallel"} <= set(leaves(VALUES))


def test_other_values_run_nothing_and_change_no_byte(
    pipeline: Pipeline, changed_machine: Path
) -> None:
    def digests() -> dict[str, str]:
        stages = yaml.safe_load((pipeline.folder / "dvc.lock").read_text())["stages"]
        return {out["path"]: out["md5"] for stage in FORCED for out in stages[stage]["outs"]}

    before = digests()
    assert len(before) > len(FORCED)
    assert "Running stage" not in pipeline.dvc("repro")
    output = pipeline.dvc("repro", "--force", "--single-item", *FORCED)
    assert all(f"Running stage '{stage}'" in output for stage in FORCED)
    assert digests() == before
    assert any((pipeline.folder / VALUES["work_folder"]).rglob("*"))
