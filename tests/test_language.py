"""Words that must not come back, lines of 100 columns, comments on regexes and long functions."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.closure import ROOT

FOLDERS = ("mathse", "stages", "schemas", "recipes", "bench", "tests")
PACKAGES = ("mathse", "stages", "schemas")
THIS = Path(__file__).resolve()  # lists the words
FILES = [
    *(file for name in FOLDERS for file in sorted((ROOT / name).rglob("*.py")) if file != THIS),
    ROOT / "pyproject.toml",
]
TEXTS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "Makefile", "dvc.yaml", "params.yaml")),
    *(file for file in sorted((ROOT / "docs").glob("*.md")) if file.name != "log.md"),
    *sorted((ROOT / "models").rglob("*.md")),
    *sorted((ROOT / "profiles").rglob("*.yaml")),
]
"""Documents and settings, but for the log: its entries keep the words of their day."""

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
    "docs/results.md": {"ours"},
    "recipes/paper/": {"ours", "tell"},  # the paper's figures; `tell` of files
    "tests/answers/": {"places"},  # an argument of hypothesis
    "tests/bench/": {"ours"},
    "tests/report/": {"tell"},  # of files
    "tests/vllm/": {"ours", "theirs"},
}
"""By the start of a path: words that may stand there. One that stands there no more is an error."""

MOST_LINES = 30
"""Lines of a function's body, docstring not counted; a longer one has a comment per block."""
BLOCK_LINES = {**dict.fromkeys(PACKAGES, 20), "recipes": 30}
"""By folder: for how many lines of such a body one comment on a line of its own is enough."""

SHORT_PATTERN = 5
r"""Characters of a regex that need no example beside it, as `\d+` does not."""

_PROSE = {
    re.compile(rf"(?<![A-Za-z_])({pattern})(?![A-Za-z_])", re.IGNORECASE): better
    for pattern, better in PROSE.items()
}
_COMPOUNDS = {re.compile(rf"_*({pattern})"): better for pattern, better in COMPOUNDS.items()}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")  # "dedup_key" and "DedupKey" have dedup and key
# a comment that switches a check off, and explains nothing
_SWITCH = re.compile(r"#\s*(?:noqa|type:|fmt:|pragma:)")
_REGEX_CALLS = {"compile", "search", "match", "fullmatch", "sub", "subn", "split"}
_REGEX_CALLS |= {"findall", "finditer"}
_REGEX_SIGNS = set(r"\.^$*+?{}[]()|")


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


def comment_lines(text: str) -> tuple[set[int], set[int]]:
    """Return the lines with a comment that explains something, and those with nothing else."""
    tokens = [
        token
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT and not _SWITCH.match(token.string)
    ]
    alone = {token.start[0] for token in tokens if not token.line[: token.start[1]].strip()}
    return {token.start[0] for token in tokens}, alone


def long_without_comments(text: str, block_lines: int) -> list[tuple[int, str]]:
    """Return line and name of each function with a body over MOST_LINES and too few comments.

    A comment counts on a line of its own; one of several lines counts once.
    """
    alone = comment_lines(text)[1]
    starts = alone - {line + 1 for line in alone}
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            body = node.body[ast.get_docstring(node, clean=False) is not None :]
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            wanted = length // block_lines if length > MOST_LINES else 0
            has = sum(node.lineno < line <= node.end_lineno for line in starts)
            found += [(node.lineno, node.name)] * (has < wanted)
    return found


def regexes(node: ast.AST, first: int = 0, last: int = 0) -> Iterator[tuple[int, str, int, int]]:
    """Yield line and pattern of the calls of `re`, and the first and last line of what has them.

    That is a statement (its head, if others are inside), or the item of a list over several lines.
    """
    if isinstance(node, ast.stmt):
        first, last = node.lineno, node.end_lineno or 0
        inside = getattr(node, "body", None)
        last = max(first, inside[0].lineno - 1) if inside else last
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=name), args=[pattern, *_]):
            if name in _REGEX_CALLS:
                yield node.lineno, written_pattern(pattern), first, last
    items: list[ast.AST | None] = []
    if isinstance(node, ast.List | ast.Tuple | ast.Set) and node.lineno != node.end_lineno:
        items = [*node.elts]
    if isinstance(node, ast.Dict) and node.lineno != node.end_lineno:
        items = [*node.values]
    for child in ast.iter_child_nodes(node):
        if child in items and isinstance(child, ast.expr):
            yield from regexes(child, child.lineno, child.end_lineno or 0)
        else:
            yield from regexes(child, first, last)


