from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from mathse.core.images import ImageStore, write_images
from mathse.core.machine import Machine
from mathse.core.params import Role
from mathse.engines.loading import load_engine
from mathse.engines.protocol import Engine
from mathse.figures.source import build_tables
from tests.closure import ROOT
from tests.tiny import draw_png

BASE = str(ROOT / "models/tiny-base")


def role(engine: str, **values: Any) -> Role:
    given = {
        "model": BASE,
        "engine": engine,
        "dtype": "float32",
        "batch_size": 32,
        "max_prompt_tokens": 900,
        "trust_remote_code": False,
    }
    return Role(**given | values)


@pytest.fixture(scope="session")
def problems(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, ImageStore]:
    """Return 100 drawn problems and their images, and two that are no pictures."""
    folder = tmp_path_factory.mktemp("images")
    rows, images = build_tables({"eval": 100}, seed=7)
    others = images.head(2).with_columns(
        image_id=pl.Series(["broken", "noise"]),
        bytes=pl.Series([draw_png(1)[:60], b"not a picture"]),
    )
    write_images(pl.concat([images, others]), folder)
    return rows, ImageStore(folder)


@pytest.fixture(scope="session")
def engines(problems: tuple[pl.DataFrame, ImageStore]) -> Iterator[dict[str, Engine]]:
    """Return both engines with the embedded model, a process each."""
    machine = Machine(device="cpu", inference_processes=1)
    made = {
        name: load_engine(BASE, role(name), problems[1], machine)
        for name in ("transformers", "vllm")
    }
    yield made
    for engine in made.values():
        engine.close()
