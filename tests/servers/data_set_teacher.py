"""A local OpenAI-compatible server that plays a large teacher over imported problems.

python -m tests.servers.data_set_teacher --tables FOLDER … [--project FOLDER -- COMMAND …]

It knows a problem by its text and pictures, and answers the built-in English prompts: `solve` and
`reflect` with the data set's solution as numbered steps, `annotate` with a verdict as JSON. It errs
at a set rate, chosen by what a request holds, so a run that is repeated gets the same answers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import yaml

from mathse.answers.check_answer import check_one
from mathse.core.tables import read_table
from mathse.engines.dataset import close
from mathse.prompts import CLOSING, choice_letter
from mathse.prompts.roles import BUILT_IN, FIELDS
from mathse.prompts.text import problem_text
from tests.servers.chat import Body, ChatServer, Reply, images_of, prompt_of

Row = Mapping[str, Any]
PRICE = {"prompt": 2.5, "cached": 1.25, "completion": 10}
TOKENS_PER_IMAGE = 765
CHARS_PER_TOKEN = 4
REFUSED_SHARE = 0.1
"""Of the errors of the server: these have no text at all."""
_NO_SOLUTION = "Read the values off the picture and calculate with them."


def _pattern(kind: str) -> re.Pattern[str]:
    """Return what matches a prompt that the template of a task wrote."""
    text = (BUILT_IN / f"{kind}.en.txt").read_text(encoding="utf-8").strip()
    parts = re.split(r"\$(\w+)", text)  # "Question:\n$problem"
    return re.compile(
        "".join(
            f"(?P<{part}>.*)" if index % 2 else re.escape(part) for index, part in enumerate(parts)
        ),
        re.DOTALL,
    )


PATTERNS = {kind: _pattern(kind) for kind in FIELDS}


class DataSetTeacher:
    """Answers requests about problems that it knows.

    Args:
        problems: `Problem` rows.
        errs: share of answers that are wrong.
        delay_s: how long each answer takes.
    """

    def __init__(self, problems: Iterable[Row], errs: float = 0.1, delay_s: float = 0.0) -> None:
        self.errs = errs
        self.delay_s = delay_s
        self._problems = {(_text_of(row), tuple(row["image_ids"])): row for row in problems}
        self._checking = threading.Lock()

    def __call__(self, body: Body) -> Reply:
        """Answer a request; one about an unknown problem, or in another form, gets status 400."""
        prompt = prompt_of(body)
        images = tuple(hashlib.sha256(data).hexdigest() for _, data in images_of(body))
        found = [
            (kind, match) for kind, one in PATTERNS.items() if (match := one.fullmatch(prompt))
        ]
        if not found:
            return Reply("this is none of the prompts that I know", status=400)
        kind, match = found[0]
        row = self._problems.get((match["problem"], images))
        if row is None:
            return Reply("I do not know this problem", status=400)
        chance = Random(repr((prompt, images, body.get("seed"))))
        errs = chance.random() < self.errs
        used = len(prompt) // CHARS_PER_TOKEN + TOKENS_PER_IMAGE * len(images)
        if errs and chance.random() < REFUSED_SHARE:
            refused = Reply(None, refusal="I cannot help with that.", tokens=(used, 0, 8))
            return replace(refused, delay_s=self.delay_s)
        if kind == "annotate":
            text = self._annotation(row, match["steps"], errs, chance)
        else:
            text = solution(row, errs, chance)
        if kind == "reflect":
            text = f"{_thoughts(match['error_step'])}\n{text}"
        tokens = (used, 0, len(text) // CHARS_PER_TOKEN)
        return Reply(text, tokens=tokens, delay_s=self.delay_s)

    def _annotation(self, row: Row, shown: str, errs: bool, chance: Random) -> str:
        """Judge numbered steps by their closing answer; err in one of three ways."""
        with self._checking:
            verdict = check_one(
                row["answer"],
                shown,
                answer_type=row["answer_type"],
                choices=row["choices"],
                unit=row["unit"],
                precision=row["precision"],
            )
        is_right, way = verdict.state == "match", chance.randrange(3)
        if errs and way == 0:
            is_right = not is_right
        if errs and way == 1:
            return "I would rather talk about it than fill in a form."
        if is_right:
            return json.dumps({"status": "CORRECT"})
        number, step = _doubtful_step(shown, row)
        quoted = textwrap.shorten(step.replace(CLOSING, "the answer:"), 60, placeholder="…")
        advice = "Read each value off the picture once more, write it down, then calculate."
        if errs and way == 2:
            advice = f"{CLOSING} {row['answer']}."
        analysis = f"Step {number} ({quoted}) does not follow from the question and the picture."
        return json.dumps(
            {
                "status": "WRONG",
                "error_step": number,
                "error_analysis": analysis,
                "improvement_suggestion": advice,
            }
        )


def solution(row: Row, errs: bool, chance: Random) -> str:
    """Return a problem's solution in numbered steps, with another answer if it errs."""
    answer = row["answer"]
    closed = close(row["solution"] or _NO_SOLUTION, answer, row["choices"])
    *steps, closing = closed.splitlines()
    if errs:
        wrong = other_answer(row, chance)
        steps[-1] = steps[-1].replace(answer, wrong)
        closing = f"{CLOSING} {wrong}."
    return "\n".join([*(f"{n}. {step}" for n, step in enumerate(steps, start=1)), closing])


