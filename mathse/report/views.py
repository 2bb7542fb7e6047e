"""The views of SQL: every table of all rounds, and what follows from metrics and code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathse.core.layout import Layout
from mathse.report.error_kinds import KIND_OF_ANALYSIS

# "…/rounds/r1/train.parquet" gives r1
_FOLDER = r"regexp_extract(filename, '([^/]+)/[^/]+$', 1)"
_ABOVE = r"regexp_extract(filename, '([^/]+)/[^/]+/[^/]+$', 1)"  # "…/r1/orm/rows.parquet": r1
_CURVE = r"regexp_extract(filename, '([^/]+)\.tsv$', 1)"  # "…/curves/orm.tsv" gives orm


def quote(text: str) -> str:
    """Return text as a string of SQL."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class View:
    """One view: the files it reads, each with the columns added to its rows."""

    sources: tuple[tuple[str, str], ...]  # patterns below the data folder, and what to select
    made_by: str  # what writes the files


def _view(made_by: str, *sources: Path | tuple[Path, str]) -> View:
    pairs = [source if isinstance(source, tuple) else (source, "*") for source in sources]
    data = _PROJECT.data
    return View(tuple((str(path.relative_to(data)), columns) for path, columns in pairs), made_by)


_PROJECT = Layout()
_ROUND, _EVAL, _CONTROL = _PROJECT.round("*"), _PROJECT.eval("*"), _PROJECT.round("control*")
_IMPORT = _PROJECT.imported / "*"
_WITH_ROUND = "*, {folder} AS round"  # {folder}: the name of the file's folder
_TRAIN = "* RENAME (round AS added_in), {folder} AS round"
VIEWS: dict[str, View] = {
    "problems": _view("problems", _PROJECT.problems),
    "images": _view("problems", (_PROJECT.images / "*.parquet", "* EXCLUDE (bytes)")),
    "quarantine": _view("problems", _PROJECT.quarantine),
    "matches": _view("decontaminate", _PROJECT.matches),
    "trajectories": _view(
        "distill, generate or reflect",
        _PROJECT.distill.trajectories,
        _ROUND.trajectories,
        _ROUND.reflections,
    ),
    "reflections": _view("reflect", _ROUND.reflections),
    "mistakes": _view("score", (_ROUND.mistakes, _WITH_ROUND)),
    "verdicts": _view(
        "distill, score or reflect",
        (_PROJECT.distill.verdicts, "*, 'distill' AS stage"),
        (_ROUND.verdicts, "*, 'score' AS stage"),
        (_ROUND.reflection_verdicts, "*, 'reflect' AS stage"),
    ),
    "train": _view("distill, merge or control", (_ROUND.train, _TRAIN), (_CONTROL.train, _TRAIN)),
    "ledger": _view("distill or merge", _ROUND.ledger),
    "dropped": _view("merge", (_ROUND.dropped, _WITH_ROUND)),
    "audit": _view("audit", _ROUND.audit),
    "orm_rows": _view("orm_data", _PROJECT.orm.rows),
    "orm_round_rows": _view("refresh", (_ROUND.orm_rows, "*, {above} AS round")),
    "orm_trajectories": _view("orm_data", _PROJECT.orm.trajectories),
    "orm_judgements": _view("eval_orm", _PROJECT.orm.judgements),
    "predictions": _view("predict", _EVAL.predictions),
    "graded": _view("eval", _EVAL.graded),
    "accuracy": _view("eval", _EVAL.accuracy),
    "transitions": _view("eval", (_EVAL.transitions, _WITH_ROUND)),
    "canary": _view("canary", _EVAL.canary),
    "curves": _view("finetune or train_orm", (_PROJECT.curve("*"), "*, {curve} AS round")),
    "imports": _view("mathse import", (_IMPORT / "problems.parquet", "*, {folder} AS import")),
    "import_quarantine": _view(
        "mathse import", (_IMPORT / "quarantine.parquet", "*, {folder} AS import")
    ),
}
"""All views of files. In `train`, `round` names the training table that a row is in, `added_in` the
round that added it. In `verdicts`, `stage` is distill for the teacher's trajectories, score for the
student's and reflect for reflections. In `curves`, the round "orm" is the training of the ORM. In
`orm_round_rows`, `round` names the round after which the ORM learned from a row."""

