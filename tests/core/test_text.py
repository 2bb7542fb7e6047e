from __future__ import annotations

import json
import sys
import unicodedata

import pytest

from mathse.core.text import one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", r"\u001b[2J\u001b]0;title\u0007"),
        ("7\rFAKE", r"7\u000dFAKE"),
        ("\x9b31m", r"\u009b31m"),
        ("a\u202eb\u2066c\u200fd\u061c", r"a\u202eb\u2066c\u200fd\u061c"),
        ("zero\u200bwidth\ufeff\u2060", r"zero\u200bwidth\ufeff\u2060"),
        ("tag\U000e0041", r"tag\udb40\udc41"),
        ("line\u2028end\x85\x0b", r"line\u2028end\u0085\u000b"),
        ("\ud800", r"\ud800"),
        ("\x00\x7f", r"\u0000\u007f"),
    ],
)
def test_what_steers_a_terminal_is_shown_as_an_escape(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text", ["x = \\frac{1}{2}\n\ty", "角度 ≤ 90°", "a\u00a0b\u3000c", "", "Größe é", "😀"]
)
def test_readable_text_stays(text):
    assert printable(text) == text


def test_no_control_or_format_character_is_left():
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    left = set(printable(every)) - set("\n\t")
    assert not {char for char in left if unicodedata.category(char)[0] == "C"}


def test_escaped_json_is_the_same_json():
    text = 'a\x9b\u202e\U000e0041\x7f"\n'
    assert json.loads(printable(json.dumps(text, ensure_ascii=False))) == text


def test_one_line_has_no_line_feed():
    assert one_line("a\nb\x1b") == "a⏎b\\u001b"
