"""The prompt of `mathse sql`: statements that end with a semicolon, history, completion."""

from __future__ import annotations

import contextlib
import readline
from pathlib import Path

from mathse.core.errors import MathseError
from mathse.core.text import printable
from mathse.report.sql import Tables
from mathse.report.sql_output import answer_query

_WORDS = (
    "SELECT FROM WHERE GROUP BY ORDER LIMIT JOIN USING ON HAVING DESCRIBE SUMMARIZE count DISTINCT"
)


def run_prompt(tables: Tables, history: Path, form: str | None, limit: int | None) -> None:
    """Read and answer statements until the input ends. Ctrl-C ends a statement, not the prompt.

    Args:
        tables: whom to ask.
        history: the file that keeps what was entered.
        form: see `sql_output.answer_query`.
        limit: most rows to show; see there.
    """
    # What Tab completes.
    words = sorted({*tables.names(), *tables.columns(), *_WORDS.split()}, key=str.lower)

    def complete(begun: str, number: int) -> str | None:
        found = [word for word in words if word.lower().startswith(begun.lower())]
        return found[number] if number < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n(),;=<>+-*/'")
    readline.parse_and_bind("tab: complete")
    # The prompt works without a history that can be read or written.
    with contextlib.suppress(OSError):
        readline.read_history_file(history)
    print("End a statement with ; and the prompt with Ctrl-D. Tab completes names.")
    entered = ""
    while True:
        # Lines add up to a statement until one ends with a semicolon.
        try:
            entered += input("sql> " if not entered else "...> ") + "\n"
            if entered.rstrip().endswith(";"):
                statement, entered = entered, ""
                print(f"({answer_query(tables, statement, form, None, limit)})")
        except MathseError as error:
            print(printable(str(error)))
        except KeyboardInterrupt:
            entered = ""
            print("^C")
        except EOFError:
            print()
            break
    with contextlib.suppress(OSError):
        history.parent.mkdir(parents=True, exist_ok=True)
        readline.write_history_file(history)
