from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mathse.core.steps import split_steps


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
