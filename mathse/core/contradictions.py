"""What in two sections of `params.yaml` excludes each other, so that it is refused at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mathse.core.registry import ANNOTATORS, ENGINES, REFLECTORS, SERVED_ENGINES

if TYPE_CHECKING:
    from mathse.core.params import Params, Role, Training

TRAINED_SPLITS = ("train", "orm", "orm_test")
"""The splits that the student and the ORM need; all others are evaluated."""
_INSTEAD = {key: key for key in ("model", "temperature", "top_p")}
_INSTEAD |= dict.fromkeys(("max_tokens", "max_completion_tokens"), "max_new_tokens")
_NOT_FREE = {*_INSTEAD, "messages", "n", "stream", "structured_outputs"}
_NOT_FREE |= {"add_generation_prompt", "continue_final_message"}
"""What `extra` of a role may not name: the engine sets it, from another key or by itself."""


def contradictions(params: Params) -> Iterator[str]:
    """Yield what in two sections excludes each other, with both keys."""
    problems, form = params.problems, params.train_orm.form
    # Engines: what they need, and what they do not give to the stages that use them.
    for name, role in params.roles.items():
        needs = ["model", "max_new_tokens"] if role.engine in ENGINES else []
        for key in needs:
            if getattr(role, key, 1) is None:
                yield f"{name}.engine: {role.engine} needs {name}.{key}, which is null"
        yield from _unservable(name, role)
    annotator, reflector = params.annotator.engine, params.reflector.engine
    if annotator in ANNOTATORS and form != "binary":
        yield f"annotator.engine: {annotator} names no steps, and train_orm.form: {form} needs them"
    if annotator in ANNOTATORS and params.reflect.feedback == "annotator":
        yield f"reflect.feedback: annotator, and annotator.engine: {annotator} gives no feedback"
    if params.reflect.feedback != "orm" and params.merge.reflection_rows:
        yield (
            f"reflect.feedback: {params.reflect.feedback}, and merge.reflection_rows: true would "
            "teach the ORM's feedback with reflections that were written without it"
        )
    judges = params.score.accept != "answer" and params.score.min_p_correct > 0
    if params.orm.engine in SERVED_ENGINES and judges:
        yield (
            f"orm.engine: {params.orm.engine} gives no P(correct), and score.min_p_correct: "
            f"{params.score.min_p_correct} would accept nothing; set it to 0"
        )
    if params.orm.engine in SERVED_ENGINES and params.train_orm.form == "likelihood":
        yield (
            f"orm.engine: {params.orm.engine} gives no probability of a given text, and "
            "train_orm.form: likelihood judges by it; take diagnostic"
        )
    if params.orm.engine in SERVED_ENGINES and params.orm.refresh != "never":
        yield (
            f"orm.refresh: {params.orm.refresh} trains the ORM, and orm.engine: "
            f"{params.orm.engine} asks a server for it, which has other weights; set it to never"
        )
    if reflector in REFLECTORS and params.reflector.max_new_tokens is None:
        yield f"reflector.engine: {reflector} needs reflector.max_new_tokens, which is null"
    # Prompts that lie beside an embedded model's weights are those that it learned.
    folder = PurePosixPath(params.prompts.folder)
    if folder.is_relative_to("models"):
        for name in ("teacher", "annotator", "reflector"):
            role = params.roles[name]
            if role.engine in ENGINES and role.model != str(folder.parent):
                yield (
                    f"prompts.folder: {folder} is for {folder.parent}, and {name}.model is "
                    f"{role.model}; set the folder to mathse/prompts/templates, and "
                    "prompts.language to auto"
                )
    # The source of the problems, and what depends on it.
    if problems.source == "tables":
        for name, role in params.roles.items():
            if role.engine == "figures":
                yield (
                    f"{name}.engine: figures knows no problems of problems.source: tables; "
                    "name a model, or run `mathse profile offline`"
                )
        if not problems.tables:
            yield "problems.source: tables, and problems.tables is empty"
        splits = {str(table.use) for table in problems.tables}
        if problems.tables and "train" not in splits:
            yield "problems.source: tables, and none of problems.tables has use: train"
        for key in ("orm_share", "orm_test_share"):
            if not getattr(problems, key):
                yield f"problems.{key}: 0 leaves the ORM no problem of problems.source: tables"
    else:
        splits = {name for name, count in problems.figures.items() if count}
        for split in TRAINED_SPLITS:
            if split not in splits:
                yield f"problems.source: figures, and figures has no problem of {split}"
    # Evaluation splits without problems, and the controls.
    splits -= {*TRAINED_SPLITS}
    for split in sorted(set(params.eval.splits) - splits):
        where = "tables" if problems.source == "tables" else "figures"
        yield f"eval.splits: problems.{where} fill no evaluation split {split}"
    yield from _unmatched_controls(params)
    # The batch sizes of each training.
    sections: dict[str, Training] = {"train_orm": params.train_orm, "finetune": params.finetune}
    for key, section in sections.items():
        micro = section.micro_batch_size or max(1, section.batch_size // section.processes)
        if section.micro_batch_tokens and section.micro_batch_size:
            yield f"{key}: micro_batch_tokens and micro_batch_size exclude each other"
        if section.batch_size % (micro * section.processes):
            yield (
                f"{key}.batch_size: {section.batch_size} is not a multiple of {key}.processes"
                f" × micro_batch_size ({section.processes} × {micro})"
            )


def _unservable(name: str, role: Role) -> Iterator[str]:
    """Yield what a role has for a server, if none is asked, or if the engine sends it itself."""
    extra = getattr(role, "extra", {})
    if role.engine not in SERVED_ENGINES:
        why = f"is for a server, and {name}.engine: {role.engine} asks none"
        for key in ("temperature", "top_p"):
            if getattr(role, key, 1) is None:
                yield f"{name}.{key}: null {why}"
        if extra:
            yield f"{name}.extra {why}"
    for key in extra:
        if key in _NOT_FREE:
            instead = f"from {name}.{_INSTEAD[key]}" if key in _INSTEAD else "itself; remove it"
            yield f"{name}.extra: {key} is what the engine sets {instead}"
    if extra.get("seed") is not None:
        yield f"{name}.extra: seed is that of each request; null leaves it out"


def _unmatched_controls(params: Params) -> Iterator[str]:
    """Yield why a control, which trains r0 for the rounds' steps, would not match them."""
    if not params.controls:
        return
    named = f"controls: [{', '.join(params.controls)}]"
    if not params.rounds:
        yield f"{named} take as many steps as the rounds, and rounds is empty"
    if params.evolve.steps is None:
        yield (
            f"{named} take as many steps as the rounds, and evolve.steps is null: set it to a "
            "number, or controls to []"
        )
    if params.evolve.init == "base":
        yield (
            f"{named} train r0 further, and with evolve.init: base no round does: set it to "
            "previous, or controls to []"
        )
