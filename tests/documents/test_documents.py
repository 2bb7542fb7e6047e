"""README.md and docs/*.md say what the committed files say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from recipes.documents.blocks import BLOCK, ROOT, anchor, cell, documents, fill, table

RESULTS = sorted([*(ROOT / "results").glob("*.json"), *(ROOT / "results").glob("paper*/*.json")])
WITHOUT_FIGURES = [ROOT / "README.md", *(ROOT / "docs").glob("results*.md"),
                   *(ROOT / "docs").glob("paper-mini*.md")]  # fmt: skip
# Examples: "80.5", "2,712", "95%"; not the 0 of "r0" or the 3.11 of "Python 3.11".
FIGURE = re.compile(r"(?<![\w.-])\d+(?:[.,]\d+|%)")


@pytest.mark.parametrize("file", documents(), ids=lambda file: file.name)
def test_blocks_equal_their_source(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert fill(text) == text, "run `make results`, or `python -m recipes.documents.blocks`"


def test_a_changed_figure_is_found() -> None:
    text = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    assert fill(text.replace("| r3 |", "| r9 |")) != text.replace("| r3 |", "| r9 |")


@pytest.mark.parametrize("file", WITHOUT_FIGURES, ids=lambda file: file.name)
def test_no_figure_outside_of_blocks(file: Path) -> None:
    text = BLOCK.sub("", file.read_text(encoding="utf-8"))
    text = re.sub(
        r"`[^`]*`|95%|Python 3\.\d+|2\.1M|arXiv:?[ /]?\d+\.\d+|abs/\d+\.\d+|Apache-2\.0", "", text
    )
    text = text.replace("2.1 million parameters", "")
    assert not FIGURE.findall(text), "put the figure into a file of results/ and show its table"


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_results_name_their_origin(file: Path) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    assert {"source", "command", "commit", "seed", "date", "machine"} <= set(content)
    assert all(len(row) == len(content["columns"]) for row in content["rows"])
    shown = "".join(file.read_text(encoding="utf-8") for file in documents())
    name = file.relative_to(ROOT / "results").with_suffix("").as_posix()
    assert f"<!-- begin table {name} -->" in shown, "no document shows this table"


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_single_measurements_have_a_log_entry(file: Path) -> None:
    entry = re.search(r'log entry of (\S+), "([^"]+)"', json.loads(file.read_text())["source"])
    if file.stem.startswith("measured"):
        assert entry
        titles = re.findall(r"^## (.*)", (ROOT / "docs/log.md").read_text(), re.MULTILINE)
        assert any(title.startswith(f"{entry[1]}: {entry[2]}") for title in titles)


def test_the_log_is_newest_first() -> None:
    text = (ROOT / "docs/log.md").read_text(encoding="utf-8")
    dates = re.findall(r"^## (\d{4}-\d\d-\d\d): ", text, re.MULTILINE)
    assert len(dates) == len(re.findall(r"^## ", text, re.MULTILINE))
    assert dates == sorted(dates, reverse=True)


@pytest.mark.parametrize("file", documents(), ids=lambda file: file.name)
def test_links_lead_somewhere(file: Path) -> None:
    text = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text)
    for link in (first or second for first, second in links):
        target, _, part = link.partition("#")
        if "://" in link:
            continue
        found = file.parent / target if target else file
        assert found.exists(), link
        if part and found.suffix == ".md":
            titles = re.findall(r"^#+ (.*)", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert part in {anchor(title) for title in titles}, link


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 110


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        ([80.4688, 77.22, 83.36], ".1f", "80.5 [77.2, 83.4]"),
        ([-0.94, -2.0, 0.5], "+.1f", "-0.9 [-2.0, 0.5]"),
        (0.00044, "p", "<0.001"),
        (None, ".1f", ""),
        (2712, ",", "2,712"),
        ("r3", ".1f", "r3"),
    ],
)
def test_cells(value: object, form: str, text: str) -> None:
    assert cell(value, form) == text


def test_a_table_has_a_line_for_each_row() -> None:
    content = {"columns": [{"name": "a"}, {"name": "b", "format": ".1f"}], "rows": [["x", 1]]}
    assert table(content) == "| a | b |\n| --- | --- |\n| x | 1.0 |\n"
