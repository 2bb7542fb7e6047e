"""Markers, conclusions, labels and mentions: what counts as one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mathse.answers import find_answer, markers
from mathse.answers.compare import compare
from mathse.answers.find_choice import labels_in, mentioned
from mathse.answers.options import read_options


@pytest.mark.parametrize(
    "text", ["   #### 5", "the answer answer is 5", "ANSWER: **5**", "ans = 5"]
)
def test_a_marker_is_found_in_any_case_and_wherever_it_starts(text: str) -> None:
    assert find_answer(text, answer_type="number") == "5"


@pytest.mark.parametrize("sentence", ["So on we go with 5", "and so it is 5"])
def test_a_word_inside_a_phrase_is_no_conclusion(sentence: str) -> None:
    assert not markers.concludes(sentence)


CONCLUSIONS = (
    "so it is 5|Therefore 5|Thus|hence|In conclusion, 5|in summary|finally 5|we get 5"
    "|we find|we have"
    "|we obtain|it follows|this means 5|I conclude|所以5|因此|故|综上|∴|\\therefore"
)


@pytest.mark.parametrize("sentence", CONCLUSIONS.split("|"))
def test_every_way_to_conclude_is_met(sentence: str) -> None:
    assert markers.concludes(sentence)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("It shows boxes.", 1),
        ("It is a pen. Here it is", 0),
        ("It is a pen.5", None),
        ("It is open.", None),
        ("It opens 5", 2),
        ("It is 5% of them", None),
        ("It is 5.5", None),
        ("It is 1/5", None),
        ("It is 5/6", None),
        ("It is -x+1", None),
    ],
)
def test_a_mention_is_no_part_of_a_longer_word_or_number(text: str, index: int | None) -> None:
    assert mentioned(text, read_options(("pen", "box", "5", "x+1"))) == index


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
