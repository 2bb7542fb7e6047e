"""Load the engine of a role. Model libraries are imported by the process that uses them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.machine import Machine, Replicas, load_machine
from mathse.core.params import Params, Role, RoleName
from mathse.core.registry import ENGINES, load
from mathse.engines.journaled import JournaledEngine
from mathse.engines.protocol import Engine


def load_journaled(
    layout: Layout,
    params: Params,
    name: RoleName,
    model: str | Path,
    label: str,
    images: Sequence[Path] = (),
) -> JournaledEngine:
    """Load a model for a role as an engine whose finished work survives a kill.

    It sees the images of the problems, and those of more folders.
    """
    role, machine = params.roles[name], load_machine(layout.machine)
    store = ImageStore(layout.images, role.pixels, more=images)
    engine = load_engine(model, role, store, machine, name)
    return JournaledEngine(engine, layout.journal(label), label)


def load_engine(
    model: str | Path,
    role: Role,
    images: ImageStore,
    machine: Machine | None = None,
    name: RoleName = "student",
) -> Engine:
    """Load a model as the engine that its role names."""
    # A worker may start in another folder, on another machine.
    model = Path(model).absolute() if Path(model).is_dir() else model
    found = load(ENGINES, role.engine)(str(model), role, images, machine or Machine(), name)
    engine: Engine = found
    return engine


def load_transformers(
    model: str, role: Role, images: ImageStore, machine: Machine, name: RoleName
) -> Engine:
    """Load a model with transformers: a process for each GPU, or of one thread on the CPU."""
    device = "cuda" if machine.has_gpu else "cpu"
    device = "auto" if machine.engines.ray else device  # its machines may be others than this one
    load = partial(_load_transformers, model, role, images, device)
    return _load_workers(model, load, role, machine, name)


def load_vllm(
    model: str, role: Role, images: ImageStore, machine: Machine, name: RoleName
) -> Engine:
    """Load a model with vLLM: a process for each replica."""
    load = partial(_load_vllm, model, role, images, machine.engines)
    return _load_workers(
        model, load, role, machine, name, gpus=machine.engines.tensor_parallel, streams=True
    )


def _load_workers(
    model: str,
    load: Callable[[], Engine],
    role: Role,
    machine: Machine,
    name: RoleName,
    *,
    gpus: int = 1,
    streams: bool = False,
) -> Engine:
    """Load an engine in processes, or in the actors of a Ray cluster, with so many GPUs each."""
    from mathse.engines.model_files import check_model_name

    check_model_name(model)
    if machine.engines.ray is not None:
        from mathse.engines.ray_pool import RayPoolEngine

        return RayPoolEngine(
            load, machine.engines, gpus=gpus, batch_size=role.batch_size, streams=streams, role=name
        )
    from mathse.engines.process_pool import ProcessPoolEngine

    environments = machine.replica_environments(gpus)
    return ProcessPoolEngine(
        load, environments=environments, batch_size=role.batch_size, streams=streams, role=name
    )


def _load_transformers(model: str, role: Role, images: ImageStore, device: str) -> Engine:
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


def _load_vllm(model: str, role: Role, images: ImageStore, replicas: Replicas) -> Engine:
    from mathse.engines.vllm_engine import VllmEngine

    return VllmEngine(
        model,
        images=images,
        batch_size=role.batch_size,
        dtype=role.dtype,
        max_prompt_tokens=role.max_prompt_tokens,
        tensor_parallel=replicas.tensor_parallel,
        gpu_memory=replicas.gpu_memory,
        trust_remote_code=role.trust_remote_code,
    )
