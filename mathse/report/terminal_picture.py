"""Pictures in terminals that can show them: kitty's protocol, and iTerm2's."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

_CHUNK = 4096  # most characters in one escape sequence of kitty


def protocol_of(environment: Mapping[str, str]) -> str | None:
    """Return "kitty" or "iterm" if the terminal shows pictures, by its environment variables."""
    if "KITTY_WINDOW_ID" in environment or environment.get("TERM_PROGRAM") == "ghostty":
        return "kitty"
    if environment.get("TERM_PROGRAM") in ("iTerm.app", "WezTerm", "vscode"):
        return "iterm"
    return None


def show_pictures(images: Path, image_ids: Sequence[str], protocol: str) -> Iterator[str]:
    """Yield the escape sequences that show images of a folder of shards; base64 is all they hold.

    Source:
        sw.kovidgoyal.net/kitty/graphics-protocol (f=100: PNG); iterm2.com/documentation-images.html
    """
    wanted = pl.col("image_id").is_in(list(image_ids))
    for row in pl.scan_parquet(images / "*.parquet").filter(wanted).collect().iter_rows(named=True):
        text = base64.b64encode(row["bytes"]).decode()
        if protocol == "iterm":
            yield f"\x1b]1337;File=inline=1:{text}\x07\n"
        elif row["format"] == "PNG":
            chunks = [text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK)]
            for number, chunk in enumerate(chunks):
                keys = "a=T,f=100," if number == 0 else ""
                yield f"\x1b_G{keys}m={int(number < len(chunks) - 1)};{chunk}\x1b\\"
            yield "\n"
