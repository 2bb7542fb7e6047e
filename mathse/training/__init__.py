"""Supervised fine-tuning: rows become labelled batches, and a loop on accelerate trains on them."""

from __future__ import annotations

from mathse.training.config import TrainConfig, TrainReport
from mathse.training.examples import Example

__all__ = ["Example", "TrainConfig", "TrainReport"]
