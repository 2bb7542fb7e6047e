"""Which rows make a batch, in which order, and the batch's tensors and labels.

Shape suffixes: B rows, L tokens of the longest prompt, T tokens of the longest target, S = L + T.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from mathse.core.errors import DataError
from mathse.engines.inputs import Features, InputBuilder, append_tokens
from mathse.training.examples import Row, Size

IGNORED = -100


@dataclass(frozen=True)
class Batch:
    """Model inputs and labels.

    Attributes:
        inputs: prompts padded on the left, targets on the right: [B, S].
        labels_BT: target tokens, -100 where there are none.
        weights_BT: what each target token counts, 0 where there is none.
    """

    inputs: Features
    labels_BT: Tensor
    weights_BT: Tensor


def plan_batches(
    sizes: Sequence[Size], *, batch_size: int, steps: int | None, epochs: float, seed: int
) -> list[list[int]]:
    """Plan all batches of a run beforehand, so that a run can go on from any step.

    A batch is a random sample of the rows with images, or of those without: batches of like length
    would be batches of one kind of problem, whose gradients say little about the others. Each epoch
    is shuffled. What does not fill a batch moves to the next epoch; the last batch of each kind is
    filled up with rows of a new epoch. From one epoch on no row is left out, if there is a place
    for what does not fill a batch of its kind.

    Returns:
        For each step (`steps`, or as many as `epochs` take) the indices of its rows, longest first:
        micro-batches and processes then share rows of like length and save padding.
    """

    def in_order(batch: list[int]) -> list[int]:
        return sorted(batch, key=lambda n: (-sizes[n].tokens, -sizes[n].prompt_tokens))

    wanted = steps or max(1, math.ceil(len(sizes) * epochs / batch_size))
    whole_epochs = math.ceil(wanted * batch_size / len(sizes) if steps else epochs)
    kinds = [
        [index for index, size in enumerate(sizes) if size.with_images == with_images]
        for with_images in (False, True)
    ]
    rng = random.Random(seed)
    left: dict[int, list[int]] = {}
    plan: list[list[int]] = []
    last, moved = 0, list[list[int]]()  # of the last epoch: where it starts, what moved to it
    for epoch in range(whole_epochs):
        last, moved, batches = len(plan), [], list[list[int]]()
        for kind, indices in enumerate(kinds):
            pool = left.get(kind, []) + rng.sample(indices, len(indices))
            if epoch == whole_epochs - 1:
                while len(pool) % batch_size:
                    pool += rng.sample(indices, min(len(indices), -len(pool) % batch_size))
            full = len(pool) - len(pool) % batch_size
            moved += [in_order(pool[:batch_size])] if left.get(kind) and full else []
            left[kind] = pool[full:]
            batches += [pool[start : start + batch_size] for start in range(0, full, batch_size)]
        rng.shuffle(batches)
        plan += map(in_order, batches)
    if steps is None and epochs == whole_epochs:
        return plan
    # Of a last epoch that is cut short, batches with rows that would be left out come first.
    if whole_epochs > 1 and len({index for batch in plan[:wanted] for index in batch}) < len(sizes):
        plan[last:] = sorted(plan[last:], key=lambda batch: batch not in moved)
    return plan[:wanted]


def often_repeated(plan: Sequence[Sequence[int]], sizes: Sequence[Size]) -> str | None:
    """Return a warning if few rows with, or without, pictures are trained on far more often.

    A batch has rows of one kind, and the last one of each kind is filled up with rows of that kind.

    Args:
        plan: of `plan_batches`.
        sizes: of all rows.
    """
    seen = Counter(index for batch in plan for index in batch)
    usual = seen.total() / len(sizes)
    for with_images, name in ((True, "with"), (False, "without")):
        rows = [index for index, size in enumerate(sizes) if size.with_images == with_images]
        times = sum(seen[index] for index in rows) / max(1, len(rows))
        if times > 2 * max(1, usual):
            return (
                f"the {len(rows)} rows {name} pictures are trained on {times:.0f} times each, a "
                f"row on average {usual:.0f} times: pictures are in all rows of a batch or in "
                "none, and so few rows fill one. Add such rows, or leave these out"
            )
    return None


def micro_batches(
    indices: Sequence[int],
    sizes: Sequence[Size],
    *,
    rank: int,
    processes: int,
    rows: int,
    tokens: int | None,
) -> list[list[int]]:
    """Return the parts of one process's share of a step; every process has as many.

    Args:
        indices: the step's rows, longest first.
        sizes: of all rows.
        rank: which process.
        processes: how many there are.
        rows: most rows of a part, where there is no limit in tokens.
        tokens: most tokens of a part, with what pads it; a longer row is a part by itself.
    """
    if tokens is None:
        share = indices[rank::processes]
        return [list(share[start : start + rows]) for start in range(0, len(share), rows)]
    every = [_cut(indices[process::processes], sizes, tokens) for process in range(processes)]
    parts = every[rank]
    while len(parts) < max(map(len, every)):  # processes that wait for each other stay in step
        longest = max(parts, key=len)
        parts.remove(longest)
        parts += [longest[::2], longest[1::2]]
    return parts


def _cut(indices: Sequence[int], sizes: Sequence[Size], tokens: int) -> list[list[int]]:
    """Fill one part after the other."""
    parts: list[list[int]] = []
    prompt = target = 0
    for index in indices:
        size = sizes[index]
        prompt = max(prompt, size.prompt_tokens)
        target = max(target, size.tokens - size.prompt_tokens)
        if not parts or (len(parts[-1]) + 1) * (prompt + target) > tokens:
            parts.append([])
            prompt, target = size.prompt_tokens, size.tokens - size.prompt_tokens
        parts[-1].append(index)
    return parts


def prefetch(
    plan: Iterable[list[list[int]]], make: Callable[[Sequence[int]], Batch]
) -> Iterator[list[Batch]]:
    """Yield each step's batches; a thread prepares them one step ahead."""

    def make_all(parts: list[list[int]]) -> list[Batch]:
        return [make(part) for part in parts]

    with ThreadPoolExecutor(1) as pool:
        ahead: Future[list[Batch]] | None = None
        for parts in plan:
            ready, ahead = ahead, pool.submit(make_all, parts)
            if ready is not None:
                yield ready.result()
        if ahead is not None:
            yield ahead.result()


def make_batch(rows: Sequence[Row], builder: InputBuilder, span_weight: float = 1.0) -> Batch:
    """Build the inputs of some rows: the prompts exactly as generation sees them, then the targets.

    Tokens of a row's weighted span count `span_weight` times as much as others.
    """
    inputs = builder.batch([row.text for row in rows], [row.image_ids for row in rows])
    longest = max(len(row.target_ids) for row in rows)
    labels_BT = torch.full((len(rows), longest), IGNORED)
    weights_BT = torch.zeros(len(rows), longest)
    for index, row in enumerate(rows):
        if not row.target_ids:
            message = f"Training row {row.key} has no target tokens."
            raise DataError(message, rule="a target is not empty")
        labels_BT[index, : len(row.target_ids)] = torch.tensor(row.target_ids)
        weights_BT[index, : len(row.target_ids)] = 1.0
        weights_BT[index, slice(*row.weighted_span)] *= span_weight
    known_BT = labels_BT != IGNORED
    tokens_BT = labels_BT.masked_fill(~known_BT, builder.tokenizer.pad_token_id)
    return Batch(append_tokens(inputs, tokens_BT, known_BT), labels_BT, weights_BT)
