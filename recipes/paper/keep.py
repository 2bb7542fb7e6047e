"""What is kept of an arm's run: answers by problem, and what its stages counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.params import Params, load_params
from recipes.documents.results import annotated_for_orm


def graded_bits(layout: Layout, name: str) -> dict[str, str]:
    """Return for each split which problems a model solved: 1 or 0, in the order of their ids."""
    rows = pl.read_parquet(layout.eval(name).graded).sort("problem_id")
    return {
        split: "".join("1" if hit else "0" for hit in part["correct"])
        for (split,), part in sorted(rows.partition_by("split", as_dict=True).items())
    }


def clusters(layout: Layout, name: str) -> dict[str, list[int]]:
    """Return for each split the number of each problem's cluster, in the order of their ids."""
    rows = pl.read_parquet(layout.eval(name).graded).sort("problem_id")
    return {
        split: part["cluster"].rank("dense").cast(pl.Int64).to_list()
        for (split,), part in sorted(rows.partition_by("split", as_dict=True).items())
    }


def mean_chars(layout: Layout, name: str) -> dict[str, float]:
    """Return for each split how many characters a model's responses have in the mean."""
    columns = ["split", "response"]
    rows = pl.read_parquet(layout.eval(name).predictions, columns=columns)
    means = rows.group_by("split").agg(pl.col("response").str.len_chars().mean())
    return dict(means.sort("split").iter_rows())


def choices(layout: Layout, name: str) -> dict[str, str]:
    """Return for each split which problems have choices: 1 or 0, in the order of their ids."""
    rows = pl.read_parquet(layout.eval(name).graded, columns=["problem_id", "split"])
    known = pl.read_parquet(layout.problems, columns=["problem_id", "choices"])
    rows = rows.join(known, on="problem_id", validate="1:1").sort("problem_id")
    return {
        split: "".join(str(int(n > 0)) for n in part["choices"].list.len())
        for (split,), part in sorted(rows.partition_by("split", as_dict=True).items())
    }


def code_of(layout: Layout) -> str:
    """Return a content id of the code of the rounds' stages, without comments and docstrings."""
    stages = yaml.safe_load(layout.dvc_lock.read_text(encoding="utf-8"))["stages"]
    deps = [dep for name, stage in stages.items() if "control" not in name
            for dep in stage.get("deps", [])]  # fmt: skip
    return content_id(sorted({dep["md5"] for dep in deps if dep["path"].startswith("code/")}))


def problem_sets(layout: Layout, name: str) -> dict[str, str]:
    """Return for each split a content id of its problems: only equal ones can be paired."""
    rows = pl.read_parquet(layout.eval(name).graded)
    parts = rows.partition_by("split", as_dict=True)
    return {split: content_id(sorted(part["problem_id"])) for (split,), part in parts.items()}


def result_of(folder: Path) -> dict[str, Any]:
    """Return what is kept of an arm's run: answers by problem, and the metrics of its stages."""
    layout, params = Layout(folder), load_params(folder / "params.yaml")
    models = ["base", "r0", *params.rounds, *params.controls]

    def metrics(stage: str, name: str | None = None) -> Any:
        return json.loads(layout.metrics(stage, name).read_text(encoding="utf-8"))

    kinds = {"merge": [*params.rounds], "score": [*params.rounds], "reflect": [*params.rounds],
             "audit": [*params.rounds], "finetune": ["r0", *params.rounds]}  # fmt: skip
    return {
        "code": code_of(layout),
        "problems": problem_sets(layout, "base"),
        "models": {name: graded_bits(layout, name) for name in models},
        "clusters": clusters(layout, "base"),
        "choices": choices(layout, "base"),
        "eval_chars": {name: mean_chars(layout, name) for name in models},
        "orm": metrics("eval_orm"),
        "distill": metrics("distill"),
        "accept": params.score.accept,
        "refresh": params.orm.refresh,
        "gold": gold_of(layout),
        **{kind: {name: metrics(kind, name)[name] for name in names}
           for kind, names in kinds.items()},
        "texts": {name: texts_of(layout, name) for name in params.rounds},
        "faults": {name: faults_of(layout, name) for name in params.rounds},
        "teacher_texts": teacher_texts(layout, params),
        "controls": {name: metrics(name).get(name) for name in params.controls},
    }  # fmt: skip


def gold_of(layout: Layout) -> dict[str, int]:
    """Return of how many problems the gold answer decided what r0 and what the ORM learned."""
    distilled = pl.read_parquet(layout.distill.trajectories)
    return {"r0": distilled["problem_id"].n_unique(), "orm": annotated_for_orm(layout)}


def faults_of(layout: Layout, name: str) -> dict[str, dict[str, int]]:
    """Return of a round how many wrong trajectories have their first fault of which kind."""
    rows = pl.read_parquet(layout.round(name).audit).filter(pl.col("truth") == "wrong")
    counts = rows.group_by("origin", "fault_kind").len().sort("origin", "fault_kind")
    found: dict[str, dict[str, int]] = {"student": {}, "reflection": {}}
    for origin, kind, count in counts.iter_rows():
        found[origin][kind] = count
    return found


def texts_of(layout: Layout, name: str) -> dict[str, Any]:
    """Return what a round wrote and accepted: numbers, lengths, tokens, and copies of solutions.

    `distinct`: different accepted texts. `equal_solution`: those of them that equal the problem's
    usual worked solution.
    """
    files = layout.round(name)
    solutions = pl.read_parquet(layout.problems, columns=["problem_id", "solution"])
    found = {}
    parts = {
        "student": (files.trajectories, files.verdicts),
        "reflection": (files.reflections, files.reflection_verdicts),
    }
    for origin, (texts, verdicts) in parts.items():
        judged = pl.read_parquet(verdicts, columns=["trajectory_id", "accepted"])
        rows = pl.read_parquet(texts).join(judged, on="trajectory_id", validate="1:1")
        rows = rows.join(solutions, on="problem_id", how="left", validate="m:1")
        accepted = rows.filter("accepted")
        distinct = accepted.unique(["problem_id", "response"])
        found[origin] = {
            "n": rows.height,
            "response_tokens": rows["response_tokens"].sum(),
            "prompt_tokens": rows["prompt_tokens"].sum(),
            "mean_chars": rows["response"].str.len_chars().mean(),
            "accepted": accepted.height,
            "distinct": distinct.height,
            "accepted_mean_chars": distinct["response"].str.len_chars().mean(),
            "equal_solution": distinct.filter(pl.col("response") == pl.col("solution")).height,
        }
    return found


def teacher_texts(layout: Layout, params: Params) -> dict[str, dict[str, int]]:
    """Return how many training rows of the last round equal the teacher's solution of the problem.

    By origin: `rows`; `known`: rows on problems that the teacher solved; `equal`: the same text.
    Its solutions are those that r0 and `control_teacher` learned from; empty without that control.
    """
    if "control_teacher" not in params.controls:
        return {}
    columns = ["problem_id", "response"]
    files = (layout.distill.trajectories, layout.round("control_teacher").train)
    solutions = pl.concat([pl.read_parquet(file, columns=columns) for file in files])
    rows = pl.read_parquet(layout.round(params.last_round).train)
    found = {}
    for origin in ("student", "reflection"):
        part = rows.filter(pl.col("origin") == origin)
        found[origin] = {
            "rows": part.height,
            "known": part.join(solutions, on="problem_id", how="semi").height,
            "equal": part.join(solutions, on=columns, how="semi").height,
        }
    return found
