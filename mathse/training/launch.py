"""One training run in several processes on a CPU: accelerate's data parallelism over gloo."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, wait
from pathlib import Path
from typing import Any

from mathse.core.processes import worker_pool
from mathse.training.examples import Example
from mathse.training.report import TrainReport


def train(examples: Sequence[Example], *, processes: int, **options: Any) -> TrainReport:
    """Call `mathse.training.loop.finetune` in one process, or in several that share each batch.

    Args:
        examples: as for `finetune`.
        processes: 1: in this process, on a GPU where there is one, or as `accelerate launch` has
            it. More: in so many processes on the CPU.
        options: the other arguments of `finetune`; picklable where there are several processes.
    """
    if processes == 1:
        from mathse.training.loop import finetune

        return finetune(examples, **options)
    with tempfile.TemporaryDirectory(prefix="mathse-") as folder, worker_pool(processes) as pool:
        rendezvous = Path(folder) / "rendezvous"
        ranks = [
            pool.submit(_train_rank, rank, processes, rendezvous, examples, options)
            for rank in range(processes)
        ]
        wait(ranks, return_when=FIRST_EXCEPTION)
        failed = [rank for rank in ranks if rank.done() and rank.exception() is not None]
        return (failed or ranks)[0].result()


def _train_rank(
    rank: int, world: int, rendezvous: Path, examples: Sequence[Example], options: dict[str, Any]
) -> TrainReport:
    """Train as one of several processes. When one ends, for whatever reason, the others end too."""
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
        "ACCELERATE_USE_CPU": "true",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
    }
    if sys.platform == "linux":
        # The host's name may resolve to an interface that is down.
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    from torch import distributed

    from mathse.training.loop import finetune

    url = f"file://{rendezvous}"
    distributed.init_process_group("gloo", init_method=url, rank=rank, world_size=world)
    try:
        return finetune(examples, **{**options, "cpu": True})
    finally:
        distributed.destroy_process_group()
