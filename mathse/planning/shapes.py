"""The shape of a model: how many parameters it has where, and how many tokens a picture takes."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

TEXT = "hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads"
VISION = "hidden_size intermediate_size depth patch_size spatial_merge_size temporal_patch_size"


def _config(
    text: tuple[int, ...], vocab: int, vision: tuple[int, ...], tied: bool = False, **more: Any
) -> dict[str, Any]:
    return {
        "text_config": dict(zip(TEXT.split(), text, strict=True))
        | {"head_dim": 128, "vocab_size": vocab},
        "vision_config": dict(zip(VISION.split(), vision, strict=True)) | more,
        "tie_word_embeddings": tied,
    }


_QWEN2 = (3584, 18944, 28, 28, 4)
_INTERNVL = _config((4096, 14336, 32, 32, 8), 92553, (1024, 4096, 24, 14, 2, 1))
_INTERNVL |= {"image_seq_length": 256}
# What `config.json` of these models says on the Hub.
CONFIGS: dict[str, dict[str, Any]] = {
    "Qwen/Qwen2-VL-7B-Instruct": _config(_QWEN2, 152064, (1280, 5120, 32, 14, 2, 2)),
    "Qwen/Qwen2.5-VL-7B-Instruct": _config(
        _QWEN2, 152064, (1280, 3420, 32, 14, 2, 2), hidden_act="silu"
    ),
    "Qwen/Qwen3-VL-4B-Instruct": _config(
        (2560, 9728, 36, 32, 8), 151936, (1024, 4096, 24, 16, 2, 2), True, deepstack=3
    ),
    "Qwen/Qwen3-VL-8B-Instruct": _config(
        (4096, 12288, 36, 32, 8), 151936, (1152, 4304, 27, 16, 2, 2), deepstack=3
    ),
    "models/internvl2_5-8b": _INTERNVL,
    "OpenGVLab/InternVL2_5-8B-MPO-hf": _INTERNVL,
}


@dataclass(frozen=True)
class Shape:
    """Sizes of a model.

    Attributes:
        text: parameters of the language layers.
        embedding: parameters of the token table and of the head, once where they are tied.
        vision: parameters of the vision part, with what joins it to the language layers.
        layers: of the language part, as are hidden, inner, heads, kv_heads, head_dim and vocab.
        patches_per_token: patches of a picture that become one token.
        pixels_per_token: pixels of a picture that become one token.
        tile_tokens: tokens of a tile, where pictures are cut into tiles of fixed size; else 0.
        max_tiles: most tiles of a picture, without the picture as a whole.
        origin: where these figures are from.
    """

    text: float
    embedding: float
    vision: float
    layers: int
    hidden: int
    inner: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    patches_per_token: int
    pixels_per_token: int
    tile_tokens: int = 0
    max_tiles: int = 1
    origin: str = ""

    @property
    def parameters(self) -> float:
        """All of them."""
        return self.text + self.embedding + self.vision

    @property
    def head(self) -> int:
        """Parameters of the head: each token that is written or learnt passes it."""
        return self.vocab * self.hidden

    def picture_tokens(self, pixels: float, most: int | None = None) -> float:
        """Tokens of a picture.

        Formula: pixels / pixels per token; in tiles: (most pixels / pixels of a tile + 1) × tokens
        Source: the processors' `smart_resize` (Qwen-VL), `crop_image_to_patches` (InternVL)
        """
        if not self.tile_tokens:
            return math.ceil(min(pixels, most or pixels) / self.pixels_per_token)
        tiles = self.max_tiles
        if most is not None:
            tiles = max(1, min(tiles, most // (self.tile_tokens * self.pixels_per_token)))
        return (tiles + (tiles > 1)) * self.tile_tokens


def find_shape(model: str) -> Shape | None:
    """Return the shape of a model folder, of a known model, or None."""
    folder = Path(model)
    if (folder / "config.json").is_file():
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        shape = replace(shape_of(config), origin=str(folder / "config.json"))
        return _counted(shape, folder)
    if model in CONFIGS:
        return replace(shape_of(CONFIGS[model]), origin=f"config.json of {model}")
    return None


def shape_of(config: Mapping[str, Any]) -> Shape:
    """Return the shape that a `config.json` describes.

    Biases, norms and position embeddings are left out of the counts: less than 0.1% of a 7B.
    """
    # The text part: its sizes, and the weights of one layer's attention.
    text: Mapping[str, Any] = config.get("text_config") or config
    vision: Mapping[str, Any] = config.get("vision_config") or {}
    hidden, layers = text["hidden_size"], text["num_hidden_layers"]
    heads = text["num_attention_heads"]
    kv_heads = text.get("num_key_value_heads") or heads
    head_dim = text.get("head_dim") or hidden // heads
    attention = hidden * (2 * heads + 2 * kv_heads) * head_dim
    tied = config.get("tie_word_embeddings", text.get("tie_word_embeddings", False))

    # The vision part: its layers, its patches, and what joins groups of patches to tokens.
    width = vision.get("embed_dim") or vision.get("hidden_size", 0)
    inner = vision.get("intermediate_size") or width * vision.get("mlp_ratio", 4)
    depth = vision.get("depth") or vision.get("num_hidden_layers", 0)
    patch = _first(vision.get("patch_size", 14))
    merge = vision.get("spatial_merge_size") or config.get("scale_factor", 2)
    tile_tokens = config.get("image_seq_length", 0)  # of InternVL
    factors = 3 if vision.get("hidden_act") == "silu" else 2
    group = width * merge**2
    out = hidden if tile_tokens else group
    joints = 1 + (vision.get("deepstack") or len(vision.get("deepstack_visual_indexes", ())))
    per_patch = 3 * vision.get("temporal_patch_size", 1) * patch**2
    pixels = (patch * merge) ** 2
    return Shape(
        text=layers * (attention + 3 * hidden * text["intermediate_size"]),
        embedding=text["vocab_size"] * hidden * (1 if tied else 2),
        vision=depth * (4 * width**2 + factors * width * inner)
        + per_patch * width
        + joints * (group * out + out * hidden),
        layers=layers,
        hidden=hidden,
        inner=text["intermediate_size"],
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocab=text["vocab_size"],
        patches_per_token=merge**2,
        pixels_per_token=pixels,
        tile_tokens=tile_tokens,
        max_tiles=12 if tile_tokens else 1,
    )


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, list | tuple) else value)


def _counted(shape: Shape, folder: Path) -> Shape:
    """Replace the parameters by those in the folder's safetensors files, if there are any."""
    sums: dict[str, Any] = {"text": 0, "embedding": 0, "vision": 0}
    for file in folder.glob("*.safetensors"):
        with file.open("rb") as opened:
            header = json.loads(opened.read(struct.unpack("<Q", opened.read(8))[0]))
        for name, entry in header.items():
            if name != "__metadata__":
                is_table = "embed_tokens" in name or "lm_head" in name
                of_vision = any(word in name for word in ("vis", "connector", "projector"))
                part = "vision" if of_vision else "embedding" if is_table else "text"
                sums[part] += math.prod(entry["shape"])
    # The processor's own settings: pictures become tiles, often one of fixed size.
    settings = folder / "processor_config.json"
    if settings.is_file():
        stored = json.loads(settings.read_text(encoding="utf-8"))
        images = stored.get("image_processor", {})
        tokens = stored.get("image_seq_len") or stored.get("image_seq_length") or 0
        splits = images.get("do_image_splitting", True)
        tiles = images.get("max_patches", 12) if splits else 1
        shape = replace(shape, tile_tokens=tokens, max_tiles=tiles)
    return replace(shape, **sums) if sums["text"] else shape