def other_answer(row: Row, chance: Random) -> str:
    """Return an answer that is not gold: another choice, or another number."""
    choices, gold = list(row["choices"]), row["answer"]
    if choices:
        letters = [choice_letter(index) for index in range(len(choices))]
        right = choice_letter(choices.index(gold)) if gold in choices else gold
        return chance.choice([letter for letter in letters if letter != right] or ["none"])
    try:
        return f"{round(float(gold.replace(',', '')) + chance.randint(1, 9), 4):g}"
    except ValueError:
        return "0"


def _text_of(row: Row) -> str:
    return problem_text(row["question"], list(row["choices"]), len(row["image_ids"]))


def _thoughts(error_step: str) -> str:
    return f"The checker names step {error_step}. I cannot rely on that, so I start again."


def _doubtful_step(shown: str, row: Row) -> tuple[int, str]:
    """Return number and text of the first step that is not one of the solution's."""
    steps: list[str] = []
    for line in shown.splitlines():
        if line.startswith(f"{len(steps) + 1}. "):
            steps.append(line.partition(". ")[2])
    known = row["solution"] or ""
    numbered = list(enumerate(steps, start=1)) or [(1, shown)]
    return next(((n, step) for n, step in numbered if step not in known), numbered[-1])


def point_to(project: Path, url: str) -> None:
    """Name the server in a project's `machine.yaml`, in place of all others there."""
    file = project / "machine.yaml"
    values = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
    server = {"url": url, "key_env": "LOCAL_TEACHER_KEY", "concurrency": 8, "price": PRICE}
    values = {**(values or {}), "servers": {"default": server}}
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def main() -> int:
    """Serve while a command runs, or for ever; return the command's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="imported folders")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--errs", type=float, default=0.1, help="share of wrong answers")
    parser.add_argument("--delay-ms", type=float, default=50)
    parser.add_argument("--project", type=Path, help="its machine.yaml gets the address")
    parser.add_argument("command", nargs="*", help="run in the project; the server ends with it")
    given = parser.parse_args()
    rows = [row for folder in given.tables for row in _read(folder)]
    teacher = DataSetTeacher(rows, given.errs, given.delay_ms / 1000)
    with ChatServer(teacher, port=given.port) as server:
        print(f"{len(rows)} problems at {server.url}", flush=True)
        if given.project is not None:
            point_to(given.project, server.url)
        if not given.command:
            threading.Event().wait()
        return subprocess.run(given.command, cwd=given.project, check=False).returncode


def _read(folder: Path) -> list[Row]:
    return read_table(folder / "problems.parquet").to_dicts()


if __name__ == "__main__":
    sys.exit(main())
