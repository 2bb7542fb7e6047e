"""What beside a number or an option changes, denies or takes it back, and what does not."""

from __future__ import annotations

import pytest

from mathse.answers import check_one

NO_FIVE = r"""
The answer won't be 5. | x does not equal 5. | The answer doesn't equal $5$. | It won't be 5
The answer is anything but 5. | The answer is 5 minus 2. | The answer is 6 minus 5.
The answer is 5 plus 2. | The answer is 5 divided by 6. | The answer is 6 divided by 5.
The answer is 5 to the power of 3. | The answer is log 5. | The answer is $\log 5$. | It is \ln 5
The answer is almost 5. | The answer is 5 or more. | The answer is $5$ or more. | 5 or less
The answer is up to 5. | The answer is under 5. | The answer is 5‰. | 5 over 6 | It is 5 over 6.
5 times 6 | It is 5 times 6. | 5 choose 2 | It is 5 choose 2. | 5 root 2 | It is 5 root 2.
the reciprocal of 5 | It is divisible by 5. | It is 5 modulo 3
5 times $x$ | It is 5 times a number | the answer is 5 below zero | 5 below zero
答案大于5 | 答案是负5 | 至少5 | 5以上 | 超过5个
Is the answer 5? No. | Is it 5?
The answer is 5. Wait, actually it's 6. | The answer is 5. Wait, that is wrong.
\boxed{5}. Wait, it is 6. | So we get 5. Oops, I made a mistake.
five point two | The answer is five or six. | The answer is five minus two. | two dozen
The answer is five squared. | It is five times six. | It is minus five. | five hundred and one
"""
FIVE = r"""
The answer is 5 times. | 3 times 5 is 15, so it is 5 | 20 divided by 4 is 5. | 10 minus 5 equals 5.
He has 5 over the weekend. | It increases by 5. | Is it 6? No, it is 5. | What is 2+3? 5
The answer is 5. Wait, let me check: 2+3=5. | Wait, no. It is 5. | There are 5 choices | 共有5个
5 times as many | 5 times a day | There are 5 people over 60. | He must wait 5 minutes.
The answer is about 5. | The answer is five. | There are five cats. | The number is non-negative: 5
"""


def parts(table: str) -> list[str]:
    return [part.strip() for part in table.strip().replace("\n", "|").split("|")]


@pytest.mark.parametrize("said", parts(NO_FIVE))
def test_an_altered_or_denied_number_is_not_stated(said: str) -> None:
    assert check_one("5", said).state != "match"


@pytest.mark.parametrize("said", parts(FIVE))
def test_a_number_beside_harmless_words_is_stated(said: str) -> None:
    assert check_one("5", said).state == "match"


@pytest.mark.parametrize(
    ("gold", "said", "same"),
    [
        ("-5", "The answer is negative 5.", True),
        ("-5", "The answer is negative $5$.", True),
        ("-5", "So it is minus 5", True),
        ("-5", "答案是负5", True),
        ("-5", "It is 6 minus 5", False),
        ("5:7", "The ratio of boys to girls is 5 to 7.", True),
        ("2", "The answer is two and a half.", False),
        ("2", "two dozen", False),
        ("3", "Three fifths of the cake is left.", False),
        ("3/5", "Three fifths of the cake is left.", True),
        ("1", "So one fifth of the cake is left.", False),
        ("1/5", "It is one fifth of the cake.", True),
        ("x+1", "The answer is $x+1$. Wait, it is $x+2$.", False),
        ("x+1", "The answer is $x+1$. Wait, yes: it is $x+1$.", True),
    ],
)
def test_signs_and_words_beside_a_number(gold: str, said: str, same: bool) -> None:
    assert (check_one(gold, said).state == "match") == same


POWERS = ("2", "4", "8", "16")
NO_TWO = r"""
The answer is $\boxed{-2}$. | $\boxed{2\sqrt{3}}$ | The area is $\boxed{2\pi}$.
The answer is 2,500. | The answer is more than 2 | The answer is at least 2. | x ≠ 2
So the final value is -2. | 2 is wrong | The answer is not 2. | 2 to 3 | 2.5 | \boxed{\frac{1}{2}}
So we get 2x. | The answer is 22. | There are 2 cats. The answer is 3.
"""
TWO = r"""
The answer is 2. | 2 cm | So x = 2. | The answer is 2 apples. | We get 2 | There are 2 of them.
The value is **2** | $\boxed{2}$ | The answer is $\frac{4}{2}$. | So it is A
"""


