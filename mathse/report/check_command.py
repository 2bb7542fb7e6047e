"""`mathse check`: one answer, or a table of answers with an audit of the checker."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mathse.commands import NegativeAnswers, examples
from mathse.core.text import one_line, printable

if TYPE_CHECKING:
    from mathse.report.audit import Audit

MAX_PROBLEMS = 5


def register(main: typer.Typer) -> None:
    """Add the command to a Typer application."""
    lines = examples(
        "mathse check 5 -5              exit status 1: they differ",
        "mathse check 1/2 'The answer is 0.5.' --answer-type number",
        'mathse check B 15 --choices \'["12", "15"]\'',
        "mathse check --rows answers.csv --out checked.csv",
        "mathse check --rows judged.jsonl --expected is_correct",
        "mathse check --rows judged.jsonl --rules mathse,mathvista,math-verify",
    )
    main.command("check", cls=NegativeAnswers, epilog=lines)(check)


AnswerType = Literal["number", "choice", "expression", "text", "set", "integer", "float", "list"]


def check(
    gold: Annotated[str | None, typer.Argument(help="The right answer.")] = None,
    answer: Annotated[str | None, typer.Argument(help="A response or a bare answer.")] = None,
    rows: Annotated[
        Path | None, typer.Option("--rows", help="Table with gold and response.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The checked table.")] = None,
    expected: Annotated[
        str | None,
        typer.Option(help="Column of the table's own verdicts; else expected, is_correct, …"),
    ] = None,
    rules: Annotated[
        str, typer.Option(help="Score by these too: mathse, mathvista, math-verify.")
    ] = "mathse",
    answer_type: Annotated[
        AnswerType | None, typer.Option(help="What kind of answer gold is.")
    ] = None,
    choices: Annotated[str | None, typer.Option(help="Choices as a JSON list.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the right answer.")] = None,
    precision: Annotated[
        int | None, typer.Option(help="Digits after the point that count.")
    ] = None,
) -> None:
    """Compare an answer with gold, or a table of answers.

    The exit status is 1 if the answer does not match, or rows of the table cannot be read. Tables
    are Parquet, CSV, TSV, JSON or JSON lines. Verdicts in the table are compared with the checker.
    """
    from mathse.answers import check_one

    if (rows is None) != (answer is not None) or (rows is None and out is not None):
        raise typer.BadParameter("give GOLD and ANSWER, or --rows")
    # A table: counts, and where its own verdicts differ from the checker's.
    if rows is not None:
        from mathse.report.audit import audit

        names = list(dict.fromkeys(name.strip() for name in rules.split(",") if name.strip()))
        _print_audit(audit(rows, out, expected=expected, rules=names))
        return
    # One answer: what was compared, and by which rule.
    verdict = check_one(
        str(gold),
        str(answer),
        answer_type=answer_type,
        choices=_read_choices(choices),
        unit=unit,
        precision=precision,
    )
    typer.echo(printable(verdict.explain))
    if verdict.state != "match":
        raise typer.Exit(1)


def _read_choices(choices: str | None) -> list[str]:
    try:
        listed = json.loads(choices or "[]")
    except ValueError:
        listed = None
    if not isinstance(listed, list):
        raise typer.BadParameter('--choices takes a JSON list, such as \'["12", "15"]\'')
    return [str(choice) for choice in listed]


def _print_audit(found: Audit) -> None:
    """Print counts, agreement and differences; exit with status 1 if rows were left out."""
    from mathse.report.text_tables import print_rows

    states = ", ".join(f"{state}: {n}" for state, n in found.states.items())
    typer.echo(states or "no rows")
    for line in found.lines:
        typer.echo(one_line(line))
    for title, table in found.examples.items():
        typer.echo(f"\n{one_line(title)}")
        print_rows(table.columns, table.rows(), sys.stdout)
    for problem in found.problems[:MAX_PROBLEMS]:
        typer.echo(printable(problem), err=True)
    if found.problems:
        typer.echo(f"{len(found.problems)} rows cannot be read and are left out", err=True)
        raise typer.Exit(1)
