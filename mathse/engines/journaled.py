"""An engine around an engine that keeps finished work: a kill costs unfinished units only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl

from mathse.core.ids import content_id
from mathse.core.journal import is_stored, load_chunk, prune, store_chunk, stored_keys
from mathse.core.journal_packs import PackLimits, PackWriter, list_packs, load_pack, shrink_packs
from mathse.core.progress import Progress
from mathse.engines.pool import PoolEngine
from mathse.engines.protocol import Completion, Engine, Request
from mathse.engines.usage import Budget
from schemas import Trajectory, column_types

_COMPLETION = pl.Schema(
    {
        "text": pl.String(),
        **column_types(Trajectory, "finish_reason", "prompt_tokens", "response_tokens"),
        "scored_prob": pl.Float64(),
        "scored_lines": pl.List(pl.Float64()),
        **column_types(Trajectory, "error", "error_kind"),
        "cached_tokens": pl.Int64(),
        "cost": pl.Float64(),
    }
)


class JournaledEngine:
    """Completes requests through a journal.

    A unit (see `Engine.units`) is stored under a hash of the engine and of what is sent: prompts as
    they are written out. Not stored, so that the next run tries them again, are units with a
    retryable error and those that failed before a token was computed. What is stored was paid: it
    counts in the engine's budget, as do the tokens of answers that are asked for again.

    An engine with `pack_limits` has a request in each unit: such units are stored many to a file.

    Args:
        engine: completes what the journal does not hold.
        folder: of the journal, for one kind of call (see `journal_part`): units that a call does
            not ask for go, unless they were paid, by an engine with a budget.
        label: what is being done, for the progress line.

    Attributes:
        input_fingerprint: for the rows; a role's also covers the files of its prompts.
        spent: all completions so far without their texts, for `usage_of`.
    """

    def __init__(self, engine: Engine, folder: Path, label: str) -> None:
        self.engine = engine
        self.folder = folder
        self.label = label
        self.digest = engine.digest
        self.input_fingerprint = engine.input_fingerprint
        self.spent: list[Completion] = []
        self.how: str = getattr(engine, "how", "")  # device and dtype, of engines with a model
        self._budget: Budget | None = getattr(engine, "budget", None)
        self._counted: set[str] = set()  # units that the budget knows
        self._paid: set[str] = set()  # units that only the budget needs
        self._pack_limits: PackLimits | None = getattr(engine, "pack_limits", None)
        self._pack_of: dict[str, str] = {}  # by unit
        self._pack: tuple[str, dict[str, list[dict[str, Any]]]] = ("", {})  # the one read last

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield a completion for each request: stored ones first, then unit by unit."""
        for completion in self._complete(requests):
            self.spent.append(replace(completion, text=""))
            yield completion

    def _complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        units = self.units(requests)
        names = [self._name([requests[index] for index in unit]) for unit in units]
        packs = list_packs(self.folder)
        self._pack_of = {name: pack for pack, inside in packs.items() for name in inside}
        stored = [name in self._pack_of or is_stored(self.folder, name) for name in names]
        done = sum(len(unit) for unit, is_done in zip(units, stored, strict=True) if is_done)
        limits = self._pack_limits
        writer = PackWriter(self.folder, _COMPLETION, limits) if limits else None
        progress = Progress(total=len(requests), label=self.label, done=done)
        with progress, writer or nullcontext():
            # Stored units. What is no longer asked for was paid too.
            paid = stored_keys(self.folder) - packs.keys() | self._pack_of.keys()
            for name in sorted(paid - set(names), key=self._by_pack) if self._budget else ():
                self._load(name)
            unit_of: dict[str, int] = {}
            for number in sorted(
                range(len(units)), key=lambda number: self._by_pack(names[number])
            ):
                keys = [requests[index].key for index in units[number]]
                if stored[number]:
                    for key, completion in zip(keys, self._load(names[number]), strict=True):
                        yield replace(completion, key=key)
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
                    self._store(names[number], ordered, writer)
                    progress.advance(len(ordered))
                    yield from ordered
        packs |= writer.written if writer else {}
        kept = {*names, *(paid | self._paid if self._budget else ())}
        prune(self.folder, {*kept, *shrink_packs(self.folder, packs, kept)})

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        """Return the units of the engine."""
        return self.engine.units(requests)

    def rest(self) -> None:
        """Free the devices of a pool until there is work for it again."""
        if isinstance(self.engine, PoolEngine):
            self.engine.rest()

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()

    def _name(self, unit: Sequence[Request]) -> str:
        sent = [content_id(request.content()) for request in unit]
        return content_id(self.digest, self.engine.input_fingerprint, self.how, sent)

    def _by_pack(self, name: str) -> str:
        """Return what sorts units so that each pack is read once."""
        return self._pack_of.get(name, "")

    def _read(self, name: str) -> list[dict[str, Any]]:
        pack = self._pack_of.get(name)
        if pack is None:
            rows = load_chunk(self.folder, name)
            return rows.to_dicts() if rows is not None else []
        if self._pack[0] != pack:
            self._pack = pack, load_pack(self.folder, pack)
        return self._pack[1].get(name, [])

    def _load(self, name: str) -> list[Completion]:
        completions = [_completion(row) for row in self._read(name)]
        if self._budget is not None and name not in self._counted:
            self._counted.add(name)
            for completion in completions:
                self._budget.count(completion)
        return completions

    def _store(
        self, name: str, completions: Sequence[Completion], writer: PackWriter | None
    ) -> None:
        self._counted.add(name)
        tokens = sum(
            completion.prompt_tokens + completion.response_tokens for completion in completions
        )
        errors = [completion.error_kind for completion in completions]
        if None not in errors and not tokens:
            return
        if "retryable" in errors:
            # Tried again; where it was paid, a unit that nothing asks for keeps what it took.
            if self._budget is None or not tokens:
                return
            name = f"paid-{uuid4().hex}"
            self._counted.add(name)
            self._paid.add(name)
        rows = [
            {column: getattr(completion, column) for column in _COMPLETION}
            for completion in completions
        ]
        if writer is not None:
            writer.add(name, rows)
        else:
            store_chunk(self.folder, name, pl.DataFrame(rows, schema=_COMPLETION))


@contextmanager
def journal_part(engine: Engine, name: str) -> Iterator[None]:
    """Let a journaled engine keep what follows in a part of its journal.

    A call removes what it did not ask for from its folder, so calls that differ need two.
    """
    if not isinstance(engine, JournaledEngine):
        yield
        return
    whole = engine.folder
    engine.folder = whole / name
    try:
        yield
    finally:
        engine.folder = whole


def _completion(row: dict[str, Any]) -> Completion:
    lines = row.get("scored_lines") or ()  # a journal of before has none
    return Completion(key="", **{**row, "scored_lines": tuple(lines)})
