"""Params that go with imported problems."""

from __future__ import annotations

from typing import Any


def use_imported(params: dict[str, Any]) -> None:
    """Set roles that know imported problems: the built-in ones know the built-in problems alone."""
    params["teacher"]["engine"] = "dataset"
    params["annotator"]["engine"] = "answer"
    params["train_orm"]["form"] = "binary"
    params["reflector"]["engine"] = "student"
