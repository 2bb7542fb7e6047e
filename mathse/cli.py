"""The `mathse` command. Heavy modules are imported inside the commands that need them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mathse.commands import NAMED_PROJECT, PlainErrors, examples, project_root
from mathse.core.quiet import quiet_transformers
from mathse.core.text import printable
from mathse.datasets import commands as dataset_commands
from mathse.report import check_command
from mathse.report import commands as report_commands
from mathse.report.page import command as page_command

app = typer.Typer(
    cls=PlainErrors,
    help="A vision-language model that learns mathematics from its own judged and corrected "
    "solutions. `dvc repro` runs the rounds; these commands show and prepare them.",
    epilog=examples("mathse show", "mathse profile paper --diff", "mathse sql -h"),
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
DataOption = report_commands.DataOption


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"mathse {version('mathse')}")
        raise typer.Exit


def _complete_profile(incomplete: str) -> list[str]:
    from mathse.profiles import list_profiles

    return [name for name in list_profiles(project_root()) if name.startswith(incomplete)]


@app.callback()
def main(
    project: Annotated[
        Path | None, typer.Option(help="The project's folder; else this folder or one above it.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Set what holds for all commands."""
    NAMED_PROJECT.set(project)
    quiet_transformers()


@app.command(epilog=examples("mathse show", "mathse --project build/smoke show"))
def show(data: DataOption = None) -> None:
    """Show accuracy by round, problems by state, benchmarks, what teachers cost."""
    from mathse.core.layout import Layout
    from mathse.core.params import load_params
    from mathse.report.benchmark_tables import render_benchmarks
    from mathse.report.canary_table import render_canary
    from mathse.report.summary import render, summarize
    from mathse.report.usage import render_usage

    layout = Layout(data=_data(data))
    settings = load_params(layout.params) if layout.params.is_file() else None
    rounds = [*settings.rounds, *settings.controls] if settings else None
    render(summarize(layout.data, rounds), sys.stdout)
    render_benchmarks(layout.data, sys.stdout, rounds)
    render_canary(layout.data, sys.stdout, rounds)
    render_usage(layout.metrics("*").parent, sys.stdout)


@app.command(
    epilog=examples(
        "mathse profile                 list profiles, and which are applied",
        "mathse profile paper --diff    show what it would change",
        "mathse profile paper           change params.yaml",
        "mathse profile --undo          take the last one back",
        "mathse profile smoke --copy build/smoke",
    )
)
def profile(
    name: Annotated[
        str,
        typer.Argument(
            help="A file of profiles/, without .yaml.", autocompletion=_complete_profile
        ),
    ] = "",
    copy: Annotated[
        Path | None, typer.Option(help="Apply it in a copy of the pipeline: a new folder.")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what it would change.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back the last one.")] = False,
) -> None:
    """Apply a profile to params.yaml, or list profiles.

    With --copy it is applied in a copy of the pipeline.
    Profiles of different kinds add up; one replaces another of its kind, such as another model's.
    """
    from mathse import profiles
    from mathse.copies import copy_pipeline

    root = project_root()
    # Each call does one thing: list, show, apply, apply in a copy, or take back.
    if (name and undo) or (diff and (copy or not name)) or (copy and not name):
        raise typer.BadParameter("give NAME, NAME --diff, NAME --copy FOLDER, or --undo alone")
    if undo:
        undone = profiles.undo_profile(root)
        typer.echo(f"Profile {undone.name} is taken back.")
        if undone.kept:
            typer.echo(f"Kept, as they were changed since: {', '.join(undone.kept)}")
        for old in undone.replaced:
            typer.echo(f"Not applied again: {old}, which it replaced. For it: mathse profile {old}")
    elif not name:
        applied = [entry.name for entry in profiles.applied_profiles(root)]
        typer.echo(f"Applied: {', '.join(applied) or 'none'}\nProfiles:")
        for found, comment in profiles.list_profiles(root).items():
            typer.echo(f"  {found:<16} {comment}")
        machines = ", ".join(file.stem for file in sorted(root.glob("profiles/machines/*.yaml")))
        typer.echo(f"Machines ({machines}): cp profiles/machines/NAME.yaml machine.yaml")
    elif copy is not None:
        folder = copy_pipeline(root, copy, name)
        typer.echo(f"The pipeline with profile {name} is in {folder}.")
    else:
        # With --diff nothing is written; both print the same changes.
        plan = (profiles.plan_profile if diff else profiles.apply_profile)(root, name)
        for old in plan.replaced:
            typer.echo(f"Profile {old} is taken back: {name} is of the same kind.")
        for key, before, after in plan.changes():
            typer.echo(f"{key}: {json.dumps(before)} -> {json.dumps(after)}")
        for old, keys in plan.overridden():
            typer.echo(f"Profile {old} set these otherwise: {', '.join(keys)}")
        if not diff:
            typer.echo(f"params.yaml now has the values of profile {name}.")


@app.command(
    epilog=examples(
        "mathse plan                    what params.yaml asks for, on the devices here",
        "mathse plan --gpus 8 --assume mfu=0.35 --assume response_tokens=500",
    )
)
def plan(
    gpus: Annotated[int | None, typer.Option(min=1, help="So many GPUs instead.")] = None,
    assume: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="Replace an assumption.")
    ] = None,
) -> None:
    """Estimate work, time, memory, disk and teacher cost before anything runs.

    All of it is arithmetic from counts and assumptions, which are printed; none is measured.
    """
    from mathse.core.layout import Layout
    from mathse.core.machine import load_machine
    from mathse.core.params import load_params
    from mathse.planning.assumptions import parse_assumptions
    from mathse.planning.plan import Plan
    from mathse.report.text_tables import print_table

    layout = Layout(project_root())
    given = parse_assumptions([*(assume or []), *([f"gpus={gpus}"] if gpus else [])])
    machine = load_machine(layout.machine)
    for table in Plan(load_params(layout.params), machine, layout, given).tables():
        typer.echo(f"\n{table.title}{'' if table.rows else ': none'}")
        if table.rows:
            print_table(table.columns, table.rows, sys.stdout)
    typer.echo("\nArithmetic from counts and assumptions, not a measurement.")


