"""The `mathse` command. Whatever is heavy is imported inside the command that needs it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mathse.core.errors import MathseError

DATA = Path("data")
QUERIES = Path("queries")
PROJECT = Path(__file__).resolve().parents[1]
MAX_CELL_CHARS = 60


class PlainErrors(TyperGroup):
    """A command group that shows an expected error as one message, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what goes wrong on purpose ends with exit status 1."""
        try:
            return super().invoke(ctx)
        except MathseError as error:
            typer.echo(f"mathse: {error}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=PlainErrors,
    help="A vision-language model that learns mathematics from its own judged and corrected solutions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DataOption = Annotated[Path, typer.Option("--data", help="The data folder.")]


@app.command()
def sql(
    query: Annotated[
        str, typer.Argument(help="SQL, a .sql file, or a query in queries/; none lists these.")
    ] = "",
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
    data: DataOption = DATA,
    queries: Annotated[
        Path | None, typer.Option("--queries", help="Folder of named queries.")
    ] = None,
) -> None:
    """Ask the tables of all rounds a question in SQL."""
    from mathse.report import sql as tables

    folder = queries or (QUERIES if QUERIES.is_dir() else PROJECT / "queries")
    if csv and as_json:
        raise typer.BadParameter("give --csv or --json, not both")
    if not query:
        listed = tables.list_queries(folder)
        made = [name for name in tables.VIEWS if tables.files_of(data, name)]
        typer.echo(f"Tables: {', '.join(made) or 'none yet'}\nQueries in {folder}:")
        typer.echo("\n".join(f"  {name:<24} {question}" for name, question in listed) or "  none")
        return
    result = tables.query(data, tables.resolve_query(query, folder))
    if csv:
        typer.echo(result.as_csv(), nl=False)
    elif as_json:
        typer.echo(result.as_json())
    elif result.columns:
        _print_table(result.columns, [[_shorten(cell) for cell in row] for row in result.rows])


@app.command()
def show(data: DataOption = DATA) -> None:
    """Show what each round reached, how it compares, what became of the problems, and each benchmark by name."""
    from mathse.core.params import load_params
    from mathse.report.benchmark_tables import render_benchmarks
    from mathse.report.control import control_is_outdated
    from mathse.report.summary import render, summarize

    params = data.parent / "params.yaml"
    rounds = list(load_params(params).rounds) if params.is_file() else None
    render(summarize(data, rounds), sys.stdout)
    if rounds is not None and control_is_outdated(data.parent):
        typer.echo("The control belongs to other data or params: `make control` makes it anew.")
    render_benchmarks(data, sys.stdout, rounds)


@app.command()
def profile(
    name: Annotated[
        str, typer.Argument(help="A file of profiles/, without .yaml; none lists these.")
    ] = "",
    copy: Annotated[
        Path | None, typer.Option(help="Apply it in a copy of the pipeline: a new folder.")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what it would change.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back the last one.")] = False,
) -> None:
    """Apply a profile to params.yaml, here or in a copy of the pipeline."""
    from mathse import profiles
    from mathse.copies import copy_pipeline

    root = Path()
    if (name and undo) or (diff and (copy or not name)) or (copy and not name):
        raise typer.BadParameter("give NAME, NAME --diff, NAME --copy FOLDER, or --undo alone")
    if undo:
        typer.echo(f"params.yaml is as it was before profile {profiles.undo_profile(root)}.")
    elif not name:
        applied = [entry.name for entry in profiles.applied_profiles(root)]
        typer.echo(f"Applied: {', '.join(applied) or 'none'}\nProfiles:")
        for found, comment in profiles.list_profiles(root).items():
            typer.echo(f"  {found:<16} {comment}")
    elif copy is not None:
        folder = copy_pipeline(root, copy, name)
        typer.echo(f"The pipeline with profile {name} is in {folder}.")
    else:
        plan = (profiles.plan_profile if diff else profiles.apply_profile)(root, name)
        for old in plan.replaced:
            typer.echo(f"Profile {old} is taken back: {name} is of the same kind.")
        for key, before, after in profiles.changes(plan.applied[-1].before, plan.text):
            typer.echo(f"{key}: {json.dumps(before)} -> {json.dumps(after)}")
        if not diff:
            typer.echo(f"params.yaml now has the values of profile {name}.")


@app.command()
def path(
    name: Annotated[str, typer.Argument(help="A problem_id or trajectory_id, or how one begins.")],
    data: DataOption = DATA,
) -> None:
    """Show everything about one problem or path: steps, verdicts, corrections, its fate in each round."""
    from mathse.report.trace import tell

    typer.echo(tell(data, name), nl=False)


@app.command()
def suspects(
    min_paths: Annotated[int, typer.Option(help="Fewest paths that agree.")] = 3,
    min_share: Annotated[
        float, typer.Option(help="Least share of a problem's paths that agree.")
    ] = 0.5,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the list as CSV for problems.overrides.")
    ] = None,
    data: DataOption = DATA,
) -> None:
    """List gold answers that may be wrong: paths agree on another, and the ORM calls them correct."""
    from mathse.report.suspects import find_suspects, to_review

    found = find_suspects(data, min_paths=min_paths, min_share=min_share)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        to_review(found).write_csv(out)
        typer.echo(
            f"{out} lists {found.height} problems: keep and correct the rows where gold is wrong."
        )
    elif found.is_empty():
        typer.echo("No gold answer is suspicious.")
    else:
        _print_table(found.columns, [[_shorten(cell) for cell in row] for row in found.rows()])


@app.command()
def check(
    gold: Annotated[str | None, typer.Argument(help="The right answer.")] = None,
    answer: Annotated[str | None, typer.Argument(help="A response or a bare answer.")] = None,
    rows: Annotated[
        Path | None, typer.Option("--rows", help="Table with gold and response.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where the checked table goes.")] = None,
    answer_type: Annotated[
        str | None, typer.Option(help="number, choice, expression, text or set.")
    ] = None,
    choices: Annotated[str | None, typer.Option(help="Choices as a JSON list.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the right answer.")] = None,
    precision: Annotated[
        int | None, typer.Option(help="Digits after the point that count.")
    ] = None,
) -> None:
    """Compare one answer with gold and say why, or check a table (Parquet, CSV or JSON lines)."""
    if rows is not None:
        if gold is not None or out is None:
            raise typer.BadParameter("give GOLD and ANSWER, or --rows with --out")
        _check_table(rows, out)
        return
    if gold is None or answer is None:
        raise typer.BadParameter("give GOLD and ANSWER, or --rows with --out")
    from mathse.answers import check_one

    verdict = check_one(
        gold,
        answer,
        answer_type=answer_type,
        choices=_read_choices(choices),
        unit=unit,
        precision=precision,
    )
    typer.echo(verdict.explain)


def _check_table(rows: Path, out: Path) -> None:
    from mathse.answers import check_rows

    checked = check_rows(_read_rows(rows))
    _write_rows(checked, out)
    counts = checked["state"].value_counts().sort("state")
    typer.echo(", ".join(f"{state}: {count}" for state, count in counts.iter_rows()) or "no rows")


def _read_choices(choices: str | None) -> list[str]:
    if choices is None:
        return []
    try:
        listed = json.loads(choices)
    except ValueError:
        listed = None
    if not isinstance(listed, list):
        raise typer.BadParameter('--choices takes a JSON list, such as \'["12", "15"]\'')
    return [str(choice) for choice in listed]


def _read_rows(file: Path) -> Any:
    import polars as pl

    from mathse.core.errors import DataError
    from mathse.core.tables import read_table

    readers: dict[str, Any] = {
        ".csv": _read_csv,
        ".jsonl": pl.read_ndjson,
        ".ndjson": pl.read_ndjson,
    }
    if file.suffix not in readers:
        return read_table(file)
    try:
        return readers[file.suffix](file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"This table cannot be read: {error}", file=file) from error


def _read_csv(file: Path) -> Any:
    """Read CSV with every cell as text: an answer such as 007 or 1.50 keeps its form."""
    import polars as pl

    return pl.read_csv(file, infer_schema=False)


def _write_rows(df: Any, file: Path) -> None:
    from mathse.core.tables import write_parquet

    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".csv":
        df.write_csv(file)
    elif file.suffix in (".jsonl", ".ndjson"):
        df.write_ndjson(file)
    elif file.suffix == ".parquet":
        write_parquet(df, file)
    else:
        raise typer.BadParameter(f"--out {file}: the name ends in .parquet, .csv or .jsonl")


def _print_table(header: list[str], lines: list[list[str]]) -> None:
    from mathse.report.summary import print_table

    print_table(header, lines, sys.stdout)


def _shorten(cell: object) -> str:
    text = "" if cell is None else f"{cell:.6g}" if isinstance(cell, float) else str(cell)
    text = text.replace("\n", "⏎")
    return text if len(text) <= MAX_CELL_CHARS else f"{text[: MAX_CELL_CHARS - 1]}…"


def _add_sources() -> None:
    """Add the commands that bring data sets in and out, where that room is there."""
    if (
        importlib.util.find_spec("mathse.datasets") is None
        or importlib.util.find_spec("mathse.datasets.commands") is None
    ):
        return
    importlib.import_module("mathse.datasets.commands").register(app)


_add_sources()
