"""The step verifier: is a solution of a drawn problem right, on whatever route, and if not, where?

It reads each line and decides by what the figure shows:

1. a reading agrees with the figure;
2. a calculation uses numbers that were read, given or worked out before, or that one has to know;
3. it is true;
4. it leads to the answer: replayed on twins of the problem (the same question about a figure with
   other numbers) it gives a number that some route to the twin's answer passes through. So `2+2`
   for an area of `2*2` is found, though both are 4;
5. the answer is stated at the end and is the gold answer.

A line in no known wording is unreadable: the solution is then neither right nor wrong.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from mathse.core.steps import split_steps
from mathse.figures.items import CHOICES, EQUATIONS, Calc, Family, Question
from mathse.figures.readings import Shown, Value, parse, values, write
from mathse.figures.terms import (
    LETTERS,
    Atom,
    Expression,
    NotAnExpression,
    Operation,
    apply,
    atoms,
    read,
    value,
)
from mathse.figures.twins import TWINS, Vector, meaning, vector_of
from mathse.prompts import CLOSING

MEANINGS_MAX = 2000
"""Most readings of one expression that are followed: equal numbers have several."""

ANALYSES = {
    "vision": "{about} are not read as the figure shows.",
    "question": "This is not what the question asks for.",
    "knowledge": "The rule used here is wrong.",
    "reasoning": "This does not follow from the steps before.",
    "calculation": "The calculation is wrong.",
}
LETTER_NAMES = "ABCD"

# `2. `
_NUMBERED = re.compile(r"^\d+\.\s+")
# between `The red ones are 3.` and `So 3+2=5.`
_SENTENCE = re.compile(r"(?<=[.?])\s+(?=[A-Z0-9])")
_LEFT = r"([0-9a-z+*/()-]+)"  # 3+2, 2x
_VALUE = r"([0-9a-z+*/():-]+)"  # 3+2, 4:30


@dataclass(frozen=True)
class Fault:
    """The first fault of a solution: its step from 1, its kind, why, and what would be right."""

    step: int
    kind: str
    analysis: str
    right: str = ""


class Unreadable(Exception):
    """A line in no wording that the verifier knows; `step` counts from 1."""

    def __init__(self, step: int, line: str) -> None:
        super().__init__(f"step {step} cannot be read: {line}")
        self.step = step


@dataclass(frozen=True)
class Key:
    """What a solution is checked against: everything known of a problem.

    Attributes:
        family: the kind of problem.
        question: what is asked.
        shown: what the figure shows.
        choices: the offered answers, none for an open question.
        answer: the gold answer: a value, or a choice's letter.
    """

    family: Family
    question: Question
    shown: Shown
    choices: tuple[str, ...]
    answer: str

    @property
    def gold(self) -> str:
        """The gold answer as a value."""
        return self.choices[LETTER_NAMES.index(self.answer)] if self.choices else self.answer


def verify(key: Key, response: str) -> Fault | None:
    """Return the first fault of a solution, or None if every step is right.

    Raises:
        Unreadable: a line before the first fault is in no known wording.
    """
    lines = split_steps(response)
    check = _Check(key)
    for number, line in enumerate(lines, start=1):
        if check.closed:
            return Fault(number, "reasoning", ANALYSES["reasoning"])
        if fault := check.line(number, line):
            return fault
    if check.closed:
        return None
    return Fault(max(1, len(lines)), "reasoning", ANALYSES["reasoning"], f"{CLOSING} {key.answer}.")


class _Check:
    """The state of a check: what is known after the lines so far."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.closed = False
        self.answered = False
        self.meaning = meaning(key.family, key.question, key.shown)
        self.letters: set[str] = set()
        self.known: defaultdict[Fraction, set[Vector]] = defaultdict(set)
        for constant in key.family.constants:
            self.known[Fraction(constant)].add((Fraction(constant),) * TWINS)
        for name, part in key.question.given.items():
            self._learn(part, [twin.given[name] for twin, _ in self.meaning.twins])

    def line(self, number: int, line: str) -> Fault | None:
        """Check one line; return its fault."""
        text = _NUMBERED.sub("", line.strip())
        if text.startswith(CLOSING):
            self.closed = True
            return self._closing(number, text[len(CLOSING) :].strip().removesuffix("."))
        for sentence in _SENTENCE.split(text):
            for check in (self._choice, self._reading, self._calculation):
                found = check(number, sentence)
                if found is not None:
                    break
            else:
                raise Unreadable(number, line)
            if isinstance(found, Fault):
                return found
        return None

    def _learn(self, part: Value, in_twins: Sequence[Value]) -> None:
        """Remember a number or letter that is known now, with its values in the twins."""
        if isinstance(part, int) or (len(part) == 1 and part.islower()):
            trees = [read(str(number)) for number in in_twins]
            self.letters |= {part} if isinstance(part, str) else set()
            self.known[value(read(str(part)))].add(vector_of(trees))

    def _reading(self, number: int, sentence: str) -> Fault | bool | None:
        key = self.key
        for reading in key.family.readings:
            for wording in reading.wordings:
                claims = parse(sentence, wording, key.shown)
                if claims is None:
                    continue
                if any(claim.said != claim.right for claim in claims):
                    return self._misread(number, sentence, wording, reading.about)
                for claim in claims:
                    for name, part in values(claim.slot, key.shown):
                        self._learn(part, [_named(twin, name) for _, twin in self.meaning.twins])
                return True
        return None

    def _misread(self, number: int, sentence: str, wording: str, about: str) -> Fault:
        keys = keys_in(sentence, wording, self.key.shown)
        try:
            right = f"{number}. {write(wording, self.key.shown, keys)}"
            about = write(about, self.key.shown, keys)
        except KeyError:
            right, about = "", "the entries"
        analysis = ANALYSES["vision"].format(about=about)
        return Fault(number, "vision", analysis[0].upper() + analysis[1:], right)

    def _calculation(self, number: int, sentence: str) -> Fault | bool | None:
        for wording in (*self.key.family.statements, *EQUATIONS):
            pattern = re.escape(wording).replace(r"\{left\}", _LEFT).replace(r"\{right\}", _LEFT)
            # "So 3+2=5."
            found = re.fullmatch(pattern, sentence)
            if not found:
                continue
            try:
                left, right = read(found.group(1)), read(found.group(found.lastindex or 1))
                return self._calculated(number, wording, found.group(1), left, right)
            except (NotAnExpression, ZeroDivisionError):
                continue
        return None

    def _calculated(
        self, number: int, wording: str, written: str, left: Expression, right: Expression
    ) -> Fault | bool:
        """Check a calculation that was read: what it uses, where it leads, whether it is true."""
        if self._is_strange(left):
            return self._fault(number, "knowledge" if self._is_rule(left) else "reasoning")
        meant = self._meanings(left, whole=True) & self.meaning.steps
        if wording in self.key.family.statements:
            meant &= self.meaning.said.get(wording, frozenset())
        if not meant:
            asked = all(self._meanings(a) & self._asked() for a in atoms(left))
            kind = "reasoning" if asked else "question"
            return self._fault(number, "knowledge" if self._is_rule(left) else kind)
        if value(left) != value(right) or not self._knows_letters(right):
            return self._fault(
                number, "calculation", wording.format(left=written, right=Calc(written).right)
            )
        self.known[value(left)] |= meant
        return True

    def _is_strange(self, tree: Expression) -> bool:
        """Return True if a number in an expression is not known; `1/2` is, once worked out."""
        if isinstance(tree, Atom):
            return not self._meanings(tree)
        pair = tree.left, tree.right
        fraction = tree.sign == "/" and all(isinstance(part, Atom) for part in pair)
        if fraction and value(tree.right) != 0 and value(tree).denominator > 1:
            return not self.known.get(value(tree)) and any(map(self._is_strange, pair))
        if tree.sign in "+-" and _is_number(tree) and self.known.get(value(tree)):
            return False  # -2 or 3x+7, once worked out
        return any(self._is_strange(part) for part in pair)

    def _knows_letters(self, tree: Expression) -> bool:
        """Return True if each letter is one of the figure: all letters have the same values."""
        return all(atom.text[-1].isdigit() or atom.text[-1] in self.letters for atom in atoms(tree))

    def _asked(self) -> frozenset[Vector]:
        return self.meaning.used | self.meaning.steps

    def _is_rule(self, left: Expression) -> bool:
        """Return True for a calculation with a number that one has to know, or another instead.

        `200-50` has 200 where the angles of a triangle are 180; `7+4` has only what is not read.
        """
        shown = {str(part) for slot in self.key.shown for _, part in values(slot, self.key.shown)}
        rules = {str(constant) for constant in self.key.family.constants}
        used = {atom.text for atom in atoms(left)}
        if used & (rules - shown):
            return True
        meant = (
            self._meanings(_exchanged(left, text, rule), whole=True)
            for text in used
            for rule in rules
            if not self._meanings(Atom(text))
        )
        return any(found & self.meaning.steps for found in meant)

    def _meanings(self, tree: Expression, *, whole: bool = False) -> set[Vector]:
        """Return what an expression may stand for, from what is known.

        Args:
            tree: the expression.
            whole: True: leave out that a number of the same size is known already.
        """
        if not self._knows_letters(tree):
            return set()
        is_atom = isinstance(tree, Atom)
        # `3x+7` can be said again: with a letter no two numbers are of one size by chance.
        again = isinstance(tree, Operation) and tree.sign == "+"
        is_known = is_atom or (_is_number(tree) and (again or not whole))
        found = {*self.known.get(value(tree), ())} if is_known else set()
        if isinstance(tree, Atom):
            if tree.text[-1].isalpha() and len(tree.text) > 1:
                factor = Fraction(int(tree.text[:-1]))
                letter = self.known.get(LETTERS[0], ())
                found |= {tuple(factor * part for part in vector) for vector in letter}
            if tree.text == "0":
                found.add((Fraction(0),) * TWINS)
            return found
        pairs = product(self._meanings(tree.left), self._meanings(tree.right))
        for count, (one, two) in enumerate(pairs):
            if count == MEANINGS_MAX:
                break
            try:
                found.add(tuple(apply(tree.sign, a, b) for a, b in zip(one, two, strict=True)))
            except ZeroDivisionError:
                continue
        return found

    def _is_answer(self, text: str) -> bool:
        """Return True if a stated value was worked out and stands for the answer."""
        parts = text.split(":")
        if len(parts) != len(self.meaning.answers):
            return False
        try:
            return all(
                self._meanings(read(part)) & answers
                for part, answers in zip(parts, self.meaning.answers, strict=True)
            )
        except (NotAnExpression, ZeroDivisionError):
            return False

    def _choice(self, number: int, sentence: str) -> Fault | bool | None:
        for wording in CHOICES:
            pattern = re.escape(wording).replace(r"\{right\}", _VALUE)
            # "5 is choice B."
            found = re.fullmatch(pattern.replace(r"\{letter\}", "([A-Z])"), sentence)
            if not found or not self.key.choices:
                continue
            said, letter = found.groups()
            if not self._is_answer(said):
                return self._fault(number, "reasoning")
            if letter != self.key.answer:
                return self._fault(
                    number, "question", wording.format(right=said, letter=self.key.answer)
                )
            self.answered = True
            return True
        return None

    def _closing(self, number: int, said: str) -> Fault | None:
        key, right = self.key, f"{CLOSING} {self.key.answer}."
        if key.choices and said in LETTER_NAMES[: len(key.choices)]:
            if said == key.answer and (self.answered or self._is_answer(key.gold)):
                return None
            return Fault(number, "question", ANALYSES["question"], right)
        if self._is_answer(said):
            return None
        return Fault(number, "reasoning", ANALYSES["reasoning"], right)

    @staticmethod
    def _fault(number: int, kind: str, right: str = "") -> Fault:
        return Fault(number, kind, ANALYSES[kind], f"{number}. {right}" if right else "")


