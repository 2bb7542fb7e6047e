"""Where answers stand in real-looking responses, and how kinds of answers compare."""

from __future__ import annotations

import pytest

from mathse.answers import check_one, find_answer
from mathse.answers.compare import compare
from mathse.core.errors import DataError

PLANTS = ("garter snakes", "hognose snakes", "hawks", "grasshoppers")
ANGLES = ("55°", "35°", "25°", "30°")


@pytest.mark.parametrize(
    ("response", "found"),
    [
        ("The answer is (C).", "C"),
        ("(b) 35°", "B"),
        ("D", "D"),
        ("**Answer: B**", "B"),
        ("\\boxed{\\text{(D)}}", "D"),
        ("所以答案是B。", "B"),
        ("故选：Ｃ", "C"),
        ("所以选项D是正确答案。", "D"),
        ("②", "B"),
        ("First A looks right. No: the angle is 25°.\n\nC", "C"),
        ("The correct answer is (A). The other options are (B) and (C).", "A"),
        ("Option (B): too big. Option (C): too small. Therefore, the answer is A.", "A"),
        ("The angle equals 35 degrees.", "B"),
        ("\\boxed{35^{\\circ}}", "B"),
        ("The answer is 35.0", "B"),
        ("(A), (C) and (D)", None),
        ("I cannot determine the angle from the picture.", None),
        ("(A) 55°\n(B) 35°\n(C) 25°\n(D) 30°", None),
    ],
)
def test_options(response: str, found: str | None) -> None:
    assert find_answer(response, question_type="multi_choice", choices=ANGLES) == found


@pytest.mark.parametrize(
    ("response", "found"),
    [
        ("Grasshoppers would be hit first.", "D"),
        ("If all the grass died, the grasshoppers would, as they feed the garter snakes.", "D"),
        ("Hawks eat snakes. Therefore, hawks are the most affected.", "C"),
        ("snakes and hawks", "C"),
    ],
)
def test_options_in_words(response: str, found: str) -> None:
    assert find_answer(response, question_type="multi_choice", choices=PLANTS) == found


@pytest.mark.parametrize(
    ("response", "found"),
    [
        ("Yes, it is.", "A"),
        ("A) no", "B"),
        ("Coral is not the roughest.", "B"),
        ("Coral is the roughest.", "A"),
        ("There is no information about Coral.", None),
        ("Is Coral the roughest?", None),
    ],
)
def test_yes_and_no(response: str, found: str | None) -> None:
    assert find_answer(response, question_type="multi_choice", choices=("yes", "no")) == found


def test_labels_that_are_not_positions() -> None:
    choices = ("A", "B", "D", "F", "G")
    assert find_answer("The answer is F.", question_type="multi_choice", choices=choices) == "F"
    assert check_one("F", "(F)", question_type="multi_choice", choices=choices).state == "match"
    assert check_one("F", "(D)", question_type="multi_choice", choices=choices).state == "mismatch"


@pytest.mark.parametrize(
    ("response", "found"),
    [
        ("3 + 4 = 7\nThe answer to this problem is 7.", "7"),
        ("There are 3 bags with at least 60 buttons.", "3"),
        ("There were two bags with at least 60 but fewer than 81 buttons.", "two"),
        ("The model has 9 dots in 3 equal groups. There are 3 dots in each group.", "3"),
        ("We get $x = \\frac { 20 } { 3 }$.", "\\frac { 20 } { 3 }"),
        ("The market share is highest in **2019**, with 25.8%.", "2019"),
        ("4.6 kg * $3 per kg = $13.8\n\nNatalie needs $13.8.", "$13.8"),
        ("The range is from 13 to 20.", "from 13 to 20"),
        ("#### 42", "42"),
        ("<think>maybe 5</think>\n最终答案：６", "6"),
        ("After step one \\boxed{1}. After step two \\boxed{8}.", "8"),
        ("The answer is 5.\n\nQuestion: what comes next?\nThe answer is 9.", None),
        ("As an AI, I am unable to view images.", None),
    ],
)
def test_numbers(response: str, found: str | None) -> None:
    said = find_answer(response, answer_type="number")
    assert (said if said is None or found is None else said.removeprefix("$")) == (
        found and found.removeprefix("$")
    )


@pytest.mark.parametrize(
    ("response", "found"),
    [
        ("The answer is $2x+1$ because both lines cross it twice.", "$2x+1$"),
        ("The answer is $2x$ and $3x$ in this order.", "$2x$ and $3x$ in this order"),
        ("The answer: it cannot be determined from this figure.", None),
        ("Ans: so it is \\boxed{x+1}", "x+1"),
    ],
)
def test_expressions(response: str, found: str | None) -> None:
    assert find_answer(response, answer_type="expression") == found