_LINEAGE = """
SELECT r.round, r.row_id, r.added_in, r.problem_id, p.source, p.family, p.level, p.question,
       p.answer, t.round AS written_in, t.origin, t.trajectory_id, t.model, t.response,
       v.answer_state, v.orm_status, v.p_correct,
       t.parent_id, w.round AS parent_written_in, w.response AS parent_response,
       x.predicted_answer AS parent_answer, x.reason AS parent_reason,
       x.error_step AS parent_error_step, x.error_analysis AS parent_analysis
FROM {schema}.train r
LEFT JOIN {schema}.problems p ON p.problem_id = r.problem_id
LEFT JOIN {schema}.trajectories t ON t.trajectory_id = r.trajectory_id
LEFT JOIN {schema}.verdicts v ON v.trajectory_id = r.trajectory_id
LEFT JOIN {schema}.trajectories w ON w.trajectory_id = t.parent_id
LEFT JOIN {schema}.verdicts x ON x.trajectory_id = t.parent_id
"""
_NAMED_ERRORS = """
SELECT *, coalesce(error_kind, CASE {kinds} ELSE 'not named' END) AS kind
FROM {schema}.verdicts WHERE orm_status = 'wrong'
"""
_KINDS = " ".join(
    f"WHEN regexp_matches(error_analysis, {quote(pattern)}) THEN {quote(kind)}"
    for kind, pattern in KIND_OF_ANALYSIS.items()
)
DERIVED = {"lineage": _LINEAGE, "named_errors": _NAMED_ERRORS.replace("{kinds}", _KINDS)}
"""Views of views: where each training row comes from, one row for each row of `train`; what the ORM
calls wrong, with the kind of error, by its analysis where it names none."""

_USAGE = ("requests", "failed", "prompt_tokens", "cached_tokens", "response_tokens", "cost")
METRIC_TABLES: dict[str, tuple[str, ...]] = {
    "metrics": ("stage VARCHAR", "round VARCHAR", "name VARCHAR", "value DOUBLE", "text VARCHAR"),
    "costs": (
        *("stage VARCHAR", "round VARCHAR", "role VARCHAR"),
        *(f"{name} {'DOUBLE' if name == 'cost' else 'BIGINT'}" for name in _USAGE),
    ),
    "code": ("stage VARCHAR", "module VARCHAR", "hash VARCHAR"),
}
"""Tables of what lies in JSON files beside the data folder: their columns with types."""


def select_of(view: View, files: list[tuple[str, list[str]]]) -> str:
    """Return the SELECT of a view.

    Args:
        view: one of `VIEWS`.
        files: for each of its sources that has files, the columns and the names of the files.
    """
    parts = []
    for columns, names in files:
        listed = columns.replace("{folder}", _FOLDER).replace("{curve}", _CURVE)
        listed = listed.replace("{above}", _ABOVE)
        if listed != columns:  # DuckDB then adds the column `filename` to *
            listed = listed.replace("*", "* EXCLUDE (filename)", 1)
        read = "read_csv" if names[0].endswith(".tsv") else "read_parquet"
        options = f"union_by_name=true, filename={listed != columns}, hive_partitioning=false"
        quoted = ", ".join(quote(name) for name in names)
        parts.append(f"SELECT {listed} FROM {read}([{quoted}], {options})")
    return " UNION ALL BY NAME ".join(parts)


def metric_rows(project: Path, table: str) -> list[tuple[Any, ...]]:
    """Return the rows of one of `METRIC_TABLES`; files that are no JSON objects are passed over."""
    layout = Layout(project)
    if table == "code":
        found = _json_files(layout.code("*").parent)
        stages = [(name[0], read) for name, read in found if len(name) == 1]  # not code/roles
        return [(stage, *entry) for stage, read in stages for entry in sorted(read.items())]
    rows: list[tuple[Any, ...]] = []
    for (stage, *of_round), content in _json_files(layout.metrics("*").parent):
        key = (stage, of_round[0] if of_round else None)
        values = {name.replace("details.0.", ""): value for name, value in _flatten(content)}
        for name, value in values.items():
            is_number = isinstance(value, int | float)
            if table == "metrics":
                text = None if is_number or value is None else str(value)
                rows.append((*key, name, float(value) if is_number else None, text))
            elif ".usage." in name and name.endswith(".requests"):
                # "r1.usage.reflector.requests" of metrics/reflect/r1.json
                prefix = name.removesuffix("requests")
                used = (values.get(prefix + part) for part in _USAGE)
                rows.append((*key, prefix.split(".")[-2], *used))
    return rows


def _json_files(folder: Path) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield the parts of each name below a folder, such as ("eval", "r1"), and its JSON object."""
    for file in sorted(folder.rglob("*.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            continue
        if isinstance(content, dict):
            yield file.relative_to(folder).with_suffix("").parts[:2], content


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of nested mappings and lists with its dotted name."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value
