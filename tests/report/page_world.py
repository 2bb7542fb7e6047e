"""A small finished run with all that the page shows, and with texts that attack who shows them."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from PIL import Image

import schemas
from mathse.core.images import write_images
from mathse.core.layout import Layout
from mathse.core.tables import read_table, write_table
from mathse.curation.ledger import next_ledger
from mathse.evaluation.benchmark_rules import benchmark_table
from tests.closure import ROOT
from tests.judge.trajectories import (
    RIGHT,
    WRONG,
    problem_id,
    problems,
    trajectories,
    trajectory,
    verdict,
    verdicts,
)
from tests.report.world import CORRECT, MISTAKE, N_EVAL, build

ATTACKS = {
    "script": "<script>window.hacked = 1</script>",
    "end of the block": "</script></textarea><img src=x onerror='window.hacked = 2'>",
    "attribute": '" onmouseover="window.hacked = 3" x=\'',
    "comment": "<!-- <script> ]]> -->",
    "right to left": "safe\u202etxt.exe\u2066",
    "terminal": "\x1b[31mred\x1b[0m\x07",
    "template": "{{ 7 * 191 }} {% raw %}",
    "formula": r"$\href{javascript:window.hacked=4}{x}$ and $\frac{1}{2}$",
}
KEY = "sk-proj-4f9a8b7c6d5e4f3a2b1c0d"
HOSTILE = "\n".join(ATTACKS.values())
PREDICTION = schemas.column_types(schemas.Prediction)


def build_page_world(root: Path) -> Layout:
    """Write a project of two rounds, with predictions, pictures, params, metrics and curves."""
    layout = Layout(root)
    build(root / "data")
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, format="PNG")
    picture = buffer.getvalue()
    name = hashlib.sha256(picture).hexdigest()
    shown = {"image_id": name, "bytes": picture, "format": "PNG", "width": 8, "height": 8}
    write_images(pl.DataFrame([shown]), layout.images)
    # The problems: those of training, of the evaluations, and a hostile one.
    pool = problems(1000 + N_EVAL).filter(
        pl.col("problem_id").is_in([problem_id(n) for n in (*range(N_EVAL), *range(1000, 1020))])
    )
    hard, main = [problem_id(n) for n in range(1000, 1020)], pl.lit("eval")
    text = pl.when(problem_id=problem_id(2)).then(pl.lit(HOSTILE))
    pool = pool.with_columns(
        question=text.otherwise("question"),
        family=text.otherwise("family"),
        choices=pl.when(problem_id=problem_id(2)).then(pl.lit([])).otherwise("choices"),
        image_ids=pl.lit([name]),
        split=pl.when(pl.col("problem_id").is_in(hard)).then(pl.lit("eval_hard")).otherwise(main),
        solution=pl.lit(RIGHT),
    )
    write_table(pool, layout.problems, sort_by=["problem_id"])
    # What the models wrote; hostile texts of student and ORM.
    for model in CORRECT:
        _write_predictions(layout, model)
        counts = benchmark_table(read_table(layout.eval(model).graded), pool)
        write_table(counts, layout.eval(model).accuracy, sort_by=["split", "by", "group"])
    _spoil(layout.round("r1").trajectories, MISTAKE, "response", f"{WRONG}\n{HOSTILE}")
    _spoil(layout.round("r1").verdicts, MISTAKE, "error_analysis", HOSTILE)
    write_canary(layout, "r1", [True] * 3 + [False])
    # Params, metrics, curve, code.
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["rounds"] = {"r1": {"prev": "r0"}}
    params["controls"] = ["control"]
    params["student"]["model"] = "/home/somebody/private/qwen"
    layout.params.write_text(yaml.safe_dump(params))
    usage = {"teacher": {"requests": 5, "failed": 1, "cost": 0.25}}
    _write(layout.metrics("distill"), json.dumps({"distill": {"usage": usage}}))
    _write(layout.curve("r0"), "step\tloss\tlearning_rate\n1\t1.5\t0.1\n2\t0.5\t0.1\n")
    _write(layout.code("merge"), "{}\n")
    _write(root / "dvc.yaml", "stages: {}\n")
    return layout


BROKEN = trajectory(1, WRONG, round="r2")  # r1 was right on its problem
STILL_WRONG = trajectory(2, WRONG, 1, round="r2")
SOLVED = trajectory(3, RIGHT, round="r2")
FIRST_TRY = trajectory(4, WRONG, round="r2")


def add_round(layout: Layout) -> None:
    """Add r2: three problems that the student had tried before, and one that it had not."""
    files, before = layout.round("r2"), read_table(layout.round("r1").ledger)
    analysis = "The sum is 7"
    judged = verdicts(
        verdict(BROKEN, False, error_step=2, error_analysis=analysis),
        verdict(STILL_WRONG, False, error_step=None, error_analysis=analysis),
        verdict(SOLVED, True),
        verdict(FIRST_TRY, False, error_step=9, error_analysis=analysis),
    )
    written = trajectories(BROKEN, STILL_WRONG, SOLVED, FIRST_TRY)
    write_table(written, files.trajectories, sort_by=["trajectory_id"])
    write_table(judged, files.verdicts, sort_by=["trajectory_id"])
    write_table(next_ledger(before, judged, round_name="r2"), files.ledger, sort_by=["problem_id"])
    params = yaml.safe_load(layout.params.read_text())
    params["rounds"]["r2"] = {"prev": "r1"}
    layout.params.write_text(yaml.safe_dump(params))


def write_canary(layout: Layout, model: str, correct: list[bool]) -> None:
    """Write a model's answers to sums, each right or not."""
    ids = [problem_id(2000 + number) for number in range(len(correct))]
    rows = pl.DataFrame({"problem_id": ids, "correct": correct})
    rows = rows.with_columns(round=pl.lit(model), skill=pl.lit("sums"))
    write_table(rows, layout.eval(model).canary, sort_by=["skill", "problem_id"])


def _write_predictions(layout: Layout, model: str) -> None:
    rows: list[dict[str, Any]] = []
    for row in read_table(layout.eval(model).graded).iter_rows(named=True):
        text = {"response": RIGHT if row["correct"] else WRONG, "response_tokens": 9}
        rows.append({**row, **text, "finish_reason": "stop"})
    rows[-1] |= {
        "response": "",
        "finish_reason": "error",
        "error_kind": "permanent",
        "error": f"401 for {KEY} in /home/somebody/private/client.py",
    }
    table = pl.DataFrame(rows, schema=PREDICTION, strict=False)
    write_table(table, layout.eval(model).predictions, sort_by=["split", "problem_id"])


def _spoil(file: Path, trajectory: dict[str, Any], column: str, text: str) -> None:
    rows = read_table(file)
    is_it = pl.col("trajectory_id") == trajectory["trajectory_id"]
    rows = rows.with_columns(pl.when(is_it).then(pl.lit(text)).otherwise(column).alias(column))
    write_table(rows, file, sort_by=["trajectory_id"])


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
