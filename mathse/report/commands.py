"""`mathse sql`, `ask`, `trace` and `diff`: what the tables say."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mathse.commands import QueryArgument, check_out, examples, project_root
from mathse.core.layout import Layout

CODE = Path(__file__).resolve().parents[2]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="The data folder; else data/ of the project.")
]
RevOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rev",
        metavar="[NAME=]REV",
        help="A commit or experiment; several are schemas: a.graded. workspace: what is here.",
    ),
]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="table, csv, json, md or parquet.")
]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="Write it to a file.")]
LimitOption = Annotated[
    int | None,
    typer.Option(min=0, help="Most rows; 0: all. 200 in a table on the screen by default."),
]
QueriesOption = Annotated[Path | None, typer.Option(help="Folder of named questions.")]


def register(main: typer.Typer) -> None:
    """Add the commands to a Typer application."""
    sql = examples(
        "mathse sql                     a prompt with history and completion",
        'mathse sql "from train select round, count(*) group by all" --format csv',
        "mathse sql -f question.sql -o answer.parquet",
        'mathse sql --rev a=HEAD~1 --rev b=HEAD "from a.graded join b.graded using (problem_id)"',
    )
    trace = examples("mathse trace 3f2a", "mathse ask hardest   lists problem ids")
    diff = examples(
        "mathse diff r1 r2              two rounds of this run",
        "mathse diff HEAD~1 workspace   two runs: commits, experiments, what is here",
    )
    ask = examples("mathse ask                     list the questions", "mathse ask rejected")
    main.command("sql", cls=QueryArgument, epilog=sql)(sql_command)
    main.command("ask", epilog=ask)(ask_command)
    main.command("trace", epilog=trace)(trace_command)
    main.command("diff", epilog=diff)(diff_command)


def _complete_question(incomplete: str) -> list[str]:
    names = [file.stem for file in _queries(None).glob("*.sql")]
    return [name for name in sorted(names) if name.startswith(incomplete)]


def sql_command(
    query: Annotated[str, typer.Argument(help="SQL, a .sql file, or a named question.")] = "",
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Read SQL from a file.")] = None,
    out: OutOption = None,
    format: FormatOption = None,
    limit: LimitOption = None,
    rev: RevOption = None,
    time_zone: Annotated[str, typer.Option(help="Time zone of what is shown.")] = "UTC",
    data: DataOption = None,
    queries: QueriesOption = None,
) -> None:
    """Query the tables of all rounds in SQL, read-only; without a query: a prompt."""
    from mathse.report.sql import Tables, list_queries, resolve_query
    from mathse.report.sql_prompt import run_prompt

    if query and file is not None:
        raise typer.BadParameter("give a query or --file, not both")
    check_out(out, data)
    text = file.read_text("utf-8") if file is not None else query
    folders = _folders(data, rev)
    with Tables(folders, time_zone) as tables:
        if text:
            _answer(tables, resolve_query(text, _queries(data, queries)), format, out, limit)
            return
        typer.echo(f"Tables: {', '.join(tables.names()) or 'none yet'}\nQuestions:")
        for name, question in list_queries(_queries(data, queries)):
            typer.echo(f"  {name:<16} {question}")
        if sys.stdin.isatty():
            history = Layout(data=next(iter(folders.values()))).sql_history
            run_prompt(tables, history, format, limit)


def ask_command(
    name: Annotated[
        str, typer.Argument(help="A question.", autocompletion=_complete_question)
    ] = "",
    out: OutOption = None,
    format: FormatOption = None,
    limit: LimitOption = None,
    rev: RevOption = None,
    data: DataOption = None,
    queries: QueriesOption = None,
) -> None:
    """Ask one of the named questions of queries/; without a name: list them."""
    from mathse.report.sql import Tables, list_queries, resolve_query

    folder = _queries(data, queries)
    if not name:
        for found, question in list_queries(folder):
            typer.echo(f"{found:<16} {question}")
        return
    check_out(out, data)
    with Tables(_folders(data, rev)) as tables:
        _answer(tables, resolve_query(name, folder), format, out, limit)


def trace_command(
    name: Annotated[str, typer.Argument(metavar="ID", help="Of a problem, trajectory or row.")],
    rev: Annotated[str | None, typer.Option(help="A commit or experiment.")] = None,
    data: DataOption = None,
) -> None:
    """Show all about one problem, trajectory or training row, the picture where that can be.

    The first characters of an id are enough.
    """
    from mathse.report.terminal_picture import protocol_of, show_pictures
    from mathse.report.trace import render_trace

    (folder,) = _folders(data, [rev] if rev else None).values()
    text, image_ids = render_trace(folder, name)
    if sys.stdout.isatty() and (protocol := protocol_of(os.environ)):
        sys.stdout.writelines(show_pictures(Layout(data=folder).images, image_ids, protocol))
    typer.echo(text, nl=False)


def diff_command(
    before: Annotated[str, typer.Argument(help="A round, or a commit or experiment.")],
    after: Annotated[str, typer.Argument(help="Another one; workspace: what is here.")],
    limit: Annotated[int, typer.Option(min=0, help="Most problems to list.")] = 20,
) -> None:
    """Show what differs: problems newly solved and broken, verdicts, training rows."""
    from mathse.report.diff import render_diff

    render_diff(project_root(), before, after, sys.stdout, limit=limit)


def _answer(
    tables: object, sql: str, form: str | None, out: Path | None, limit: int | None
) -> None:
    """Write what a query returns; beside a table or a file, say how many rows there are."""
    from mathse.report.sql import Tables
    from mathse.report.sql_output import answer_query

    assert isinstance(tables, Tables)
    try:
        count = answer_query(tables, sql, form, out, limit)
        if out is not None or form in (None, "table"):
            typer.echo(f"({count})", err=True)
    except KeyboardInterrupt:
        typer.echo("mathse: interrupted", err=True)
        raise typer.Exit(130) from None


def _folders(data: Path | None, revisions: list[str] | None) -> dict[str, Path]:
    """Return the data folder of each schema: of each revision, else of the project alone."""
    from mathse.report.revisions import open_revision

    if not revisions:
        return {"main": data or Layout(project_root()).data}
    if data is not None:
        raise typer.BadParameter("give --data or --rev, not both")
    found = {}
    for entry in revisions:
        name, _, rev = entry.rpartition("=")  # "a=HEAD~1", or "HEAD~1" alone
        found[name or rev] = open_revision(project_root(), rev).data
    return found if len(found) > 1 else {"main": next(iter(found.values()))}


def _queries(data: Path | None, queries: Path | None = None) -> Path:
    """Return the folder of named questions: the named one, the project's, or MathSE's."""
    project = data.parent if data is not None else project_root()
    return queries or (project if (project / "queries").is_dir() else CODE) / "queries"
