"""A random tiny vision-language model in a folder: the real classes, 0.2M parameters."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image, ImageDraw

from mathse.core.images import ImageStore, write_images
from mathse.engines.protocol import (
    Completion,
    Engine,
    Request,
    SamplingParams,
    complete_all,
    request_seed,
)

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize }}:\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:\n{% endif %}"
)
SPECIALS = ["<pad>", "<fake_token_around_image>", "<image>", "<global-img>", "<end_of_utterance>"]
CORPUS = [
    "The answer to this problem is 12.",
    "Assistant: User: The angle at A is 40 degrees.",
    '{"status": "CORRECT"}',
]


def build_processor(
    *, image_size: int = 28, image_tokens: int = 4, vocab: int = 300, corpus: Any = None
) -> Any:
    """Return an `Idefics3Processor` with a byte-level tokenizer and single digits."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Idefics3ImageProcessorPil, Idefics3Processor, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=SPECIALS,
        initial_alphabet=sorted(alphabet),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus or CORPUS, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<end_of_utterance>",
        additional_special_tokens=SPECIALS[1:],
    )
    pixels = Idefics3ImageProcessorPil(
        do_image_splitting=False,
        size={"longest_edge": image_size},
        max_image_size={"longest_edge": image_size},
    )
    return Idefics3Processor(
        pixels, wrapped, image_seq_len=image_tokens, chat_template=CHAT_TEMPLATE
    )


def build_model(
    processor: Any,
    *,
    layers: int = 2,
    hidden: int = 48,
    mlp: int = 96,
    image_size: int = 28,
    patch: int = 7,
    seed: int = 0,
) -> Any:
    """Return a random `Idefics3ForConditionalGeneration` for a processor."""
    import torch
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration

    tokenizer = processor.tokenizer
    config = Idefics3Config(
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
        tie_word_embeddings=True,
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": hidden,
            "intermediate_size": mlp,
            "num_hidden_layers": layers,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 1024,
            "tie_word_embeddings": True,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "hidden_size": hidden,
            "intermediate_size": mlp,
            "num_hidden_layers": max(1, layers - 1),
            "num_attention_heads": 4,
            "image_size": image_size,
            "patch_size": patch,
        },
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Idefics3ForConditionalGeneration(config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim >= 2:
                    parameter.mul_(4)  # else every prompt gets the same text
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def build_tiny(folder: Path, *, seed: int = 0) -> Path:
    """Write the random model and its processor into a folder, as a Hub model would lie there."""
    import torch

    processor = build_processor()
    build_model(processor, seed=seed).to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def draw_png(number: int, *, size: tuple[int, int] = (40, 32)) -> bytes:
    """Return a small picture that differs for each number."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.line(
        [(number % size[0], 0), (size[0] - 1, number * 7 % size[1])],
        fill=(number * 31 % 256, 0, 90),
        width=3,
    )
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write_store(folder: Path, images: dict[str, bytes]) -> ImageStore:
    """Write images under the given ids and open the store."""
    rows = pl.DataFrame({"image_id": list(images), "bytes": list(images.values())})
    write_images(rows, folder)
    return ImageStore(folder)


def make_request(
    key: str, messages: list[dict[str, Any]], image_ids: tuple[str, ...] = (), **more: Any
) -> Request:
    """Return a request whose sampling parameters `complete` replaces."""
    return Request(key, messages, image_ids, sampling=SamplingParams(0.0, 1.0, 1), **more)


def complete(
    engine: Engine, requests: Sequence[Request], sampling: SamplingParams
) -> list[Completion]:
    """Complete requests in their order, each with a seed of its own from the sampling's seed."""
    seeded = [
        replace(
            one, sampling=replace(sampling, seed=request_seed(sampling.seed, "", "", one.key, 0))
        )
        for one in requests
    ]
    return complete_all(engine, seeded)


def ask(text: str, n_images: int = 0) -> list[dict[str, Any]]:
    """Return a chat with one user turn."""
    return [
        {
            "role": "user",
            "content": [*[{"type": "image"}] * n_images, {"type": "text", "text": text}],
        }
    ]
