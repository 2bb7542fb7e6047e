"""The rules of the step verifier, one by one, on problems that show them."""

from __future__ import annotations

from typing import Any

import pytest

from mathse.figures.catalogue import family
from mathse.figures.items import Question
from mathse.figures.twins import meaning
from mathse.figures.verifier import Key, Unreadable, verify
from mathse.prompts import CLOSING


def key(
    name: str,
    kind: str,
    shown: dict[str, Any],
    choices: tuple[str, ...] = (),
    letter: str = "",
    **given: int | str,
) -> Key:
    kin, question = family(name), Question(kind, "?", given)
    answer = letter or kin.work(question, shown).answer
    return Key(kin, question, shown, choices, answer)


SQUARE = key("rectangle", "area", {"width": 2, "height": 2})
OBLONG = key("rectangle", "perimeter", {"width": 7, "height": 4})
CHOSEN = key("rectangle", "perimeter", {"width": 7, "height": 4}, ("11", "22", "28", "3"), "B")
READ = "1. The width is 7 and the height is 4."
SIDES = key("polygon", "expression", {"sides": ["x", "x", 5, 6], "letter": "x", "count": 2})
BALANCE = key("balance", "with", {"added": 40, "weight": 99}, more=12)
MACHINE = key("machine", "out", {"start": 4, "times": 3, "plus": 7})


@pytest.mark.parametrize(
    ("problem", "lines", "step", "kind"),
    [
        # a right number by a wrong calculation
        (SQUARE, ["1. The width is 2 and the height is 2.", "2. 2+2=4.", f"{CLOSING} 4."], 2, None),
        (OBLONG, ["1. The width is 7 and the height is 5.", "2. 7+4=11."], 1, "vision"),
        (OBLONG, [READ, "2. 7+4=12.", "3. 2*12=24.", f"{CLOSING} 24."], 2, "calculation"),
        # nothing was read, or one number of it
        (OBLONG, ["1. 7+4=11.", "2. 2*11=22.", f"{CLOSING} 22."], 1, "reasoning"),
        (OBLONG, ["1. The width is 7.", "2. 7+4=11."], 2, "reasoning"),
        (OBLONG, [READ, "2. 7+4=11.", "3. 3*11=33.", f"{CLOSING} 33."], 3, "knowledge"),
        (OBLONG, [READ, "2. 7-4=3.", f"{CLOSING} 3."], 2, None),  # true, and leads nowhere
        (OBLONG, [READ, "2. 7+4=11.", f"{CLOSING} 11."], 3, "reasoning"),  # stops too early
        (OBLONG, [READ, "2. 7+4=11.", "3. 2*11=22.", f"{CLOSING} 21."], 4, "reasoning"),
        (OBLONG, [READ, f"{CLOSING} 22."], 2, "reasoning"),  # right, and worked out nowhere
        (OBLONG, [READ, "2. 7+4=11.", "3. 2*11=22."], 3, "reasoning"),  # no answer is stated
        (OBLONG, [READ, "2. 7+4=11.", "3. 2*11=22.", f"{CLOSING} 22.", "5. 7+4=11."], 5, None),
        (CHOSEN, [READ, "2. 2*7+2*4=22.", "3. 22 is choice C.", f"{CLOSING} C."], 3, "question"),
        (CHOSEN, [READ, "2. 7+4=11.", "3. 11 is choice A.", f"{CLOSING} A."], 3, "reasoning"),
        (CHOSEN, [READ, "2. 2*7+2*4=22.", "3. 22 is choice B.", f"{CLOSING} C."], 4, "question"),
        (CHOSEN, [READ, f"{CLOSING} B."], 2, "question"),  # the letter alone, a guess
    ],
)
def test_the_first_fault_is_named(problem: Key, lines: list[str], step: int, kind: str) -> None:
    fault = verify(problem, "\n".join(lines))
    assert fault is not None and fault.step == step
    assert kind is None or fault.kind == kind


SIDES_READ = "1. The sides are x, x, 5, 6."
SIDES_END = ["3. x+x+5+6=2x+11.", f"{CLOSING} 2x+11."]
BALANCE_READ = "1. The balance shows x+40=99."
BALANCE_END = ["3. 99-40=59.", "4. 59+12=71.", f"{CLOSING} 71."]
MACHINE_READ = "1. The machine takes 4, times 3, plus 7."
MACHINE_END = ["3. 4*3=12.", "4. 12+7=19.", f"{CLOSING} 19."]


