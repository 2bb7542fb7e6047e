"""A random model for `bench.gpu`: a true class at a size of its own, and nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SIDE = 448
"""Of the pictures: 256 tokens."""
WORDS = "angle area circle line point side square sum total triangle twice half".split()  # noqa: SIM905


def build_model(folder: Path, size: str) -> Path:
    """Write a random Qwen2-VL with a tokenizer of bytes: `100m` or `1b`."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>"]
    specials += ["<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=384, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    plain.train_from_iterator(WORDS, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        extra_special_tokens=specials,
    )
    limits = {"shortest_edge": 56**2, "longest_edge": SIDE**2}
    library: Any = transformers
    processor = library.Qwen2VLProcessor(
        library.Qwen2VLImageProcessor(size=limits, patch_size=14, merge_size=2),
        tokenizer,
        library.Qwen2VLVideoProcessor(patch_size=14, merge_size=2),
        chat_template=(
            "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
            "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
            "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
            "{% endfor %}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        ),
    )
    hidden, inner, layers = (768, 3072, 12) if size == "100m" else (1536, 8960, 28)
    ids = tokenizer.convert_tokens_to_ids
    rope = {"rope_type": "default", "rope_theta": 1e6}
    heads = hidden // (64 if size == "100m" else 128)
    rope["mrope_section"] = [8, 12, 12] if size == "100m" else [16, 24, 24]
    config = library.Qwen2VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": hidden,
            "intermediate_size": inner,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads // 3,
            "max_position_embeddings": 4096,
            "rope_parameters": rope,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={"depth": 8, "embed_dim": 512, "num_heads": 8, "hidden_size": hidden},
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    model = library.Qwen2VLForConditionalGeneration(config).to(torch.bfloat16)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
