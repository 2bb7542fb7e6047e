"""The things that people swap, by name: one line here and one file for each.

A value is "module:attribute"; the module is imported when it is used. Data sets and benchmarks have
their registry in `mathse.datasets.registry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from mathse.core.errors import ParamError

Registry = Mapping[str, str]

ENGINES: Registry = {
    "transformers": "mathse.engines.loading:load_transformers",
    "openai": "mathse.engines.openai_engine:load_openai",
    "vllm": "mathse.engines.loading:load_vllm",
}
"""Engines with a model. Called with model, role, images, machine and the name of the role."""

SERVED_ENGINES = ("openai",)
"""Those that ask a server of `machine.yaml`: the model is the name that the server knows."""

LOCAL_ENGINES = tuple(name for name in ENGINES if name not in SERVED_ENGINES)
"""Those that run the model here."""

DATA_ENGINES: Registry = {
    "figures": "mathse.figures.teacher:FiguresTeacher",
    "dataset": "mathse.engines.dataset:DatasetTeacher",
}
"""Engines that know the problems and need no model. Called with the problems."""


def load(registry: Registry, name: str) -> Any:
    """Import an entry of a registry.

    Raises:
        ParamError: if there is no such entry.
    """
    if name not in registry:
        raise ParamError(f"there is no {name!r}; choose one of {', '.join(registry)}")
    module, _, attribute = registry[name].partition(":")
    return getattr(import_module(module), attribute)
