"""When two solutions of one problem count as the same text."""

from __future__ import annotations

import re
import unicodedata

import polars as pl

_STEP_NUMBER = re.compile(r"^\s*(?:step\s*)?\d{1,3}\s*[.):：、]\s+", re.IGNORECASE | re.MULTILINE)
_DELIMITERS = re.compile(
    r"\\[()\[\],;:! ]|\\(?:left|right|displaystyle|quad|qquad)(?![a-z])|[$`#]+"
)
_BOLD = re.compile(r"(?<!\w)[*_]{2,3}|[*_]{2,3}(?!\w)")
_PUNCTUATION = re.compile(r"[\"'“”‘’。，；？！]|[,;:.?](?!\d)")
_OPERATOR = re.compile(r"\s*([-+*/=<>^×÷])\s*")
_SPACE = re.compile(r"\s+")


def dedup_key(response: str) -> str:
    """Return what is left of a solution when only its way of writing is dropped.

    Letter case, blanks and line breaks, step numbers, sentence punctuation, Markdown and LaTeX
    delimiters are dropped. Digits, signs, operators and words stay: solutions that differ in one
    number are not the same.
    """
    text = unicodedata.normalize("NFKC", response).lower()
    text = _STEP_NUMBER.sub("", text)
    text = _DELIMITERS.sub(" ", text)
    text = _BOLD.sub(" ", text)
    text = _OPERATOR.sub(r"\1", _PUNCTUATION.sub(" ", text))
    return _SPACE.sub(" ", text).strip()


def with_dedup_key(paths: pl.DataFrame) -> pl.DataFrame:
    """Add the column `dedup_key` to rows that have a `response`."""
    keys = [dedup_key(response) for response in paths["response"]]
    return paths.with_columns(pl.Series("dedup_key", keys, dtype=pl.String))