@pytest.mark.parametrize(
    ("gold", "said", "state"),
    [
        ("1234567", "1,234,567", "match"),
        ("1234", "1 234", "match"),
        ("0.5", "50%", "match"),
        ("28%", "28", "match"),
        ("28%", "0.28", "match"),
        ("28%", "2.8", "mismatch"),
        ("21", "$21 \\mathrm{~cm}$", "match"),
        ("60", "60°", "match"),
        ("60", "$60^{\\circ}$", "match"),
        ("3.50", "$3.50", "match"),
        ("1500", "1.5 * 10^3", "match"),
        ("1500", "1.5e3", "match"),
        ("21", "twenty-one", "match"),
        ("35", "三十五", "match"),
        ("12", "12厘米", "match"),
        ("12 cm", "12 厘米", "match"),
        ("12 cm", "12 平方厘米", "mismatch"),
        ("7/3", "2\\frac{1}{3}", "match"),
        ("7/3", "2 1/3", "match"),
        ("21/3", "2 1/3", "mismatch"),
        ("5/2", "3-1/2", "match"),
        ("\\frac{20}{3}", "6.67", "match"),
        ("\\frac{20}{3}", "6.66", "mismatch"),
        ("0.67", "2/3", "match"),
        ("7", "7.2", "mismatch"),
        ("7", "The range is from 0 to 7.", "mismatch"),
        ("√{3}", "\\sqrt3", "match"),
        ("√{3}", "1.73", "match"),
        ("√{3}", "1.74", "mismatch"),
        ("2π", "6.283", "match"),
        ("x = 5", "5", "match"),
        ("5", "x = 5", "match"),
        ("x = 5", "y = 5", "mismatch"),
        ("(1, 2)", "(2, 1)", "mismatch"),
        ("{1, 2}", "2 and 1", "match"),
        ("1, 2", "1", "mismatch"),
        ("1", "1, 2", "mismatch"),
        ("\\pm 3", "3, -3", "match"),
        ("\\pm 3", "3", "mismatch"),
        ("[0,1)", "(0,1)", "mismatch"),
        ("[0, 1)", "$[0,1)$", "match"),
        ("(-\\infty, 3)", "x < 3", "match"),
        ("x < 3", "3 > x", "match"),
        ("x < 3", "x > 3", "mismatch"),
        ("3:4", "6:8", "match"),
        ("3/4", "3:4", "match"),
        ("12:00", "1:00", "mismatch"),
        ("4:30", "4:30 PM", "match"),
        ("16:30", "4:30 pm", "match"),
        ("x^2+y^2=1", "x^2=1-y^2", "match"),
        ("(x+1)^2", "x^2+2x+1", "match"),
        ("(x+1)^2", "x^2+1", "mismatch"),
        ("\\sin^2 x + \\cos^2 x", "1", "match"),
        ("Evelyn", "**Evelyn**", "match"),
        ("Evelyn", "Briana", "mismatch"),
        ("yes", "Yes.", "match"),
    ],
)
def test_kinds_of_answers(gold: str, said: str, state: str) -> None:
    assert check_one(gold, said).state == state


def test_order_of_arguments_does_not_matter_for_plain_values() -> None:
    for left, right in (
        ("0.5", "1/2"),
        ("2x+3", "3+2x"),
        ("{1, 2}", "2, 1"),
        ("5 m", "500 cm"),
        ("3:4", "6:8"),
    ):
        assert compare(left, right).equal is True
        assert compare(right, left).equal is True


def test_precision_and_unit_of_the_problem_count() -> None:
    assert check_one("0.21", "0.214", answer_type="float", precision=2).state == "match"
    assert check_one("0.21", "0.216", answer_type="float", precision=2).state == "mismatch"
    assert check_one("8", "8 years", answer_type="integer", unit="years").state == "match"
    assert check_one("8", "8 cm", answer_type="integer", unit="years").state == "mismatch"
    assert check_one("8", "96 months", answer_type="integer", unit="years").state == "match"


def test_empty_gold_is_an_error_and_never_a_match() -> None:
    assert check_one("", "").state == "error"
    assert check_one(" ", "5").state == "error"


def test_explanation_is_for_a_person() -> None:
    text = check_one("3/8", "The answer to this problem is 6/16.").explain
    assert "match" in text and "3/8" in text and "6/16" in text and "same number" in text


def test_missing_column_is_named() -> None:
    import polars as pl

    from mathse.answers import check_rows

    with pytest.raises(DataError, match="lacks the column gold"):
        check_rows(pl.DataFrame({"response": ["5"]}))
