"""Near-duplicates: when two solutions of one problem count as the same text."""

from __future__ import annotations

import re
import unicodedata

import polars as pl

from mathse.curation.text_similarity import jaccard

# "2. ", "2: ", "Step 3 : " at the start of a line, not the numbers of "12 : 4 = 3" and "12: 4 = 3".
_STEP_NUMBER = re.compile(
    r"^\s*(?:step\s*\d{1,3}\s*[.):：、]|\d{1,3}(?:[.)、]|[:：](?!\s*\d)))\s+",
    re.IGNORECASE | re.MULTILINE,
)
# "\(", "\left", "$", "###": LaTeX delimiters and Markdown headings.
_DELIMITERS = re.compile(
    r"\\[()\[\],;:! ]|\\(?:left|right|displaystyle|quad|qquad)(?![a-z])|[$`#]+"
)
# The stars of "**bold**", not those of "2**3" and "2 ** 3".
_BOLD = re.compile(r"(?<!\w)[*_]{2,3}(?!\s)|(?<!\s)[*_]{2,3}(?!\w)")
# "So, 7." without comma and stop; "3.5" and "3:4" stay.
_PUNCTUATION = re.compile(r"[\"'“”‘’。，；？！]|[,;:.?](?!\d)")
# "3 + 4" becomes "3+4".
_OPERATOR = re.compile(r"\s*([-+*/=<>^×÷])\s*")
_SPACE = re.compile(r"\s+")  # the two blanks of "a  b"
# Words, numbers and operators: "x", "3.5", "+".
_TOKEN = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?|[-+*/=<>^%°]")


def dedup_key(response: str) -> str:
    """Return what is left of a solution when only its way of writing is dropped.

    Dropped are case, blanks, step numbers, punctuation, Markdown and LaTeX delimiters. Digits,
    operators and words stay: solutions that differ in one number are not the same.
    """
    text = unicodedata.normalize("NFKC", response).lower().strip()
    text = _STEP_NUMBER.sub("", text)
    text = _DELIMITERS.sub(" ", text)
    text = _BOLD.sub(" ", text)
    text = _OPERATOR.sub(r"\1", _PUNCTUATION.sub(" ", text))
    return _SPACE.sub(" ", text).strip()


def with_dedup_key(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the column `dedup_key` to rows that have a `response`."""
    keys = [dedup_key(response) for response in rows["response"]]
    return rows.with_columns(pl.Series("dedup_key", keys, dtype=pl.String))


def jaccard_duplicates(rows: pl.DataFrame, jaccard_min: float) -> set[str]:
    """Choose new rows with the numbers and nearly the words of an earlier row of the same problem.

    Args:
        rows: trajectory_id, problem_id, response and old, by preference within each problem.
        jaccard_min: Jaccard similarity of word bigrams from which two solutions are the same.

    Returns:
        The trajectory ids of the rows to leave out; never of old rows.
    """
    found: set[str] = set()
    repeated = rows.filter(pl.len().over("problem_id") > 1)
    for _, group in repeated.group_by("problem_id", maintain_order=True):
        kept: list[tuple[list[str], frozenset[tuple[str, str]]]] = []
        for name, response, old in group.select("trajectory_id", "response", "old").iter_rows():
            tokens = _TOKEN.findall(response.lower())
            numbers = sorted(token for token in tokens if token[0].isdigit())
            bigrams = frozenset(zip(tokens, tokens[1:], strict=False))
            same = any(
                numbers == others and jaccard(bigrams, earlier) >= jaccard_min
                for others, earlier in kept
            )
            if same and not old:
                found.add(name)
            else:
                kept.append((numbers, bigrams))
    return found
