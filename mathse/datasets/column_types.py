"""Columns and types of the tables that an import writes."""

from __future__ import annotations

import polars as pl

PROBLEM_TYPES = pl.Schema(
    {
        "problem_id": pl.String(),
        "source": pl.String(),
        "split": pl.String(),
        "subject": pl.String(),
        "level": pl.Int64(),
        "family": pl.String(),
        "question": pl.String(),
        "choices": pl.List(pl.String()),
        "answer": pl.String(),
        "answer_type": pl.String(),
        "unit": pl.String(),
        "precision": pl.Int64(),
        "image_ids": pl.List(pl.String()),
        "language": pl.String(),
        "solution": pl.String(),
        "meta": pl.String(),
    }
)
QUARANTINE_TYPES = pl.Schema(
    {
        "file": pl.String(),
        "row": pl.Int64(),
        "rule": pl.String(),
        "field": pl.String(),
        "value": pl.String(),
        "reason": pl.String(),
    }
)
IMAGE_TYPES = pl.Schema(
    {
        "image_id": pl.String(),
        "bytes": pl.Binary(),
        "format": pl.String(),
        "width": pl.Int64(),
        "height": pl.Int64(),
        "phash": pl.String(),
    }
)
