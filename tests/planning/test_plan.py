"""`mathse plan` on params.yaml: stages, counts, assumptions and their origins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from mathse import cli
from mathse.core.errors import ParamError
from mathse.core.layout import Layout
from mathse.core.machine import Machine
from mathse.core.params import Params
from mathse.planning import plan as planning
from mathse.planning.assumptions import find_gpus, parse_assumptions
from mathse.planning.plan import Plan
from mathse.planning.plan_tables import amount, duration
from recipes.documents import scale
from tests.closure import ROOT, oracle_params

VALUES = oracle_params()
API = {"engine": "openai", "model": "gpt-4o", "max_new_tokens": 512}
SERVER = {"url": "http://localhost:1/v1", "price": {"prompt": 2.5, "completion": 10}}


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "find_gpus", lambda: {})


def make(
    changes: dict[str, Any] | None = None,
    machine: dict[str, Any] | None = None,
    root: Path = ROOT,
    given: tuple[str, ...] = (),
) -> Plan:
    values = json.loads(json.dumps(VALUES))
    for section, more in (changes or {}).items():
        values[section] = {**values[section], **more}
    params = Params.model_validate(values)
    machine = Machine.model_validate(machine or {})
    return Plan(params, machine, Layout(root), parse_assumptions([*given]))


def test_every_stage_with_a_model_is_there(tmp_path: Path) -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    names = {one.stage.split()[0] for one in make(root=tmp_path).work}
    without = {"code", "problems", "decontaminate", "merge", "eval", "plots", "control"}
    assert {name.split("_r0")[0].split("_base")[0] for name in stages} - without >= names
    assert names >= {"distill", "finetune", "orm_data", "train_orm", "eval_orm"}
    assert names >= {"generate", "score", "reflect", "predict"}


def test_an_orm_that_learns_from_the_rounds_is_annotated_and_trained(tmp_path: Path) -> None:
    annotator = {"annotator": {**API, "temperature": 0.0, "top_p": 1.0}}
    works = {
        when: [
            (one.role, one.count, one.tuning.steps if one.tuning else None)
            for one in make({"orm": {"refresh": when}, **annotator}, root=tmp_path).work
            if one.stage == "refresh r1"
        ]
        for when in ("never", "round", "own_rows")
    }
    (annotated, trained), (alone,) = works["round"], works["own_rows"]
    assert works["never"] == [] and alone == trained
    # Three trajectories of each of 1,000 problems, and the reflections.
    assert annotated[0] == "annotator" and annotated[1] > 3 * VALUES["generate"]["max_problems"]
    assert trained[0] == "orm" and trained[2] == VALUES["orm"]["refresh_steps"]


def test_counts_follow_params(tmp_path: Path) -> None:
    plan = make(root=tmp_path)
    work = {one.stage: one for one in plan.work if one.role == "student"}
    assert work["generate r1"].count == pytest.approx(1000 * VALUES["generate"]["samples"])
    assert work["finetune r0"].count == VALUES["finetune"]["steps"] * 32
    predicted = [one.count for one in plan.work if one.stage == "predict r3"]
    assert predicted == [640 + 400, VALUES["canary"]["problems"]]
    full = make({"generate": {"max_problems": None}}, root=tmp_path)
    work = {one.stage: one for one in full.work if one.role == "student"}
    assert work["generate r1"].count == pytest.approx(3 * (4000 - VALUES["distill"]["problems"]))
    assert work["generate r2"].count < work["generate r1"].count
    assert work["generate r1"].written_tokens == VALUES["generate"]["max_new_tokens"]


def test_controls_are_counted(tmp_path: Path) -> None:
    names = ["control", "control_teacher", "control_same", "control_gold"]
    changes = {"teacher": API, "rounds": {"r4": {"prev": "r1"}}}
    without = make(changes, root=tmp_path)
    params = without.params.model_copy(update={"controls": names})
    plan = Plan(params, without.machine, Layout(tmp_path), parse_assumptions([]))
    counts = {(one.stage, one.role): one.count for one in plan.work}
    asked = {name: counts.get((name, "teacher")) for name in names}
    assert (
        asked["control"] is None and asked["control_gold"] == VALUES["problems"]["figures"]["orm"]
    )
    assert 0 < asked["control_same"] < asked["control_teacher"] <= 4000
    # r4 follows r1: two rounds' steps, from r0.
    for name in names:
        tuning = next(one.tuning for one in plan.work if one.stage == f"finetune {name}")
        assert tuning and tuning.steps == 2 * VALUES["evolve"]["steps"]
        assert counts[f"predict {name}", "student"] == counts["predict r0", "student"]
    paid = {
        row[0] for table in plan.tables() if table.title == "Teacher cost" for row in table.rows
    }
    assert paid >= {"control_teacher", "control_same", "control_gold"}


def test_a_branch_goes_on_from_its_own_round(tmp_path: Path) -> None:
    plan = make({"rounds": {"r4": {"prev": "r1"}}}, root=tmp_path)
    counts = {(one.stage, one.role): one.count for one in plan.work}
    for stage, role in (("generate", "student"), ("score", "orm"), ("finetune", "student")):
        assert counts[f"{stage} r4", role] == counts[f"{stage} r2", role]


def test_the_orm_is_asked_about_its_test_rows_twice_and_about_attacks(tmp_path: Path) -> None:
    for limit, attacks in ((500, 300), (40, 60)):
        plan = make({"orm_data": {"max_test": limit}}, root=tmp_path)
        (tested,) = (one.count for one in plan.work if one.stage == "eval_orm")
        assert tested == 2 * limit + attacks


def test_a_round_that_generates_nothing_costs_nothing(tmp_path: Path) -> None:
    plan = make({"rounds": {"final": {"prev": "r3", "generate": False}}}, root=tmp_path)
    counts = {(one.stage, one.role): one.count for one in plan.work}
    assert counts["generate final", "student"] == counts["score final", "orm"] == 0
    assert counts["reflect final", "orm"] > 0


def test_an_annotator_of_mistakes_is_counted(tmp_path: Path) -> None:
    sizes = {"samples": 2, "max_problems": 50}
    for feedback, counts in (("orm", []), ("annotator", [50])):
        plan = make({"reflect": {**sizes, "feedback": feedback}}, root=tmp_path)
        work = [one for one in plan.work if one.stage == "reflect r1"]
        assert [one.count for one in work if one.role == "annotator"] == counts
        assert [one.count for one in work if one.role == "reflector"] == [100]


def test_solving_again_reads_less_than_reflecting(tmp_path: Path) -> None:
    tokens = {}
    for feedback in ("orm", "solve_again"):
        plan = make({"reflect": {"feedback": feedback}}, root=tmp_path)
        (tokens[feedback],) = [
            one for one in plan.work if (one.stage, one.role) == ("reflect r1", "reflector")
        ]
    assert tokens["solve_again"].count == tokens["orm"].count
    assert tokens["solve_again"].text_tokens < tokens["orm"].text_tokens


def test_imports_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "data/import/tabmwp"
    folder.mkdir(parents=True)
    (folder / "import.json").write_text(json.dumps({"splits": {"dev": 1000, "test": 70}}))
    tables = [
        {"path": "data/import/tabmwp", "split": "dev", "use": "train", "limit": 400},
        {"path": "data/import/tabmwp", "split": "test", "use": "eval"},
        {"path": "data/import/other", "use": "eval_hard"},
    ]
    roles = {"teacher": {"engine": "dataset"}, "annotator": {"engine": "answer"}}
    roles |= {"reflector": {"engine": "student"}, "train_orm": {"form": "binary"}}
    roles |= {"canary": {"problems": 0}}
    plan = make({"problems": {"source": "tables", "tables": tables}, **roles}, root=tmp_path)
    counts = {(one.stage, one.role): one.count for one in plan.work}
    assert counts["predict r0", "student"] == 70 + 10_000  # the other one is not imported
    assert counts["orm_data", "student"] == 400 * 0.3
    assert any("table_problems" in row[0] for row in plan.tables()[-1].rows)


def test_the_problems_at_hand_replace_assumptions(tmp_path: Path) -> None:
    folder = tmp_path / "data/problems"
    (folder / "images").mkdir(parents=True)
    rows = {"source": "figures", "question": "x" * 90, "choices": [["a" * 10]]}
    pl.DataFrame({**rows, "image_ids": [["i"]]}).write_parquet(folder / "problems.parquet")
    image = {"image_id": "i", "bytes": b"12345", "width": 20, "height": 10}
    pl.DataFrame([image]).write_parquet(folder / "images/0.parquet")
    rests = {row[0]: row[1:] for row in make(root=tmp_path).tables()[-1].rows}
    assert rests["question_characters"] == ["100 characters", f"counted in {folder}"]
    assert rests["picture_pixels"][0] == "200 pixels" and rests["picture_bytes"][0] == "5 bytes"
    assert rests["response_tokens"][1].startswith("assumed: ")


def test_what_is_given_replaces_what_is_assumed(tmp_path: Path) -> None:
    plan = make(machine={"plan": {"mfu": 0.3, "gpus": 4}}, root=tmp_path, given=("gpus=8",))
    rests = {row[0]: row[1:] for row in plan.tables()[-1].rows}
    assert rests["gpus"] == ["8 GPUs", "--assume"]
    assert rests["mfu"][0].startswith("0.3 ") and rests["mfu"][1] == "machine.yaml: plan"
    one, eight = (make(root=tmp_path, given=(f"gpus={n}",)) for n in (1, 8))
    for first, second in zip(one.work, eight.work, strict=True):
        if first.tuning is None:
            assert one.planner.seconds(first) == pytest.approx(8 * eight.planner.seconds(second))


def test_the_gpus_of_the_launcher_train(tmp_path: Path) -> None:
    model = {"model": "Qwen/Qwen2-VL-7B-Instruct"}
    sections = {"student": model, "finetune": {"sharding": "full", "micro_batch_size": 1}}

    def found(launcher: dict[str, Any], *given: str) -> tuple[str, list[str], float, list[str]]:
        plan = make(sections, {"launcher": launcher}, tmp_path, given)
        memory, rests = plan.memory_table(), plan.tables()[-1]
        (as_set,) = (row for row in memory.rows if row[0] == "student trains, as set")
        (gpus,) = (row for row in rests.rows if row[0] == "training_gpus")
        work = next(one for one in plan.work if one.stage == "finetune r0")
        return memory.title, as_set[-1:], plan.planner.seconds(work), gpus[1:]

    title, fits, alone, origin = found({}, "gpus=8")
    assert title == "Memory of each of 8 GPUs (training: on 1), in GB" and fits == ["too much"]
    assert origin[0] == "1 GPUs" and "no launcher.processes in machine.yaml" in origin[1]
    nodes = {"processes": 4, "nodes": 2, "rendezvous": "first:29500"}
    for launcher, given in (({"processes": 8}, ()), (nodes, ()), ({}, ("training_gpus=8",))):
        title, fits, shared, origin = found(launcher, "gpus=8", *given)
        assert title == "Memory of each of 8 GPUs, in GB" and fits == ["fits"]
        assert alone == pytest.approx(8 * shared)
        assert origin == ["8 GPUs", "--assume" if given else "machine.yaml: launcher"]
    # More than there are train nothing.
    assert found({"processes": 8}, "gpus=4")[2] == pytest.approx(2 * shared)


def test_on_cores_as_many_processes_train_as_the_params_say(tmp_path: Path) -> None:
    def seconds(student: int, orm: int, cores: int, *given: str) -> dict[str, float]:
        changes = {"finetune": {"processes": student}, "train_orm": {"processes": orm}}
        plan = make(changes, {"inference_processes": cores}, tmp_path, given)
        work = {one.stage: plan.planner.seconds(one) for one in plan.work}
        return {name: work[name] for name in ("finetune r0", "train_orm", "generate r1")}

    one, more = seconds(1, 2, 2), seconds(1, 2, 16)
    assert more["finetune r0"] == one["finetune r0"] and more["train_orm"] == one["train_orm"]
    assert more["generate r1"] < one["generate r1"]
    two = seconds(2, 1, 2)
    assert two["finetune r0"] == pytest.approx(one["finetune r0"] / 2)
    assert two["train_orm"] == pytest.approx(one["train_orm"] * 2)
    # More processes than cores do not help, and what is given counts.
    assert seconds(16, 1, 2)["finetune r0"] == two["finetune r0"]
    assert seconds(1, 1, 16, "training_gpus=8")["finetune r0"] == pytest.approx(
        one["finetune r0"] / 8
    )


def test_the_teacher_of_the_orm_data_is_counted(tmp_path: Path) -> None:
    def found(share: float, *given: str, samples: int = 1) -> list[tuple[str, float]]:
        changes = {"orm_data": {"teacher_share": share, "samples": samples}}
        work = make({**changes, "teacher": API, "annotator": API}, root=tmp_path, given=given).work
        return [(one.role, one.count) for one in work if one.stage == "orm_data"]

    tried = [("student", 8600), ("annotator", 8600)]
    assert found(0.3) == [*tried, ("teacher", 0.3 * 4300), ("annotator", 0.3 * 4300)]
    assert found(0.3, "wrong=0.2")[2][1] == pytest.approx(0.3 * 1720)
    assert found(0) == tried
    # Each problem that the student did not solve has one solution of the teacher at most.
    assert found(0.8, "solved=0.9", samples=3)[2][1] == pytest.approx(860)


@pytest.mark.parametrize("text", ["mfu", "mfu=high", "speed=3", "mfu=-1"])
def test_a_wrong_assumption_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="--assume"):
        make(root=tmp_path, given=(text,))


def test_a_7b_needs_shards_or_adapters(tmp_path: Path) -> None:
    model = {"model": "Qwen/Qwen2-VL-7B-Instruct"}
    plan = make({"student": model, "orm": model}, root=tmp_path, given=("gpus=8",))
    rows = {row[0]: row for row in plan.memory_table().rows}
    assert rows["student trains, full"][-1] == "too much"
    assert float(rows["student trains, full"][-2]) > 126
    shards = {"sharding": "full", "activation_checkpointing": True, "micro_batch_size": 1}
    sections = {"student": model, "orm": model, "finetune": {**shards, "max_tokens": 4096}}
    plan = make(sections, {"launcher": {"processes": 8}}, tmp_path)
    rows = {row[0]: row for row in plan.memory_table().rows}
    assert rows["student trains, as set"][-1] == "fits"
    assert rows["student trains, as set"][1:] == rows["student trains, full, sharded"][1:]


def test_writing_takes_what_engine_and_batch_allow(tmp_path: Path) -> None:
    def seconds(role: dict[str, Any], *given: str) -> float:
        student = {"model": "Qwen/Qwen2-VL-7B-Instruct", **role}
        plan = make({"student": student}, root=tmp_path, given=("gpus=8", *given))
        return plan.planner.seconds(next(one for one in plan.work if one.stage == "generate r1"))

    small, large = ({"engine": "vllm", "batch_size": size} for size in (16, 256))
    assert seconds(small) == seconds(large, "sequences=16") > 1.5 * seconds(large)
    slow = {"engine": "transformers", "batch_size": 16}
    assert seconds(slow) == seconds(small, "decode_share=0.2") > 1.5 * seconds(small)
    assert seconds(slow, "decode_share_transformers=0.5") == seconds(small)
    # A server has batches of its own.
    served = {"engine": "openai", "batch_size": 16}
    assert seconds(served) == seconds(large)


def test_the_document_has_what_the_profile_takes(tmp_path: Path) -> None:
    profile = yaml.safe_load((ROOT / "profiles/qwen2-vl-7b.yaml").read_text())
    plan = make({"student": profile["student"]}, root=tmp_path, given=("gpus=8",))
    work = scale.work_of_a_round(plan.planner)[0]
    row = next(row for row in scale.time_table().rows if "engine: transformers" in row[0])
    assert row[2] == duration(plan.planner.seconds(work))


def test_money_by_the_price_of_the_machine(tmp_path: Path) -> None:
    alone = {"teacher": API, "orm_data": {"teacher_share": 0}}
    plan = make(alone, {"servers": {"teacher": SERVER}}, tmp_path)
    (row, total) = plan.cost_table().rows
    work = next(one for one in plan.work if one.stage == "distill")
    prompt = work.count * (work.text_tokens + work.picture_tokens)
    paid = (prompt * 2.5 + work.count * work.written_tokens * 10) / 1e6
    assert row[:2] == ["distill", "teacher: gpt-4o"] and row[5] == total[5] == f"{paid:,.2f}"
    *rows, total = make({"teacher": API}, root=tmp_path).cost_table().rows
    assert {row[5] for row in rows} == {"no price"}
    assert total[5] == "unknown: servers has no price of teacher"
    assert make(root=tmp_path).cost_table().rows == []


def test_unknown_models_are_named(tmp_path: Path) -> None:
    plan = make({"student": {"model": "owner/new-7b"}}, root=tmp_path)
    assert "owner/new-7b is not known here" in plan.tables()[-1].rows[0][2]


def test_gpus_are_found_by_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 81559'\necho 'NVIDIA H100, 81559'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = find_gpus()
    assert found["gpus"] == (2, "nvidia-smi: NVIDIA H100 80GB HBM3")
    assert found["gpu_tflops"][0] == 989 and 85 < found["gpu_memory_gb"][0] < 86


@pytest.mark.parametrize(
    ("value", "text"), [(960_000, "960K"), (288e6, "288M"), (7, "7"), (0.5, "0.5"), (999.9, "1K")]
)
def test_amounts(value: float, text: str) -> None:
    assert amount(value) == text


def test_durations() -> None:
    assert [duration(x) for x in (5, 90, 5400, 172800)] == ["5 s", "1.5 min", "1.5 h", "2 d"]


def test_the_command_says_that_it_is_arithmetic() -> None:
    result = CliRunner().invoke(cli.app, ["--project", str(ROOT), "plan", "--gpus", "8"])
    assert result.exit_code == 0, result.output
    assert "not a measurement" in result.output and "Work, on 8 GPUs" in result.output
