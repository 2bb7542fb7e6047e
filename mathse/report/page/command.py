"""`mathse report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mathse.commands import check_out, examples, project_root


def register(main: typer.Typer) -> None:
    """Add the command to a Typer application."""
    shown = examples(
        "mathse report",
        "mathse report -o /tmp/run.html",
        "mathse report --rev HEAD~1 --rev workspace",
        "mathse report --rev main --rev sharp-gulls",
    )
    main.command("report", epilog=shown)(report_command)


def report_command(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = Path(
        "report.html"
    ),
    rev: Annotated[
        list[str] | None,
        typer.Option(
            "--rev",
            help="A commit or experiment, from DVC's cache; two: the second against the first. "
            "workspace: what is here.",
        ),
    ] = None,
) -> None:
    """Write a page about the run: results, loop, ORM, every trajectory. It needs no network."""
    from mathse.core.layout import Layout
    from mathse.report.page.render import write_report
    from mathse.report.page.run_tables import RunTables
    from mathse.report.revisions import open_revision

    root = project_root()
    check_out(out)
    if len(rev or []) > 2 or len(set(rev or [])) < len(rev or []):
        raise typer.BadParameter("give --rev once, or twice for two revisions to compare")
    runs = [RunTables(open_revision(root, name), name) for name in rev or []]
    write_report(runs or [RunTables(Layout(root))], out)
    typer.echo(f"{out} ({out.stat().st_size / 1e6:.1f} MB): open it in a browser.")
