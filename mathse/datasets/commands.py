"""`mathse import` and `mathse export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mathse.commands import examples, project_root
from mathse.core.errors import DataError
from mathse.core.layout import Layout
from mathse.core.text import one_line, printable


def register(main: typer.Typer) -> None:
    """Add the commands to a Typer application."""
    imports = examples(
        "mathse import list",
        "mathse import tabmwp downloads/tabmwp --limit 300",
        "mathse import math-vision downloads/math-v --out data/import/hard",
    )
    exports = examples(
        "mathse export trl --out build/trl",
        "mathse export llama-factory --round r2 --out build/llama-factory",
    )
    main.command("import", epilog=imports)(import_command)
    main.command("export", epilog=exports)(export_command)


def import_command(
    name: Annotated[str, typer.Argument(help="A source, or list.")],
    path: Annotated[
        Path | None, typer.Argument(help="The data set, in its published layout.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Result folder; data/import/NAME by default.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, max=sys.maxsize, help="Read at most so many rows."),
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option("--split", help="Only this split; may be repeated.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="A further folder of images.")
    ] = None,
) -> None:
    """Turn a data set or benchmark into tables; `list` names them."""
    from mathse.datasets.import_records import record_import
    from mathse.datasets.importing import import_source, result_folder

    if name == "list" and path is None:
        typer.echo(describe_sources(), nl=False)
        return
    if path is None:
        raise typer.BadParameter(f"PATH of {name} is missing; see `mathse import list`")
    # The tables are written before anything is printed or recorded.
    layout, splits = Layout(project_root()), split or None
    folder = out or layout.imported / name
    counts = import_source(name, path, folder, limit=limit, splits=splits, images=images)
    folder = result_folder(folder, bool(counts["problems"]))
    typer.echo(
        f"{folder}: {counts['rows']} rows read = {counts['problems']} problems + "
        f"{counts['quarantined']} quarantined + {counts['duplicates']} duplicates; "
        f"{counts['images']} images"
    )
    for line in describe_quarantine(folder):
        typer.echo(f"  {line}")
    if counts["contradicting"]:
        typer.echo(f"  {counts['contradicting']} problems contradict others: meta.contradicts")
    # Where to look at what was left out: a folder of data/import has a table in SQL.
    look = f"{folder / 'quarantine.parquet'}"
    if folder.resolve().parent == layout.imported.resolve():
        look = f"""mathse sql "FROM import_quarantine WHERE import = '{folder.name}'\""""
    # An import without problems must not replace the record of an earlier one.
    if not counts["problems"]:
        message = "No problem was kept; the import is not recorded."
        fix = (
            f"see the reasons ({look})" if counts["rows"] else "the files hold no rows: fetch them"
        )
        raise DataError(message, file=path, fix=f"{fix}; `mathse import list` says what is read")
    record_import(layout, folder, path=path, limit=limit, splits=splits, images=images)
    if counts["rules"]:
        typer.echo(f"  all of them: {look}")


def describe_quarantine(folder: Path) -> list[str]:
    """Return for each broken rule how many rows break it, and the first of them."""
    import polars as pl

    from mathse.core.tables import read_table
    from schemas.validation import shorten

    rows = read_table(folder / "quarantine.parquet")
    groups = rows.group_by("rule").agg(pl.len().alias("count"), pl.all().first()).sort("rule")
    return [
        printable(
            f"{row['count']} quarantined: {row['rule']} ({row['file']}, row {row['row']}, "
            f"{row['field']} {shorten(one_line(row['value']), 60)}: {row['reason']})"
        )
        for row in groups.iter_rows(named=True)
    ]


def export_command(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="llama-factory, ms-swift or trl.")],
    out: Annotated[Path, typer.Option("--out", help="An empty or new folder.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="The data folder, or the folder of an import.")
    ] = None,
    round_name: Annotated[
        str | None, typer.Option("--round", help="Training rows of this round; the last.")
    ] = None,
) -> None:
    """Write training rows for LLaMA-Factory, ms-swift or TRL."""
    from mathse.datasets.exporting import export_rows

    folder = data or Layout(project_root()).data
    counts = export_rows(form, folder, out, round_name=round_name)
    typer.echo(f"{out}: {counts['rows']} rows, {counts['images']} images")


def describe_sources() -> str:
    """Return for each source its title, what it expects, its home, licence and note."""
    from mathse.datasets.registry import SOURCES

    parts = []
    for source in SOURCES.values():
        facts = [(name, getattr(source, name)) for name in ("expects", "home", "licence", "note")]
        lines = [f"  {name:<8} {fact}" for name, fact in facts if fact]
        parts.append("\n".join([f"{source.name}  ({source.kind})  {source.title}", *lines]))
    return "\n\n".join(parts) + "\n"