def written_pattern(node: ast.AST) -> str:
    """Return the text of a pattern as far as it is written there, with … for what is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(written_pattern, parts))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return written_pattern(left) + written_pattern(right)
        case ast.FormattedValue():
            return "…"
    return ""


def regexes_without_example(text: str) -> list[tuple[int, str]]:
    """Return line and pattern of each regex with no comment above or beside it, no text below it.

    One comment does for a statement; in a list over several lines each item has its own.
    """
    tree, (comments, alone) = ast.parse(text), comment_lines(text)
    texts = {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    found = []
    for line, pattern, first, last in regexes(tree):
        while last in alone:  # a comment on the block below, not on the head
            last -= 1
        has_example = (
            first - 1 in alone
            or last + 1 in texts
            or not comments.isdisjoint(range(first, last + 1))
        )
        if len(pattern) > SHORT_PATTERN and _REGEX_SIGNS & {*pattern} and not has_example:
            found.append((line, pattern))
    return found


@pytest.mark.parametrize("file", [*FILES, *TEXTS], ids=lambda file: str(file.relative_to(ROOT)))
def test_words_that_must_not_come_back(file: Path) -> None:
    found = faults(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


def test_each_exception_is_still_needed() -> None:
    needed: dict[str, set[str]] = {start: set() for start in ALLOWED}
    for file in (*FILES, *TEXTS):
        name = file.relative_to(ROOT).as_posix()
        for start in (start for start in ALLOWED if name.startswith(start)):
            needed[start] |= {word for _, word, _ in words_found(name, file.read_text("utf-8"))}
    idle = {start: words - needed[start] for start, words in ALLOWED.items()}
    assert not any(idle.values()), f"take these out of ALLOWED: {idle}"


def test_lines_have_at_most_100_columns() -> None:
    for file in FILES:
        name, lines = file.relative_to(ROOT).as_posix(), file.read_text("utf-8").splitlines()
        if name.split("/")[0] not in PACKAGES:
            continue  # Ruff looks at the others, but for comments that switch a check off
        long = [f"{name}:{number}" for number, line in enumerate(lines, 1) if len(line) > 100]
        assert not long, "\n".join(long)


def test_long_functions_have_comments() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: {name}: write above each block what it is for"
        for file in FILES
        if (block_lines := BLOCK_LINES.get(file.relative_to(ROOT).parts[0]))
        for line, name in long_without_comments(file.read_text("utf-8"), block_lines)
    ]
    assert not found, "\n".join(found)


def test_regexes_have_an_example() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: {pattern}: write an example above it"
        for file in FILES
        if file.relative_to(ROOT).parts[0] in PACKAGES
        for line, pattern in regexes_without_example(file.read_text("utf-8"))
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
        ("def f():  # Why.", "x = 1", MOST_LINES + 1, True),
        ("def f():\n    y = 1  # Why.", "x = 1", MOST_LINES + 1, True),
        ("def f():\n    y = '# text'", "x = 1", MOST_LINES, True),
        ("def f():", "x = 1  # noqa: F841", MOST_LINES + 1, True),
        ("def f():", "x = 1  # type: ignore[misc]", MOST_LINES + 1, True),
        ("class C:\n  def f():", "x = 1", MOST_LINES + 1, True),
        # 20 lines have a comment
        ("def f():\n    # Why.", "x = 1", 39, False),
        ("def f():\n    # Why.", "x = 1", 40, True),
        ("def f():\n    # Why.\n    # And on.", "x = 1", 40, True),
        ("def f():\n    # Why.\n    y = 1\n    # And then.", "x = 1", 57, False),
        ("def f():\n    # Why.\n    y = 1\n    # And then.", "x = 1", 58, True),
    ],
)
def test_a_long_function_without_comments_is_found(
    head: str, statement: str, lines: int, is_found: bool
) -> None:
    text = "\n".join([head, *[f"    {statement}"] * lines, "# Below it.\n"])
    assert [name for _, name in long_without_comments(text, 20)] == ["f"] * is_found


_CLOCK = r're.compile(r"\d+:\d+")'


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (f"X = {_CLOCK}\n", [1]),
        (f"# 4:30\nX = {_CLOCK}\n", []),
        (f"# 4:30\n\nX = {_CLOCK}\n", [3]),
        (f"X = {_CLOCK}  # 4:30\n", []),
        (f"X = {_CLOCK}  # noqa: E501\n", [1]),
        (f"X = {_CLOCK}\n'''4:30'''\n", []),
        (f"X = {_CLOCK}\n\n'''4:30'''\n", [1]),
        (f"# 4:30\nX = {_CLOCK}\nY = {_CLOCK}\n", [3]),
        (f"X = {_CLOCK}  # 4:30\nY = {_CLOCK}\n", [2]),
        # calls of all kinds, within functions, in heads of blocks
        ('def f(x):\n    return re.sub(r"\\s+$|^-", "", x)\n', [2]),
        ('def f(x):\n    # "- "\n    return re.sub(r"\\s+$|^-", "", x)\n', []),
        ('if re.search(r"^a.*bc$", x):\n    # Then.\n    y = 1\n', [1]),
        ('# abc\nif re.search(r"^a.*bc$", x):\n    y = re.split(", *and ", x)\n', [3]),
        # one comment for each item of a list
        (f"# 4:30\nX = [\n    {_CLOCK},\n    # 5:30\n    {_CLOCK},\n]\n", [3]),
        (f"# 4:30\nX = {{\n    1: {_CLOCK},  # 5:30\n    2: ({_CLOCK}, 3),\n}}\n", [4]),
        (f"# 4:30\nX = [{_CLOCK}, {_CLOCK}]\n", []),
        # patterns of several parts
        ('X = re.compile(\n    r"\\d+"\n    rf"{y}:\\d+"\n)\n', [1]),
        ('X = re.compile(\n    r"\\d+"  # 4\n    rf"{y}:\\d+"\n)\n', []),
        ('X = re.compile(r"\\d+:" + r"\\d+")\n', [1]),
        # short patterns, plain text, patterns of another place
        ('X = re.compile(r"\\d+")\nY = re.split("between", x)\n', []),
        ('X = re.compile(PATTERN)\nY = X.search("a.*b[0-9]")\nZ = re.escape("a.*b[0-9]")\n', []),
    ],
)
def test_a_regex_without_an_example_is_found(text: str, lines: list[int]) -> None:
    assert [line for line, _ in regexes_without_example(text)] == lines
