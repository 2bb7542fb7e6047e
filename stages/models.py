"""Models at work in a stage: loading one, and sampling paths from it through the journal."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import polars as pl

from mathse.core.images import ImageStore
from mathse.core.journal import prune, run_in_chunks
from mathse.core.layout import Layout
from mathse.core.params import Model, Sampled
from mathse.engines.process_pool import ProcessPoolEngine
from mathse.engines.protocol import Engine, SamplingParams
from mathse.trajectories import TRAJECTORY, chunk_seed, solve_chunk, solve_key
from stages.common import by_id

Plan = Sequence[tuple[str, int]]
"""Problem id and sample index of each path to write."""


def load_engine(layout: Layout, model: Path | str, role: Model) -> Engine:
    """Load a model as an engine, in as many processes as its role has."""
    load = partial(_load, str(model), role, ImageStore(layout.images))
    if role.processes == 1:
        return load()
    return ProcessPoolEngine(load, processes=role.processes, batch_size=role.batch_size)


def _load(model: str, role: Model, images: ImageStore) -> Engine:
    """Load a model; imported late, so that tables are checked before any model library loads."""
    from mathse.engines.transformers_engine import TransformersEngine

    return TransformersEngine(
        model,
        images=images,
        batch_size=role.batch_size,
        dtype=role.dtype,
        device="auto" if role.processes == 1 else "cpu",
        max_prompt_tokens=role.max_prompt_tokens,
        trust_remote_code=role.trust_remote_code,
    )


def sample_paths(
    layout: Layout,
    engine: Engine,
    pool: pl.DataFrame,
    plan: Plan,
    section: Sampled,
    *,
    seed: int,
    round_name: str,
    chunk_size: int,
    label: str,
) -> pl.DataFrame:
    """Solve the planned paths chunk by chunk through the journal; each chunk has a recorded seed of its own."""
    rows = by_id(pool)

    def sampling(chunk: Plan) -> SamplingParams:
        drawn = chunk_seed(seed, label, list(chunk[0]))
        return SamplingParams(section.temperature, section.top_p, section.max_new_tokens, drawn)

    def key(chunk: Plan) -> str:
        return solve_key(engine, chunk, sampling=sampling(chunk), round_name=round_name)

    def work(chunk: Plan) -> pl.DataFrame:
        return solve_chunk(
            engine, rows, chunk, sampling=sampling(chunk), round_name=round_name, origin="student"
        )

    journal = layout.journal(label)
    paths = run_in_chunks(
        plan, work, chunk_size=chunk_size, key=key, journal=journal, label=label, schema=TRAJECTORY
    )
    prune(journal, {key(plan[at : at + chunk_size]) for at in range(0, len(plan), chunk_size)})
    return paths
