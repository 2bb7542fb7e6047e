"""Tiny random models of the classes that people fine-tune, in folders as a Hub model has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tiny import CORPUS

CLASSES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "internvl")
QWEN = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
PADS = ["<|image_pad|>", "<|video_pad|>"]
INTERN = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HIDDEN, SECTIONS = 128, {"qwen2_vl": [4, 6, 6], "qwen2_5_vl": [4, 6, 6], "qwen3_vl": [6, 5, 5]}


def build(name: str, folder: Path) -> Path:
    """Write a model of a class, its processor and its settings into a folder."""
    import torch

    tokenizer = _tokenizer(name)
    processor = _intern_processor(tokenizer) if name == "internvl" else _qwen(name, tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = _model(name, tokenizer)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim >= 2:
                    parameter.mul_(3)  # else every prompt gets the same text
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _tokenizer(name: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    specials = [*QWEN, *(INTERN.values() if name == "internvl" else PADS)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=specials,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        extra_special_tokens=INTERN if name == "internvl" else specials,
    )


def _qwen(name: str, tokenizer: Any) -> Any:
    import transformers

    patch = 16 if name == "qwen3_vl" else 14
    side = 2 * patch
    size = {"shortest_edge": side**2, "longest_edge": 4 * side**2}
    prefix = {"qwen2_vl": "Qwen2VL", "qwen2_5_vl": "Qwen2_5_VL", "qwen3_vl": "Qwen3VL"}[name]
    videos = "Qwen3VL" if name == "qwen3_vl" else "Qwen2VL"
    return getattr(transformers, f"{prefix}Processor")(
        transformers.Qwen2VLImageProcessor(size=size, patch_size=patch, merge_size=2),
        tokenizer,
        getattr(transformers, f"{videos}VideoProcessor")(patch_size=patch, merge_size=2),
        chat_template=TEMPLATE.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>"),
    )


def _intern_processor(tokenizer: Any) -> Any:
    import transformers

    size = {"height": 56, "width": 56}
    return transformers.InternVLProcessor(
        transformers.GotOcr2ImageProcessor(size=size, max_patches=2),
        tokenizer,
        transformers.InternVLVideoProcessor(size=size),
        image_seq_length=4,
        chat_template=TEMPLATE.replace("IMAGE", "<IMG_CONTEXT>\n"),
    )


def _model(name: str, tokenizer: Any) -> Any:
    import transformers

    ids = tokenizer.convert_tokens_to_ids
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
    }
    if name == "internvl":
        vision = {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 128,
            "image_size": 56,
        }
        config: Any = transformers.InternVLConfig(
            text_config=text | {"model_type": "qwen2"},
            vision_config=vision,
            image_token_id=ids("<IMG_CONTEXT>"),
            image_seq_length=4,
            tie_word_embeddings=False,
        )
        return transformers.InternVLForConditionalGeneration(config)
    text["rope_parameters"] = {
        "rope_type": "default",
        "rope_theta": 1e6,
        "mrope_section": SECTIONS[name],
    }
    vision = {"depth": 2, "num_heads": 4}
    if name == "qwen2_vl":
        prefix, vision = "Qwen2VL", vision | {"embed_dim": 64, "hidden_size": HIDDEN}
    else:
        vision |= {"hidden_size": 64, "intermediate_size": 128, "out_hidden_size": HIDDEN}
    if name == "qwen2_5_vl":
        prefix, vision = "Qwen2_5_VL", vision | {"fullatt_block_indexes": [1]}
    if name == "qwen3_vl":
        more = {"num_position_embeddings": 64, "deepstack_visual_indexes": [0]}
        prefix, vision, text["head_dim"] = "Qwen3VL", vision | more, HIDDEN // 4
        text["rope_parameters"]["mrope_interleaved"] = True
    config = getattr(transformers, f"{prefix}Config")(
        text_config=text,
        vision_config=vision,
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=False,
    )
    return getattr(transformers, f"{prefix}ForConditionalGeneration")(config)
