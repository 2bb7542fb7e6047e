"""Score each benchmark by its own rules: how answers are compared, and which groups are reported.

A benchmark is the `source` of its `Problem` rows; several may share a split. What scoring needs
beyond the columns is in `meta`, as the importer left it. Other sources are counted by subject,
level and family.

Not covered: extraction of answers by a served model, as the benchmarks' own scripts do it (see
docs/answers.md for the agreement with their verdicts).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from mathse.core.errors import DataError
from mathse.evaluation.accuracy import accuracy_table
from schemas import Accuracy, Problem, column_types

ALL = "all"
GROUPED = ("round", "split", "source", "by", "group")
TEXT_ONLY = "text only"
MATH_VISION_PRECISION = 2

_TYPED = ("answer_type", "choices", "precision")
_RULES = {"question_type": pl.String()} | column_types(Problem, *_TYPED)
_MEMBERS = column_types(Problem, "problem_id") | column_types(Accuracy, "source", "by", "group")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """How one benchmark is reported.

    Attributes:
        name: the `source` of its problems.
        title: its name for people.
        columns: columns of a problem to group by, with the name that the group gets.
        keys: keys of `meta` to group by; a list puts a row into each of its groups.
        headline: groups reported beside the total, as (by, group); None stands for every group.
    """

    name: str
    title: str
    columns: Mapping[str, str] = field(
        default_factory=lambda: {"subject": "subject", "level": "level", "family": "family"}
    )
    keys: tuple[str, ...] = ()
    headline: tuple[tuple[str, str | None], ...] = ()


MATH_VISTA = Benchmark(
    "mathvista",
    "MathVista",
    columns={},
    keys=(
        *("question_type", "answer_type", "language", "source", "category"),
        *("task", "context", "grade", "skills"),
    ),
    headline=(("subset", "GPS"),),
)
MATH_VERSE = Benchmark(
    "mathverse",
    "MathVerse",
    columns={"subject": "subject", "family": "subfield"},
    keys=("question_type",),
    headline=(("problem_version", None),),
)
MATH_VISION = Benchmark(
    "math-vision", "MATH-Vision", columns={"subject": "subject", "level": "level"}
)
MATHVL_TEST = Benchmark("mathvl-test", "MathVL-test")
BENCHMARKS = {
    benchmark.name: benchmark for benchmark in (MATH_VISTA, MATH_VERSE, MATH_VISION, MATHVL_TEST)
}


def scoring_rules(problems: pl.DataFrame) -> pl.DataFrame:
    """Set for each problem how its benchmark compares answers.

    MathVista: by its question type and answer type; the precision is for floats only. MathVerse: by
    its question type; where the picture shows the choices, their texts count as well as the
    letters. MATH-Vision: numbers count to two decimals. Other sources stay as they are.

    Args:
        problems: `Problem` rows.

    Returns:
        The same rows in the same order, with question_type added and answer_type, choices and
        precision as scored.

    Raises:
        DataError: if `meta` of a benchmark's problem is no JSON object.

    Source:
        The scoring scripts of the three benchmarks; MathVista's cut of fractions to whole numbers
        is left out.
    """
    columns = problems.select("problem_id", "source", "meta", *_TYPED)
    rules = [_rule(row) for row in columns.iter_rows(named=True)]
    return problems.with_columns(pl.DataFrame(rules, schema=_RULES, orient="row").get_columns())


def groups_of(problems: pl.DataFrame) -> pl.DataFrame:
    """List the groups that each problem counts in.

    One problem may stand for several rows of its benchmark (`meta.also`), such as the versions of a
    MathVerse problem: it counts once for each row. MathVerse's Text Only is a separate file and
    counts in its version only.

    Args:
        problems: `Problem` rows.

    Returns:
        problem_id, source, by, group: a row for each time that a problem counts. Each source has
        the group all; one without published groups also the answers open and choice, for a quarter
        of four-choice questions is right by chance.

    Raises:
        DataError: if `meta` of a benchmark's problem is no JSON object.
    """
    columns = problems.select(
        "problem_id", "source", "subject", "level", "family", "choices", "meta"
    )
    rows = [
        (row["problem_id"], row["source"], by, group)
        for row in columns.iter_rows(named=True)
        for by, group in _groups(row)
    ]
    return pl.DataFrame(rows, schema=_MEMBERS, orient="row")


def benchmark_table(graded: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """Count right answers (`Graded` rows) of each source and of each of its groups.

    Returns:
        `Accuracy` rows sorted by round, split, source, by and group. Rows of one problem or picture
        are one cluster in the interval; versions of a problem with pictures that differ are not.
    """
    counted = graded.join(groups_of(problems), on="problem_id", how="inner", maintain_order="left")
    return accuracy_table(counted, by=GROUPED)


def title_of(source: str) -> str:
    """Return the name of a source for people."""
    return _benchmark(source).title


def in_headline(source: str, by: str, group: str) -> bool:
    """Return True if a group is reported beside the total of its source."""
    return not {(by, group), (by, None)}.isdisjoint(_benchmark(source).headline)


def has_breakdown(sources: set[str]) -> bool:
    """Return True if the sources of a split are reported apart from the split."""
    return len(sources) > 1 or bool(sources & BENCHMARKS.keys())


def _benchmark(source: str) -> Benchmark:
    return BENCHMARKS.get(source) or Benchmark(source, source)


def _rule(row: Row) -> tuple[str | None, str | None, list[str], int | None]:
    """Return question_type, answer_type, choices and precision of a problem."""
    kind, choices, precision = (row[name] for name in _TYPED)
    if row["source"] == MATH_VISTA.name:
        meta = _meta(row)
        kind = "choice" if choices else meta.get("answer_type") or kind
        precision = precision if kind == "float" else None
        return meta.get("question_type") or None, kind, choices, precision
    if row["source"] == MATH_VERSE.name:
        meta = _meta(row)
        return meta.get("question_type") or None, kind, _shown_choices(choices, meta), precision
    if row["source"] == MATH_VISION.name and choices:
        return "multi_choice", kind, choices, precision
    if row["source"] == MATH_VISION.name:
        return "free_form", None, [], MATH_VISION_PRECISION
    return None, kind, choices, precision


def _shown_choices(choices: list[str], meta: Row) -> list[str]:
    """Return the choices' texts in the picture, if `meta` has one for each; else the choices."""
    shown = [str(text).strip() for text in meta.get("choices") or []]
    whole = len(shown) == len(choices) and len(set(shown)) == len(shown) and all(shown)
    return shown if whole else choices


