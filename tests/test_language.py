"""Words that must not come back, lines of 100 columns, and comments in long functions."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.closure import ROOT

FOLDERS = ("mathse", "stages", "schemas", "recipes", "bench", "tests")
COMMENTED = ("mathse", "stages", "schemas", "recipes")
THIS = Path(__file__).resolve()  # lists the words
FILES = [
    *(file for name in FOLDERS for file in sorted((ROOT / name).rglob("*.py")) if file != THIS),
    ROOT / "pyproject.toml",
]

PROSE = {
    r"told|untold": "summary, missing, named",
    r"held(?![- _]out)": "kept, passed, constraint",
    r"anew": "again",
    r"aside": "quarantined, left out",
    r"lays? out|laid out": "write as a table, to_table",
    r"lays? over|laid over": "apply",
    r"likeness(es)?": "similarity",
    r"worth telling|worth a column": "has_breakdown",
    r"story|stories": "trace",
    r"mend(s|ed)?": "fix",
    r"tells? whether|says? whether|returns? whether|yields? whether": "return True if",
    r"tells? of": "show, name",
    r"(this|that|which|its|the|other) rooms?": "package",
    r"ours|theirs": "left, right",
}
"""Patterns of comments, docstrings and messages, each with what to write instead."""
IDENTIFIERS = {
    "told": "summary",
    "untold": "missing",
    "tell": "render",
    "worth": "has",
    "anew": "again",
    "aside": "quarantined",
    "likeness": "similarity",
    "place": "index",
    "places": "indices",
    "story": "trace",
    "pieces": "step_tokens, trigrams",
    "ours": "left",
    "theirs": "right",
    "rarity": "idf_weights",
    "mend": "fix",
    "emphasis": "span_weight",
    "decisive": "weighted_span, span_weight",
}
"""Words that no identifier contains: `place` is in `first_place`, not in `replace`."""
COMPOUNDS = {
    r"lays?_out|lay_\w+": "to_table",
    r"own_\w+|\w+_own|OWN": "judge_solution_…",
    r"near_\w+": "dedup_key, candidate_pairs",
    r"\w+_ROOMS?": "packages",
    r"Held|held(?!_out)(_\w+)?|\w+_held(?!_out)\w*": "GrammarConstraint, passed",
    r"Sketch|Drawing|MostAreDone|Processing": "ImageSignature, SeededSampler, InputBuilder",
}
"""Patterns of whole identifiers; the names of tests are sentences, and not looked at."""
ALLOWED: dict[str, set[str]] = {
    "bench/": {"ours"},  # this program beside another
    "recipes/paper/": {"ours", "tell"},  # the paper's figures; `tell` of files
    "tests/answers/": {"places"},  # an argument of hypothesis
    "tests/bench/": {"ours"},
    "tests/report/": {"tell"},  # of files
    "tests/vllm/": {"ours", "theirs"},
}
"""By the start of a path: words that may stand there. One that stands there no more is an error."""

MOST_LINES = 30
"""Lines of a function's body, docstring not counted; a longer one has a comment per block."""

_PROSE = {
    re.compile(rf"(?<![A-Za-z_])({pattern})(?![A-Za-z_])", re.IGNORECASE): better
    for pattern, better in PROSE.items()
}
_COMPOUNDS = {re.compile(rf"_*({pattern})"): better for pattern, better in COMPOUNDS.items()}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")  # "dedup_key" and "DedupKey" have dedup and key
# a comment that switches a check off, and explains nothing
_SWITCH = re.compile(r"#\s*(?:noqa|type:|fmt:|pragma:)")


def identifiers(text: str) -> list[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.NAME]


def faults(name: str, text: str) -> list[str]:
    """Return a line for each word that must not come back: where it is, and what to write."""
    return [
        f"{name}:{number}: {word!r}: write {better}"
        for number, word, better in words_found(name, text)
        if not any(name.startswith(start) and word in words for start, words in ALLOWED.items())
    ]