def _exchanged(tree: Expression, text: str, other: str) -> Expression:
    """Return an expression with another atom in place of one."""
    if isinstance(tree, Atom):
        return Atom(other) if tree.text == text else tree
    parts = (_exchanged(part, text, other) for part in (tree.left, tree.right))
    return Operation(tree.sign, *parts)


def _is_number(tree: Expression) -> bool:
    """Return True for `12`, `1/2`, `-2`, `3x+7`, not for `5-3`: what is known as a whole."""
    if isinstance(tree, Atom):
        return True
    if not (isinstance(tree.left, Atom) and isinstance(tree.right, Atom)):
        return False
    if tree.sign == "-":
        return tree.left == Atom("0")
    if tree.sign == "+":
        return tree.left.text[-1].isalpha() and tree.right.text.isdigit()
    return tree.sign == "/" and value(tree.right) != 0 and value(tree).denominator > 1


def keys_in(sentence: str, wording: str, shown: Shown) -> tuple[str, ...]:
    """Return the entries of a table that a reading names, in the order of `key1`, `key2`."""
    claims = parse(sentence, wording, shown) or []
    return tuple(claim.slot.partition(".")[2] for claim in claims if "." in claim.slot)


def _named(shown: Shown, name: str) -> Value:
    slot, _, key = name.partition(".")
    part = shown[slot]
    if isinstance(part, Mapping):
        return part[key]
    if isinstance(part, str | int):
        return part
    return part[int(key)]
