"""The checks of `mathse doctor` of what stages read: imported tables and prompts."""

from __future__ import annotations

from collections.abc import Iterator

from mathse.core.errors import MathseError
from mathse.core.layout import Layout
from mathse.core.params import Params
from mathse.datasets.import_records import check_imports
from mathse.datasets.overrides import read_overrides
from mathse.doctor.finding import Check
from mathse.prompts.roles import load_prompts

_OTHERS = "Fix: another model, as docs/recipes.md has it under `Your own data`"


def check_tables(params: Params, layout: Layout) -> Iterator[Check]:
    """Yield which imported tables `problems` would refuse, or does not read."""
    problems = params.problems
    if problems.source == "figures":
        if problems.tables:
            what = f"{len(problems.tables)} are not read: problems.source is figures. "
            what += "Fix: problems.source: tables, or problems.tables: []"
            yield Check("problems.tables", "note", what)
        return
    # A folder with several splits stands in several entries. Stages run in the project's folder.
    folders = {str(layout.folder / table.path): table for table in problems.tables}
    for folder, table in folders.items():
        subject = f"import {table.path}"
        try:
            check_imports(layout, [table.model_copy(update={"path": folder})])
        except MathseError as error:
            yield Check(subject, "fails", " ".join(str(error).split()))
        else:
            yield Check(subject, "ok", f"as {layout.imports.name} records it")


def check_overrides(layout: Layout) -> Iterator[Check]:
    """Yield if the corrected answers cannot be read."""
    try:
        read_overrides(layout.overrides)
    except MathseError as error:
        yield Check(layout.overrides.name, "fails", " ".join(str(error).split()))


def check_embedded(params: Params, layout: Layout) -> Iterator[Check]:
    """Yield which roles have an embedded model, where the problems are not the built-in ones."""
    if params.problems.source == "figures":
        return
    for name, model in params.models.items():
        folder = layout.folder / model
        if folder.parent == layout.models and folder.name.startswith("tiny-"):
            what = f"{model} knows the built-in problems alone: on others it shows no more "
            yield Check(f"model of {name}", "note", f"{what}than that the stages run. {_OTHERS}")


def check_prompts(params: Params, layout: Layout) -> Iterator[Check]:
    """Yield if the prompts of the roles can be read."""
    try:
        load_prompts(layout, params)
    except MathseError as error:
        yield Check("prompts", "fails", " ".join(str(error).split()))
    else:
        yield Check("prompts", "ok", f"those of {params.prompts.folder}")
