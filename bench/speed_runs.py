"""What `bench.speed` measures: each function is one run, in a process of its own.

    python -m bench.speed_runs CONTENDER FOLDER

FOLDER has the inputs that `bench.speed` wrote. A run loads its model and computes a little with it,
then takes the time of the work alone, and writes `CONTENDER.json` there: seconds, counts, and the
texts for the comparison with those of mathse. Plain code is what its documentation shows: batches
padded on the left, greedy, the same precision; all get the prompts sorted, longest first.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from bench.speed_inputs import Found, Inputs, Task
from bench.speed_training import mathse_training, matrix, trl
from mathse.core.machine import Machine
from mathse.engines.protocol import Request, SamplingParams, complete_all
from mathse.figures.canvas import SIZE
from mathse.judge.judgements import distinct_trajectories
from mathse.planning.formulas import forward_flops
from mathse.planning.shapes import find_shape
from mathse.prompts import judge_messages, verdict_prefix


def ours(inputs: Inputs, engine_name: str = "transformers", tokens: int | None = None) -> Found:
    """Generate as the stages do: an engine in a process of one thread for each core."""
    task = inputs.task
    sampling = SamplingParams(0.0, 1.0, tokens or task.max_new_tokens)
    requests = [
        Request(row["problem_id"], chat, tuple(row["image_ids"]), sampling=sampling)
        for row, chat in inputs.chats()
    ]
    start = time.perf_counter()
    engine = load_warm(inputs, task.model, engine_name, requests)
    start_s = time.perf_counter() - start
    start = time.perf_counter()
    done = complete_all(engine, requests)
    seconds = time.perf_counter() - start
    engine.close()
    counts = [(one.prompt_tokens, one.response_tokens) for one in done]
    found = {"seconds": seconds, "start_s": start_s, "texts": [one.text for one in done]}
    found |= {"errors": sum(one.error is not None for one in done)}
    return found | {"tokens": sum(w for _, w in counts), "flops": generation_flops(task, counts)}


def load_warm(inputs: Inputs, model: str, name: str, requests: Sequence[Request]) -> Any:
    """Load an engine and let each of its processes compute once."""
    from mathse.engines.loading import load_engine

    machine = Machine(device="cpu")
    engine: Any = load_engine(model, inputs.role(name, model), inputs.images, machine)
    sampling = SamplingParams(0.0, 1.0, 2)
    first = [
        replace(requests[0], key=str(n), sampling=replace(sampling, max_new_tokens=2 + n))
        for n in range(engine.workers)
    ]  # a unit for each, since their sampling differs
    loaded = False
    while not loaded:
        complete_all(engine, first)
        members = engine._members.values()
        loaded = len(members) >= engine.workers and all(member.is_ready for member in members)
    return engine


def generation_flops(task: Task, counts: Sequence[tuple[int, int]]) -> float:
    """Return the operations that prompts and written tokens need, padding not counted."""
    shape = find_shape(task.model)
    assert shape is not None, f"{task.model}: no folder of a model"
    picture = shape.picture_tokens(SIZE * SIZE)
    return sum(forward_flops(shape, p - picture, picture, written) for p, written in counts)


class Plain:
    """A model with transformers alone."""

    def __init__(self, inputs: Inputs, model: str) -> None:
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        load: Any = AutoModelForImageTextToText.from_pretrained
        self.processor: Any = AutoProcessor.from_pretrained(model)
        self.model: Any = load(model, dtype=getattr(torch, inputs.task.dtype)).eval()
        self.inputs = inputs

    def generate(
        self, rows: Sequence[dict[str, Any]], texts: Sequence[str], batch_size: int, tokens: int
    ) -> tuple[list[str], int]:
        """Return what the model writes after each prompt, and how many tokens in all."""
        import torch

        written, count = [], 0
        stop = self.processor.tokenizer.eos_token_id
        for first in range(0, len(texts), batch_size):
            part = slice(first, first + batch_size)
            batch = self.processor(
                text=list(texts[part]),
                images=[[self.inputs.picture(row)] for row in rows[part]],
                padding=True,
                padding_side="left",
                add_special_tokens=False,
                return_tensors="pt",
            ).to(self.model.dtype)
            with torch.inference_mode():
                made = self.model.generate(**batch, do_sample=False, max_new_tokens=tokens)
            new = made[:, batch["input_ids"].shape[1] :]
            written += self.processor.batch_decode(new, skip_special_tokens=True)
            ended = (new == stop).int().cumsum(dim=1)
            count += int((ended - (new == stop).int() == 0).sum())
        return written, count

    def prompts(self, chats: Sequence[list[dict[str, Any]]], prefix: str = "") -> list[str]:
        """Write chats as prompts."""
        make = self.processor.apply_chat_template
        return [make(chat, add_generation_prompt=True, tokenize=False) + prefix for chat in chats]


def plain(inputs: Inputs, batch_size: int) -> Found:
    """Generate with `model.generate` in batches."""
    start = time.perf_counter()
    user = Plain(inputs, inputs.task.model)
    rows, chats = map(list, zip(*inputs.chats(), strict=True))
    user.generate(rows[:2], user.prompts(chats[:2]), 2, 2)
    start_s = time.perf_counter() - start
    start = time.perf_counter()
    texts, tokens = user.generate(rows, user.prompts(chats), batch_size, inputs.task.max_new_tokens)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "start_s": start_s, "texts": texts, "tokens": tokens}


def pipeline(inputs: Inputs) -> Found:
    """Generate with the pipeline of transformers, in batches of 256."""
    import torch
    from transformers import pipeline as make

    def chats() -> Iterator[list[dict[str, Any]]]:
        for row, chat in inputs.chats():
            [turn] = chat
            words = [part for part in turn["content"] if part["type"] == "text"]
            shown = {"type": "image", "image": inputs.picture(row)}
            yield [{"role": turn["role"], "content": [shown, *words]}]

    start = time.perf_counter()
    task: Any = "image-text-to-text"
    dtype = getattr(torch, inputs.task.dtype)
    pipe: Any = make(task, model=inputs.task.model, dtype=dtype, device="cpu", batch_size=256)
    pipe.tokenizer.padding_side = "left"

    def write(given: Iterator[Any], tokens: int) -> list[Any]:
        how = {"do_sample": False, "max_new_tokens": tokens}
        return list(pipe(text=list(given), return_full_text=False, generate_kwargs=how))

    write(islice(chats(), 2), 2)
    start_s = time.perf_counter() - start
    start = time.perf_counter()
    done = write(chats(), inputs.task.max_new_tokens)
    seconds = time.perf_counter() - start
    texts = [one[0]["generated_text"] for one in done]
    return {"seconds": seconds, "start_s": start_s, "texts": texts}


def vllm(inputs: Inputs) -> Found:
    """Generate with `vllm.LLM`, all prompts in one call."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    import vllm as library
    from transformers import AutoProcessor

    start = time.perf_counter()
    task = inputs.task
    processor: Any = AutoProcessor.from_pretrained(task.model)
    given: Found = {"model": task.model, "dtype": task.dtype, "generation_config": "vllm"}
    given |= {"max_num_seqs": 256, "limit_mm_per_prompt": {"image": 1}}
    compiled = True
    try:
        llm = library.LLM(**given)
    except Exception as error:  # where there is no compiler
        print(f"vLLM does not compile here: {error}", file=sys.stderr)
        llm, compiled = library.LLM(**given, enforce_eager=True), False

    def ask(chats: Sequence[Any], tokens: int) -> list[Any]:
        make, prompts = processor.apply_chat_template, []
        for row, chat in chats:
            text = make(chat, add_generation_prompt=True, tokenize=False)
            ids = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
            shown = {"image": inputs.picture(row)}
            prompts.append({"prompt_token_ids": ids, "multi_modal_data": shown})
        sampling = library.SamplingParams(temperature=0.0, max_tokens=tokens)
        return list(llm.generate(prompts, sampling, use_tqdm=False))

    chats = inputs.chats()
    ask(chats[:2], 2)
    start_s = time.perf_counter() - start
    start = time.perf_counter()
    done = [one.outputs[0] for one in ask(chats, task.max_new_tokens)]
    seconds = time.perf_counter() - start
    found = {"seconds": seconds, "start_s": start_s, "texts": [one.text for one in done]}
    return found | {"tokens": sum(len(one.token_ids) for one in done), "compiled": compiled}


