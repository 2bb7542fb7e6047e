"""Each kind of value: another spelling matches, anything changed, added or cut off does not."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mathse.answers import check_one
from mathse.answers.check_answer import Task, Verdict, judge

FRAMES = ("The answer is ${}$.", "\\boxed{{{}}}", "{}", "So we get ${}$.")

# gold: (the same, something else), each separated by blanks around a bar
KINDS = {
    r"5": (
        r"5.0 | +5 | x=5 | \frac{10}{2} | 5\text{ apples} | 5\text{ cm}",
        r"5x | -5 | \pm 5 | 5^2 | 5! | 5.5 | 50 | x^5 | \frac{5}{2} | (5,6)"
        r" | [5,6] | 5:6 | 5i | 5\pi"
        r" | 5 \text{ or } 6 | \sqrt{5} | x<5 | x \ne 5 | 5 \times 10^3 | 5e3 | 5°30' | 5,000 | 5n"
        r" | 5\text{ million} | 5\frac12 | 1/5 | 5P_2 | 5 \text{ dozen}"
        r" | 2+3i | 5\cdots | -(-(-5))",
    ),
    r"\frac{1}{2}": (
        r"0.5 | 50\% | 1/2 | \frac{2}{4} | 1:2 | \tfrac12 | \frac12",
        r"\frac{1}{3} | \frac{1}{20} | \frac{11}{2} | -\frac{1}{2}"
        r" | 1\frac{1}{2} | \frac{1}{2}x | 2"
        r" | 1:3 | \frac{1}{2+1} | \left(\frac{1}{2}\right)^2",
    ),
    r"\frac{1}{3}": (
        r"0.\overline{3} | 0.\dot{3} | 0.33 | 2/6",
        r"0 | 0.3 | 0.\overline{2} | 0.34",
    ),
    r"20\%": (r"20 | 0.2 | \frac15 | 20 \%", r"0.02 | 2\% | 200\% | 20x | -20\%"),
    r"4.5\times 10^{-7}": (
        r"4.5×10⁻⁷ | 4.5e-7",
        r"45 | 4.5 | 4.5\times 10^{7} | 4.5\times 10^{-6}",
    ),
    r"53_8": (r"43 | 53_{8} | 53 (base 8) | 53 in base 8", r"53 | 53_9 | 35_8"),
    r"2\sqrt{3}": (
        r"\sqrt{12} | 3.46 | 2\sqrt3 | 2√3",
        r"3\sqrt{2} | 2\sqrt{3}i | -2\sqrt{3} | \pm 2\sqrt{3} | 2 | \sqrt{3} | 2\sqrt[3]{3} | 3.5",
    ),
    r"12 \text{ cm}": (
        r"12 | 0.12 \text{ m} | 120 \text{ mm} | 12厘米",
        r"12 \text{ m} | 12 \text{ cm}^2 | 120 \text{ cm} | 12 \text{ kg} | 1.2 \text{ cm}",
    ),
    r"60 \text{ km/h}": (
        r"60 | 60 \text{ km per hour} | 60千米/时",
        r"60 \text{ m/s} | 60 \text{ km} | 60 \text{ h} | 60 \text{ mph}",
    ),
    r"3 \text{ h } 30 \text{ min}": (
        r"3.5 \text{ hours} | 210 \text{ min}",
        r"3 | 3 \text{ h} | 30",
    ),
    r"45^\circ 15'": (r"45.25^\circ | 45°15′", r"45^\circ | 15 | 45^\circ 15'' | 45^\circ 51'"),
    r"30^\circ": (
        r"30 | 30° | \frac{\pi}{6} | 30 \text{ degrees}",
        r"31^\circ | -30^\circ | 300^\circ | 30 \text{ cm} | 30' | \frac{\pi}{3} | 30^\circ 30'",
    ),
    r"\sin 30^\circ": (r"0.5 | \frac12", r"-0.988 | \sin 30 | \cos 30^\circ"),
    r"x^2+1": (
        r"1+x^2 | y=x^2+1 | f(x)=x^2+1 | x \cdot x+1",
        r"x^2-1 | x^2+2 | y^2+1 | x^2 | x^3+1 | (x+1)^2 | -x^2+1 | x^2+1=0 | 2x^2+2",
    ),
    r"\frac{2}{x}+\frac{3}{y}": (r"\frac{2y+3x}{xy}", r"\frac{2y+3x}{xyz} | \frac{5}{xy}"),
    r"2-3i": (r"-3i+2 | 2 - 3i", r"2+3i | -2-3i | 3-2i | 2-3 | 2-3x"),
    r"\sin x": (r"\sin(x)", r"\cos x | \sin y | \sin 2x | \sin^2 x | x | -\sin x | \arcsin x"),
    r"\arctan x": (r"\tan^{-1} x", r"\tan x | \cot x | \frac{1}{\tan x}"),
    r"x=1, y=2": (
        r"y=2, x=1 | x = 1 \text{ and } y = 2 | (1,2) | \begin{cases}x=1\\ y=2\end{cases}",
        r"x=2, y=1 | x=1 | y=2 | x=1, z=2 | x=1, y=2, z=3 | x=1, y=-2 | (2,1) | a=1, b=2",
    ),
    r"a=-1, b=2": (r"b=2, a=-1", r"a=2, b=-1 | a=-1 | a=-1, c=2"),
    r"1101_{\text{two}}": (r"1101_2 | 13", r"1101 | 1101_3 | 1101_{(3)}"),
    r"\pm 3": (r"3, -3 | -3 \text{ or } 3 | x=\pm 3", r"3 | -3 | \pm 4"),
    r"(1,2)": (
        r"(1, 2) | (\frac22, 2) | (x,y)=(1,2) | P(1,2)",
        r"(2,1) | [1,2] | (1,2] | (1,2,3) | 1 | (1,-2) | (1.2) | 12",
    ),
    r"\{1,2,3\}": (r"\{3,2,1\} | 1,2,3 | 3, 1, 2", r"\{1,2\} | \{1,2,4\} | \{1,2,3,4\} | 1 | 123"),
    r"[1,2)": (
        r"1\le x<2 | x\in[1,2) | \{x \mid 1 \le x < 2\} | 2 > x \ge 1",
        r"(1,2) | [1,2] | (1,2] | [1,3) | [-1,2) | 1\le x\le 2 | x<2",
    ),
    r"x>3": (
        r"3<x | (3,\infty) | (3,+\infty) | \{x|x>3\}",
        r"x<3 | x\ge 3 | x>-3 | x>4 | y>3 | (3,4) | 3 | x \ne 3",
    ),
    r"k<4 \text{ and } k\ne 0": (r"(-\infty,0)\cup(0,4) | k<4且k≠0", r"k<4 | k \ne 0 | (0,4)"),
    r"y=2x+3": (
        r"2x-y+3=0 | y-2x=3 | f(x)=2x+3 | y=3+2x",
        r"y=2x-3 | y=3x+2 | x=2y+3 | y=-2x+3 | y=2x | y<2x+3",
    ),
    r"x^2+y^2=1": (
        r"x^2=1-y^2 | 2x^2+2y^2=2",
        r"x^2-y^2=1 | x^2+y^2=2 | x^2+y^2 | x^2+y^2<1 | x+y=1",
    ),
    r"\cos(x)=\frac{42}{59}": (r"\frac{42}{59}", r"\sin(x)=\frac{42}{59} | \cos(x)=\frac{4}{59}"),
    r"a\perp b": (r"b \perp a", r"a\parallel b | a \perp c | b"),
    r"3:4:5": (r"6:8:10 | 9:12:15", r"3:5:4 | 3:4 | 6:8:11 | 345 | 4:3:5"),
    r"\begin{pmatrix}1&2\\3&4\end{pmatrix}": (
        r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}",
        r"\begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix} | \begin{pmatrix}1&2\\3&5\end{pmatrix}"
        r" | \begin{pmatrix}1&2\end{pmatrix} | \begin{vmatrix}1&2\\3&4\end{vmatrix} | (1,2,3,4)",
    ),
    r"\frac{\pi}{4}+k\pi, k\in\mathbb{Z}": (
        r"\frac{\pi}{4}+n\pi, n\in\mathbb{Z} | k\pi+\frac{\pi}{4}(k\in\mathbb{Z})",
        r"\frac{\pi}{4} | \frac{\pi}{4}+2k\pi, k\in\mathbb{Z} | \frac{\pi}{3}+k\pi, k\in\mathbb{Z}"
        r" | -\frac{\pi}{4}+k\pi, k\in\mathbb{Z} | \frac{\pi}{4}+k\pi, k\in\mathbb{N}",
    ),
    r"2k+1, k\in\mathbb{Z}": (
        r"2n-1, n\in\mathbb{Z}",
        r"2k, k\in\mathbb{Z} | 4k+1, k\in\mathbb{Z}",
    ),
    r"2k+1, k\in\mathbb{N}": (
        r"2n+1, n\in\mathbb{N}",
        r"2k-1, k\in\mathbb{N} | 2k+1, k\in\mathbb{Z}",
    ),
    r"①③": (r"①、③ | ③①", r"①② | ① | ①③④ | 13"),
    r"10:30": (r"10:30", r"10:31 | 1:30 | 10:03 | 3:30 | 22:30"),
    r"22:30": (r"22:30 | 10:30 pm", r"10:30 | 10:30 am"),
    r"1000000": (
        r"1,000,000 | 10^6 | 1\text{ million} | 100\text{万} | 1 000 000",
        r"100000 | 10000000 | 1,000 | 10^5",
    ),
}
CASES = [
    (gold, said, same)
    for gold, sides in KINDS.items()
    for same, side in zip((True, False), sides, strict=True)
    for said in side.split(" | ")
]


@pytest.mark.parametrize(("gold", "said", "same"), CASES)
def test_kinds(gold: str, said: str, same: bool) -> None:
    for frame in FRAMES:
        verdict = check_one(gold, frame.format(said))
        assert (verdict.state == "match") == same, (frame, verdict)


STATED = r"""
7 or 8 | It could be 7 or 8 | The answer is not 7 | The answer cannot be 7 | 7 is wrong | minus 7
The answer is neither 7 nor 8 | The answer is between 7 and 8
The answer is more than 7 | 7 squared | $7^\circ$ less than $90^\circ$ | It is 7 more than 20
The answer is 7. Wait, no, the answer is 8 | The answer is 7 and 8 | 7-8 | 7~8
negative 7 | 7 halves
7 minutes 30 seconds | seven hundred | 7th root of 2 | 1.7 | 7,5 | 17 | The answer is not 7, it is 8
The answer is 8, not 7 | Either 7 or 8 works | The answer is never 7
7 is not the answer | 7K | 7e5
It is not true that the answer is 7 | The answer is 7 dozen | 7 thousand | 答案不是7 | 答案是7或8
"""


@pytest.mark.parametrize("said", [s.strip() for s in STATED.replace("\n", "|").split("|") if s])
def test_what_hedges_denies_or_changes_a_number_does_not_state_it(said: str) -> None:
    assert check_one("7", said + ".").state != "match"


@pytest.mark.parametrize(
    "said",
    ["Not 8 but 7.", "The answer is 7 (not 8).", "The answer isn't 8; it's 7.", "A: 7", "#### 7"]
    + [
        "5*2=<<5*2=10>>10, 10-3=7\nA: 7",
        "所以有8个。\n【答案】: 7 <eoa>",
        "The answer is about 7.",
    ],
)
def test_what_states_a_number(said: str) -> None:
    assert check_one("7", said).state == "match"


@pytest.mark.parametrize(
    ("gold", "said", "same"),
    [
        ("B", "The answer is B or C.", False),
        ("B", "The answer is not B.", False),
        ("B", "Option B is wrong.", False),
        ("B", "The answer cannot be B.", False),
        ("B", "The answer is not B, it is C.", False),
        ("C", "The answer is not B, it is C.", True),
        ("D", "The correct option is not C but D.", True),
        ("B", "【答案】B<eoa>", True),
        ("AC", "The correct options are A and C.", True),
        ("AC", "C, A", True),
        ("AC", "A", False),
        ("AC", "A, B, C", False),
        ("ABD", "故选：ABD．", True),
    ],
)
def test_options(gold: str, said: str, same: bool) -> None:
    verdict = check_one(gold, said, choices=["10", "12", "14", "16"])
    assert (verdict.state == "match") == same, verdict


def test_what_nobody_reads_is_unreadable_and_what_no_rule_decides_unknown() -> None:
    assert check_one("x \\oplus !", "$y \\ominus ?$").state == "unreadable"
    assert check_one("a prism with congruent bases", "some right prism or other").state == "unknown"


def state(gold: str, said: str) -> str:
    result = judge(Task(gold, said))
    assert isinstance(result, Verdict)
    return result.state


NUMBERS = st.one_of(
    st.integers(1, 10**6).map(str),
    st.decimals(1, 1000, places=2).map(str),
    st.tuples(st.integers(2, 49), st.integers(50, 99)).map("\\frac{{{0[0]}}}{{{0[1]}}}".format),
    st.tuples(st.integers(2, 9), st.sampled_from([2, 3, 5, 7])).map(
        "{0[0]}\\sqrt{{{0[1]}}}".format
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    NUMBERS,
    st.sampled_from(
        ["-{}", "\\pm {}", "1+{}", "{}x", "({})^2", "{}!x", "{}, 5", "{}i", "2^{{{}}}y"]
    ),
    st.sampled_from(FRAMES),
)
def test_a_number_with_something_before_or_after_is_another(
    number: str, changed: str, frame: str
) -> None:
    assume(number not in ("1", "1.00"))
    assert state(number, frame.format(number)) == "match"
    assert state(number, frame.format(changed.format(number))) != "match"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-99, 99), min_size=2, max_size=4, unique=True), st.integers(1, 9))
def test_order_and_ends_count(values: list[int], change: int) -> None:
    written = ", ".join(map(str, values))
    swapped = ", ".join(map(str, [values[1], values[0], *values[2:]]))
    system = ", ".join(f"{name}={value}" for name, value in zip("xyzw", values, strict=False))
    other = ", ".join(f"{name}={value}" for name, value in zip("yxzw", values, strict=False))
    assert state(f"({written})", f"({swapped})") == "mismatch"
    assert state(system, other) == "mismatch"
    assert state(system, ", ".join(reversed(system.split(", ")))) == "match"
    assert state(f"({written})", f"({written}, {change})") == "mismatch"
    low, high = sorted(values[:2])
    assert state(f"[{low}, {high})", f"{low} \\le x < {high}") == "match"
    assert state(f"[{low}, {high})", f"{low} < x < {high}") == "mismatch"
    assert state(f"[{low}, {high})", f"[{low}, {high + change})") == "mismatch"
    assert state(f"x < {low}", f"(-\\infty, {low})") == "match"
    assert state(f"x < {low}", f"x < {low + change}") == "mismatch"
