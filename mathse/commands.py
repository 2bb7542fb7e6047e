"""What all commands share: the project they are about, plain errors, examples in their help."""

from __future__ import annotations

import errno
import re
from contextlib import suppress
from contextvars import ContextVar
from itertools import islice
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from mathse.core.errors import MathseError, ParamError
from mathse.core.text import printable

NAMED_PROJECT: ContextVar[Path | None] = ContextVar("project", default=None)
"""The folder that `--project` names; None: look for the project around this folder."""

_OPTION = re.compile(r"--[\w-]*(?:=.*)?", re.DOTALL)  # "--", "--rev", "--rev=HEAD~1"


def project_root() -> Path:
    """Return the project's folder: the named one, else this folder or the nearest one above it.

    Raises:
        ParamError: if there is none.
    """
    named = NAMED_PROJECT.get()
    here = Path.cwd()
    for folder in [here, *here.parents] if named is None else [named]:
        if (folder / "params.yaml").is_file() and (folder / "dvc.yaml").is_file():
            return Path() if folder == here else folder
    where = f"{named} is no MathSE project" if named else f"{here} lies in no MathSE project"
    raise ParamError(
        f"{where}: there is no params.yaml beside a dvc.yaml.\n"
        "  fix: go to the project's folder, or name it: `mathse --project FOLDER …`"
    )


class PlainErrors(TyperGroup):
    """A command group that shows an expected error as one message, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an expected error ends with exit status 1."""
        try:
            return super().invoke(ctx)
        except MathseError as error:
            message = str(error)
        except OSError as error:
            if error.errno == errno.EPIPE:  # `mathse sql … | head`
                raise
            message = f"{error.filename or 'the file'}: {error.strerror or error}"
        typer.echo(f"mathse: {printable(message)}", err=True)
        raise typer.Exit(1)


class NegativeAnswers(TyperCommand):
    """A command that takes what begins with a dash, such as -5 or -h/2, for an argument."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put arguments that are no option of this command behind `--`."""
        takes_value = {
            name: not getattr(param, "is_flag", False)
            for param in self.get_params(ctx)
            for name in param.opts
            if name.startswith("-")
        }
        options: list[str] = []
        answers: list[str] = []
        words = iter(args)
        for word in words:
            if word == "--":
                answers += words
            elif word.startswith("--") or word in takes_value:
                options.append(word)
                options += islice(words, 1 if takes_value.get(word) else 0)
            else:
                answers.append(word)
        return super().parse_args(ctx, [*options, "--", *answers])


class QueryArgument(TyperCommand):
    """A command that takes what begins with a comment, such as `-- why`, for an argument."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put a blank before a query that looks like an option."""
        is_query = [word.startswith("--") and not _OPTION.fullmatch(word) for word in args]
        words = [f" {word}" if query else word for word, query in zip(args, is_query, strict=True)]
        return super().parse_args(ctx, words)


def examples(*lines: str) -> str:
    r"""Return the end of a help text; "\b" keeps its lines as they are."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def check_out(out: Path | None, data: Path | None = None) -> None:
    """Raise ParamError if a file is a folder, or would be written among the files of a run."""
    if out is None:
        return
    if out.is_dir():
        raise ParamError(f"{out} is a folder.\n  fix: name a file in it")
    from mathse.core.layout import Layout

    runs = [Layout(data=data)] if data is not None else []
    with suppress(ParamError):  # outside a project there is the folder of --data alone
        runs.append(Layout(project_root()))
    for run in runs:
        kept = (run.data, run.metrics("*").parent, run.models, run.code("*").parent)
        for path in (*kept, run.imports, run.overrides):
            if out.resolve().is_relative_to(path.resolve()):
                raise ParamError(
                    f"{out} would lie among the files of the run ({path}).\n"
                    "  fix: give --out a name elsewhere"
                )