@pytest.mark.parametrize(
    ("problem", "lines", "wrong"),
    [
        (SIDES, [SIDES_READ, "2. x+x=2x.", *SIDES_END], "2. y+y=2y."),
        (SIDES, [SIDES_READ, "2. x+x=2x.", *SIDES_END], "2. x+x=2y."),
        (SIDES, [SIDES_READ, "2. x+x+5+6=2x+11.", f"{CLOSING} 2x+11."], f"{CLOSING} 2y+11."),
        (SIDES, [SIDES_READ, "2. 5+6=11.", *SIDES_END], "2. The perimeter is 5+6."),
        (BALANCE, [BALANCE_READ, "2. x=99-40.", *BALANCE_END], "2. x=12."),
        (MACHINE, [MACHINE_READ, "2. 4*3=12.", *MACHINE_END], "2. The result is 4*3."),
    ],
)
def test_letters_and_sentences_say_what_is_so(problem: Key, lines: list[str], wrong: str) -> None:
    """A right solution is wrong by one line, and there alone."""
    assert verify(problem, "\n".join(lines)) is None
    index = len(lines) - 1 if wrong.startswith(CLOSING) else 1
    lines = [*lines[:index], wrong, *lines[index + 1 :]]
    fault = verify(problem, "\n".join(lines))
    assert fault is not None and fault.step == index + 1


@pytest.mark.parametrize(
    ("problem", "lines"),
    [
        (SQUARE, ["1. The width is 2 and the height is 2.", "2. 2*2=4.", f"{CLOSING} 4."]),
        (OBLONG, [READ, "2. 4+7 is 11.", "3. So 11+11=22.", f"{CLOSING} 22."]),
        (OBLONG, [READ, "2. 7+4+7+4=22.", f"{CLOSING} 22."]),
        (OBLONG, [READ, "2. 2*(7+4)=22.", f"{CLOSING} 22."]),
        (OBLONG, [READ, READ.replace("1", "2", 1), "3. 2*(4+7)=22.", f"{CLOSING} 22."]),
        (OBLONG, [f"{READ} 7+4=11. 2*11=22.", f"{CLOSING} 22."]),  # one line, three sentences
        (CHOSEN, [READ, "2. 2*7+2*4=22.", "3. 22 stands at B.", f"{CLOSING} B."]),
        (CHOSEN, [READ, "2. 2*7+2*4=22.", f"{CLOSING} B."]),
        (CHOSEN, [READ, "2. 2*7+2*4=22.", f"{CLOSING} 22."]),
    ],
)
def test_any_way_that_leads_to_the_answer_is_right(problem: Key, lines: list[str]) -> None:
    assert verify(problem, "\n".join(lines)) is None


def test_what_would_be_right_is_said_where_it_is_known() -> None:
    misread = verify(OBLONG, "1. The width is 7 and the height is 5.")
    assert misread is not None and misread.right == READ
    wrong = verify(OBLONG, f"{READ}\n2. So 7+4=12.")
    assert wrong is not None and wrong.right == "2. So 7+4=11."


@pytest.mark.parametrize("line", ["Hm, well.", "7+4=", "2^3=8.", "7+4=11", "", "+" * 3000 + "=1."])
def test_a_line_in_no_known_wording_is_neither_right_nor_wrong(line: str) -> None:
    if not line:
        assert verify(OBLONG, "") is not None  # nothing was written: no answer is stated
        return
    with pytest.raises(Unreadable, match="step 2"):
        verify(OBLONG, f"{READ}\n2. {line}")


def test_equal_numbers_have_one_order_by_all_twins() -> None:
    for low in range(5, 35):  # a random order would agree now and then
        parts = key("stacked_bar", "less", {"parts": [low, 40, 40]})
        for some in (f"40+{low}={40 + low}", f"{low}+40={40 + low}"):
            text = f"1. The parts are {low}, 40, 40.\n2. {some}.\n{CLOSING} {40 + low}."
            assert verify(parts, text) is None


def test_a_problem_without_other_numbers_keeps_its_equal_ones() -> None:
    clock = family("clock")
    question = Question("hours earlier noon", "Which time was it 3 hours earlier?", {"count": 3})
    shown = {"hour": 3, "minute": 10}
    text = f"1. The clock shows 3:10.\n2. 3-3=0.\n3. 0+12=12.\n{CLOSING} 12:10."
    assert verify(Key(clock, question, shown, (), "12:10"), text) is None


def test_twins_have_the_shape_of_the_problem_and_other_numbers() -> None:
    found = meaning(family("bars"), Question("difference", "?", {"one": "B", "two": "A"}),
                    {"bars": {"A": 3, "B": 9}})  # fmt: skip
    assert len(found.twins) == 2
    for _, twin in found.twins:
        values = twin["bars"]
        assert isinstance(values, dict) and values["B"] > values["A"] and values["B"] != 9
