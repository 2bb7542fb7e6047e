"""Properties: gold matches itself and other spellings of its value, but no other value."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mathse.answers import check_one
from mathse.answers.check_answer import Task, Verdict, judge

FAST = settings(max_examples=150, deadline=None)
WHOLE = st.integers(min_value=-(10**7), max_value=10**7)
LETTER = "ABCDE"


def state(gold: str, response: str, kind: str | None = None, choices: tuple[str, ...] = ()) -> str:
    """Judge by rules alone: none of these cases may need SymPy."""
    result = judge(Task(gold, response, None, kind, choices))
    assert isinstance(result, Verdict), f"left to SymPy: {gold!r} and {response!r}"
    return result.state


def spellings(value: int) -> list[str]:
    return [
        f"{value}",
        f"{value:,}",
        f"${value}$",
        f"\\boxed{{{value}}}",
        f"**{value}**",
        f"{value}.0",
        f"{value}.",
        f"Answer: {value}",
        f"The answer to this problem is {value}.",
        f"答案是 {value}。",
        f"x = {value}",
        f"{value} cm",
        f"Therefore, we get {value} apples.",
        f"\\text{{{value}}}",
        f"{value:,}".replace(",", "{,}"),
        f"2x = {2 * value}, so x = {value}.",
        "".join(chr(ord(char) + 0xFEE0) if char.isdigit() else char for char in str(value)),
    ]


@FAST
@given(WHOLE, WHOLE, st.integers(0, 16))
def test_integer_spellings(value: int, other: int, index: int) -> None:
    assert state(str(value), spellings(value)[index], "number") == "match"
    assume(other != value)
    assert state(str(other), spellings(value)[index], "number") == "mismatch"


@FAST
@given(
    st.integers(-500, 500),
    st.integers(2, 97),
    st.integers(1, 9),
    st.sampled_from(["frac", "dfrac", "tfrac"]),
)
def test_fraction_spellings(above: int, below: int, factor: int, command: str) -> None:
    value = Fraction(above, below)
    gold = f"{above}/{below}"
    sign = "-" if above < 0 else ""
    latex = f"{sign}\\{command}{{{abs(above) * factor}}}{{{below * factor}}}"
    for said in (
        latex,
        f"${latex}$",
        f"\\boxed{{{latex}}}",
        f"{above * factor}/{below * factor}",
        latex.replace("{", "{ "),
    ):
        assert state(gold, said, "number") == "match", said
        assert state(f"{above + below}/{below}", said, "number") == "mismatch", said
    if value > 1 and value.denominator > 1:
        whole, rest = divmod(value.numerator, value.denominator)
        for mixed in (
            f"{whole} {rest}/{value.denominator}",
            f"{whole}\\frac{{{rest}}}{{{value.denominator}}}",
        ):
            assert state(gold, mixed, "number") == "match", mixed


@FAST
@given(st.integers(-40, 40), st.integers(-40, 40), st.integers(-9, 9))
def test_linear_expressions(slope: int, shift: int, change: int) -> None:
    assume(slope and change)
    gold = f"{slope}x{shift:+d}"
    for said in (
        f"{shift}{slope:+d}x",
        f"$y = {slope}x {shift:+d}$",
        f"{slope}*x + ({shift})",
        f"-({-slope}x - {shift})",
        f"The answer to this problem is {slope}x{shift:+d}.",
    ):
        assert state(gold, said, "expression") == "match", said
    assert state(gold, f"{slope}x{shift + change:+d}", "expression") == "mismatch"
    assert state(gold, f"{slope + change}x{shift:+d}", "expression") == "mismatch"


@FAST
@given(
    st.lists(st.integers(-99, 99), min_size=2, max_size=5, unique=True),
    st.randoms(use_true_random=False),
    st.integers(100, 200),
)
def test_lists_are_strict_and_sets_free_of_order(
    values: list[int], random: object, extra: int
) -> None:
    gold = ", ".join(map(str, values))
    shuffled = sorted(values)
    for said in (
        ", ".join(map(str, shuffled)),
        "{" + ", ".join(map(str, shuffled)) + "}",
        " and ".join(map(str, shuffled)),
        "$" + ", ".join(map(str, shuffled)) + "$",
    ):
        assert state(gold, said, "set") == "match", said
    assert state(gold, ", ".join(map(str, values[1:])), "set") == "mismatch"
    assert state(gold, ", ".join(map(str, [*values, extra])), "set") == "mismatch"
    pair = f"({values[0]}, {values[1]})"
    assert state(pair, pair, "set") == "match"
    assert state(pair, f"({values[1]}, {values[0]})", "set") == "mismatch"


@FAST
@given(
    st.lists(st.integers(1, 500), min_size=5, max_size=5, unique=True),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_choices_by_letter_text_and_value(values: list[int], right: int, said: int) -> None:
    choices = tuple(f"{value} cm" for value in values)
    expected = "match" if right == said else "mismatch"
    for answer in (
        LETTER[said],
        f"({LETTER[said]})",
        f"\\boxed{{{LETTER[said]}}}",
        f"The answer is ({LETTER[said]}).",
        f"答案:{LETTER[said]}",
        f"故选{LETTER[said]}",
        choices[said],
        f"${values[said]} \\mathrm{{~cm}}$",
        f"**Answer: {LETTER[said]}**",
        f"{LETTER[said]}. {choices[said]}",
    ):
        assert state(LETTER[right], answer, "choice", choices) == expected, answer
        assert state(choices[right], answer, "choice", choices) == expected, answer


@FAST
@given(st.integers(1, 12), st.integers(0, 59), st.integers(1, 11))
def test_clock_times(hour: int, minute: int, later: int) -> None:
    gold = f"{hour}:{minute:02d}"
    assert state(gold, f"The answer to this problem is {gold}.", "text") == "match"
    assert state(gold, f"{gold} PM", "text") == "match"
    assert state(gold, f"{(hour + later - 1) % 12 + 1}:{minute:02d}", "text") == "mismatch"


@FAST
@given(st.integers(1, 999), st.integers(1, 99))
def test_units_may_be_missing_but_not_contradict(value: int, other: int) -> None:
    assert state(f"{value} cm", str(value), "number") == "match"
    assert state(str(value), f"{value} cm", "number") == "match"
    assert state(f"{value} cm", f"{value} kg", "number") == "mismatch"
    assert state(f"{value} cm", f"{value} cm^2", "number") == "mismatch"
    assert state(f"{value} m", f"{value * 100} cm", "number") == "match"
    assert state(f"{value} m", f"{value} cm", "number") == "mismatch"


@FAST
@given(st.integers(2, 60).filter(lambda n: int(n**0.5) ** 2 != n), st.integers(1, 30))
def test_surds_and_pi(radicand: int, factor: int) -> None:
    for gold, said in (
        (f"{factor}\\sqrt{{{radicand}}}", f"{factor}√{radicand}"),
        (f"{factor}\\pi", f"{factor}π"),
        (f"{factor}\\sqrt{{{radicand}}}", f"\\sqrt{{{radicand * factor * factor}}}"),
    ):
        assert state(gold, said, "number") == "match", said
        assert state(gold, f"{said}+1", "number") == "mismatch", said
        assert state(said, gold, "number") == "match", said


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_any_text_gets_a_state(text: str) -> None:
    for kind in ("number", "choice", "expression", None):
        judge(Task("5", text, None, kind, ("5", "6") if kind == "choice" else ()))
        judge(Task(text, "5", None, kind))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(
        [
            "13",
            "3/8",
            "2x+3",
            "B",
            "4:30",
            "\\frac{1}{2}",
            "x^2+y^2=1",
            "(1, 2)",
            "[0,1)",
            "yes",
            "60°",
            "7:32",
        ]
    )
)
def test_gold_matches_itself(gold: str) -> None:
    assert check_one(gold, gold).state == "match"
    assert check_one(gold, f"Some steps.\nThe answer to this problem is {gold}.").state == "match"
