"""TabMWP: word problems about a table that is shown as a picture, with worked solutions."""

from __future__ import annotations

from pathlib import Path

from mathse.datasets.fields import integer, optional, pictures, text, texts
from mathse.datasets.general_layouts import named_files
from mathse.datasets.protocol import DataFile, Picture, RawProblem, Row, Source


def tabmwp_files(root: Path) -> list[DataFile]:
    """List problems.jsonl (images by path), else the original problems_*.json with tables/."""
    lines = root / "problems.jsonl"
    if lines.is_file():
        return [DataFile(lines, roots=(root,))]
    # problems_dev1k.json is a part of problems_dev.json.
    splits = ("train", "dev", "test")
    names = {split: (f"problems_{split}.json", f"problems_{split}1k.json") for split in splits}
    return named_files(root, ("", "tabmwp", "data/tabmwp"), names, images=("tables", ""))


def tabmwp_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a TabMWP row into a problem. The table's text goes into meta: the picture shows it."""
    name = text(row, "id", default=text(row, "_key", default=""))
    choices = texts(row, "choices")
    is_number = text(row, "ans_type", default="") in ("integer_number", "decimal_number")
    known = ("table_title", "table", "ques_type", "ans_type", "row_num", "column_num")
    return RawProblem(
        question=text(row, "question"),
        answer=text(row, "answer"),
        choices=choices,
        answer_type="choice" if choices else "number" if is_number else "text",
        images=pictures(row.get("image")) or [Picture(path=f"{name}.png")],
        split=optional(row, "split"),
        subject="math word problem",
        level=integer(row, "grade"),
        unit=optional(row, "unit"),
        language="en",
        solution=optional(row, "solution"),
        meta={"id": name, **{key: row[key] for key in known if row.get(key) is not None}},
    )


TABMWP = Source(
    name="tabmwp",
    title="TabMWP",
    expects="a folder with problems_train.json, problems_dev.json, problems_test.json and "
    "tables/ID.png, or with problems.jsonl and the images that its rows name",
    home="https://github.com/lupantech/PromptPG (data/tabmwp)",
    licence="CC BY-NC-SA 4.0",
    files=tabmwp_files,
    adapt=tabmwp_problem,
)
