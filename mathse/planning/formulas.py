"""Every formula of `mathse plan`, each with its source. All of this is arithmetic, not measurement.

Letters: N parameters, L layers, h hidden size, T tokens of a row, V tokens of the vocabulary.
"""

from __future__ import annotations

import inspect

from mathse.planning.shapes import Shape


def forward_flops(
    shape: Shape, text_tokens: float, picture_tokens: float, written_tokens: float
) -> float:
    """Return the operations of one row through the model, forward.

    Formula: 2·N_text·T + 2·h·V·(written tokens) + 2·N_vision·patches + 2·L·heads·head_dim·T²
    Source: arXiv 2001.08361, section 2.1; its attention term over causal pairs alone
    """
    return text_flops(shape, text_tokens + picture_tokens + written_tokens, written_tokens) + (
        2 * shape.vision * picture_tokens * shape.patches_per_token
    )


def text_flops(shape: Shape, tokens: float, written_tokens: float) -> float:
    """Return the operations of a row in the language part, forward.

    Formula: 2·N_text·T + 2·h·V·(written tokens) + 2·L·heads·head_dim·T²
    Source: arXiv 2001.08361, section 2.1
    """
    attention = 2 * shape.layers * shape.heads * shape.head_dim * tokens**2
    return 2 * shape.text * tokens + 2 * shape.head * written_tokens + attention


def training_flops(
    shape: Shape,
    text_tokens: float,
    picture_tokens: float,
    written_tokens: float,
    *,
    lora: bool,
    vision_frozen: bool,
    recomputes: bool,
) -> float:
    """Return the operations of a row in training.

    Formula: text: 3 × forward (LoRA: 2 ×), 1 × more with checkpointing; vision: 3 ×, frozen 1 ×
    Source: arXiv 2001.08361, section 2.1: backward is 2 × forward, half of it for weights
    """
    text = text_flops(shape, text_tokens + picture_tokens + written_tokens, written_tokens)
    vision = 2 * shape.vision * picture_tokens * shape.patches_per_token
    times = (2 if lora else 3) + recomputes
    return times * text + (1 if vision_frozen or lora else 3 + recomputes) * vision


def computing_seconds(flops: float, gpus: float, rate: float, mfu: float) -> float:
    """Return the time of training, and of reading prompts.

    Formula: operations / (GPUs × matrix rate × MFU)
    Source: definition of model FLOPs utilization, arXiv 2204.02311, appendix B
    """
    return flops / (gpus * rate * mfu)


def decode_tokens_per_s(
    shape: Shape, sequences: float, context: float, rate: float, mfu: float, bandwidth: float
) -> float:
    """Return the tokens per second that one GPU writes.

    Formula: sequences / max(2·N·sequences / (rate × MFU), (2·N + KV cache) bytes / bandwidth)
    Source: each step reads weights and cache once: arXiv 2211.05102, section 2
    """
    active = shape.text + shape.head
    computing = 2 * active * sequences / (rate * mfu)
    reading = (2 * active + sequences * context * kv_bytes_per_token(shape)) / bandwidth
    return sequences / max(computing, reading)


def kv_bytes_per_token(shape: Shape) -> float:
    """Return the bytes of keys and values of a token, in bf16.

    Formula: 2 · L · kv_heads · head_dim · 2 bytes
    Source: arXiv 2309.06180, section 3
    """
    return 2 * shape.layers * shape.kv_heads * shape.head_dim * 2


def state_bytes(trained: float, frozen: float, frozen_bytes: int = 4) -> dict[str, float]:
    """Return the bytes of weights, gradients and Adam in training.

    Formula: (4 + 4 + 8)·N_trained in fp32 + 4 (bf16: 2)·N_frozen; sharded: / GPUs
    Source: arXiv 1910.02054, section 3.1; sharding: its section 5
    """
    weights = 4 * trained + frozen_bytes * frozen
    return {"weights": weights, "gradients": 4 * trained, "Adam": 8 * trained}


def lora_parameters(shape: Shape, rank: float) -> float:
    """Return the trained parameters of LoRA.

    Formula: L · rank · Σ(inputs + outputs) over q, k, v, o, gate, up and down
    Source: arXiv 2106.09685, section 4.1
    """
    query, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    attention = 2 * (shape.hidden + query) + 2 * (shape.hidden + kv)
    return shape.layers * rank * (attention + 3 * (shape.hidden + shape.inner))


def activation_bytes(shape: Shape, tokens: float, written: float, recomputes: bool) -> float:
    """Return the bytes that a micro-batch keeps for its backward pass.

    Formula: 34·T·h·L + 10·V·(written tokens); with checkpointing 2·T·h·L + 34·T·h + the same
    Source: arXiv 2205.05198, equation 2 without attention scores, which fused kernels do not keep
    """
    kept = 2 * shape.layers + 34 if recomputes else 34 * shape.layers
    return kept * tokens * shape.hidden + 10 * shape.vocab * written


def checkpoint_bytes(trained: float) -> float:
    """Return the bytes of a training's checkpoints on disk, two while one replaces the other.

    Formula: 2 × (4 weights + 8 Adam) · N_trained
    Source: what `mathse.training.checkpoints` writes
    """
    return 2 * 12 * trained


def cost(prompt_tokens: float, response_tokens: float, prompt: float, completion: float) -> float:
    """Return the price of requests.

    Formula: (prompt tokens × price.prompt + response tokens × price.completion) / 10⁶
    Source: prices per million tokens in machine.yaml
    """
    return (prompt_tokens * prompt + response_tokens * completion) / 1e6


def list_formulas() -> list[list[str]]:
    """Return what, formula and source of each function here, and of a picture's tokens."""
    functions = [Shape.picture_tokens] + [
        value
        for name, value in globals().items()
        if inspect.isfunction(value) and value.__module__ == __name__ and name != "list_formulas"
    ]
    rows = []
    for function in functions:
        lines = [line.strip() for line in (inspect.getdoc(function) or "").splitlines()]
        found = {line.partition(": ")[0]: line.partition(": ")[2] for line in lines[1:]}
        what = lines[0].rstrip(".").removeprefix("Return the ").removeprefix("Return ")
        rows.append([what[0].upper() + what[1:], found["Formula"], found["Source"]])
    return rows