def mathse_judge(inputs: Inputs) -> Found:
    """Judge with `mathse.judge`: a grammar for the text, and the probability of CORRECT."""
    from mathse.judge.judging import Judge

    task, rows = inputs.task, inputs.trajectories()
    warm = [
        Request(row["problem_id"], chat, tuple(row["image_ids"]), sampling=SamplingParams(0, 1, 1))
        for row, chat in inputs.chats()[:1]
    ]
    start = time.perf_counter()
    engine = load_warm(inputs, task.judge_model, "transformers", warm)
    start_s = time.perf_counter() - start
    judge = Judge(engine, inputs.problems, "diagnostic", task.judge_tokens)
    start = time.perf_counter()
    judged = judge.judge(rows)
    seconds = time.perf_counter() - start
    engine.close()
    counts = dict(judged["orm_status"].value_counts().iter_rows())
    return {"seconds": seconds, "start_s": start_s, "rows": rows.height, "verdicts": counts}


def plain_judge(inputs: Inputs) -> Found:
    """Generate after the judge's prompts in batches of 256: no grammar, no probability."""
    task, known = inputs.task, {row["problem_id"]: row for row, _ in inputs.chats()}
    rows, chats = [], []
    for one in distinct_trajectories(inputs.trajectories()).iter_rows(named=True):
        row = known[one["problem_id"]]
        rows.append(row)
        chats.append(judge_messages(row["question"], row["choices"], 1, one["steps"]))
    order = sorted(range(len(rows)), key=lambda n: -len(str(chats[n])))
    rows, chats = [rows[n] for n in order], [chats[n] for n in order]
    start = time.perf_counter()
    user, prefix = Plain(inputs, task.judge_model), verdict_prefix("diagnostic")
    user.generate(rows[:2], user.prompts(chats[:2], prefix), 2, 2)
    start_s = time.perf_counter() - start
    start = time.perf_counter()
    _, tokens = user.generate(rows, user.prompts(chats, prefix), 256, task.judge_tokens)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "start_s": start_s, "rows": len(rows), "tokens": tokens}


RUNS: dict[str, Callable[[Inputs], Found]] = {
    "matrix.torch": matrix,
    "generation.ours": ours,
    "generation.generate-16": lambda inputs: plain(inputs, 16),
    "generation.generate-256": lambda inputs: plain(inputs, 256),
    "generation.pipeline-256": pipeline,
    "generation.ours-vllm": lambda inputs: ours(inputs, "vllm"),
    "generation.vllm": vllm,
    "prompts.ours": lambda inputs: ours(inputs, tokens=1),
    "training.ours": mathse_training,
    "training.trl": trl,
    "judge.ours": mathse_judge,
    "judge.generate-256": plain_judge,
}
"""The contenders by the names of results; `prompts.ours` writes one token: the prompts' part."""


if __name__ == "__main__":
    name, folder = sys.argv[1], Path(sys.argv[2])
    found = RUNS[name](Inputs(folder))
    (folder / f"{name}.json").write_text(json.dumps(found), encoding="utf-8")