def _groups(row: Row) -> Iterator[tuple[str, str]]:
    benchmark = _benchmark(row["source"])
    for meta in _rows_of(row) if row["source"] in BENCHMARKS else [{}]:
        version = meta.get("problem_version")
        if benchmark is MATH_VERSE and version:
            yield "problem_version", str(version)
            if str(version).casefold() == TEXT_ONLY:
                continue
        yield ALL, ALL
        if row["source"] not in BENCHMARKS:
            yield "answer", "choice" if row["choices"] else "open"
        for column, by in benchmark.columns.items():
            if row[column] is not None:
                yield by, str(row[column])
        for key in benchmark.keys:
            value = meta.get(key)
            listed = value if isinstance(value, list) else [value]
            named = (str(item) for item in listed if item not in (None, ""))
            yield from ((key, item) for item in dict.fromkeys(named))
        if benchmark is MATH_VISTA and meta.get("gps"):
            yield "subset", "GPS"


def _rows_of(row: Row) -> list[dict[str, Any]]:
    """Return `meta` of each row of a benchmark that a problem stands for, each once."""
    first = _meta(row)
    others = [other for other in first.get("also", []) if isinstance(other, dict)]
    metas = [*(other["meta"] for other in others if other.get("meta")), first]
    return list({(meta.get("problem_version"), meta.get("id")): meta for meta in metas}.values())


def _meta(row: Row) -> dict[str, Any]:
    try:
        meta = json.loads(row["meta"] or "{}")
    except ValueError:
        meta = None
    if not isinstance(meta, dict):
        raise DataError(
            f"The meta of problem {row['problem_id']} of {row['source']} is no JSON object: "
            f"{row['meta']!r:.80}",
            rule="meta is a JSON object",
            fix="import the benchmark again",
        )
    return meta
