"""An engine around an engine that keeps finished work: a kill costs unfinished units only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import polars as pl

from mathse.core.ids import content_id
from mathse.core.journal import is_stored, load_chunk, prune, store_chunk
from mathse.core.progress import Progress
from mathse.engines.protocol import Completion, Engine, Request
from schemas import Trajectory, column_types

_COMPLETION = pl.Schema(
    {
        "text": pl.String(),
        **column_types(Trajectory, "finish_reason", "prompt_tokens", "response_tokens"),
        "scored_prob": pl.Float64(),
        **column_types(Trajectory, "error", "error_kind"),
    }
)


class JournaledEngine:
    """Completes requests through a journal.

    A unit (see `Engine.units`) is stored under a hash of what is sent and of the engine. Units with
    a retryable error are not stored: the next run tries them again.

    Args:
        engine: completes what the journal does not hold.
        folder: of the journal, for one kind of call: units that a call does not ask for go.
        label: what is being done, for the progress line.
    """

    def __init__(self, engine: Engine, folder: Path, label: str) -> None:
        self.engine = engine
        self.folder = folder
        self.label = label
        self.digest = engine.digest
        self.input_fingerprint = engine.input_fingerprint
        self.how: str = getattr(engine, "how", "")  # device and dtype, of engines with a model

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield a completion for each request: stored ones first, then unit by unit."""
        units = self.units(requests)
        names = [self._name([requests[index] for index in unit]) for unit in units]
        stored = [is_stored(self.folder, name) for name in names]
        done = sum(len(unit) for unit, is_done in zip(units, stored, strict=True) if is_done)
        with Progress(total=len(requests), label=self.label, done=done) as progress:
            # Stored units.
            unit_of: dict[str, int] = {}
            for number, unit in enumerate(units):
                keys = [requests[index].key for index in unit]
                if stored[number]:
                    yield from self._load(names[number], keys)
                else:
                    unit_of |= dict.fromkeys(keys, number)
            # The rest, in one call: an engine may work on several units at once.
            left = [request for request in requests if request.key in unit_of]
            finished: dict[int, dict[str, Completion]] = {}
            for completion in self.engine.complete(left) if left else ():
                number = unit_of[completion.key]
                unit_done = finished.setdefault(number, {})
                unit_done[completion.key] = completion
                if len(unit_done) == len(units[number]):
                    del finished[number]
                    ordered = [unit_done[requests[index].key] for index in units[number]]
                    self._store(names[number], ordered)
                    progress.advance(len(ordered))
                    yield from ordered
        prune(self.folder, set(names))

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        """Return the units of the engine."""
        return self.engine.units(requests)

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()

    def _name(self, unit: Sequence[Request]) -> str:
        sent = [content_id(request.content()) for request in unit]
        return content_id(self.digest, self.input_fingerprint, self.how, sent)

    def _load(self, name: str, keys: Sequence[str]) -> Iterator[Completion]:
        rows = load_chunk(self.folder, name)
        assert rows is not None
        for key, row in zip(keys, rows.iter_rows(named=True), strict=True):
            yield Completion(key=key, **row)

    def _store(self, name: str, completions: Sequence[Completion]) -> None:
        if any(completion.error_kind == "retryable" for completion in completions):
            return
        rows = [asdict(replace(completion, key="")) for completion in completions]
        store_chunk(
            self.folder,
            name,
            pl.DataFrame(rows, schema_overrides=_COMPLETION).select(_COMPLETION.names()),
        )