@pytest.mark.parametrize("said", parts(NO_TWO))
def test_a_value_that_only_holds_an_options_digits_is_not_the_option(said: str) -> None:
    assert check_one("A", said, choices=POWERS).state == "no_answer"


@pytest.mark.parametrize("said", parts(TWO))
def test_the_value_of_an_option_is_the_option(said: str) -> None:
    assert check_one("A", said, choices=POWERS).state == "match"


@pytest.mark.parametrize("said", ["15!", "15\\%", "\\sqrt{15}", "12 to 15", "\\boxed{15!}"])
def test_another_value_of_the_same_digits_is_no_option(said: str) -> None:
    assert check_one("C", said, choices=["10", "13", "15", "17"]).state == "no_answer"


def test_a_product_is_none_of_its_factors() -> None:
    for gold in "ABCD":
        state = check_one(gold, "2√3", choices=["√2", "2", "√3", "3"]).state
        assert state == "no_answer", gold


TREND = ("increase", "decrease", "stay the same")
COLOURS = ("red", "blue", "green", "pink")


@pytest.mark.parametrize(
    ("gold", "said", "choices", "same"),
    [
        ("A", "It won't increase.", TREND, False),
        ("A", "It doesn't increase", TREND, False),
        ("A", "It cannot increase.", TREND, False),
        ("A", "The price will never increase.", TREND, False),
        ("A", "No increase.", TREND, False),
        ("A", "Increase is wrong.", TREND, False),
        ("A", "It is not going to increase.", TREND, False),
        ("A", "Neither increase nor decrease", TREND, False),
        ("A", "It will increase? No.", TREND, False),
        ("A", "It will increase.", TREND, True),
        ("A", "No, it will increase.", TREND, True),
        ("A", "It will increase, not decrease.", TREND, True),
        ("A", "It won't decrease but increase.", TREND, True),
        ("A", "It does not decrease; it will increase.", TREND, True),
        ("A", "This isn't true.", ("true", "false"), False),
        ("B", "15 is wrong.", ("12", "15"), False),
        ("B", "The answer isn't 15.", ("12", "15"), False),
        ("A", "A rectangle, not a square.", ("rectangle", "square"), True),
        ("A", "A rectangle is not a square.", ("rectangle", "square"), False),
        ("B", "It is not a rectangle but a square.", ("rectangle", "square"), True),
        ("C", "故不选C", POWERS, False),
        ("C", "不能选C", POWERS, False),
        ("C", "故选C", POWERS, True),
        ("B", "Eliminating A, C and D, we get B.", COLOURS, True),
        ("C", "It can't be A, B or D, so C.", COLOURS, True),
        ("A", "So we do not choose A.", COLOURS, False),
        ("A", "The answer is A. Wait, it is B.", COLOURS, False),
        ("A", "(A). Wait, that is wrong: (B).", COLOURS, False),
        ("C", "The answer is A. Wait, the answer is C.", COLOURS, True),
    ],
)
def test_options_that_are_denied(
    gold: str, said: str, choices: tuple[str, ...], same: bool
) -> None:
    assert (check_one(gold, said, choices=choices).state == "match") == same


SUMS = ("2x", "2x+3", "x+3", "(1,2)")


@pytest.mark.parametrize(
    ("gold", "said", "same"),
    [
        ("B", "The answer is 2x+3.", True),
        ("A", "So the answer is $2x$.", True),
        ("C", "We get x+3", True),
        ("D", "It is the point P(1,2).", True),
        ("A", "The answer is 2x+5.", False),
        ("A", "y = 2x-1", False),
        ("C", "So it is -x+3", False),
        ("C", "So it is at least x+3", False),
    ],
)
def test_a_formula_is_no_part_of_a_longer_one(gold: str, said: str, same: bool) -> None:
    assert (check_one(gold, said, choices=SUMS).state == "match") == same
