from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data import DATA, missing
from mathse.core.steps import (
    MISSING,
    diff_steps,
    parse_step_diff,
    render_step_diff,
    split_steps,
    step_tokens,
)

ANSWERS = DATA / "answers" / "gaokao_gpt4_zh.jsonl"


def test_lines_are_steps() -> None:
    response = "  Look: 3 and 4.\n\n3+4=7.\r\n \nThe answer to this problem is 7.\n"
    assert split_steps(response) == ["Look: 3 and 4.", "3+4=7.", "The answer to this problem is 7."]


MARKDOWN = r"""## Solution

**Step 1: The angle**
The sum of the angles is
$$
\begin{aligned}
a + b &= 90 \\
a &= 30
\end{aligned}
$$
where $a$ is given.

We need two facts:
- the first,
- the second.

| a | b |
|---|---|
| 30 | 60 |

---
Thus, \[
b = 60.
\]
$$c = 1$$
**The answer to this problem is 60.**"""


def test_markdown_and_formulas_stay_together() -> None:
    steps = split_steps(MARKDOWN)
    assert [step.split("\n")[0] for step in steps] == [
        "## Solution",
        "We need two facts:",
        "| a | b |",
        "Thus, \\[",
        "**The answer to this problem is 60.**",
    ]
    assert steps[0].endswith("$$\nwhere $a$ is given.") and steps[2].endswith("| 30 | 60 |\n---")
    assert steps[3].endswith("\\]\n$$c = 1$$") and steps[1].count("\n") == 2
    lines = [line.strip() for line in MARKDOWN.splitlines() if line.strip()]
    assert [line for step in steps for line in step.split("\n")] == lines


def test_items_without_a_line_before_them_are_steps_and_so_is_a_formula_that_does_not_end() -> None:
    assert split_steps("- 3+4=7\n- 7+1=8\nThe answer is 8.") == [
        "- 3+4=7", "- 7+1=8", "The answer is 8.",
    ]  # fmt: skip
    assert split_steps("So \\[ x\nThen 3.\nThe answer is 3.") == [
        "So \\[ x", "Then 3.", "The answer is 3.",
    ]  # fmt: skip


@pytest.mark.skipif(not ANSWERS.is_file(), reason=missing("answers"))
def test_the_steps_of_a_real_model_are_sentences_with_their_formulas() -> None:
    """GPT-4's Chinese solutions: no formula, heading or conjunction is a step of its own."""
    rows = ANSWERS.read_text(encoding="utf-8").splitlines()
    texts = [json.loads(row)["response"] for row in rows]
    lines = [[line for line in text.splitlines() if line.strip()] for text in texts]
    steps = [split_steps(text) for text in texts]
    assert max(map(len, lines)) > 30 and max(map(len, steps)) <= 20
    for step in (step for one in steps for step in one[1:-1]):
        assert not step.startswith(("$$", "\\[", "\\begin")) and step not in ("和", "其中")


def test_nothing_has_no_steps() -> None:
    assert split_steps(" \n\n") == []


@given(st.text())
def test_steps_hold_no_blanks_around_them_and_cut_the_same_again(text: str) -> None:
    steps = split_steps(text)
    assert all(step and step == step.strip() for step in steps)
    assert split_steps("\n".join(steps)) == steps


def test_tokens_are_what_a_step_says() -> None:
    assert step_tokens("2. 12+5=17.") == ["12", "+5", "=17"]
    assert step_tokens("The balance shows x+27=48.") == ["balance", "shows", "x", "+27", "=48"]
    assert step_tokens("The clock shows 7:05.") == ["clock", "shows", "7", ":05"]
    assert step_tokens("The answer to this problem is 2a+3.") == ["2a", "+3"]
    assert step_tokens("3*b=-6.5, so |b| is 2,5") == ["3", "*b", "=-6.5", "b", "2", "5"]
    assert step_tokens("...") == []


def test_a_comparison_ends_at_the_first_difference() -> None:
    assert diff_steps("3+4=7.", "1. 3+5=8.") == [("3", "3"), ("+4", "+5")]
    assert diff_steps("3+4=7.", "3+4") == [("3", "3"), ("+4", "+4"), ("=7", MISSING)]
    assert diff_steps("3", "3+4") == [("3", "3"), (MISSING, "+4")]
    assert render_step_diff(2, "3+4=7.", "3+4=8.") == "2. 3|3 +4|+4 =7|=8 wrong"
    assert render_step_diff(1, "...", "?") == "1. right"
    assert render_step_diff(1, "", "none") == "1. none|none wrong"  # a word as `MISSING` is


@given(st.text(), st.text())
def test_a_check_is_read_back_and_judged_by_its_pairs(right: str, other: str) -> None:
    for shown in (right, other):
        check = render_step_diff(7, right, shown)
        assert parse_step_diff(check) == diff_steps(right, shown)
        assert check.endswith("right") == (step_tokens(right) == step_tokens(shown))
