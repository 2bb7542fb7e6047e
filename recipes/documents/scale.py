"""The tables of docs/scale.md: a 7B, 240K problems × 4 samples × 3 rounds, by `mathse plan`."""

from __future__ import annotations

from dataclasses import replace

from mathse.core.params import ModelRole
from mathse.planning.assumptions import Assumptions
from mathse.planning.estimate import Planner
from mathse.planning.formulas import checkpoint_bytes, cost, list_formulas
from mathse.planning.plan_tables import GB, PARTS, Table, amount, duration, memory_row
from mathse.planning.shapes import CONFIGS, shape_of
from mathse.planning.work import Tuning, Work

MODEL = "Qwen/Qwen2-VL-7B-Instruct"
GPUS = (1, 8, 32)
PROBLEMS, SAMPLES, ROUNDS = 240_000, 4, 3
DISTILLED, ANNOTATED, REFLECTED, EVALUATED = 100_000, 60_000, 40_000, 10_000
ROWS = (DISTILLED, 240_000, 280_000)  # of the paper: distilled, self-evolving, with reflections
PRICE = (2.5, 10.0)  # dollars for a million tokens, as OpenAI listed them for GPT-4o in 2025
FULL = Tuning()
LORA = Tuning(lora_rank=16)
BATCH_SIZE = 16  # of engine transformers, as profiles/qwen2-vl-7b.yaml has it
PIXELS = 1_003_520  # of a picture at most, as profiles/qwen2-vl-7b.yaml has it


def planner(gpus: int = 1, engine: str = "vllm", batch_size: int = 64) -> Planner:
    """Return the estimates for so many GPUs and an engine that writes with such batches."""
    shape = shape_of(CONFIGS[MODEL])
    role = ModelRole(model=MODEL, engine=engine, batch_size=batch_size)
    given = Assumptions({"gpus": (gpus, "this document")})
    return Planner({"student": shape, "orm": shape}, {"student": role, "orm": role}, given)


def work_of_a_round(plan: Planner, tuning: Tuning = FULL) -> list[Work]:
    """Return the work of a round in which no problem has left D_remain yet: the most it can be."""
    assume, shape = plan.assume, plan.shapes["student"]
    prompt = assume["question_characters"] / assume["characters_per_token"]
    prompt += assume["instruction_tokens"]
    picture = shape.picture_tokens(assume["picture_pixels"], PIXELS)
    response, verdict = assume["response_tokens"], assume["verdict_tokens"]
    requests, reflections = PROBLEMS * SAMPLES, REFLECTED / assume["corrected"]
    judged = prompt + response
    return [
        Work("generate", "student", requests, prompt, picture, response),
        Work("score", "orm", requests, judged, picture, verdict),
        Work("reflect", "reflector", reflections, judged + verdict, picture, response),
        Work("judge reflections", "orm", reflections, judged, picture, verdict),
        Work("finetune", "student", ROWS[-1], prompt, picture, response, tuning),
        Work("predict", "student", EVALUATED, prompt, picture, response),
    ]


def work_table() -> Table:
    """Return requests, tokens and operations of a round."""
    plan = planner()
    columns = ["stage", "requests or rows", "prompt tokens", "written tokens", "PFLOP"]
    table = Table("Work of a round", columns)
    for one in work_of_a_round(plan):
        prompt = one.count * (one.text_tokens + one.picture_tokens)
        flops = plan.flops(one) / 1e15
        cells = [amount(one.count), amount(prompt), amount(one.count * one.written_tokens)]
        table.rows.append([one.stage, *cells, f"{flops:,.0f}" if flops else "by the teacher"])
    return table


def memory_table() -> Table:
    """Return the memory of each GPU by how the model is trained."""
    plan = planner()
    shape, response = plan.shapes["student"], plan.assume["response_tokens"]
    table = Table("Memory", ["what", *PARTS, "sum", "of 80"])
    ways = {"full, vision trained too": (1, replace(FULL, is_vision_frozen=False))}
    ways["full"] = 1, FULL
    for gpus in GPUS[1:]:
        ways[f"full, sharded over {gpus}"] = gpus, replace(FULL, is_sharded=True)
    kept = replace(FULL, is_sharded=True, recomputes=False)
    ways["the same over 8, activations kept"] = 8, kept
    ways["LoRA, rank 16"] = 1, LORA
    ways["LoRA, the frozen weights in bf16"] = 1, replace(LORA, frozen_bytes=2)
    rows = {
        label: planner(gpus).training_memory(shape, tuning, response)
        for label, (gpus, tuning) in ways.items()
    }
    rows["generation, 64 sequences"] = plan.writing_memory("student", 1300)
    table.rows = [memory_row(label, parts, plan.memory) for label, parts in rows.items()]
    return table


