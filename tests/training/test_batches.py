from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers import AutoModelForImageTextToText

from mathse.core.errors import DataError
from mathse.core.images import ImageStore
from mathse.engines.inputs import InputBuilder
from mathse.training.batches import IGNORED, make_batch, often_repeated, plan_batches
from mathse.training.examples import Example, Row, make_row
from mathse.training.step import batch_loss, rate_share
from tests.tiny import ask


def row(number: int, *, image: bool, tokens: int) -> Row:
    return Row(f"k{number}", "", ("i",) if image else (), (1,) * (1 + tokens % 7), tokens)


def plan(rows: list[Row], **how: Any) -> list[list[int]]:
    return plan_batches([row.size for row in rows], **how)


rows_of_both_kinds = st.lists(
    st.tuples(st.booleans(), st.integers(1, 400)), min_size=1, max_size=70
).map(lambda drawn: [row(n, image=image, tokens=tokens) for n, (image, tokens) in enumerate(drawn)])


@given(rows_of_both_kinds, st.integers(1, 9), st.integers(1, 4), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_whole_epochs_see_every_row_equally_often(
    rows: list[Row], size: int, epochs: int, seed: int
) -> None:
    planned = plan(rows, batch_size=size, steps=None, epochs=epochs, seed=seed)
    seen = Counter(n for batch in planned for n in batch)
    for with_images in (False, True):
        kind = [n for n, r in enumerate(rows) if bool(r.image_ids) == with_images]
        if not kind:
            continue
        assert (
            min(seen[n] for n in kind) >= epochs
        )  # no row is left out; some fill up the last batch
        assert sum(seen[n] for n in kind) == math.ceil(len(kind) * epochs / size) * size
        assert max(seen[n] for n in kind) <= epochs + math.ceil(size / len(kind))


@given(rows_of_both_kinds, st.integers(1, 9), st.integers(1, 40), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_batches_are_full_homogeneous_and_as_many_as_asked_for(
    rows: list[Row], size: int, steps: int, seed: int
) -> None:
    planned = plan(rows, batch_size=size, steps=steps, epochs=1, seed=seed)
    assert len(planned) == steps
    assert all(len(batch) == size for batch in planned)
    assert all(len({bool(rows[n].image_ids) for n in batch}) == 1 for batch in planned)
    assert planned == plan(rows, batch_size=size, steps=steps, epochs=7, seed=seed)


@given(rows_of_both_kinds, st.integers(1, 9), st.floats(1, 3), st.booleans(), st.integers(0, 99))
@settings(deadline=None, max_examples=200)
def test_from_one_epoch_on_no_row_is_left_out(
    rows: list[Row], size: int, epochs: float, by_steps: bool, seed: int
) -> None:
    kinds = Counter(bool(one.image_ids) for one in rows)
    assume(min(kinds.values()) >= size)
    needed = sum(math.ceil(count / size) for count in kinds.values())
    steps = max(needed, math.ceil(len(rows) * epochs / size)) if by_steps else None
    planned = plan(rows, batch_size=size, steps=steps, epochs=epochs, seed=seed)
    if len(planned) >= needed:  # else there is no place for what does not fill a batch
        assert {n for batch in planned for n in batch} == {*range(len(rows))}


def test_few_rows_that_fill_whole_batches_are_named() -> None:
    rows = [row(n, image=n >= 3, tokens=9) for n in range(503)]
    sizes = [one.size for one in rows]
    planned = plan(rows, batch_size=128, steps=None, epochs=1, seed=0)
    warning = often_repeated(planned, sizes)
    assert warning is not None and "3 rows without pictures are trained on 43 times" in warning
    # Rows of one kind, also fewer than a batch, are all seen as often.
    for some in (rows[:3], rows[3:]):
        planned = plan(some, batch_size=128, steps=None, epochs=1, seed=0)
        assert often_repeated(planned, [one.size for one in some]) is None


def test_the_seed_fixes_the_order() -> None:
    rows = [row(n, image=True, tokens=n) for n in range(50)]
    plans = [plan(rows, batch_size=5, steps=30, epochs=1, seed=seed) for seed in (0, 0, 1)]
    assert plans[0] == plans[1] != plans[2]
    assert plans[0][:10] != plans[0][10:20]  # each epoch has its own order


def test_a_batch_is_a_random_sample() -> None:
    """Its rows are as different as those of the whole; only inside it are they sorted by length."""
    rows = [row(n, image=True, tokens=n * 37 % 400 + 1) for n in range(400)]
    planned = plan(rows, batch_size=8, steps=None, epochs=4, seed=0)
    spreads = [rows[batch[0]].tokens - rows[batch[-1]].tokens for batch in planned]
    assert 290 < sum(spreads) / len(spreads) < 330  # 400 * 7/9 = 311 is expected of 8 at random
    together = Counter(pair for batch in planned for pair in combinations(sorted(batch), 2))
    assert max(together.values()) < 4  # no two rows share a batch in every epoch
    for batch in planned:
        lengths = [rows[n].tokens for n in batch]
        assert lengths == sorted(lengths, reverse=True)


def test_a_share_of_an_epoch() -> None:
    rows = [row(n, image=False, tokens=5) for n in range(100)]
    assert len(plan(rows, batch_size=10, steps=None, epochs=0.25, seed=0)) == 3
    assert len(plan(rows, batch_size=10, steps=None, epochs=1.5, seed=0)) == 15


@pytest.fixture(scope="module")
def builder(tiny: Path, store: ImageStore) -> InputBuilder:
    return InputBuilder.load(tiny, store)


def some_rows(builder: InputBuilder, n_images: int = 1) -> list[Row]:
    targets = ["The answer to this problem is 12.", "2", "a longer one\nin two lines, 34 + 5 = 39"]
    examples = [
        Example(f"k{n}", ask("why " * (n * 3), n_images), (f"img{n}",) * n_images, target)
        for n, target in enumerate(targets)
    ]
    rows = [make_row(example, builder, 500) for example in examples]
    return [row for row in rows if isinstance(row, Row)]


@pytest.mark.parametrize("n_images", [0, 1])
def test_labels_are_the_target_and_nothing_else(builder: InputBuilder, n_images: int) -> None:
    rows = some_rows(builder, n_images)
    batch = make_batch(rows, builder)
    targets = batch.labels_BT.shape[1]
    prompts = builder.batch([r.text for r in rows], [r.image_ids for r in rows])
    assert torch.equal(
        batch.inputs["input_ids"][:, :-targets], prompts["input_ids"]
    )  # as generation sees them
    assert torch.equal(batch.inputs["attention_mask"][:, :-targets], prompts["attention_mask"])
    assert ("pixel_values" in batch.inputs) == bool(n_images)
    for number, r in enumerate(rows):
        labels = batch.labels_BT[number]
        known = labels != IGNORED
        assert labels[known].tolist() == list(r.target_ids)
        assert labels[known][-1] == builder.tokenizer.eos_token_id
        assert torch.equal(batch.inputs["input_ids"][number, -targets:][known], labels[known])
        assert torch.equal(batch.inputs["attention_mask"][number, -targets:].bool(), known)


@pytest.mark.parametrize("span_weight", [1.0, 10.0])
def test_the_loss_is_that_of_each_row_alone(
    tiny: Path, builder: InputBuilder, span_weight: float
) -> None:
    """Padding, batching and the cut of the logits change nothing; spans have their weight."""
    model: Any = AutoModelForImageTextToText.from_pretrained(tiny, dtype=torch.float32).eval()
    rows = [
        replace(row, weighted_span=(index % 2, 2)) for index, row in enumerate(some_rows(builder))
    ]
    wanted = 0.0
    for r in rows:
        inputs = dict(builder.features(r.text, r.image_ids))
        ids = torch.cat([inputs["input_ids"][0], torch.tensor(r.target_ids)])
        inputs["input_ids"], inputs["attention_mask"] = ids[None], torch.ones_like(ids)[None]
        with torch.no_grad():
            logits = model(**inputs).logits[0]
        predicted = logits[r.prompt_tokens - 1 : -1]
        each = functional.cross_entropy(predicted, torch.tensor(r.target_ids), reduction="none")
        wanted += float(each.sum() + (span_weight - 1) * each[slice(*r.weighted_span)].sum())
    for keep in (True, False):
        with torch.no_grad():
            batch = make_batch(rows, builder, span_weight)
            loss = batch_loss(model, batch, torch.device("cpu"), keep)
        assert float(loss) == pytest.approx(wanted, rel=1e-4)


def test_a_row_without_target_tokens_is_refused(builder: InputBuilder) -> None:
    with pytest.raises(DataError, match="row k has no target tokens"):
        make_batch([Row("k", "User:\n", (), (), 3)], builder)


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [rate_share(step, 100, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[10] == 1
    assert rates[:10] == sorted(rates[:10]) and rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.001
    assert rate_share(0, 1, 0.0) == 1


def test_a_run_of_few_steps_repeats_nothing() -> None:
    sizes = [row(n, image=n >= 10, tokens=9).size for n in range(1000)]
    assert often_repeated([[*range(8)]], sizes) is None, "eight of ten rows once"
