"""What all contenders of `bench.speed` get: the same problems, pictures and settings."""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image

from mathse.core.images import ImageStore
from mathse.core.params import Role
from mathse.core.steps import split_steps
from mathse.figures.canary import DESCRIBE
from mathse.prompts import solve_messages

Found = dict[str, Any]
CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Task:
    """The work, the same for all: see the options of `bench.speed`."""

    model: str
    judge_model: str
    ask: str  # solve or describe
    dtype: str  # bfloat16 or float32
    prompts: int
    max_new_tokens: int
    judge_tokens: int
    steps: int
    batch_size: int
    seed: int
    frozen: list[str]


class Inputs:
    """The inputs in a folder: problems to solve, problems to learn, pictures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.task = Task(**json.loads((folder / "task.json").read_text(encoding="utf-8")))
        self.images = ImageStore(folder / "images")
        rows = pl.read_parquet(folder / "problems.parquet")
        self.problems = rows.filter(pl.col("split") == "eval")
        self.learnt = rows.filter(pl.col("split") == "train")

    def picture(self, row: dict[str, Any]) -> Image.Image:
        """Open a row's picture."""
        return Image.open(io.BytesIO(self.images.get(row["image_ids"][0]))).convert("RGB")

    def chats(self) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Return the problems to solve with their chats, in the order of all contenders."""
        if self.task.ask == "describe":
            text = {"type": "text", "text": DESCRIBE}
            chat = [{"role": "user", "content": [{"type": "image"}, text]}]
            return [(row, chat) for row in self.problems.iter_rows(named=True)]
        return [
            (row, solve_messages(row["question"], row["choices"], 1))
            for row in self.problems.iter_rows(named=True)
        ]

    def trajectories(self) -> pl.DataFrame:
        """Return what is judged: the solution of each problem, for every other one a wrong one."""
        right = self.problems["solution"].to_list()
        texts = [right[n - (n % 2)] for n in range(len(right))]
        steps = pl.Series([split_steps(text) for text in texts], dtype=pl.List(pl.String()))
        return self.problems.select("problem_id").with_columns(
            response=pl.Series(texts, dtype=pl.String()), steps=steps
        )

    def role(self, engine: str, model: str) -> Role:
        """Return mathse's own settings for an engine."""
        return Role.model_validate(
            {"engine": engine, "model": model, "dtype": self.task.dtype, "batch_size": 256}
        )
