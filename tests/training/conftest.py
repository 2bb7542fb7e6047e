from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mathse.core.images import ImageStore
from mathse.core.params import Training
from mathse.training import TrainReport
from mathse.training.train_loop import finetune
from tests.tiny import build_tiny, draw_png, write_store
from tests.training.given import CONFIG, examples

Fit = Callable[..., TrainReport]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    images = {f"img{n}": draw_png(n) for n in range(6)} | {"noise": b"not a picture"}
    return write_store(tmp_path_factory.mktemp("images"), images)


@pytest.fixture
def fit(tiny: Path, store: ImageStore, tmp_path: Path) -> Fit:
    def call(out: str = "out", config: Training = CONFIG, **other: Any) -> TrainReport:
        given: dict[str, Any] = {
            "init": tiny,
            "images": store,
            "checkpoints": tmp_path / "kept",
            "seed": 0,
            "cpu": True,
        }
        return finetune(
            other.pop("examples", examples()), out=tmp_path / out, config=config, **given | other
        )

    return call
