"""Plain search in place of patterns: it has to find what the patterns find."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mathse.answers import markers
from mathse.answers.compare import compare
from mathse.answers.mentions import _occurrences, labels_in, mentioned
from mathse.answers.options import read_options

PHRASES = (
    "The answer is|ANSWER:|answers|ans|result =|solutions|#### 5|  ### 7|####|options"
    "|answer choices are|choice"
    "|so|So on|also|thus|Hence|we get|we|conclude|\n|\n  |.|!|?|e.g.|3.5|5.| |x|12|(B)|**|:|=|İ"
    "|答案是|因此|$|1."
)
WORDS = PHRASES.split("|")
TEXTS = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.lists(
    st.sampled_from(WORDS)
).map("".join)


@settings(deadline=None, max_examples=400)
@given(TEXTS)
@example("   #### 5")
@example("the answer answer is 5")
def test_markers_are_where_the_pattern_finds_them(text: str) -> None:
    found = [match.span() for match in markers._marker_matches(text)]
    assert found == [match.span() for match in markers._MARKER.finditer(text)]


@settings(deadline=None, max_examples=400)
@given(TEXTS)
def test_a_conclusion_is_what_the_pattern_calls_one(text: str) -> None:
    assert markers.concludes(text) == (markers._CONCLUSION.search(text) is not None)


CONCLUSIONS = (
    "so it is 5|Therefore 5|Thus|hence|In conclusion, 5|in summary|finally 5|we get 5"
    "|we find|we have"
    "|we obtain|it follows|this means 5|I conclude|所以5|因此|故|综上|∴|\\therefore"
)


@pytest.mark.parametrize("sentence", CONCLUSIONS.split("|"))
def test_every_way_to_conclude_is_met(sentence: str) -> None:
    assert markers.concludes(sentence)


OPTIONS = ["pen", "box", "5", "x+1", "4:30", "no", "1/2"]


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from(OPTIONS),
    st.lists(st.sampled_from([*OPTIONS, "es", "s", *" ./^°_\\"]), max_size=12).map("".join),
)
@example("box", "boxes")
@example("pen", "a pen. 5")
@example("pen", "a pen.5")
def test_mentions_are_where_a_pattern_would_find_them(words: str, text: str) -> None:
    plural = "(?:e?s)?" if words[-1].isalpha() else ""
    pattern = re.compile(rf"(?<![\w.^/\\]){re.escape(words)}{plural}(?![\w^/%°]|\.\d)")
    assert list(_occurrences(words, text)) == [match.span() for match in pattern.finditer(text)]


LABELS = (
    "option B|Choice: B|the letter B|选B|选项 B|figure B|Graph B"
    "|picture B|image B|shape B|(B)|( b )"
    "|[B]|Options are many, but letter B"
)


@pytest.mark.parametrize("text", LABELS.split("|"))
def test_every_way_to_name_a_label_is_met(text: str) -> None:
    options = read_options(("red", "blue", "green"))
    assert labels_in(text, options) == {1}
    assert labels_in(text.replace("B", "D").replace("b", "d"), options) == set()


@pytest.mark.parametrize("word", ["likely", "most likely", "probably", "also", "then"])
def test_a_word_that_only_hedges_does_not_hide_a_mention(word: str) -> None:
    assert (
        mentioned(f"It is {word} falling slowly.", read_options(("is falling", "is rising"))) == 0
    )


@pytest.mark.parametrize(
    "text", ["Garter snakes: they eat frogs", "garter snakes. They eat", "so garter snakes"]
)
def test_a_point_or_colon_ends_a_mention(text: str) -> None:
    assert mentioned(text, read_options(("garter snakes", "hawks"))) == 0


@pytest.mark.parametrize("gold", ["\\boxed{2x+1}", "\\boxed {2x+1}.", " \\boxed{2x+1} ", "2x+1"])
def test_a_box_around_either_side_does_not_count(gold: str) -> None:
    assert compare(gold, "2x+1").equal is True
    assert compare("2x+1", gold).equal is True


def test_a_process_that_judges_by_rules_loads_no_polars() -> None:
    code = "import sys, mathse.answers.rules_worker; print('polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
