"""How many actors a Ray cluster has room for, without a cluster."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

import mathse.engines.ray_pool as module
from mathse.core.errors import ParamError
from mathse.core.machine import Replicas


def pool(monkeypatch: pytest.MonkeyPatch, *nodes: dict[str, float], free: float, gpus: int) -> int:
    """Return how many actors would be started."""
    started: list[int] = []
    found = [{"Alive": True, "Resources": node} for node in nodes]
    found.append({"Alive": False, "Resources": {"GPU": 64.0}})
    ray = SimpleNamespace(nodes=lambda: found, available_resources=lambda: {"GPU": free})
    monkeypatch.setattr(module, "_connect", lambda address: ray)

    def start(self: Any, start: Any, *, workers: int, **more: Any) -> None:
        started.append(workers)

    monkeypatch.setattr(module.PoolEngine, "__init__", start)
    load: Any = None
    module.RayPoolEngine(load, Replicas(ray="auto"), gpus=gpus, batch_size=2, streams=True)
    return started[0]


def test_an_actor_has_its_gpus_on_one_node(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert pool(monkeypatch, {"GPU": 3.0}, {"GPU": 4.0}, {"CPU": 8.0}, free=7, gpus=2) == 3
    assert not caplog.records
    with pytest.raises(ParamError, match="0 replicas with 2 GPU each.*room for 0"):
        pool(monkeypatch, {"GPU": 1.0}, {"GPU": 1.0}, free=2, gpus=2)


def test_gpus_that_others_hold_are_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert pool(monkeypatch, {"GPU": 4.0}, free=1, gpus=1) == 4
    assert "1 of the Ray cluster's GPUs are free, and 4 replicas want 4" in caplog.text
