"""The work of each stage: requests or rows, and the tokens of one of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mathse.core.layout import Layout
from mathse.core.params import Params, RoleName, Training
from mathse.core.registry import ENGINES, REFLECTORS
from mathse.core.tables import reading, table_files
from mathse.judge.orm_attacks import MAX_ATTACKED
from mathse.planning.assumptions import Assumptions
from mathse.planning.shapes import Shape


@dataclass(frozen=True)
class Tuning:
    """How a model is trained.

    Attributes:
        lora_rank: of the adapters; 0: all weights are trained.
        is_vision_frozen: the vision part is not trained.
        recomputes: activations are computed again in the backward pass.
        is_sharded: devices share weights, gradients and Adam.
        frozen_bytes: of a parameter that is not trained.
        micro_rows: rows of a forward pass on one device.
        micro_tokens: tokens of a forward pass on one device, at most.
        steps: of the optimizer.
        processes: that share a batch on cores.
    """

    lora_rank: int = 0
    is_vision_frozen: bool = True
    recomputes: bool = True
    is_sharded: bool = False
    frozen_bytes: int = 4
    micro_rows: float = 1
    micro_tokens: int = 4096
    steps: int = 0
    processes: int = 1


@dataclass(frozen=True)
class Work:
    """What a stage, or a part of it, does.

    Attributes:
        stage: its name.
        role: whose model works.
        count: of requests, or of rows as often as they are trained on.
        text_tokens: of one prompt, pictures apart.
        picture_tokens: of one prompt.
        written_tokens: of one response or training target.
        tuning: how the rows are trained on; None for requests.
    """

    stage: str
    role: RoleName
    count: float
    text_tokens: float
    picture_tokens: float
    written_tokens: float
    tuning: Tuning | None = None

    @property
    def tokens(self) -> float:
        """Of one request or row."""
        return self.text_tokens + self.picture_tokens + self.written_tokens


@dataclass(frozen=True)
class Counts:
    """How many problems there are for what, and their pictures."""

    train: int
    orm: int
    orm_test: int
    evaluated: int
    pictures: float


def count_problems(params: Params, layout: Layout, assume: Assumptions) -> Counts:
    """Count the built-in problems, or the tables by their imports where these exist."""
    section = params.problems
    if section.source == "figures":
        splits = dict(section.figures)
    else:
        splits = {"train": 0}
        for table in section.tables:
            file = layout.folder / table.path / "import.json"
            if file.is_file():
                counted = json.loads(file.read_text(encoding="utf-8"))["splits"]
                wanted = counted if table.split is None else [table.split]
                found = sum(counted.get(split, 0) for split in wanted)
            else:
                found = int(assume["table_problems"])
            splits[table.use] = splits.get(table.use, 0) + min(found, table.limit or found)
        train = splits["train"]
        splits["orm"] = round(train * section.orm_share)
        splits["orm_test"] = round(train * section.orm_test_share)
        splits["train"] = train - splits["orm"] - splits["orm_test"]
    evaluated = [splits.get(name, 0) for name in params.eval.splits]
    if params.eval.limit is not None:
        evaluated = [min(count, params.eval.limit) for count in evaluated]
    return Counts(
        train=splits.get("train", 0),
        orm=splits.get("orm", 0),
        orm_test=splits.get("orm_test", 0),
        evaluated=sum(evaluated),
        pictures=sum(splits.values()) * assume["pictures"],
    )


def measure_tables(params: Params, layout: Layout) -> dict[str, tuple[float, str]]:
    """Return means over the problems at hand; they replace what is assumed of them.

    Raises:
        DataError: if a table is damaged.
    """
    # Problems that are here already. Nothing is measured before they are drawn or imported.
    folders = [layout.problems.parent]
    if params.problems.source == "tables":
        folders = [layout.folder / table.path for table in params.problems.tables]
    folders = [folder for folder in folders if (folder / "problems.parquet").is_file()]
    if not folders:
        return {}
    problems = pl.concat(_measure_problems(folder / "problems.parquet") for folder in folders)
    # A folder may still have the problems of the run before, from another source.
    is_figures = (problems["source"] == "figures").all()
    if problems.is_empty() or is_figures != (params.problems.source == "figures"):
        return {}
    origin = f"counted in {', '.join(str(folder) for folder in folders)}"
    means: dict[str, Any] = {
        "pictures": problems["pictures"].mean(),
        "question_characters": problems["characters"].mean(),
    }
    # Where there are images, their mean size.
    files = [file for folder in folders for file in _images(folder)]
    if files:
        sizes = pl.concat(_measure_images(file) for file in files)
        means |= {name: sizes[name].mean() for name in sizes.columns}
    return {name: (float(value), origin) for name, value in means.items() if value}


def _measure_problems(file: Path) -> pl.DataFrame:
    rows = pl.scan_parquet(file, glob=False).select(
        "source",
        characters=pl.col("question").str.len_chars()
        + pl.col("choices").list.join("").str.len_chars(),
        pictures=pl.col("image_ids").list.len(),
    )
    with reading(file):
        return rows.collect()


def _measure_images(file: Path) -> pl.DataFrame:
    rows = pl.scan_parquet(file, glob=False).select(
        picture_pixels=pl.col("width") * pl.col("height"), picture_bytes=pl.col("bytes").bin.size()
    )
    with reading(file):
        return rows.collect()


def _images(folder: Path) -> list[Path]:
    return table_files(folder / "images") if any(folder.glob("images/*.parquet")) else []


def tuning_of(section: Training, steps: int) -> Tuning:
    """Return how a section of params.yaml trains."""
    is_lora = section.method == "lora"
    rows: float = section.micro_batch_size or max(1, section.batch_size // section.processes)
    tokens = int(rows * section.max_tokens)
    if section.micro_batch_tokens is not None:
        tokens = max(section.max_tokens, section.micro_batch_tokens)
        rows = tokens / section.max_tokens
    return Tuning(
        lora_rank=section.lora.rank if is_lora else 0,
        is_vision_frozen=is_lora or any("vis" in pattern for pattern in section.frozen),
        recomputes=section.activation_checkpointing,
        is_sharded=section.sharding == "full",
        frozen_bytes=2 if section.frozen_dtype == "bfloat16" else 4,
        micro_rows=rows,
        micro_tokens=tokens,
        steps=steps,
        processes=section.processes,
    )


def list_work(
    params: Params, counts: Counts, shapes: dict[RoleName, Shape], assume: Assumptions
) -> Iterator[Work]:
    """Yield the work of all stages in order, in the sizes of params.yaml."""
    # The lengths of texts, in tokens.
    samples = params.generate.samples
    response = min(assume["response_tokens"], params.generate.max_new_tokens)
    question = assume["question_characters"] / assume["characters_per_token"]
    prompt = question + assume["instruction_tokens"]
    form = params.train_orm.form
    verdict = 8 if form == "binary" else assume["verdict_tokens"]
    solving = response if form == "stepwise" else 0  # this form solves the problem first

    def write(stage: str, role: RoleName, count: float, text: float, limit: int | None) -> Work:
        return _write(stage, role, count, text, min(limit or response, response))

    def _write(stage: str, role: RoleName, count: float, text: float, written: float) -> Work:
        return Work(stage, role, count, text, pictures(role), written)

    def pictures(role: RoleName) -> float:
        setting = params.roles[role]
        if role in shapes:
            of_one = shapes[role].picture_tokens(assume["picture_pixels"], setting.pixels.max)
        else:
            of_one = assume["api_picture_tokens"] if setting.engine in ENGINES else 0
        return assume["pictures"] * of_one

    def judge(stage: str, count: float) -> Work:
        return _write(stage, "orm", count, prompt + response, verdict + solving)

    def train(
        stage: str, role: RoleName, section: Training, steps: int | None, rows: float
    ) -> Work:
        text, target = (prompt + response, verdict) if role == "orm" else (prompt, response)
        steps = steps or math.ceil(rows * section.epochs / section.batch_size)
        tuning = tuning_of(section, steps)
        return Work(stage, role, steps * section.batch_size, text, pictures(role), target, tuning)

    # The teacher's rows, the first student, and the ORM.
    section = params.finetune
    distilled = min(params.distill.problems, counts.train)
    is_right = params.teacher.engine not in ENGINES
    rows = distilled if is_right else distilled * assume["teacher_right"]
    yield write("distill", "teacher", distilled, prompt, params.teacher.max_new_tokens)
    yield train("finetune r0", "student", section, section.steps, rows)
    tried = (counts.orm + counts.orm_test) * params.orm_data.samples
    yield write("orm_data", "student", tried, prompt, params.orm_data.max_new_tokens)
    # The teacher solves some of the problems that the student did not solve, one for so many wrong.
    unsolved = (counts.orm + counts.orm_test) * (1 - assume["solved"])
    helped = min(unsolved, params.orm_data.teacher_share * tried * assume["wrong"])
    text, written = prompt + response, assume["verdict_tokens"]
    yield _write("orm_data", "annotator", tried, text, written)
    if helped:
        yield write("orm_data", "teacher", helped, prompt, params.teacher.max_new_tokens)
        yield _write("orm_data", "annotator", helped, text, written)
    orm_rows = min(params.orm_data.max_train, counts.orm * params.orm_data.samples)
    yield train("train_orm", "orm", params.train_orm, params.train_orm.steps, orm_rows)
    tested = min(params.orm_data.max_test, counts.orm_test * params.orm_data.samples)
    # As they are, with a white picture, and three attacks on some.
    yield judge("eval_orm", 2 * tested + 3 * min(MAX_ATTACKED, tested / 2))

    # The rounds: D_remain is what nobody tried yet, and what was tried and is unsolved.
    first_rows = rows
    after = {"r0": (counts.train - rows, 0.0, rows, 0.0)}  # each round goes on from one of these
    reflector: RoleName = "student" if params.reflector.engine in REFLECTORS else "reflector"
    for name, settings in params.rounds.items():
        new, hard, rows, gained = after[settings.prev]
        chosen_new = chosen_hard = 0.0
        # New trajectories: of problems that nobody tried, and of unsolved ones.
        if params.is_enabled(name, "generate"):
            usable = new + (hard if params.generate.hard_samples else 0)
            share = min(1.0, (params.generate.max_problems or usable) / max(usable, 1))
            chosen_new = new * share
            chosen_hard = hard * share if params.generate.hard_samples else 0
        sampled = chosen_new * samples + chosen_hard * params.generate.hard_samples
        solved = (chosen_new + chosen_hard) * assume["solved"]
        new, hard = new - chosen_new, hard + chosen_new - solved
        yield write(f"generate {name}", "student", sampled, prompt, params.generate.max_new_tokens)
        yield judge(f"score {name}", sampled)
        # Reflections on what is still unsolved.
        reflected = 0.0
        if params.is_enabled(name, "reflect"):
            chosen = min(params.reflect.max_problems or hard, hard) * params.reflect.per_problem_max
            if params.reflect.feedback == "annotator":
                text, written = prompt + response, assume["verdict_tokens"]
                yield _write(f"reflect {name}", "annotator", chosen, text, written)
            chosen *= params.reflect.samples
            shown = 0 if params.reflect.feedback == "solve_again" else response + verdict
            text, limit = prompt + shown, params.reflector.max_new_tokens
            yield write(f"reflect {name}", reflector, chosen, text, limit)
            yield judge(f"reflect {name}", chosen)
            reflected = chosen
            corrected = min(hard, chosen * assume["corrected"])
            hard, solved = hard - corrected, solved + corrected
        # The refresh of the ORM, and the next student.
        if params.orm.refresh != "never":
            if params.orm.refresh == "round":
                text, written = prompt + response, assume["verdict_tokens"]
                yield _write(f"refresh {name}", "annotator", sampled + reflected, text, written)
            steps = params.orm.refresh_steps
            yield train(f"refresh {name}", "orm", params.train_orm, steps, orm_rows)
        gained += solved
        rows += solved * min(params.merge.max_per_problem, samples)
        yield train(f"finetune {name}", "student", section, params.evolve.steps, rows)
        after[name] = (new, hard, rows, gained)
    _, _, rows, gained = after[params.last_round]

    # The controls: what their teacher is asked, and all rounds' steps from r0.
    right = 1.0 if is_right else assume["teacher_right"]
    steps = (params.evolve.steps or 0) * (len(params.chain(params.last_round)) - 1)
    for name in params.controls:
        asked = {
            "control": 0.0,
            "control_teacher": min((rows - first_rows) / right, counts.train - first_rows),
            "control_same": gained,
            "control_gold": counts.orm,
        }[name]
        if asked:
            yield write(name, "teacher", asked, prompt, params.teacher.max_new_tokens)
        kept = first_rows + asked * right
        yield train(f"finetune {name}", "student", section, steps, kept)

    # The evaluation of each student.
    for name in ("base", "r0", *params.rounds, *params.controls):
        limit = params.eval.max_new_tokens
        yield write(f"predict {name}", "student", counts.evaluated, prompt, limit)
        if shown := params.canary.problems:
            limit = params.canary.max_new_tokens
            yield write(f"predict {name}", "student", shown, prompt, limit)
