from __future__ import annotations

import pytest

from mathse.figures.terms import NotAnExpression, addends, atoms, read, value, work_out


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("3+4*5", "23"),
        ("2*(3+4)", "14"),
        ("6/8", "3/4"),
        ("6/3", "2"),
        ("x+x+x", "3x"),
        ("n*3", "3n"),
        ("3x-2x", "x"),
        ("180-90-30", "60"),
        ("5-12", "-7"),
        ("3--4", "7"),
    ],
)
def test_results_have_their_usual_form(text: str, result: str) -> None:
    assert work_out(text) == result


def test_unlike_terms_are_no_single_result() -> None:
    with pytest.raises(NotAnExpression, match="several terms"):
        work_out("3x+7")
    assert value(read("3x+7"), 0) == value(read("7+x+2x"), 0)
    assert value(read("3x+7"), 1) != value(read("3x+7"), 0)


@pytest.mark.parametrize("text", ["", "3+", "(3", "3)", "a b", "how", "3..4", "+3", "2^3", "()"])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(NotAnExpression):
        read(text)


def test_deep_nesting_is_refused_and_not_followed() -> None:
    with pytest.raises(NotAnExpression):
        read("(" * 5000 + "1" + ")" * 5000)
    with pytest.raises(NotAnExpression):
        read("-" * 5000 + "1")
    with pytest.raises(NotAnExpression):
        read("+".join(["1"] * 5000))


def test_parts_of_an_expression() -> None:
    assert [atom.text for atom in atoms(read("3x+(4-5)*6"))] == ["3x", "4", "5", "6"]
    assert len(addends(read("1+2*3+4"))) == 3 and len(addends(read("1-2"))) == 1


def test_division_by_zero_is_an_error_of_its_own() -> None:
    with pytest.raises(ZeroDivisionError):
        value(read("3/(2-2)"))
