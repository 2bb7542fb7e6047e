from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mathse.core.images import ImageStore
from tests.tiny import build_tiny, draw_png, write_store


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    images = {f"img{n}": draw_png(n) for n in range(6)}
    images["wide"] = draw_png(7, size=(90, 20))
    images["broken"] = images["img0"][:60]
    images["noise"] = b"not a picture"
    return write_store(tmp_path_factory.mktemp("images"), images)
