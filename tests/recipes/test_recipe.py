"""The base model's recipe: its fast way around the processor, and what it teaches."""

from __future__ import annotations

import io
import random
import re
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from mathse.core.steps import render_step_diff
from recipes.tiny_base.pretrain import IGNORED, GlyphReader, Steps, collate, learn, to_inputs
from recipes.tiny_base.tasks import (
    COMPARING,
    LONG_LISTS,
    LOOKING_UP,
    SEEING,
    Sample,
    batch,
    corrupt,
    equation,
    falsified,
    figure_sample,
    kind_of,
    lookup_sample,
    sums_sample,
)
from recipes.tiny_base.tokenizer import END
from tests.closure import ROOT

FIGURE_STEP, READING_STEP, TEXT_STEP = 0, 1, 5
COMPARING_STEP = next(
    step for step in range(COMPARING + 1000, COMPARING + 1100) if kind_of(step) == "comparing"
)
SEEING_STEP = next(step for step in range(SEEING, SEEING + 10) if kind_of(step) == "figure")
LOOKUP_STEP = next(step for step in range(LONG_LISTS, LONG_LISTS + 10) if kind_of(step) == "lookup")
KINDS = {
    FIGURE_STEP: "figure",
    READING_STEP: "reading",
    TEXT_STEP: "text",
    COMPARING_STEP: "comparing",
    LOOKUP_STEP: "lookup",
    SEEING_STEP: "figure",
}


@pytest.fixture(scope="module")
def processor() -> Any:
    return AutoProcessor.from_pretrained(ROOT / "models" / "tiny-base")


def by_template(processor: Any, sample: Sample, *, answered: bool) -> dict[str, torch.Tensor]:
    """Return what the processor makes of one sample through its chat template."""
    images = [Image.open(io.BytesIO(sample.png)).convert("RGB")] if sample.png else None
    content = [*[{"type": "image"}] * bool(images), {"type": "text", "text": sample.prompt}]
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if answered:
        messages.append({"role": "assistant", "content": [{"type": "text", "text": sample.answer}]})
    text = processor.apply_chat_template(
        messages, add_generation_prompt=not answered, tokenize=False
    )
    inputs: dict[str, torch.Tensor] = processor(
        text=[text], images=images and [images], return_tensors="pt"
    )
    return inputs


