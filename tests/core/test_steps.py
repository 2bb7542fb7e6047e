from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mathse.core.steps import (
    MISSING,
    diff_steps,
    parse_step_diff,
    render_step_diff,
    split_steps,
    step_tokens,
)


def test_lines_are_steps() -> None:
    response = "  Look: 3 and 4.\n\n3+4=7.\r\n \nThe answer to this problem is 7.\n"
    assert split_steps(response) == ["Look: 3 and 4.", "3+4=7.", "The answer to this problem is 7."]


def test_nothing_has_no_steps() -> None:
    assert split_steps(" \n\n") == []


@given(st.text())
def test_steps_hold_no_blanks_around_them_and_cut_the_same_again(text: str) -> None:
    steps = split_steps(text)
    assert all(step and step == step.strip() for step in steps)
    assert split_steps("\n".join(steps)) == steps


def test_pieces_are_what_a_step_says() -> None:
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


@given(st.text(), st.text())
def test_a_check_is_read_back_and_judged_by_its_pairs(right: str, other: str) -> None:
    for shown in (right, other):
        check = render_step_diff(7, right, shown)
        assert parse_step_diff(check) == diff_steps(right, shown)
        assert check.endswith("right") == (step_tokens(right) == step_tokens(shown))
