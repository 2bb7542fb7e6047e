"""The embedded model's tokenizer and processor: byte-level BPE, single digits, nothing unknown."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import Idefics3ImageProcessorPil, Idefics3Processor, PreTrainedTokenizerFast

from mathse.figures.canvas import SIZE
from mathse.figures.catalogue import stream
from mathse.prompts import judge_messages, reflect_messages, render_verdict, solve_messages
from recipes.tiny_base.tasks import figure_sample, sums_sample

PAD, USER, ASSISTANT, END = "<|pad|>", "<|user|>", "<|assistant|>", "<end_of_utterance>"
IMAGE, FAKE, GLOBAL = "<image>", "<fake_token_around_image>", "<global-img>"
IMAGE_TOKENS = 16
PAPER, CONTRAST = 0.93, 0.25
"""Pixel mean and scale: paper becomes 0, so that ink stands out and digits are learnt sooner."""
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{{ '<end_of_utterance>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
ANALYSES = (
    "The figure does not show this.",
    "This is not what the question asks for.",
    "The calculation is wrong.",
    "This does not follow from the steps before.",
    "The rule used here is wrong.",
)


def corpus(seed: int, size: int) -> Iterator[str]:
    """Yield texts like those that the model will meet; words that recur become single tokens."""
    rng = random.Random(f"{seed}/tokenizer")
    problems = stream("train", seed)
    for _ in range(size):
        sample = sums_sample(rng, 0) if rng.random() < 0.2 else figure_sample(rng)
        yield sample.prompt + "\n" + sample.answer
        problem = next(problems)
        worked, choices = problem.worked, problem.choices
        question, lines = worked.question.text, worked.lines()
        analysis = f"{rng.choice(ANALYSES)} {worked.steps[0].about}"
        for messages in (
            solve_messages(question, choices, 1),
            judge_messages(question, choices, 1, lines),
            reflect_messages(question, choices, 1, "\n".join(lines), 2, analysis),
        ):
            yield messages[0]["content"][-1]["text"]
        yield "\n".join(lines)
        yield render_verdict("WRONG", rng.randint(1, 5), analysis)
        yield render_verdict("CORRECT")


def train(
    folder: Path, *, seed: int, vocabulary: int = 1024, size: int = 3000
) -> Idefics3Processor:
    """Train the tokenizer and save the processor into `folder`."""
    backend = Tokenizer(models.BPE())
    # Single digits, and every byte is known: no text is out of vocabulary.
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    special = [PAD, USER, ASSISTANT, END, IMAGE, FAKE, GLOBAL]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=3,
        show_progress=False,
    )
    backend.train_from_iterator(corpus(seed, size), trainer)
    # Padding on the left: generation goes on from the last token.
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        bos_token=USER,
        eos_token=END,
        additional_special_tokens=[ASSISTANT, IMAGE, FAKE, GLOBAL],
        padding_side="left",
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
    )
    # A figure is one picture, never split into parts.
    pixels = Idefics3ImageProcessorPil(
        do_image_splitting=False,
        size={"longest_edge": SIZE},
        max_image_size={"longest_edge": SIZE},
        image_mean=[PAPER] * 3,
        image_std=[CONTRAST] * 3,
    )
    processor = Idefics3Processor(
        pixels, tokenizer, image_seq_len=IMAGE_TOKENS, chat_template=TEMPLATE
    )
    processor.save_pretrained(folder)
    return processor
