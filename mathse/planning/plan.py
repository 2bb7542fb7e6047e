"""A plan: tables of work, memory, disk and teacher cost, printed before anything runs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace

from mathse.core.layout import Layout
from mathse.core.machine import Machine
from mathse.core.params import Params, Role, RoleName
from mathse.core.registry import LOCAL_ENGINES, SERVED_ENGINES
from mathse.planning import formulas
from mathse.planning.assumptions import Assumptions, cores, find_gpus
from mathse.planning.estimate import Planner
from mathse.planning.plan_tables import GB, PARTS, Table, amount, duration, memory_row
from mathse.planning.shapes import CONFIGS, Shape, find_shape, shape_of
from mathse.planning.work import count_problems, list_work, measure_tables

ONE_TRAINS = "no launcher.processes in machine.yaml: one GPU trains, and sharding has no effect"
IN_WORK_FOLDER = ("checkpoints of a training", "journal")
"""What of `Plan.disk` is in `work_folder`, which may be on another disk."""
UNKNOWN = "Qwen/Qwen2-VL-7B-Instruct"


class Plan:
    """What a run takes, before it starts.

    Args:
        params: all parameters.
        machine: how things run; its `plan` replaces assumptions.
        layout: where tables, models and the disk are.
        given: values that replace all others, with their origin.

    Attributes:
        planner: estimates a piece of work.
        work: of all stages.
        counts: of problems and their pictures.
    """

    def __init__(
        self,
        params: Params,
        machine: Machine,
        layout: Layout,
        given: Mapping[str, tuple[float, str]],
    ) -> None:
        self.params, self.machine, self.layout = params, machine, layout
        of_machine = {name: (value, "machine.yaml: plan") for name, value in machine.plan.items()}
        shapes = find_shapes(params, layout)
        found = {} if machine.device == "cpu" else find_gpus()
        launcher = machine.launcher
        trainers = launcher.processes * launcher.nodes
        if trainers > 1:
            found["gpus"] = trainers, "machine.yaml: launcher"
        if isinstance(launcher.peak_tflops, float):
            found["gpu_tflops"] = launcher.peak_tflops, "machine.yaml: launcher"
        on_cores = not found and all(shape.parameters < GB for shape in shapes.values())
        if on_cores and "gpus" not in of_machine | dict(given):
            found = cores(machine.processes)
        else:
            origin = "machine.yaml: launcher" if trainers > 1 else ONE_TRAINS
            found["training_gpus"] = trainers, origin
        assume = Assumptions({**found, **measure_tables(params, layout), **of_machine, **given})
        self.planner = Planner(shapes, params.roles, assume)
        self.counts = count_problems(params, layout, assume)
        self.work = list(list_work(params, self.counts, shapes, assume))

    def tables(self) -> list[Table]:
        """Return all tables; the last one names what the others rest on."""
        made = [self.work_table(), self.memory_table(), self.disk_table(), self.cost_table()]
        basis = [
            [f"{role}'s model", f"{amount(shape.parameters)} parameters", shape.origin]
            for role, shape in self.planner.shapes.items()
        ]
        columns = ["what", "value", "origin"]
        return [*made, Table("What this rests on", columns, basis + self.planner.assume.rows())]

    def work_table(self) -> Table:
        """Return requests or rows, tokens, operations and time of each stage."""
        columns = ["stage", "by", "requests or rows", "prompt tokens", "written tokens", "PFLOP"]
        table, sums = Table(f"Work, on {self.planner.devices}", [*columns, "time"]), [0.0] * 4
        for one in self.work:
            setting, steps = self.params.roles[one.role], one.tuning.steps if one.tuning else 0
            values = [
                one.count * (one.text_tokens + one.picture_tokens),
                one.count * one.written_tokens,
                self.planner.flops(one),
                self.planner.seconds(one),
            ]
            is_local = one.role in self.planner.shapes
            who = one.role if is_local else f"{one.role} ({setting.engine})"
            name = f"{one.stage} ({steps:,} steps)" if steps else one.stage
            table.rows.append([name, who, amount(one.count), *_cells(values, is_local)])
            sums = [a + b for a, b in zip(sums, values, strict=True)]
        table.rows.append(["all", "", "", *_cells(sums, True)])
        return table

    def memory_table(self) -> Table:
        """Return the memory of each device: trainings in three ways, and writing."""
        planner = self.planner
        columns = ["what", *PARTS, "sum", f"of {planner.memory / GB:.0f}"]
        table, seen = Table(f"Memory of each of {planner.devices}, in GB", columns), set()
        # Several stages use a model in the same way: one row for writing, one for training.
        for one in self.work:
            shape, tuning = planner.shapes.get(one.role), one.tuning
            if shape is None or (key := (tuning is None, one.role)) in seen:
                continue
            seen.add(key)
            if tuning is None:
                found = {f"{one.role} writes": planner.writing_memory(one.role, one.tokens)}
            else:
                # A training as it is set, and in the other ways, to choose by.
                rank = tuning.lora_rank or int(planner.assume["lora_rank"])
                lora = replace(tuning, lora_rank=rank, is_sharded=False)
                ways = {
                    "as set": tuning,
                    "full": replace(tuning, lora_rank=0, is_sharded=False),
                    "full, sharded": replace(tuning, lora_rank=0, is_sharded=True),
                    "LoRA": lora,
                    "LoRA in bf16": replace(lora, frozen_bytes=2),
                }
                found = {
                    f"{one.role} trains, {how}": planner.training_memory(
                        shape, way, one.written_tokens
                    )
                    for how, way in ways.items()
                }
            table.rows += [
                memory_row(label, parts, planner.memory) for label, parts in found.items()
            ]
        return table

    def disk(self) -> dict[str, float]:
        """Return the bytes on disk at the end of a run, and what trainings need beside them."""
        assume, params = self.planner.assume, self.params
        shapes, copies = self.planner.shapes, assume["copies"]
        written = sum(one.count * one.written_tokens for one in self.work if one.tuning is None)
        requests = sum(one.count for one in self.work if one.tuning is None)
        student, orm = shapes.get("student"), shapes.get("orm")
        trained = len(params.rounds) + 1 + len(params.controls)
        orms = 1 if params.orm.refresh == "never" else 1 + len(params.rounds)
        saved = 4 if params.finetune.save_dtype == "float32" else 2
        largest = max((shape.parameters for shape in shapes.values()), default=0.0)
        bases = {params.roles[name].model: shape.parameters for name, shape in shapes.items()}
        return {
            "base models": 2 * sum(bases.values()),
            f"{trained} students": copies
            * saved
            * trained
            * (student.parameters if student else 0),
            "the ORM": copies * saved * orms * (orm.parameters if orm else 0),
            "checkpoints of a training": formulas.checkpoint_bytes(largest),
            "pictures": (copies + 1) * self.counts.pictures * assume["picture_bytes"],
            "tables": copies * (4 * written + 400 * requests),
            "journal": 4 * written + 400 * requests,
        }

    def disk_table(self) -> Table:
        """Return the bytes on disk beside what is free."""
        found = self.disk()
        free = shutil.disk_usage(self.layout.folder.absolute()).free
        table = Table("Disk, in GB", ["what", "GB"])
        table.rows = [[name, f"{size / GB:,.4g}"] for name, size in found.items()]
        table.rows += [
            ["all", f"{sum(found.values()) / GB:,.4g}"],
            ["free here", f"{free / GB:,.4g}"],
        ]
        return table

    def cost_table(self) -> Table:
        """Return requests, tokens and money of the roles behind an API."""
        columns = ["stage", "model", "requests", "prompt tokens", "written tokens", "money", "time"]
        servers, assume = self.machine.servers, self.planner.assume
        table, sums = Table("Teacher cost", columns), [0.0, 0.0]
        unpriced = list[str]()
        for one in self.work:
            setting = self.params.roles[one.role]
            if setting.engine not in SERVED_ENGINES or one.tuning is not None or not one.count:
                continue
            server = servers.get(one.role) or servers.get("default")
            price = server.price if server else None
            prompt = one.count * (one.text_tokens + one.picture_tokens)
            written = one.count * one.written_tokens
            paid = price and formulas.cost(prompt, written, price.prompt, price.completion)
            in_flight = server.concurrency if server else 16
            seconds = written / (in_flight * assume["api_tokens_per_s"])
            money = "no price" if paid is None else f"{paid:,.2f}"
            who = f"{one.role}: {setting.model}"
            cells = [amount(one.count), amount(prompt), amount(written), money, duration(seconds)]
            table.rows.append([one.stage, who, *cells])
            sums = [sums[0] + (paid or 0), sums[1] + seconds]
            unpriced += [one.role] if paid is None else []
        if table.rows:
            money = f"{sums[0]:,.2f}"
            if unpriced:
                roles = ", ".join(dict.fromkeys(unpriced))
                money = (
                    f"{f'{money} and ' if sums[0] else ''}unknown: servers has no price of {roles}"
                )
            table.rows.append(["all", *[""] * 4, money, duration(sums[1])])
        return table


def find_shapes(params: Params, layout: Layout) -> dict[RoleName, Shape]:
    """Return the shapes of the models that run here; unknown ones have that of Qwen2-VL-7B."""
    shapes: dict[RoleName, Shape] = {}
    for name, role in params.roles.items():
        trained = name in ("student", "orm")
        if role.engine in LOCAL_ENGINES or (role.engine in SERVED_ENGINES and trained):
            folder = layout.folder / str(role.model)
            shapes[name] = find_shape(str(folder)) or find_shape(str(role.model)) or _unknown(role)
    return shapes


def _unknown(role: Role) -> Shape:
    origin = f"assumed: {role.model} is not known here; the shape of {UNKNOWN}"
    return replace(shape_of(CONFIGS[UNKNOWN]), origin=origin)


def _cells(values: list[float], is_local: bool) -> list[str]:
    prompt, written, flops, seconds = values
    computed = [f"{flops / 1e15:,.3g}", duration(seconds)] if is_local else ["", ""]
    return [amount(prompt), amount(written), *computed]
