"""LoRA, and the ways to spend memory: each trains what the plain way trains."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from mathse.core.errors import ParamError
from mathse.core.images import ImageStore
from mathse.core.params import Lora
from mathse.engines.input_fingerprint import read_record
from mathse.engines.inputs import InputBuilder
from mathse.training.adapters import add_adapters, is_adapter, merge_adapters
from mathse.training.batches import make_batch, micro_batches
from mathse.training.examples import Row, Size, make_row
from mathse.training.sharding import whole_state
from mathse.training.step import batch_loss
from mathse.training.weights import parameter_groups
from tests.training.conftest import Fit
from tests.training.given import changed, examples

EXACT = {"precision": "fp32", "save_dtype": "float32", "steps": 3, "learning_rate": 1e-3}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def load(folder: Path) -> Any:
    return AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()


def test_merged_adapters_give_the_loss_of_the_adapters(tiny: Path, store: ImageStore) -> None:
    builder = InputBuilder.load(tiny, store)
    rows = [make_row(example, builder, 500) for example in examples()[:4]]
    batch = make_batch([row for row in rows if isinstance(row, Row)], builder)

    def loss(model: Any) -> float:
        with torch.no_grad():
            return float(batch_loss(model, batch, torch.device("cpu"), True))

    model, lora = load(tiny), Lora(rank=4, alpha=6)
    plain = loss(model)
    add_adapters(model, lora)
    assert loss(model) == plain
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if is_adapter(name):
            parameter.data.normal_(std=0.1)
    merged = load(tiny)
    merged.load_state_dict(merge_adapters(whole_state(model), lora))
    assert loss(merged) == pytest.approx(loss(model), rel=1e-5)
    assert abs(loss(merged) / plain - 1) > 1e-3


def test_lora_trains_the_targets_and_writes_a_plain_model(
    fit: Fit, tmp_path: Path, tiny: Path
) -> None:
    config = changed(**EXACT, method="lora", lora={"rank": 2, "targets": r".*text.*\.q_proj"})
    fit("lora", config=config)
    before, after = weights(tiny), weights(tmp_path / "lora")
    assert before.keys() == after.keys()
    moved = {name for name, value in after.items() if (value != before[name].float()).any()}
    assert moved == {name for name in before if "text" in name and "q_proj" in name}
    load(tmp_path / "lora")
    record = read_record(tmp_path / "lora")
    assert record is not None and record["train"]["lora"]["rank"] == 2
    with pytest.raises(ParamError, match="lora.targets"):
        fit(config=changed(method="lora", lora={"targets": "nothing"}))


@pytest.mark.parametrize("targets", [r".*lm_head", r".*(lm_head|q_proj)", r".*embed_tokens"])
def test_lora_on_a_shared_matrix_is_refused(fit: Fit, targets: str) -> None:
    with pytest.raises(ParamError, match=r"lora\.targets: "):
        fit(config=changed(method="lora", lora={"targets": targets}))


def test_a_missing_extra_is_named(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ParamError, match=r"pip install -e '.\[lora\]'"):
        fit(config=changed(method="lora"))


@pytest.mark.parametrize(
    "how", [{"activation_checkpointing": True}, {"micro_batch_tokens": 150}], ids=str
)
def test_ways_to_spend_memory_change_no_weight(fit: Fit, tmp_path: Path, how: Any) -> None:
    plain, other = (
        fit("plain", config=changed(**EXACT)),
        fit("other", config=changed(**EXACT, **how)),
    )
    assert other.final_loss == pytest.approx(plain.final_loss, rel=1e-5)
    changed_weights = weights(tmp_path / "other")
    for name, value in weights(tmp_path / "plain").items():
        assert (value - changed_weights[name]).abs().max() < 2e-4, name


def test_frozen_weights_can_be_bf16(fit: Fit, tmp_path: Path, tiny: Path) -> None:
    config = {"precision": "bf16", "frozen": ("vision_model",), "steps": 3}
    plain = fit("plain", config=changed(**config))
    halved = fit("halved", config=changed(**config, frozen_dtype="bfloat16"))
    assert halved.final_loss == pytest.approx(plain.final_loss, rel=0.02)
    name = "model.vision_model.embeddings.patch_embedding.weight"
    assert torch.equal(weights(tmp_path / "halved")[name], weights(tiny)[name])


def test_parts_of_a_step_keep_to_their_tokens() -> None:
    sizes = [Size(t, t - t // 4, True) for t in (90, 80, 40, 39, 20, 20, 12, 11, 9, 5, 4, 3)]
    indices = list(range(len(sizes)))
    given: dict[str, Any] = {"processes": 2, "rows": 0, "tokens": 100}
    parts = [micro_batches(indices, sizes, rank=rank, **given) for rank in (0, 1)]
    assert len(parts[0]) == len(parts[1])
    assert sorted(n for rank in parts for part in rank for n in part) == indices
    for part in (part for rank in parts for part in rank):
        prompt = max(sizes[n].prompt_tokens for n in part)
        target = max(sizes[n].tokens - sizes[n].prompt_tokens for n in part)
        assert len(part) * (prompt + target) <= 100
    assert len(micro_batches(indices, sizes, rank=0, processes=1, rows=0, tokens=7)) == 12


def test_the_log_has_a_line_for_each_step(fit: Fit, tmp_path: Path) -> None:
    fit(config=changed(**EXACT), peak_tflops="measured")
    lines = [json.loads(line) for line in (tmp_path / "kept/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    for line in lines:
        assert line["loss"] > 0 < line["grad_norm"] and line["tokens"] > 100
        assert 0 < line["mfu"] < 1 and line["tokens_per_s"] > 0


def test_short_rows_after_a_long_one_share_a_part() -> None:
    sizes = [Size(t, t - t // 4, True) for t in (90, 24, 24, 24, 24)]
    parts = micro_batches(range(5), sizes, rank=0, processes=1, rows=0, tokens=100)
    assert parts == [[0], [1, 2, 3, 4]]


def test_weight_decay_is_of_matrices_alone() -> None:
    model = torch.nn.Linear(2, 3)
    matrices, others = parameter_groups(model, changed(weight_decay=0.5))
    assert matrices["params"][0] is model.weight and matrices["weight_decay"] == 0.5
    assert others["params"][0] is model.bias and others["weight_decay"] == 0.0
