"""Load the engine of a teacher, annotator or reflector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.params import Params, RoleName
from mathse.core.registry import DATA_ENGINES, SERVED_ENGINES, load
from mathse.engines.journaled import JournaledEngine
from mathse.engines.loading import load_journaled
from mathse.engines.model_files import load_files
from mathse.engines.protocol import Engine
from mathse.engines.usage import usage_of
from mathse.prompts.roles import load_prompts

PROMPTS_OF = {"teacher": "solve", "annotator": "annotate", "reflector": "reflect"}
"""Which prompts a role is asked with; its stages depend on their files."""


def load_role(
    layout: Layout, params: Params, name: RoleName, problems: pl.DataFrame, label: str
) -> Engine:
    """Load an engine that knows the problems, or one with a model whose work survives a kill.

    Args:
        layout: where images and journal are.
        params: all parameters.
        name: of the role.
        problems: `Problem` rows that it will be asked about.
        label: what is done, for the journal and the progress line.
    """
    role = params.roles[name]
    if role.engine in DATA_ENGINES:
        engine: Engine = load(DATA_ENGINES, role.engine)(problems)
        return engine
    # The revision of a served model is its server's matter.
    model = str(role.model) if role.engine in SERVED_ENGINES else load_files(role)
    journaled = load_journaled(layout, params, name, model, label)
    prompts = load_prompts(layout, params).digest(PROMPTS_OF[name])
    journaled.input_fingerprint = content_id(journaled.input_fingerprint, prompts)
    return journaled


def use_journal(engine: Engine, layout: Layout, label: str) -> None:
    """Let a journaled engine keep the work that follows in another journal.

    A call removes what it did not ask for from its journal, so calls that differ need two; see
    also `journal_part`.
    """
    if isinstance(engine, JournaledEngine):
        engine.folder, engine.label = layout.journal(label), label


def usage_metrics(engines: Mapping[str, Engine]) -> dict[str, Any]:
    """Return what models were asked and what it cost, by role; empty where none was.

    Args:
        engines: by the name of the role.
    """
    used = {
        name: {
            **usage_of(engine.spent),
            "failed": sum(completion.error is not None for completion in engine.spent),
        }
        for name, engine in engines.items()
        if isinstance(engine, JournaledEngine) and engine.spent
    }
    return {"usage": used} if used else {}