def time_table() -> Table:
    """Return the time of a round, and of all of them, on 1, 8 and 32 GPUs."""
    table = Table("Time", ["stage", *(f"{gpus} GPU{'s' * (gpus > 1)}" for gpus in GPUS)])
    plans = [planner(gpus) for gpus in GPUS]
    slow = [planner(gpus, "transformers", BATCH_SIZE) for gpus in GPUS]
    rows: dict[str, list[float]] = {}
    works = zip(work_of_a_round(plans[0]), work_of_a_round(plans[0], LORA), strict=True)
    for full, lora in works:
        if full.role not in plans[0].shapes:
            continue
        rows[full.stage] = [plan.seconds(full) for plan in plans]
        if full.tuning:
            rows[f"{full.stage}, LoRA"] = [plan.seconds(lora) for plan in plans]
    total = [sum(values) for values in zip(*rows.values(), strict=True)]
    total = [a - b for a, b in zip(total, rows["finetune, LoRA"], strict=True)]
    rows["a round, full fine-tuning"] = total
    lighter = zip(total, rows["finetune"], rows["finetune, LoRA"], strict=True)
    rows["a round, LoRA"] = [a - b + c for a, b, c in lighter]
    rows[f"{ROUNDS} rounds, full fine-tuning"] = [ROUNDS * value for value in total]
    generate = work_of_a_round(plans[0])[0]
    rows["generate with `engine: transformers`"] = [plan.seconds(generate) for plan in slow]
    for label, values in rows.items():
        cells = [duration(value) for value in values]
        needs_shards = label != "finetune, LoRA" and "LoRA" not in label
        if needs_shards and ("finetune" in label or "full" in label):
            cells[0] += " (does not fit)"
        table.rows.append([label, *cells])
    return table


def disk_table() -> Table:
    """Return the bytes of the whole run."""
    plan = planner()
    shape = plan.shapes["student"]
    model, trained = 2 * shape.parameters, shape.parameters - shape.vision
    works = [one for one in work_of_a_round(plan) if one.tuning is None]
    text = ROUNDS * sum(one.count * (4 * one.written_tokens + 400) for one in works)
    pictures = (PROBLEMS + DISTILLED + ANNOTATED + EVALUATED) * plan.assume["picture_bytes"]
    rows = {
        "the base model": (model, 1),
        f"r0 and {ROUNDS} rounds": (model * (ROUNDS + 1), 2),
        "the ORM": (model, 2),
        "checkpoints of one training": (checkpoint_bytes(trained), 1),
        "pictures: import, problems": (pictures, 3),
        "tables and journal": (text, 3),
    }
    table = Table("Disk", ["what", "GB", "copies", "GB in all"])
    for label, (size, copies) in rows.items():
        cells = [f"{size / GB:,.0f}", str(copies), f"{size * copies / GB:,.0f}"]
        table.rows.append([label, *cells])
    total = sum(size * copies for size, copies in rows.values())
    linked = sum(size * (copies - (copies > 1)) for size, copies in rows.values())
    table.rows.append(["all", "", "", f"{total / GB:,.0f}"])
    table.rows.append(["all, with links in DVC's cache", "", "", f"{linked / GB:,.0f}"])
    return table


def cost_table() -> Table:
    """Return what a teacher behind an API costs at the price of GPT-4o."""
    plan = planner()
    assume, reflect = plan.assume, work_of_a_round(plan)[2]
    prompt, response = reflect.text_tokens - assume["verdict_tokens"], reflect.written_tokens
    question, picture = prompt - response, assume["api_picture_tokens"]
    verdict = assume["verdict_tokens"]
    roles = {
        "teacher: distils": (DISTILLED / assume["teacher_right"], question, response),
        "annotator: 30K wrong and 30K right": (ANNOTATED, prompt, verdict),
        "reflector: all rounds": (reflect.count, prompt + verdict, response),
    }
    columns = ["role", "requests", "prompt tokens", "written tokens", "dollars"]
    table, total = Table("Teacher cost", columns), 0.0
    for label, (count, text, written) in roles.items():
        sums = count * (text + picture), count * written
        paid = cost(*sums, *PRICE)
        total += paid
        table.rows.append([label, *map(amount, (count, *sums)), f"{paid:,.0f}"])
    table.rows.append(["all", "", "", "", f"{total:,.0f}"])
    return table


def assumption_table() -> Table:
    """Return what the tables of the document rest on."""
    plan, slow = planner(8), planner(8, "transformers", BATCH_SIZE)
    works = work_of_a_round(plan)
    plan.seconds(works[0])
    slow.seconds(works[0])
    plan.assume.used |= slow.assume.used
    for name in ("api_picture_tokens", "teacher_right", "picture_bytes", "lora_rank"):
        plan.assume[name]
    rows = [row for row in plan.assume.rows() if row[0] != "gpus"]
    return Table("Assumptions", ["name", "value", "origin"], rows)


def formula_table() -> Table:
    """Return every formula with its source."""
    return Table("Formulas", ["what", "formula", "source"], list_formulas())


TABLES = {
    "work": work_table,
    "memory": memory_table,
    "time": time_table,
    "disk": disk_table,
    "cost": cost_table,
    "assumptions": assumption_table,
    "formulas": formula_table,
}


def render(name: str) -> str:
    """Return a table of the document in Markdown."""
    table = TABLES[name]()
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
