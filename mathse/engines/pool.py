"""One engine in several workers: processes of this machine, or actors of a Ray cluster.

Each worker loads the engine and is handed units of requests. The units of a worker that dies go to
another one. Those whose worker has died twice have fewer and fewer others beside them; one that is
alone when its worker dies becomes error completions, which the next run tries again. Where no other
unit finishes, the work ends: each death costs a load of the model.
"""

from __future__ import annotations

import atexit
import logging
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

from mathse.core.errors import MathseError
from mathse.core.journal_packs import PackLimits
from mathse.core.processes import no_garbage
from mathse.engines.protocol import Completion, Engine, Request, batch_units

DEATHS_MIN = 2
"""So many workers have to end with a unit before it is given up: one may end for other reasons."""
GIVEN_UP_MIN = 2
"""So many units in a row, or one for each worker, have to be given up before all are."""
FEWER = 32
"""From the second death on, a worker has so many times fewer units at once."""
STREAM_PACKS = PackLimits(256, 2.0)
"""How requests that are units of their own are stored: a kill costs what waits."""
_Unit = list[Request]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A worker has loaded its engine, with these attributes."""

    digest: str
    input_fingerprint: str
    how: str


@dataclass(frozen=True)
class Died:
    """A worker has ended."""

    reason: str


class Link(Protocol):
    """One end of what joins pool and worker; `Connection` is one.

    The pool sends units, and None when there will be no more; the worker sends `Loaded`, then the
    completions of one unit after the other, or an error.
    """

    def send(self, message: Any, /) -> None:
        """Send a message."""
        ...

    def recv(self) -> Any:
        """Wait for a message and return it.

        Raises:
            EOFError: if the other end is gone.
        """
        ...


class Worker(Link, Protocol):
    """The pool's end of a worker."""

    def end(self, *, is_busy: bool) -> None:
        """End it: at once if it is busy, whatever it has begun."""
        ...


class WorkerLink(Link, Protocol):
    """The worker's end."""

    def poll(self) -> bool:
        """Return True if a message waits."""
        ...


@dataclass(eq=False)
class _Member:
    """A worker as the pool sees it: whether its engine is loaded, and the units that it has."""

    worker: Worker
    is_ready: bool
    units: set[int]