def test_a_step_in_parts_learns_what_the_step_at_once_does(processor: Any) -> None:
    found = []
    for micro in (6, 2):
        parts = Steps(processor, "base", 0, 6, micro)[SEEING_STEP]
        assert [len(part["input_ids"]) for part in parts] == [micro] * (6 // micro)
        lengths = [int(part["attention_mask"].sum(1).max()) for part in parts]
        assert lengths == sorted(lengths)
        torch.manual_seed(0)
        folder = ROOT / "models" / "tiny-base"
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
        reader = GlyphReader(model)
        losses = learn(model, reader, parts, "cpu")
        weights = [*model.parameters(), *reader.parameters()]
        gradients = [weight.grad.flatten() for weight in weights if weight.grad is not None]
        found.append((torch.stack(losses), torch.cat(gradients)))
    (whole, once), (divided, summed) = found
    assert torch.allclose(whole, divided, rtol=0.02)
    assert torch.nn.functional.cosine_similarity(once, summed, dim=0) > 0.99
    assert torch.allclose(once.norm(), summed.norm(), rtol=0.05)


@pytest.mark.parametrize("step", KINDS)
def test_collate_makes_what_the_processor_makes(processor: Any, step: int) -> None:
    samples = batch(3, step, 4)
    text_alone = step in (TEXT_STEP, COMPARING_STEP, LOOKUP_STEP)
    assert [sample.png is None for sample in samples] == [text_alone] * len(samples)
    made = to_inputs(collate(processor, samples))
    for row, sample in enumerate(samples):
        whole, prompt = (
            by_template(processor, sample, answered=answered) for answered in (True, False)
        )
        kept = made["attention_mask"][row].bool()
        ids = made["input_ids"][row][kept]
        assert ids.tolist() == whole["input_ids"][0].tolist()
        length = prompt["input_ids"].shape[1]
        assert ids[:length].tolist() == prompt["input_ids"][0].tolist(), (
            "as the model is asked later"
        )
        labels = made["labels"][row]
        assert (labels[:length] == IGNORED).all() and (labels[~kept] == IGNORED).all()
        assert labels[length : kept.sum()].tolist() == ids[length:].tolist()
        assert processor.tokenizer.decode(ids[length:]) == sample.answer + END
        if sample.png:
            shown = whole["pixel_values"][0]
            assert made["pixel_values"][row].shape == shown.shape
            torch.testing.assert_close(made["pixel_values"][row], shown, rtol=0, atol=1e-5)
            mask = whole.get("pixel_attention_mask")
            assert mask is None or torch.equal(made["pixel_attention_mask"][row], mask[0].bool())
    assert ("pixel_values" in made) != text_alone


def test_padding_comes_last_and_counts_for_nothing(processor: Any) -> None:
    made = collate(processor, batch(3, TEXT_STEP, 4))
    pad = processor.tokenizer.pad_token_id
    lengths = made["attention_mask"].sum(dim=1)
    assert made["input_ids"].shape[1] % 8 == 0 and len(set(lengths.tolist())) > 1
    for ids, mask, length in zip(made["input_ids"], made["attention_mask"], lengths, strict=True):
        assert mask[:length].all() and not mask[length:].any() and (ids[length:] == pad).all()


@pytest.mark.parametrize("step", KINDS)
def test_the_samples_of_a_step_depend_on_seed_and_step_alone(step: int) -> None:
    random.seed(1)
    first = batch(7, step, 3)
    random.seed(2)
    assert batch(7, step, 3) == first
    assert batch(8, step, 3) != first and batch(7, step + 6, 3) != first
    assert kind_of(step) == KINDS[step]


def lines(rng: random.Random) -> list[str]:
    return [equation(rng) for _ in range(rng.randint(2, 5))]


@pytest.mark.parametrize(
    "text", ["", "?", "0", "a right angle", "red", "2, 3, 4", "see 1, 2, b, 4", "x=1."]
)
def test_corrupt_changes_any_text(text: str) -> None:
    rng = random.Random(text)
    for _ in range(200):
        assert corrupt(text, rng, others=["0", "1", "7"]) != text


def test_corrupt_changes_what_figures_and_sums_say() -> None:
    rng = random.Random(5)
    texts = [figure_sample(rng).answer for _ in range(20)] + [equation(rng) for _ in range(200)]
    for text in texts:
        assert corrupt(text, rng) != text and corrupt(text, rng, others=text.split()) != text


def test_falsified_names_the_first_false_line() -> None:
    rng = random.Random(6)
    seen = set()
    for _ in range(400):
        true = lines(rng)
        shown, found = falsified(list(true), rng)
        given = shown.split("\n")
        assert len(given) == len(true)
        false = [
            number
            for number, line in enumerate(given, start=1)
            if line != f"{number}. {true[number - 1]}"
        ]
        last = false[0] if false else len(true)
        checks = [
            render_step_diff(number, true[number - 1], given[number - 1])
            for number in range(1, last + 1)
        ]
        assert found == ", ".join(checks)
        assert [check.split()[-1] for check in checks] == ["right"] * (last - 1) + [
            "wrong" if false else "right"
        ]
        seen.add((len(false) > 1, bool(false)))
    assert seen == {(False, False), (False, True), (True, True)}, (
        "all of none, one and several were met"
    )


def test_lookups_are_right_and_lists_grow() -> None:
    rng = random.Random(8)
    longest = dict.fromkeys((LOOKING_UP, LONG_LISTS, SEEING), 0)
    kinds = set()
    fewer = dict.fromkeys(longest, 0)
    for step in [*longest] * 200:
        sample = lookup_sample(rng, step)
        task, listed = sample.prompt.split("\n", 1)
        entries = [sorted(re.findall(r"\w+", entry)) for entry in re.split(r", | and |\n", listed)]
        found = [entry.split() for entry in sample.answer.split(", ")]
        assert all(sorted(entry) in entries for entry in found)
        assert len({tuple(entry) for entry in found}) == len(found), "no entry is found twice"
        fewer[step] += len(found) < len(entries)
        longest[step] = max(longest[step], len(entries))
        kinds.add(task.split(":")[0])
        if task.startswith("Look up"):
            assert [entry[0] for entry in found] == task.removeprefix("Look up: ").removesuffix(
                "."
            ).split(", ")
        else:
            numbers = [int(entry[1]) for entry in found]
            assert numbers == sorted(numbers, reverse=task == "Highest first.") and len(
                found
            ) == len(entries)
    assert kinds == {"Look up", "Highest first.", "Lowest first."}
    assert longest[LOOKING_UP] == 3 and longest[LONG_LISTS] == longest[SEEING] == 5
    assert fewer[LOOKING_UP] == fewer[LONG_LISTS] == 0 < fewer[SEEING], (
        "all are asked for until some are"
    )


@pytest.mark.parametrize("step", [0, SEEING])
def test_sums_are_right(step: int) -> None:
    rng = random.Random(7)
    for _ in range(100):
        sample = sums_sample(rng, step)
        if sample.prompt.startswith("Calculate."):
            asked = [part.removesuffix("=?") for part in sample.prompt.split("\n")[1].split()]
            assert [part.split("=")[0] for part in sample.answer.split()] == asked
            for part in sample.answer.split():
                left, right = part.split("=")
                if set(left + right) <= set("0123456789+-*"):
                    assert eval(left) == int(right)  # noqa: S307
