"""Load the engine of a role. Model libraries are imported by the process that uses them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.machine import Machine, load_machine
from mathse.core.params import Params, Role, RoleName
from mathse.core.registry import ENGINES, load
from mathse.engines.journaled import JournaledEngine
from mathse.engines.protocol import Engine


def load_journaled(
    layout: Layout, params: Params, name: RoleName, model: str | Path, label: str
) -> JournaledEngine:
    """Load a model for a role as an engine whose finished work survives a kill."""
    role, machine = params.roles[name], load_machine(layout.machine)
    engine = load_engine(model, role, ImageStore(layout.images, role.pixels), machine, name)
    return JournaledEngine(engine, layout.journal(label), label)


def load_engine(
    model: str | Path,
    role: Role,
    images: ImageStore,
    machine: Machine | None = None,
    name: RoleName = "student",
) -> Engine:
    """Load a model as the engine that its role names."""
    found = load(ENGINES, role.engine)(str(model), role, images, machine or Machine(), name)
    engine: Engine = found
    return engine


def load_transformers(
    model: str, role: Role, images: ImageStore, machine: Machine, name: RoleName
) -> Engine:
    """Load a model with transformers: in this process on a GPU, else in processes of one thread."""
    from mathse.engines.model_files import check_model_name
    from mathse.engines.process_pool import ProcessPoolEngine

    check_model_name(model)
    one = partial(_load_one, model, role, images, "auto" if machine.has_gpu else "cpu")
    if machine.has_gpu:
        return one()
    return ProcessPoolEngine(one, processes=machine.processes, batch_size=role.batch_size)


def _load_one(model: str, role: Role, images: ImageStore, device: str) -> Engine:
    from mathse.engines.transformers_engine import TransformersEngine

    return TransformersEngine(
        model,
        images=images,
        batch_size=role.batch_size,
        dtype=role.dtype,
        device=device,
        max_prompt_tokens=role.max_prompt_tokens,
        trust_remote_code=role.trust_remote_code,
    )