class PoolEngine:
    """Completes prompts in workers of its own.

    The text does not depend on the number of workers: batches follow from the requests alone.

    Args:
        start: starts worker number n.
        workers: how many.
        batch_size: prompts generated together; that of the engine.
        streams: the engine takes one request after the other (see `serve`); else, batches.
        role: whose engine it is, for messages.

    Raises:
        MathseError: whatever loading the engine raises, or if a worker dies of it.
    """

    def __init__(
        self,
        start: Callable[[int], Worker],
        *,
        workers: int,
        batch_size: int,
        streams: bool,
        role: str = "student",
    ) -> None:
        self.workers = workers
        self.batch_size = batch_size
        self._start_worker = start
        self.pack_limits = STREAM_PACKS if streams else None
        self._streams = streams
        self._role = role
        self._members: dict[int, _Member] = {}
        self._events: SimpleQueue[tuple[_Member, Any]] = SimpleQueue()
        self._finalize = weakref.finalize(self, _end_all, self._members)
        atexit.register(self._finalize)  # before multiprocessing waits for processes that wait
        for _ in range(workers):
            self._start()  # all at once: each takes seconds to import, or minutes to load
        loaded: Loaded = self._next_event()[1]
        self.digest, self.input_fingerprint = loaded.digest, loaded.input_fingerprint
        self.how = loaded.how

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield the completions of each unit as it finishes; a bad request becomes an error.

        Raises:
            MathseError: if workers end with one unit after the other.
        """
        units = [[requests[index] for index in unit] for unit in self.units(requests)]
        unit_of = {request.key: number for number, unit in enumerate(units) for request in unit}
        waiting = deque(range(len(units)))
        unfinished = len(units)
        deaths: Counter[int] = Counter()
        given_up = 0  # since the last unit that a worker finished
        try:
            while unfinished:
                self._hand_out(units, waiting, unfinished, deaths)
                member, message = self._next_event()
                finished: list[list[Completion]] = []
                if isinstance(message, Died):
                    # Hand its units to others, those first that it had first.
                    for number in sorted(member.units, reverse=True):
                        deaths[number] += 1
                        if deaths[number] >= DEATHS_MIN and len(member.units) == 1:
                            finished.append([_lost(one, message) for one in units[number]])
                            given_up += 1
                            self._check_given_up(given_up, message)
                        else:
                            waiting.appendleft(number)
                elif isinstance(message, list):
                    member.units.remove(unit_of[message[0].key])
                    finished.append(message)
                    given_up = 0
                unfinished -= len(finished)
                # Before the caller works on these.
                self._hand_out(units, waiting, unfinished, deaths)
                for completions in finished:
                    yield from completions
        finally:
            # A caller that goes away, or an error, leaves work that nobody wants.
            for number in [n for n, member in self._members.items() if member.units]:
                self._members.pop(number).worker.end(is_busy=True)

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        """Return the batches, or each request alone where the engine streams."""
        if self._streams:
            return [[index] for index in range(len(requests))]
        return batch_units(requests, self.batch_size)

    def rest(self) -> None:
        """End the workers; the next requests start new ones."""
        _end_all(self._members)

    def close(self) -> None:
        """End the workers."""
        self._finalize()

    def _start(self) -> None:
        number = next(n for n in range(self.workers) if n not in self._members)
        member = _Member(self._start_worker(number), False, set())
        self._members[number] = member
        Thread(target=_listen, args=(member, self._events), daemon=True).start()

    def _hand_out(
        self, units: list[_Unit], waiting: deque[int], unfinished: int, deaths: Counter[int]
    ) -> None:
        """Replace workers that have died, and give units to those that have fewest."""
        while len(self._members) < min(self.workers, unfinished):
            self._start()
        while waiting:
            ready = [member for member in self._members.values() if member.is_ready]
            member = min(ready, key=lambda one: len(one.units), default=None)
            together = {waiting[0], *(member.units if member else ())}
            if member is None or len(together) > min(self._at_once(deaths[n]) for n in together):
                return
            number = waiting.popleft()
            member.units.add(number)
            try:
                member.worker.send(units[number])
            except OSError:
                member.is_ready = False  # it has died: that is the next event

    def _check_given_up(self, count: int, death: Died) -> None:
        """Stop if so many units were given up in a row that the others will be, too.

        Raises:
            MathseError: with the last worker's reason.
        """
        if count >= max(GIVEN_UP_MIN, self.workers):
            raise MathseError(
                f"{self._role}: workers have ended, one after the other, with each of the last "
                f"{count} units of requests, and nothing was finished between; the last: "
                f"{death.reason}\n"
                f"  fix: if memory is short, lower {self._role}.batch_size or "
                f"{self._role}.pixels.max in params.yaml; else see what the processes printed"
            )

    def _at_once(self, deaths: int) -> int:
        """Return how many units a worker may have, one of which has lost so many workers."""
        most = 2 * self.batch_size if self._streams else 1
        fewer: int = FEWER ** max(0, deaths - 1)
        return max(1, most // fewer)

    def _next_event(self) -> tuple[_Member, Any]:
        """Wait for what a worker sends: `Loaded`, completions or `Died`.

        Raises:
            MathseError: if an engine does not load, or a worker sends an error.
        """
        while True:
            member, message = self._events.get()
            number = next((n for n, known in self._members.items() if known is member), None)
            if number is None:
                continue  # of a worker that was ended
            if isinstance(message, Loaded):
                member.is_ready = True
            elif isinstance(message, Died):
                was_loaded = member.is_ready or bool(member.units)
                self._members.pop(number).worker.end(is_busy=True)
                if not was_loaded:
                    raise MathseError(
                        f"The engine does not load: {message.reason}\n"
                        "  fix: see what its process printed; often memory is short"
                    )
                logger.warning("A worker has ended, its work goes to others: %s", message.reason)
            elif isinstance(message, MathseError):
                raise message
            return member, message


def serve(link: WorkerLink, load: Callable[[], Engine], *, streams: bool) -> None:
    """Complete units in a worker until the pool is gone.

    Args:
        link: to the pool.
        load: loads the engine.
        streams: one call of `complete` takes all requests, one after the other; None among them
            means that none waits at the moment.
    """
    try:
        with no_garbage():
            engine = load()
        link.send(Loaded(engine.digest, engine.input_fingerprint, getattr(engine, "how", "")))
        if streams:
            feed: Any = _Feed(link)
            for completion in engine.complete(feed):
                feed.in_flight -= 1
                link.send([completion])
        else:
            while (unit := link.recv()) is not None:
                link.send(list(engine.complete(unit)))
        engine.close()
    except (EOFError, BrokenPipeError):
        return
    except MathseError as error:
        link.send(error)
    except Exception as error:
        logging.exception("This worker ends")
        link.send(Died(f"{type(error).__name__}: {error}"))


class _Feed:
    """The requests that reach a worker, as an endless iterable."""

    def __init__(self, link: WorkerLink) -> None:
        self._link = link
        self.in_flight = 0

    def __iter__(self) -> Iterator[Request | None]:
        while True:
            if self.in_flight and not self._link.poll():
                yield None
            elif (unit := self._link.recv()) is None:
                return
            else:
                self.in_flight += len(unit)
                yield from unit


def _lost(request: Request, death: Died) -> Completion:
    reason = f"workers ended while they had this request alone; the last: {death.reason}"
    return Completion.failed(request.key, reason, kind="retryable")


def _listen(member: _Member, events: SimpleQueue[tuple[_Member, Any]]) -> None:
    """Pass on what a worker sends, until it has ended."""
    while True:
        try:
            message = member.worker.recv()
        except (EOFError, OSError) as error:
            known = str(error) if isinstance(error, EOFError) else ""
            message = Died(known or "its process ended, killed or for want of memory")
        events.put((member, message))
        if isinstance(message, Died):
            return


def _end_all(members: dict[int, _Member]) -> None:
    for member in members.values():
        member.worker.end(is_busy=bool(member.units) or not member.is_ready)
    members.clear()
