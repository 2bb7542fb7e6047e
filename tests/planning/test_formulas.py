"""The formulas agree with true classes, with measured numbers, and with each other."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mathse.planning import formulas
from mathse.planning.shapes import CONFIGS, find_shape, shape_of
from recipes.documents import scale
from tests.closure import ROOT

QWEN = "Qwen/Qwen2-VL-7B-Instruct"
SHAPE = shape_of(CONFIGS[QWEN])


@pytest.mark.parametrize(
    ("model", "millions"),
    [  # parameters that the Hub shows beside the weights
        (QWEN, 8291),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 8292),
        ("Qwen/Qwen3-VL-4B-Instruct", 4438),
        ("Qwen/Qwen3-VL-8B-Instruct", 8767),
        ("models/internvl2_5-8b", 8075),
    ],
)
def test_known_models_have_their_parameters(model: str, millions: int) -> None:
    assert shape_of(CONFIGS[model]).parameters / 1e6 == pytest.approx(millions, rel=1e-3)


def configs() -> dict[str, Any]:
    from transformers import InternVLConfig, Qwen2_5_VLConfig, Qwen2VLConfig, Qwen3VLConfig

    def text(model: str) -> dict[str, Any]:
        return CONFIGS[model]["text_config"] | {"num_hidden_layers": 2}

    vision = {"depth": 2, "hidden_size": 1280}
    qwen25, qwen3 = "Qwen/Qwen2.5-VL-7B-Instruct", "Qwen/Qwen3-VL-4B-Instruct"
    of_qwen3 = {"depth": 6, "hidden_size": 1024, "intermediate_size": 4096}
    of_qwen3 |= {"out_hidden_size": 2560, "deepstack_visual_indexes": [1, 3, 5]}
    intern = text("models/internvl2_5-8b") | {"model_type": "llama"}
    return {
        QWEN: Qwen2VLConfig(
            text_config=text(QWEN),
            vision_config={"depth": 2, "embed_dim": 1280, "hidden_size": 3584, "mlp_ratio": 4},
        ),
        qwen25: Qwen2_5_VLConfig(
            text_config=text(qwen25),
            vision_config=vision | {"intermediate_size": 3420, "out_hidden_size": 3584},
        ),
        qwen3: Qwen3VLConfig(
            text_config=text(qwen3), vision_config=of_qwen3, tie_word_embeddings=True
        ),
        "models/internvl2_5-8b": InternVLConfig(
            text_config=intern,
            vision_config={"hidden_size": 1024, "num_hidden_layers": 2},
            tie_word_embeddings=False,
        ),
    }


@pytest.mark.parametrize("model", [QWEN, "Qwen/Qwen2.5-VL-7B-Instruct", *list(CONFIGS)[2:3]])
@pytest.mark.parametrize("known", [True, False], ids=["the table", "config.json"])
def test_true_classes_have_the_parameters_of_their_shape(model: str, known: bool) -> None:
    import torch
    from transformers import AutoModelForImageTextToText

    config = configs()[model]
    with torch.device("meta"):
        built = AutoModelForImageTextToText.from_config(config)
    count = sum(parameter.numel() for parameter in built.parameters())
    if known:
        small = json.loads(json.dumps(CONFIGS[model]))
        small["text_config"]["num_hidden_layers"] = 2
        small["vision_config"]["depth"] = config.vision_config.depth
    else:
        small = config.to_dict()
    assert shape_of(small).parameters == pytest.approx(count, rel=5e-3)


def test_internvl_is_counted_from_its_class() -> None:
    import torch
    from transformers import AutoModelForImageTextToText

    config = configs()["models/internvl2_5-8b"]
    with torch.device("meta"):
        built = AutoModelForImageTextToText.from_config(config)
    count = sum(parameter.numel() for parameter in built.parameters())
    shape = shape_of(config.to_dict())
    assert shape.parameters == pytest.approx(count, rel=5e-3)
    assert (shape.tile_tokens, shape.pixels_per_token) == (256, 784)


def test_a_folder_is_counted_by_its_weights() -> None:
    from safetensors import safe_open

    with safe_open(ROOT / "models/tiny-base/model.safetensors", "numpy") as opened:
        sizes = [opened.get_slice(name).get_shape() for name in opened.keys()]  # noqa: SIM118
    shape = find_shape(str(ROOT / "models/tiny-base"))
    assert shape is not None
    assert shape.parameters == sum(a * (b[0] if b else 1) for a, *b in sizes if len(b) < 2) + sum(
        a * b * c * d for a, b, c, d in (size for size in sizes if len(size) == 4)
    )
    assert shape.picture_tokens(10**6) == 16
    assert find_shape("owner/unknown") is None


def test_full_training_in_fp32_takes_what_was_measured() -> None:
    state = formulas.state_bytes(SHAPE.parameters, 0)
    assert sum(state.values()) / 1e9 == pytest.approx(132.7, abs=0.1)


def test_a_round_of_240k_problems_writes_288_million_tokens() -> None:
    generate = scale.work_of_a_round(scale.planner())[0]
    assert generate.count * generate.written_tokens == 288e6


def test_pictures_within_limits() -> None:
    assert SHAPE.picture_tokens(4032 * 3024) == 15552
    assert SHAPE.picture_tokens(4032 * 3024, 1_003_520) == 1280
    intern = shape_of(CONFIGS["models/internvl2_5-8b"])
    assert intern.picture_tokens(10**6) == 13 * 256
    assert intern.picture_tokens(10**6, 1_003_520) == 6 * 256
    assert intern.picture_tokens(10**6, 1) == 256


def test_training_is_a_multiple_of_the_forward_pass() -> None:
    def flops(lora: bool, frozen: bool, recomputes: bool) -> float:
        made = {"lora": lora, "vision_frozen": frozen, "recomputes": recomputes}
        return formulas.training_flops(SHAPE, 100, 0, 50, **made)

    forward = formulas.forward_flops(SHAPE, 100, 0, 50)
    assert flops(False, False, False) == 3 * forward
    assert flops(False, True, True) == 4 * forward
    assert flops(True, True, False) == 2 * forward
    with_picture = formulas.training_flops(
        SHAPE, 100, 400, 50, lora=False, vision_frozen=False, recomputes=False
    )
    assert with_picture == 3 * formulas.forward_flops(SHAPE, 100, 400, 50)


def test_writing_is_bound_by_bandwidth_then_by_the_matrix_rate() -> None:
    def rate(sequences: float, shape: Any = SHAPE) -> float:
        return formulas.decode_tokens_per_s(shape, sequences, 1000, 989e12, 0.4, 3.35e12)

    active = SHAPE.text + SHAPE.head
    assert rate(1) == pytest.approx(3.35e12 / (2 * active + 1000 * 57344))
    assert 1.9 < rate(2) / rate(1) <= 2
    assert rate(10_000, replace(SHAPE, kv_heads=0)) == pytest.approx(989e12 * 0.4 / (2 * active))


def test_checkpointing_keeps_less() -> None:
    kept, again = (formulas.activation_bytes(SHAPE, 4096, 0, again) for again in (False, True))
    assert kept > 5 * again > 0


def test_every_formula_has_a_source() -> None:
    rows = formulas.list_formulas()
    assert len(rows) == len({row[0] for row in rows}) > 10 and all(all(row) for row in rows)
