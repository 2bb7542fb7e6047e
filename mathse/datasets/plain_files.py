"""Plain files of questions and answers: JSON lines, JSON, CSV."""

from __future__ import annotations

from functools import partial

from mathse.datasets.general_layouts import hub_problem, row_files
from mathse.datasets.protocol import Source

PLAIN = Source(
    name="jsonl",
    title="JSON lines, JSON or CSV with a column for the question and one for the answer",
    expects="a .jsonl, .json, .csv or .tsv file (or a folder of them) with columns such as "
    "question (or problem), answer, choices (or options), solution, and image(s): a path below "
    "the file's folder, or base64",
    home="a file of your own",
    files=partial(row_files, suffixes=(".jsonl", ".ndjson", ".json", ".csv", ".tsv")),
    adapt=hub_problem,
    kind="layout",
    licence="that of your data",
)
