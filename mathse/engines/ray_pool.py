"""Workers of a pool that are actors of an existing Ray cluster.

Code, model folder and images must be there on all machines, under the same paths.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from mathse.core.errors import ParamError
from mathse.core.machine import Replicas
from mathse.engines.pool import PoolEngine, serve
from mathse.engines.protocol import Engine

logger = logging.getLogger(__name__)


class RayPoolEngine(PoolEngine):
    """Completes prompts in actors: each loads the engine and takes units, few at a time.

    Args:
        load: loads the engine, in each actor; picklable.
        replicas: address of the cluster, and how many actors; by default as many as its GPUs allow,
            or its CPUs.
        gpus: of each actor, where the cluster has some.
        batch_size: see `PoolEngine`.
        streams: see `PoolEngine`.
        role: see `PoolEngine`.

    Raises:
        ParamError: if Ray is not installed, or the cluster not there or too small.
    """

    def __init__(
        self,
        load: Callable[[], Engine],
        replicas: Replicas,
        *,
        gpus: int,
        batch_size: int,
        streams: bool,
        role: str = "student",
    ) -> None:
        ray = _connect(replicas.ray or "auto")
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        kind, each = ("GPU", gpus) if any(node.get("GPU") for node in nodes) else ("CPU", 1)
        most = sum(int(node.get(kind, 0)) // each for node in nodes)  # an actor has one node
        workers = replicas.replicas or most
        if not 1 <= workers <= most:
            raise ParamError(
                f"engines in machine.yaml: {workers} replicas with {each} {kind} each, and the Ray "
                f"cluster has room for {most}"
            )
        free = int(ray.available_resources().get(kind, 0))
        if free < workers * each:
            logger.warning(
                "%d of the Ray cluster's %ss are free, and %d replicas want %d: what others hold "
                "is waited for", free, kind, workers, workers * each,
            )  # fmt: skip
        resources = {"num_gpus": each} if kind == "GPU" else {"num_cpus": 1}

        def start(number: int) -> RayWorker:
            return RayWorker(load, resources, streams=streams)

        super().__init__(start, workers=workers, batch_size=batch_size, streams=streams, role=role)


class RayWorker:
    """An actor that serves an engine (see `mathse.engines.pool.Worker`)."""

    def __init__(
        self, load: Callable[[], Engine], resources: dict[str, int], *, streams: bool
    ) -> None:
        import ray

        self._ray: Any = ray
        # Two calls at a time: one that waits for results, one that brings a unit.
        actor = ray.remote(_Actor).options(max_concurrency=2, **resources)
        self._actor = actor.remote(load, streams)
        self._received: SimpleQueue[Any] = SimpleQueue()

    def send(self, message: Any, /) -> None:
        """Send a unit."""
        self._actor.give.remote(message)

    def recv(self) -> Any:
        """Wait for what the actor sends.

        Raises:
            EOFError: if it has died.
        """
        if self._received.empty():
            try:
                messages = self._ray.get(self._actor.take.remote())
            except self._ray.exceptions.RayError as error:
                raise EOFError(f"its actor ended: {error}".splitlines()[0]) from error
            for message in messages:
                self._received.put(message)
        return self._received.get()

    def end(self, *, is_busy: bool) -> None:
        """End the actor at once."""
        self._ray.kill(self._actor)


class _Actor:
    """Serves an engine in a thread; calls bring units and take what it sends."""

    def __init__(self, load: Callable[[], Engine], streams: bool) -> None:
        self._units: SimpleQueue[Any] = SimpleQueue()
        self._messages: SimpleQueue[Any] = SimpleQueue()
        link = _ThreadLink(self._units, self._messages)
        Thread(target=serve, args=(link, load), kwargs={"streams": streams}, daemon=True).start()

    def give(self, unit: Any) -> None:
        self._units.put(unit)

    def take(self) -> list[Any]:
        """Wait for a message; return it and what else there is."""
        messages = [self._messages.get()]
        while True:
            try:
                messages.append(self._messages.get_nowait())
            except Empty:
                return messages


class _ThreadLink:
    """The worker's end of two queues (see `mathse.engines.pool.WorkerLink`)."""

    def __init__(self, units: SimpleQueue[Any], messages: SimpleQueue[Any]) -> None:
        self.recv: Callable[[], Any] = units.get
        self.send: Callable[[Any], None] = messages.put
        self._units = units

    def poll(self) -> bool:
        """Return True if a unit waits."""
        return not self._units.empty()


def _connect(address: str) -> Any:
    """Connect to a cluster and return the package.

    Raises:
        ParamError: if the package is missing or there is no cluster.
    """
    try:
        import ray
    except ImportError as error:
        raise ParamError(
            f"engines.ray in machine.yaml needs the package ray: {error}\n"
            "  fix: pip install -c constraints.txt -e '.[ray]'"
        ) from error
    try:
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=True)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ParamError(f"There is no Ray cluster at {address} (machine.yaml): {error}") from error
    return ray
