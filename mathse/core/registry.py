"""The things that people swap, by name: one line here and one file for each.

The module is imported when it is used. Data sets and benchmarks have their registry in
`mathse.datasets.registry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from mathse.core.errors import ParamError


class Entry(NamedTuple):
    """What a name stands for."""

    where: str  # "module:attribute"
    roles: tuple[str, ...] = ("student", "orm", "teacher", "annotator", "reflector")
    asks_server: bool = False  # one of `machine.yaml`: the model is the name that it knows


Registry = Mapping[str, Entry]

ENGINES: Registry = {
    "transformers": Entry("mathse.engines.loading:load_transformers"),
    "openai": Entry("mathse.engines.openai_engine:load_openai", asks_server=True),
    "vllm": Entry("mathse.engines.loading:load_vllm"),
}
"""Engines with a model. Called with model, role, images, machine and the name of the role."""

SERVED_ENGINES = tuple(name for name, entry in ENGINES.items() if entry.asks_server)
LOCAL_ENGINES = tuple(name for name in ENGINES if name not in SERVED_ENGINES)

DATA_ENGINES: Registry = {
    "figures": Entry(
        "mathse.figures.teacher:FiguresTeacher", ("teacher", "annotator", "reflector")
    ),
    "dataset": Entry("mathse.engines.dataset:DatasetTeacher", ("teacher",)),
}
"""Engines that know the problems and need no model. Called with the problems."""

ANNOTATORS: Registry = {
    "answer": Entry("mathse.judge.annotation:annotate_by_answer", ("annotator",))
}
"""Annotators without an engine, which name no steps. Called with trajectories and problems."""

REFLECTORS: Registry = {"student": Entry("mathse.reflection:load_student", ("reflector",))}
"""Reflectors with the student's model. Called with layout, params, that model and a label."""


def names_of(role: str) -> list[str]:
    """Return all names that the engine of a role may have."""
    registries = (ENGINES, DATA_ENGINES, ANNOTATORS, REFLECTORS)
    return [name for part in registries for name, entry in part.items() if role in entry.roles]


def load(registry: Registry, name: str) -> Any:
    """Import an entry of a registry.

    Raises:
        ParamError: if there is no such entry.
    """
    if name not in registry:
        raise ParamError(f"there is no {name!r}; choose one of {', '.join(registry)}")
    module, _, attribute = registry[name].where.partition(":")
    return getattr(import_module(module), attribute)
