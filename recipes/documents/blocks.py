"""Fill the marked blocks of the documents: `python -m recipes.documents.blocks [--check]`.

A block stands between `<!-- begin KIND NAME -->` and `<!-- end -->`. KIND is one of

- `table`: the table of results/NAME.json,
- `result`: the three lines of the default runs (no NAME),
- `file`: the file NAME as code,
- `calls`: the calls of a function, with their comments: `calls mathse/loop.py#run_round`,
- `scale`: a table of recipes/documents/scale.py,
- `index`: the headings of the document, as links.

So no figure is typed by hand, and no quoted file can drift from its source. A results file has one
table: its origin (source, command, commit, seed, date, machine), columns with their number formats,
rows, and perhaps a note. A list [value, low, high] is a value with its 95% interval.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from recipes.documents import scale

ROOT = Path(__file__).resolve().parents[2]
# Example: "<!-- begin table default-rounds -->\n| … |\n<!-- end -->"
BLOCK = re.compile(r"(<!-- begin (\w+) ?(\S*) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def documents() -> list[Path]:
    """Return the documents that may hold blocks."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def load(name: str) -> dict[str, Any]:
    """Return the content of results/NAME.json."""
    content: dict[str, Any] = json.loads(
        (ROOT / "results" / f"{name}.json").read_text(encoding="utf-8")
    )
    return content


def fill(text: str) -> str:
    """Return a document with all blocks made again."""
    return BLOCK.sub(lambda match: match[1] + render(match[2], match[3], text) + match[5], text)


def render(kind: str, name: str, text: str = "") -> str:
    """Return the content of one block of the document `text`, with a newline at its end."""
    if kind == "table":
        return table(load(name))
    if kind == "result":
        return result_lines(load("default-seeds"), load("default-seeds-contrasts"))
    if kind == "file":
        return code((ROOT / name).read_text(encoding="utf-8").rstrip())
    if kind == "calls":
        return code("\n".join(calls(*name.split("#"))))
    if kind == "scale":
        return scale.render(name)
    if kind == "index":
        titles = re.findall(r"^## (.*)", text, re.MULTILINE)
        return "".join(f"- [{title}](#{anchor(title)})\n" for title in titles)
    raise ValueError(f"There is no kind of block {kind!r}.")


def code(text: str) -> str:
    """Return Python code as a block of Markdown."""
    return f"```python\n{text}\n```\n"


def calls(name: str, function: str) -> list[str]:
    """Return the lines `names = call(…)` of a function, each with the comment above it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = text.splitlines()
    nodes = [node for node in ast.parse(text).body if getattr(node, "name", None) == function]
    found: list[str] = []
    for node in nodes[0].body:
        comment = lines[node.lineno - 2].strip()
        found += [comment] if comment.startswith("#") else []
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            source = ast.unparse(node).replace("'", '"')  # as ruff writes it
            found += textwrap.wrap(source, 100, subsequent_indent="    ")
    return found


def anchor(title: str) -> str:
    """Return the anchor of a heading: "2.5 points? Yes" is "25-points-yes"."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def table(content: dict[str, Any]) -> str:
    """Return the table of a results file in Markdown."""
    columns = content["columns"]
    head = [column["name"] for column in columns]
    lines = [head, ["---"] * len(head)]
    for row in content["rows"]:
        formats = (column.get("format", "") for column in columns)
        lines.append([cell(value, form) for value, form in zip(row, formats, strict=True)])
    note = f"\n{content['note']}\n" if "note" in content else ""
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + note


def cell(value: Any, form: str) -> str:
    """Return a cell as text: [80.47, 77.2, 83.4] with ".1f" is "80.5 [77.2, 83.4]"."""
    if value is None:
        return ""
    if isinstance(value, list):
        low, high = (format(number, form.lstrip("+")) for number in value[1:])
        return f"{format(value[0], form)} [{low}, {high}]"
    if form == "p":
        return "<0.001" if value < 0.001 else f"{value:.3f}"
    return format(value, form) if isinstance(value, int | float) else str(value)


def result_lines(models: dict[str, Any], contrasts: dict[str, Any]) -> str:
    """Return the result of the default runs of all seeds in three lines."""
    by_model = {row[0]: row for row in models["rows"]}
    names = [name for name in by_model if re.fullmatch(r"base|r\d+", name)]
    last, seeds = names[-1], by_model[names[-1]][1]
    # Over seeds where there are several: the wider interval.
    points = {(row[1], row[2]): cell(row[7] or row[3], "+.1f") for row in contrasts["rows"]}

    def steps(column: int) -> str:
        shares = " → ".join(cell(by_model[name][column], ".1f") for name in names)
        # "eval (n = 1,920) in %"
        return f"{models['columns'][column]['name'].removesuffix(' in %')}: {shares}"

    def against(split: str) -> str:
        compared = ("r0", "control", "control_teacher", "control_gold")
        known = [name for name in compared if (name, split) in points]
        return ", ".join(f"{points[name, split]} against {name}" for name in known)

    compared = [last, *(name for name in by_model if "control" in name)]
    gold = ", ".join(f"{name} {by_model[name][6]:,.0f}" for name in compared)
    of = "one seed" if seeds == 1 else f"mean of {seeds} seeds"
    over = "problems" if seeds == 1 else "seeds"
    return (
        f"- {' → '.join(names)}, accuracy in %, {of}, with 95% intervals over problems. "
        f"{steps(2)}. {steps(4)}.\n"
        f"- {last} on `eval`, in points with 95% intervals over {over}: {against('eval')}.\n"
        f"- {last} on `eval_hard`: {against('eval_hard')}. Gold used, problems: {gold}.\n"
    )


def main(arguments: list[str]) -> int:
    """Write the documents again; with --check, only name those that differ."""
    stale = []
    for file in documents():
        text = file.read_text(encoding="utf-8")
        if fill(text) != text:
            stale.append(file.relative_to(ROOT))
            if "--check" not in arguments:
                file.write_text(fill(text), encoding="utf-8")
    print("".join(f"{name}: blocks made again\n" for name in stale), end="")
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