def words_found(name: str, text: str) -> list[tuple[int, str, str]]:
    """Return line, word and what to write for each word that must not come back."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, better in _PROSE.items():
            found += [(number, match[1], better) for match in pattern.finditer(line)]
    for number, identifier in identifiers(text) if name.endswith(".py") else ():
        words = {word.lower() for word in _WORD.findall(identifier)}
        found += [(number, identifier, IDENTIFIERS[word]) for word in words & IDENTIFIERS.keys()]
        found += [
            (number, identifier, better)
            for pattern, better in _COMPOUNDS.items()
            if pattern.fullmatch(identifier) and not identifier.startswith("test_")
        ]
    return list(dict.fromkeys(found))


def long_without_comment(text: str) -> list[tuple[int, str]]:
    """Return line and name of each function with a body over MOST_LINES and no comment inside."""
    comments = [
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT and not _SWITCH.match(token.string)
    ]
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            body = node.body[ast.get_docstring(node, clean=False) is not None :]
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            is_bare = not any(node.lineno <= line <= node.end_lineno for line in comments)
            found += [(node.lineno, node.name)] * (length > MOST_LINES and is_bare)
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_words_that_must_not_come_back(file: Path) -> None:
    found = faults(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


def test_each_exception_is_still_needed() -> None:
    needed: dict[str, set[str]] = {start: set() for start in ALLOWED}
    for file in FILES:
        name = file.relative_to(ROOT).as_posix()
        for start in (start for start in ALLOWED if name.startswith(start)):
            needed[start] |= {word for _, word, _ in words_found(name, file.read_text("utf-8"))}
    idle = {start: words - needed[start] for start, words in ALLOWED.items()}
    assert not any(idle.values()), f"take these out of ALLOWED: {idle}"


def test_lines_have_at_most_100_columns() -> None:
    for file in FILES:
        name, lines = file.relative_to(ROOT).as_posix(), file.read_text("utf-8").splitlines()
        if not name.startswith(("mathse/", "stages/", "schemas/")):
            continue  # Ruff looks at the others, but for comments that switch a check off
        long = [f"{name}:{number}" for number, line in enumerate(lines, 1) if len(line) > 100]
        assert not long, "\n".join(long)


def test_long_functions_have_comments() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: {name}: write above each block what it is for"
        for file in FILES
        if file.relative_to(ROOT).parts[0] in COMMENTED
        for line, name in long_without_comment(file.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("near_key = 1\n", "near_key"),
        ("FirstPlace = 1\n", "FirstPlace"),
        ("# what is told\n", "told"),
        ("def f(place: int) -> None: ...\n", "place"),
        ('"""Tell whether it is."""\n', "Tell whether"),
        ('"""Return whether it is."""\n', "Return whether"),
        ('"""Yields whether it is."""\n', "Yields whether"),
        ("PILLOW_ROOMS = ()\n", "PILLOW_ROOMS"),
        ("# core knows no other room\n", "other room"),
        ("class Held: ...\n", "Held"),
        ("failure.held = judge_own\n", "judge_own"),
        ("lay_out()\n", "lay_out"),
    ],
)
def test_a_word_that_came_back_is_found(text: str, word: str) -> None:
    assert any(f":1: {word!r}" in line for line in faults("mathse/x.py", text))


def test_words_of_the_field_are_not_found() -> None:
    text = "# Problems are held out; a likely place, a near miss, its own row\n"
    assert faults("x.py", text + "replace = nearest = owner = held_out = own = 1\n") == []


@pytest.mark.parametrize(
    ("head", "statement", "lines", "is_found"),
    [
        ("def f():", "x = 1", MOST_LINES + 1, True),
        ("async def f():", "x = 1", MOST_LINES + 1, True),
        ("def f():", "x = 1", MOST_LINES, False),
        ("def f():\n    'What f does.'", "x = 1", MOST_LINES, False),
        ("def f():\n    'What f does.'", "x = 1", MOST_LINES + 1, True),
        ("def f():\n    'What f does.'\n    # Why.", "x = 1", MOST_LINES + 1, False),
        ("# Above it.\ndef f():", "x = 1", MOST_LINES + 1, True),
        ("def f():\n    y = '# text'", "x = 1", MOST_LINES, True),
        ("def f():", "x = 1  # noqa: F841", MOST_LINES + 1, True),
        ("def f():", "x = 1  # type: ignore[misc]", MOST_LINES + 1, True),
        ("class C:\n  def f():", "x = 1", MOST_LINES + 1, True),
    ],
)
def test_a_long_function_without_a_comment_is_found(
    head: str, statement: str, lines: int, is_found: bool
) -> None:
    text = "\n".join([head, *[f"    {statement}"] * lines, "# Below it.\n"])
    assert [name for _, name in long_without_comment(text)] == ["f"] * is_found
