"""What rules decide where SymPy would be slow, or would take a number out of its sentence."""

from __future__ import annotations

import pytest

from mathse.answers import check_one
from mathse.answers.compare import compare
from mathse.answers.units import read_unit


@pytest.mark.parametrize(
    ("gold", "found", "equal"),
    [
        (r"8\sqrt{3}{squareinches}", r"8\sqrt{3}", True),
        (r"8\sqrt{3}{squareinches}", r"4\sqrt{3}", False),
        (r"8\sqrt{3}{squareinches}", r"8\sqrt{3} \text{ inches}", False),
        (r"\frac{3}{4}\pi{inches}", r"\frac34 \pi", True),
        (r"\sqrt{12}", r"2\sqrt{3}{cm}", True),
        ("13", "from 13 to 20", False),
        ("7", "from 0 to 7,", False),
        ("5", "2 for the red and 3 for the blue one", False),
        ("3", "x < 5", False),
        ("16", "the answer to this", False),
        ("16", "the answer is (E)", False),
        ("16", r"\infty", False),
        ("18", r"\emptyset", False),
        ("13", "(x-1)^2+(y+1)^2=16", False),
        ("6", "x-y=3-6=-3", False),
        ("22", "x+y+z = 27", False),
        ("x+y+z = 27", "22", False),
        ("4", "3^{2014}+2^{2014}-2", False),
        ("3^{2014}", r"3 \cdot 3^{2013}", True),
        ("3^{90000}", r"3 \cdot 3^{89999}", True),
        ("3^{90000}", "3^{90001}", False),
    ],
)
def test_rules_decide(gold: str, found: str, equal: bool) -> None:
    assert compare(gold, found).equal is equal


@pytest.mark.parametrize(
    ("gold", "found"),
    [
        ("12", "12 large red balls"),
        ("1000", "1,000 large red balls"),
        ("1/2", "1/2 of the whole pizza"),
        ("1/2", r"\frac{1}{2} of the whole pizza"),
        ("3.5", "3 hours 30 minutes"),
        ("6", "2 times 3"),
        ("27", "x+y+z = 27"),
        ("3", "2 for the red and 3 for the blue one"),
    ],
)
def test_rules_leave_open_what_may_be_equal(gold: str, found: str) -> None:
    assert compare(gold, found).equal is not False


@pytest.mark.parametrize("text", ["squareinches", "square inches", "sqin", "in^2"])
def test_a_power_may_be_joined_to_its_unit(text: str) -> None:
    assert read_unit(text) == read_unit("square inches") is not None


@pytest.mark.parametrize("text", ["squarely", "squares", "cumin", "cubicle"])
def test_a_word_that_begins_like_a_power_is_no_unit(text: str) -> None:
    assert read_unit(text) is None


@pytest.mark.parametrize(
    ("response", "state"),
    [
        (r"So the volume is \boxed{3}. The answer is: 5", "no_answer"),
        ("It is $\\boxed{3}$.\nThe answer is: 5", "no_answer"),
        (r"So the volume is \boxed{5}. The answer is: 5", "match"),
        (r"So the volume is \boxed{\frac{10}{2}}. The answer is 5 cm.", "match"),
        ("The side is \\boxed{3}. Then we add 2. The answer is: 5", "match"),
        (r"\boxed{B} The answer is: 5", "match"),
        (r"The answer is 3, no: \boxed{5}", "match"),
    ],
)
def test_a_box_and_another_statement_beside_it_are_no_single_answer(
    response: str, state: str
) -> None:
    verdict = check_one("5", response)
    assert verdict.state == state, verdict
    assert state == "match" or verdict.reason == "several_answers"


@pytest.mark.parametrize(
    ("gold", "found", "equal"),
    [
        ("a=1, b=2, c=3", "3, 2, 1", False),
        ("x=3, y=4", "4, 3", False),
        ("x=3, y=4", "3, 4", True),
        ("3, 4", "x=3, y=4", True),
        ("3, 4", "y=4, x=3", None),
        ("3, 4", "y=5, x=3", False),
        ("x=1 or x=-4", "$x_1=-4$, $x_2=1$", True),
        ("[0,1]", r"\{0,1\}", False),
        (r"\{0,1\}", "[0,1]", False),
        ("100%", "100 cm", False),
        ("100 cm", "100%", False),
        ("100%", "100", True),
    ],
)
def test_names_brackets_and_units_that_contradict(
    gold: str, found: str, equal: bool | None
) -> None:
    assert compare(gold, found).equal is equal


@pytest.mark.parametrize(
    ("gold", "found", "equal"),
    [
        (r"\frac{dy}{dx}", r"\frac{y}{x}", None),
        (r"\frac{d}{dx}", r"\frac{1}{x}", None),
        ("dy/dx", "xy", None),
        (r"\frac{dy}{dx}", r"\frac{dy}{dx}", True),
        (r"\frac{d}{2}", "0.5d", True),
        ("A'", "A", False),
        ("y''", "y", False),
        (r"\sqrt{x^2}", "x", None),
        ("|x|", "x", None),
        (r"\sqrt{x^2}", "|x|", True),
        (r"\sqrt{(x-9)^2}", "|9-x|", True),
        (r"\sqrt{xy}", r"\sqrt{x}\sqrt{y}", True),
        (r"\ln x^2", r"2\ln x", True),
        (r"\sqrt{x}", "x^{1/2}", True),
        (r"\sin 2x", r"2\sin x\cos x", True),
    ],
)
def test_derivatives_primes_and_negative_values(gold: str, found: str, equal: bool | None) -> None:
    assert compare(gold, found).equal is equal
