from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from mathse.core.errors import ParamError
from mathse.core.machine import Replicas
from mathse.engines.protocol import complete_all
from tests.engines.fake import FakeEngine, begun, fake_requests

ray = pytest.importorskip("ray", reason="ray is not installed (extra [ray])")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    ray.init(num_cpus=2, num_gpus=0, include_dashboard=False)
    yield
    ray.shutdown()


@pytest.mark.parametrize("streams", [False, True])
def test_an_actor_that_is_killed_costs_no_row(tmp_path: Path, streams: bool) -> None:
    from mathse.engines.ray_pool import RayPoolEngine

    engine = RayPoolEngine(
        partial(FakeEngine, tmp_path), Replicas(ray="auto"), gpus=1, batch_size=2, streams=streams
    )
    given = fake_requests({0: "meet 2", 5: "die once", 30: "meet 3"}, 60)
    done = complete_all(engine, given)
    assert [(one.text, one.error) for one in done] == [(f"K{n}", None) for n in range(60)]
    assert len({process for _, process in begun(tmp_path)}) == 3, "another took its place"
    assert [key for key, _ in begun(tmp_path)].count("k5") == 2
    engine.close()


def test_more_replicas_than_the_cluster_has_room_for(tmp_path: Path) -> None:
    from mathse.engines.ray_pool import RayPoolEngine

    with pytest.raises(ParamError, match="3 replicas with 1 CPU each.*room for 2"):
        RayPoolEngine(
            partial(FakeEngine, tmp_path),
            Replicas(ray="auto", replicas=3),
            gpus=1,
            batch_size=2,
            streams=False,
        )
