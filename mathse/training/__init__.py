"""Supervised fine-tuning: rows become labelled batches, and a loop on accelerate trains on them."""

from __future__ import annotations

from mathse.core.params import TrainConfig
from mathse.training.examples import Example
from mathse.training.train_report import TrainReport

__all__ = ["Example", "TrainConfig", "TrainReport"]