@app.command(
    epilog=examples(
        "mathse doctor                  exit status 1: something will fail",
        "mathse doctor --parity student vllm:data/rounds/r1/model -n 20",
    )
)
def doctor(
    parity: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Compare two engines: roles, or ENGINE:MODEL."),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Prompts to compare.")] = 20,
) -> None:
    """Look for what will fail: libraries, keys, servers, disk, pictures; or compare two engines.

    Of a key only the name is shown. The exit status is 1 if something will fail.
    """
    from mathse.core.layout import Layout
    from mathse.core.machine import load_machine
    from mathse.core.params import load_params
    from mathse.report.text_tables import print_table

    layout = Layout(project_root())
    params, machine = load_params(layout.params), load_machine(layout.machine)
    if parity is not None:
        from mathse.doctor.parity import run_parity

        rows, passed = run_parity(params, machine, layout, parity, n)
        print_table(["what", "equal", "detail"], rows, sys.stdout)
    else:
        from mathse.doctor.checks import run_checks

        checks = list(run_checks(params, machine, layout))
        for check in checks:
            typer.echo(f"{check.state:<6} {check.subject}: {printable(check.finding)}")
        passed = all(check.state != "fails" for check in checks)
    if not passed:
        raise typer.Exit(1)


@app.command(epilog=examples("mathse code merge@r1", "mathse code --why   shows why stages run"))
def code(
    stages: Annotated[
        list[str] | None, typer.Argument(metavar="[STAGE]...", help="As in dvc.yaml; none: all.")
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="Show what changed since the last run.")
    ] = False,
) -> None:
    """List the modules that a stage depends on, or what changed in them and in local models."""
    from mathse.accept import changed_code, list_code
    from mathse.core.layout import Layout

    listed = changed_code if why else list_code
    for line in listed(Layout(project_root()), stages or []):
        typer.echo(line)


@app.command(epilog=examples("mathse accept merge", "mathse accept score@r1 eval"))
def accept(
    stages: Annotated[list[str], typer.Argument(metavar="STAGE...", help="As in dvc.yaml.")],
) -> None:
    """Keep results of stages whose code or local model has changed: you know they stay the same.

    Shows what it accepts and writes it to docs/accepted.md.
    """
    from mathse.accept import accept_code
    from mathse.core.layout import Layout

    for line in accept_code(Layout(project_root()), stages):
        typer.echo(line)


@app.command(epilog=examples("mathse suspects", "mathse suspects --out review.csv"))
def suspects(
    min_trajectories: Annotated[int, typer.Option(help="Fewest trajectories that agree.")] = 3,
    min_share: Annotated[
        float, typer.Option(help="Least share of a problem's trajectories that agree.")
    ] = 0.5,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the list as CSV to review.")
    ] = None,
    data: DataOption = None,
) -> None:
    """List gold answers that may be wrong.

    Trajectories agree on another answer, and the ORM calls them correct.
    """
    from mathse.report.suspects import report_suspects

    report_suspects(_data(data), min_trajectories, min_share, out)


def _data(named: Path | None) -> Path:
    from mathse.core.layout import Layout

    return named or Layout(project_root()).data


check_command.register(app)
dataset_commands.register(app)
report_commands.register(app)
page_command.register(app)

if __name__ == "__main__":
    app()
