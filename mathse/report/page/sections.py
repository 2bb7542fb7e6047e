"""The sections of the report as plain values: what the template writes and the plots draw."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mathse.core.errors import DataError
from mathse.curation.ledger import count_states
from mathse.evaluation.accuracy import accuracy_table, wilson
from mathse.evaluation.benchmark_rules import title_of
from mathse.evaluation.paired import Comparison, compare
from mathse.report.error_kinds import KIND_OF_ANALYSIS
from mathse.report.page.run_tables import EVALUATION, RunTables, collect
from mathse.report.summary import BASE, MAIN_SPLIT
from schemas import DROP_REASONS, ERROR_KINDS, LEDGER_STATES, REJECT_REASONS

SIGNIFICANT = 0.05
NOT_NAMED = "not named"
DUPLICATE = ("identical", "near_identical")
Row = dict[str, Any]

# /home/me/models/qwen, ~/models, C:\models
_PATH = re.compile(r"(?<![\w.:/])(?:~|[A-Za-z]:)?(?:[/\\][\w.@+ -]+)*[/\\](?=[\w.@+-]+)")
# sk-proj-4f9a8b7c6d5e4f3a2b1c, hf_aBcDeFgHiJkLmNoPqRsT, Bearer abc123
_KEY = re.compile(r"\b(?:sk|pk|hf|gh[opsu]|xox[abp]|AKIA)[-_]?[A-Za-z0-9_-]{16,}|Bearer\s+\S+")


@dataclass(frozen=True)
class Paired:
    """Two models on the same problems of a split."""

    before: str
    after: str
    split: str
    found: Comparison

    @property
    def outcome(self) -> str:
        """Return better, worse or cannot tell, by the exact paired test."""
        if self.found.p_value >= SIGNIFICANT:
            return "cannot tell"
        return "better" if self.found.difference > 0 else "worse"


def compare_models(
    first: RunTables, before: str, second: RunTables, after: str
) -> Iterator[Paired]:
    """Yield the comparison of two models on each split whose problems are the same."""
    graded = first.graded.filter(round=before), second.graded.filter(round=after)
    for split in sort_splits(set(graded[0]["split"]) & set(graded[1]["split"])):
        try:
            found = compare(*(rows.filter(split=split) for rows in graded))
        except DataError:  # not the same problems
            continue
        yield Paired(first.named(before), second.named(after), split, found)


def sort_splits(splits: set[str]) -> list[str]:
    """Sort splits, the main one first."""
    return sorted(splits, key=lambda split: (split != MAIN_SPLIT, split))


def accuracies(tables: RunTables) -> dict[str, list[Row]]:
    """Return by split round, n, correct, accuracy, low, high, found of each model, in order."""
    rows = accuracy_table(tables.graded).sort(
        pl.col("round").replace_strict(tables.models, range(len(tables.models)))
    )
    return {split: rows.filter(split=split).to_dicts() for split in sort_splits({*rows["split"]})}


def comparisons(tables: RunTables) -> list[Paired]:
    """Compare each round with the one before, and the last one with base, r0 and the controls."""
    loop = [name for name in tables.loop if name in tables.models]
    others = [name for name in tables.models if name not in loop[1:] or name == BASE]
    pairs = [(one, loop[-1]) for one in reversed(others) if loop and one != loop[-1]]
    pairs += [pair for pair in itertools.pairwise(loop) if pair not in pairs]
    return [paired for pair in pairs for paired in compare_models(tables, pair[0], tables, pair[1])]


def changes(tables: RunTables) -> list[Paired]:
    """Compare each model with that of the round before."""
    pairs = [(tables.previous(name), name) for name in tables.models]
    return [
        paired
        for before, after in pairs
        if before is not None
        for paired in compare_models(tables, before, tables, after)
    ]


def tried_again(tables: RunTables) -> dict[str, dict[str, int]]:
    """Count by round the training problems that the student had tried in a round before.

    Returns:
        For each round with such problems: both, gained, lost, neither, as `Comparison` has them:
        any answer of the student right in this round, and in the last one before that tried it.
    """
    student = tables.verdicts.filter(origin="student")
    order = pl.col("round").replace_strict(tables.loop, range(len(tables.loop)))
    answers = (
        student.group_by("problem_id", "round")
        .agg(right=(pl.col("answer_state") == "match").any())
        .sort(order)
        .with_columns(was=pl.col("right").shift(1).over("problem_id"))
    )
    names = {(1, 1): "both", (0, 1): "gained", (1, 0): "lost", (0, 0): "neither"}
    found: dict[str, dict[str, int]] = {}
    counts = answers.drop_nulls("was").group_by("round", "was", "right").len().sort(order)
    for name, was, right, n in counts.iter_rows():
        found.setdefault(name, dict.fromkeys(names.values(), 0))[names[was, right]] = int(n)
    return found


def funnel(tables: RunTables) -> list[Row]:
    """Return what became of the trajectories of each round, those of student and reflections.

    Returns:
        round, origin, problems, written, judged (by the ORM), accepted, distinct (without
        duplicates), rows, and drops: (reason, n) in the order of the checks; written is accepted
        and what was rejected, accepted is rows and what was dropped.
    """
    dropped = tables.dropped.join(
        tables.verdicts.select("trajectory_id", "origin"), on="trajectory_id", how="left"
    )
    rows = []
    for name, origin in itertools.product(tables.loop[1:], ("student", "reflection")):
        verdicts = tables.verdicts.filter(round=name, origin=origin)
        if verdicts.is_empty():
            continue
        drops = _count(dropped.filter(round=name, origin=origin), "reason", DROP_REASONS)
        accepted = int(verdicts["accepted"].sum())
        rows.append(
            {
                "round": name,
                "origin": origin,
                "problems": verdicts["problem_id"].n_unique(),
                "written": verdicts.height,
                "judged": verdicts.filter(pl.col("orm_status") != "skipped").height,
                "accepted": accepted,
                "distinct": accepted - sum(drops[reason] for reason in DUPLICATE),
                "rows": tables.train.filter(round=name, origin=origin).height,
                "rejected": _count(verdicts, "reason", REJECT_REASONS),
                "dropped": drops,
            }
        )
    return rows


def ledger_states(tables: RunTables) -> dict[str, dict[str, int]]:
    """Return the problems in each state, by round; states that never occur are left out."""
    counts = {name: count_states(rows) for name, rows in tables.ledgers.items()}
    used = [state for state in LEDGER_STATES if any(found[state] for found in counts.values())]
    return {name: {state: found[state] for state in used} for name, found in counts.items()}


def ledger_flows(tables: RunTables) -> dict[str, dict[tuple[str, str], int]]:
    """Return by round how many problems went from one state to another."""
    flows = {}
    for (_, before), (name, after) in itertools.pairwise(tables.ledgers.items()):
        pairs = before.select("problem_id", was="state").join(after, on="problem_id")
        counts = pairs.group_by("was", "state").len()
        flows[name] = {(old, new): int(n) for old, new, n in counts.iter_rows()}
    return flows


def error_kinds(tables: RunTables) -> dict[str, dict[str, int]]:
    """Count the student's errors by kind in each round, as the ORM names them.

    "ORM rows" are those of r0 on the problems that the ORM is tested on, as the annotator names
    them.
    """
    wrong = tables.verdicts.filter(origin="student", orm_status="wrong")
    wrong = wrong.with_columns(kind=kind_of_error())
    known = tables.orm_rows.filter(status="wrong").select(kind="error_kind")
    sets = {"ORM rows": known} | {name: wrong.filter(round=name) for name in tables.loop[1:]}
    counts = {name: _count(rows, "kind", (*ERROR_KINDS, NOT_NAMED)) for name, rows in sets.items()}
    used = [kind for kind in (*ERROR_KINDS, NOT_NAMED) if any(n[kind] for n in counts.values())]
    return {name: {kind: n[kind] for kind in used} for name, n in counts.items() if any(n.values())}


def kind_of_error() -> pl.Expr:
    """Return the kind of error of a verdict; an analysis of the step verifier stands for its."""
    kind = pl.col("error_kind")
    for name, pattern in KIND_OF_ANALYSIS.items():
        is_kind = kind.is_null() & pl.col("error_analysis").str.contains(pattern)
        kind = pl.when(is_kind).then(pl.lit(name)).otherwise(kind)
    return kind.fill_null(NOT_NAMED)


def canary(tables: RunTables) -> list[Row]:
    """Return group, n and cells (accuracy, low, high of each model) of each general skill."""
    if not tables.canary:
        return []
    right = pl.col("correct").sum().cast(pl.Int64)
    found = pl.concat(tables.canary.values())
    rows = found.group_by("skill", "round").agg(right, n=pl.len().cast(pl.Int64))
    counts = {(skill, name): (hits, n) for skill, name, hits, n in rows.iter_rows()}
    lines = []
    for skill in sorted({skill for skill, _ in counts}):
        of_models = [counts.get((skill, name)) for name in tables.models]
        cells = [(one[0] / one[1], *wilson(*one)) if one else None for one in of_models]
        n = max(one[1] for one in of_models if one)
        lines.append({"group": skill, "n": n, "cells": cells})
    return lines


def forgotten(tables: RunTables) -> list[Row]:
    """Return the general skills in which the last round is worse than the base model.

    Returns:
        skill, model, before, after (accuracies), found (the comparison).
    """
    names = [name for name in tables.loop if name in tables.canary]
    if not names or BASE not in tables.canary:
        return []
    before, after = (tables.canary[name] for name in (BASE, names[-1]))
    lines = []
    for skill in sorted({*before["skill"]} & {*after["skill"]}):
        first, last = before.filter(skill=skill), after.filter(skill=skill)
        try:
            found = compare(first, last)
        except DataError:  # not the same problems
            continue
        if found.difference < 0 and found.p_value < SIGNIFICANT:
            shares = {"before": (found.both + found.lost) / found.n}
            shares["after"] = (found.both + found.gained) / found.n
            lines.append({"skill": skill, "model": names[-1], **shares, "found": found})
    return lines


def groups(tables: RunTables) -> list[Row]:
    """Return the accuracy of each model by benchmark and group.

    Returns:
        For each split, source and kind of group: title, split, by, and rows: group, n, and cells,
        one for each model: (accuracy, low, high) or None.
    """
    blocks: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in tables.accuracy.iter_rows(named=True):
        block = blocks.setdefault((row["split"], row["source"], row["by"]), {})
        line = block.setdefault(row["group"], {"group": row["group"], "n": row["n"], "cells": {}})
        line["cells"][row["round"]] = tuple(row[name] for name in ("accuracy", "low", "high"))
    splits = sort_splits({split for split, *_ in blocks})
    order = sorted(blocks, key=lambda key: (splits.index(key[0]), key[1], key[2] != "all", key[2]))
    return [
        {
            "title": f"{title_of(source)} ({split}), by {by}" if by != "all" else "",
            "split": split,
            "by": by,
            "source": title_of(source),
            "rows": [
                line | {"cells": [line["cells"].get(name) for name in tables.models]}
                for _, line in sorted(blocks[split, source, by].items())
            ],
        }
        for split, source, by in order
    ]


def lengths(tables: RunTables) -> list[Row]:
    """Return how long texts are, and how many were cut off, by origin and round.

    Returns:
        origin, round, n, low, median, high (quartiles of characters), prompt_tokens,
        response_tokens (sums), cut_off (share), in the order of the rounds.
    """
    # Texts of the rounds and of the evaluation, which has no count of prompt tokens.
    written = tables.trajectories.select(
        "origin", "round", "finish_reason", "response", "prompt_tokens", "response_tokens"
    )
    answers = tables.predictions.select(
        pl.lit(EVALUATION).alias("origin"),
        "round",
        "finish_reason",
        "response",
        pl.lit(None, dtype=pl.Int64).alias("prompt_tokens"),
        "response_tokens",
    )
    chars = pl.col("response").str.len_chars()
    rows = (
        pl.concat([written, answers])
        .group_by("origin", "round")
        .agg(
            n=pl.len(),
            low=chars.quantile(0.25),
            median=chars.median(),
            high=chars.quantile(0.75),
            prompt_tokens=pl.col("prompt_tokens").sum(),
            response_tokens=pl.col("response_tokens").sum(),
            cut_off=(pl.col("finish_reason") == "length").mean(),
        )
    )
    # By origin, then by round; a round that is in neither list comes last.
    names = list(dict.fromkeys([*tables.models, *tables.loop]))
    origins = ["teacher", "student", "reflection", EVALUATION]
    order = [
        pl.col("origin").replace_strict(origins, range(4)),
        pl.col("round").replace_strict(names, range(len(names)), default=len(names)),
    ]
    return collect(rows.sort(order)).to_dicts()


def failures(tables: RunTables) -> list[Row]:
    """Return origin, round, error_kind, error and n of the requests that failed, most first."""
    columns = ("round", "error", "error_kind")
    parts = [
        tables.trajectories.select("origin", *columns),
        tables.predictions.select(pl.lit(EVALUATION).alias("origin"), *columns),
    ]
    failed = pl.concat(parts).filter(pl.col("error").is_not_null())
    line = pl.col("error").str.split("\n").list.first()
    counts = failed.with_columns(line).group_by("origin", *columns).len(name="n")
    rows = collect(counts.sort("n", "error", descending=[True, False]))
    return [row | {"error": scrub(row["error"])} for row in rows.to_dicts()]


def settings(tables: RunTables) -> list[tuple[str, str]]:
    """Return each parameter as (key, value)."""
    pairs = _flat(tables.params)
    return [(key, scrub(json.dumps(value, ensure_ascii=False))) for key, value in pairs]


def hashes(tables: RunTables) -> dict[str, list[tuple[str, str]]]:
    """Return (what, hash) of code by stage, of the tables, and of the models that wrote.

    Those of code and tables are the MD5 hashes that `dvc.lock` has.
    """
    layout = tables.layout
    rounds = [layout.round(name) for name in tables.loop]
    models = [layout.eval(name) for name in tables.models]
    files = [layout.problems, layout.matches, layout.orm.rows, layout.orm.judgements]
    for one in rounds:
        files += [one.trajectories, one.verdicts, one.reflections, one.reflection_verdicts]
        files += [one.train, one.ledger]
    files += [file for one in models for file in (one.predictions, one.graded)]
    pairs = tables.trajectories.group_by("origin", "round").agg(
        pl.col("model", "input_fingerprint").unique().sort().str.join(", ")
    )
    writers = collect(pairs.sort("origin", "round")).iter_rows()
    code = sorted(layout.code("*").parent.glob("*.json"))
    return {
        "code": [(file.stem, _md5(file)) for file in code],
        "data": [
            (file.relative_to(layout.folder).as_posix(), _md5(file))
            for file in files
            if file.is_file()
        ],
        "models": [
            (f"{origin}, {name}", f"{scrub(model)}, inputs {fingerprint}")
            for origin, name, model, fingerprint in writers
        ],
    }


def scrub(text: str) -> str:
    """Return text without absolute paths (their last part stays) and without what may be a key."""
    return _PATH.sub("…/", _KEY.sub("[key]", text))


def _count(rows: pl.DataFrame, column: str, names: Sequence[str]) -> dict[str, int]:
    """Count the values of a column, those of `names` first, zeros included; nulls are left out."""
    found = rows.drop_nulls(column).group_by(column).len().sort(column).iter_rows()
    return dict.fromkeys(names, 0) | dict(found)


def _flat(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(content, Mapping) and content:
        for key, value in content.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, content


def _md5(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
