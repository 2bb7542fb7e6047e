"""Tables of text cells: drawn on a terminal, aligned plain text anywhere else, escaped in both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TextIO

from mathse.core.text import one_line

MAX_CELL_CHARS = 60
_NUMBER = re.compile(r"[-+]?\d[\d.,]*(e[-+]?\d+)?")  # "12", "-0.5", "1,000", "3e-05"


def cell(value: object) -> str:
    """Return a value as the text of a cell: one line, cut after 60 characters."""
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    text = one_line(text)
    return text if len(text) <= MAX_CELL_CHARS else f"{text[: MAX_CELL_CHARS - 1]}…"


def plain_table(header: list[str], lines: list[list[str]]) -> str:
    """Return aligned columns with a rule below the header; numbers stand right."""
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    right = [_is_numeric(lines, index) for index in range(len(header))]
    text = ""
    for row in [header, ["-" * width for width in widths], *lines]:
        cells = [
            value.rjust(width) if is_right else value.ljust(width)
            for value, width, is_right in zip(row, widths, right, strict=True)
        ]
        text += "  ".join(cells).rstrip() + "\n"
    return text


def print_rows(columns: list[str], rows: Iterable[Sequence[object]], out: TextIO) -> None:
    """Write rows of any values as a table."""
    print_table(columns, [[cell(value) for value in row] for row in rows], out)


def print_table(
    header: list[str], lines: list[list[str]], out: TextIO, *, width: int | None = None
) -> None:
    """Write a table; characters that steer a terminal are shown as escapes.

    What is wider than `width` becomes several tables, each with the first column.
    """
    header, *lines = [[one_line(value) for value in row] for row in [header, *lines]]
    groups = _column_groups([header, *lines], width)
    if len(groups) > 1:
        for number, group in enumerate(groups):
            out.write("\n" if number else "")
            print_table(*_select([header, *lines], group), out)
        return
    if not out.isatty():
        out.write(plain_table(header, lines))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for index, name in enumerate(header):
        table.add_column(Text(name), justify="right" if _is_numeric(lines, index) else "left")
    for line in lines:
        table.add_row(*(Text(value) for value in line))
    Console(file=out).print(table)


def _column_groups(rows: list[list[str]], width: int | None) -> list[list[int]]:
    """Divide columns into tables that are not too wide; the first column is in each."""
    widths = [max(map(len, column)) + 3 for column in zip(*rows, strict=True)]  # with borders
    groups = [[0]]
    for index in range(1, len(widths)):
        used = sum(widths[column] for column in [*groups[-1], index]) + 1
        if width is not None and used > width and len(groups[-1]) > 1:
            groups.append([0])
        groups[-1].append(index)
    return groups


def _select(rows: list[list[str]], columns: list[int]) -> tuple[list[str], list[list[str]]]:
    header, *lines = [[row[column] for column in columns] for row in rows]
    return header, lines


def _is_numeric(lines: list[list[str]], index: int) -> bool:
    """Return True if a column holds numbers and blanks alone."""
    values = [line[index] for line in lines if line[index]]
    return bool(lines) and all(_NUMBER.fullmatch(value) for value in values)
