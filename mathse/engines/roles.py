"""Load the engine of a teacher, annotator or reflector."""

from __future__ import annotations

import polars as pl

from mathse.core.layout import Layout
from mathse.core.params import Params, RoleName
from mathse.core.registry import DATA_ENGINES, load
from mathse.engines.loading import load_journaled
from mathse.engines.model_files import load_files
from mathse.engines.protocol import Engine


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
    return load_journaled(layout, params, name, load_files(role), label)
