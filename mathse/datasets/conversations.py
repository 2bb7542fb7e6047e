"""Rows of the general layouts: ShareGPT, LLaVA, messages, prompt and completion, Alpaca, columns.

One row is one problem: a conversation of several turns is refused, because its later turns cannot
stand alone. The final answer is taken from where the response states it: guessing one would make a
wrong gold answer. Whatever is wrong with a row is raised as a BadRow. A row that `mathse export`
wrote carries its problem in the column `mathse` and comes back as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from mathse.answers import find_answer
from mathse.datasets.fields import (
    choice_texts,
    cut_prompt,
    integer,
    is_missing,
    optional,
    pictures,
    text,
)
from mathse.datasets.protocol import BadRow, DataFile, Picture, RawProblem, Row, require
from schemas import UNNUMBERED_IMAGE, Problem, column_types

ORIGIN_COLUMN = "mathse"
ORIGIN_FIELDS = tuple(
    name
    for name in column_types(Problem)
    if name not in ("problem_id", "image_ids", "solution", "meta")
)
"""What the column `mathse` of an exported row has of its problem, besides meta and response."""
MAX_BARE_ANSWER_CHARS = 80
MAX_BARE_ANSWER_WORDS = 3
"""A response of more words that states no answer is a caption; Chinese words have two letters."""
Turn = tuple[str, str, list[Picture]]
"""What the user asks, what the assistant answers, and the images inside the question."""

_IMAGE_COLUMNS = ("images", "image", "decoded_image", "image_url", "image_path", "img")
_QUESTION_COLUMNS = ("question", "problem", "query", "instruction", "prompt")
_ANSWER_COLUMNS = ("answer", "final_answer", "ground_truth", "label", "gold")
_RESPONSE_COLUMNS = ("solution", "response", "output", "completion", "rationale", "explanation")
_CHOICE_COLUMNS = ("choices", "options")
_MESSAGE_RULE = "messages have role and content"
_IMAGE = re.compile(UNNUMBERED_IMAGE)  # "<image>"
# "<|vision_start|><|image_pad|><|vision_end|>", "<|image_1|>", "<start_of_image>", "<ImageHere>"
_OTHER_IMAGE = re.compile(
    r"<\|vision_start\|>(?:<\|image_pad\|>)+<\|vision_end\|>|<\|image(?:_\d+|_pad)?\|>"
    r"|<start_of_image>|<image_placeholder>|<ImageHere>",
    re.IGNORECASE,
)
# "<img>p.png</img>", "<img src='p.png'>", "![a figure](p.png)"
_NAMED_IMAGE = re.compile(
    r"<img>(?P<tag>[^<>]+)</img>|<img\b[^<>]*?\bsrc=(?P<quote>['\"])(?P<src>.+?)(?P=quote)[^<>]*>"
    r"|!\[[^\]]*\]\((?P<link>[^()\s]+)\)",
    re.IGNORECASE,
)
_IMG = re.compile(r"</?img\b", re.IGNORECASE)  # "<img", "</img": what is left of a broken tag
# "blue", "isosceles"; in "\\text{cm}" only "cm"
_WORD = re.compile(r"(?<![\\\w])[^\W\d_]{2,}")
_CHINESE_CHAR = re.compile(r"[\u4e00-\u9fff]")  # "题"
_ENDS = " .。()（）$"
# "The answer is 4", "\\boxed{4}", "#### 4", "故选：B"
_STATED = re.compile(
    r"\banswer\b|\\f?boxed|####|<answer>|\bsolution is\b"
    r"|答案|故选|应选|选择?\s*[:：]?\s*[A-Ha-h①-⑧]",
    re.IGNORECASE,
)
# what an answer is wrapped in: "<answer>5</answer>", "$\\boxed{5}$", "#### 5"
_WRAPPER = re.compile(r"</?answer>|\\f?boxed\b|####|[{}$]", re.IGNORECASE)
# "So the final answer is: " before the answer
_ONLY_STATED = re.compile(
    r"\s*(?:so |therefore,? )?(?:the )?(?:final |correct )?"
    r"(?:answer|答案)\s*(?:is|是|为)?\s*[:：]?\s*",
    re.IGNORECASE,
)


def any_row(row: Row, file: DataFile) -> RawProblem:
    """Turn a row of any of the general layouts into a problem; BadRow if it is none of them."""
    if row.get(ORIGIN_COLUMN):
        return exported_problem(row)
    if messages := row.get("conversations") or row.get("messages"):
        asked = one_turn(messages)
    elif isinstance(row.get("prompt"), list) and row.get("completion"):
        completion = row["completion"]
        if not isinstance(completion, list):
            completion = [{"role": "assistant", "content": completion}]
        asked = one_turn([*row["prompt"], *completion])
    elif row.get("instruction") and row.get("output"):
        parts = (text(row, "instruction"), text(row, "input", default=""))
        asked = "\n".join(filter(None, parts)), text(row, "output"), []
    else:
        return column_problem(row, file)
    return prompt_problem(asked, row, file)


def one_turn(messages: object, tags: Mapping[str, str] | None = None) -> Turn:
    """Return what the user asks and what the assistant answers in a conversation of one turn.

    Args:
        messages: a list of messages, each with a role and content (or `from` and `value`).
        tags: names other than the usual ones, as in LLaMA-Factory's `dataset_info.json`.

    Raises:
        BadRow: if there is not exactly one question and one answer, the question first.
    """
    tags = tags or {}
    roles = {
        **dict.fromkeys(("gpt", "bot", "assistant", tags.get("assistant_tag")), "assistant"),
        **dict.fromkeys(("human", "user", tags.get("user_tag")), "user"),
        **dict.fromkeys(("system", tags.get("system_tag")), "system"),
    }
    role_names = (tags.get("role_tag"), "role", "from")
    content_names = (tags.get("content_tag"), "content", "value")
    if not isinstance(messages, list):
        reason = "a list of messages is expected here"
        raise BadRow("messages are a list", "messages", messages, reason)
    found: list[tuple[str, str, list[Picture]]] = []
    for message in messages:
        if not isinstance(message, dict):
            raise BadRow(_MESSAGE_RULE, "messages", message, "a message is an object")
        name = next((message[key] for key in role_names if key in message), None)
        role = roles.get(name, roles.get(name.lower())) if isinstance(name, str) else None
        if role is None:
            reason = "the role is none of user (human), assistant (gpt, bot) and system"
            raise BadRow(_MESSAGE_RULE, "messages", name, reason)
        if role != "system":
            content = next((message[key] for key in content_names if key in message), None)
            found.append((role, *_content(content)))
    order = [role for role, _, _ in found]
    count = len(found)
    reason = f"the conversation has {count} messages: one question and one answer are a problem"
    passed = order == ["user", "assistant"]
    require(passed, "one question and one answer", "messages", order, reason)
    return found[0][1], found[1][1], found[0][2]


def prompt_problem(
    asked: Turn, row: Row, file: DataFile, images: list[Picture] | None = None
) -> RawProblem:
    """Turn a prompt and its response into a problem.

    Its images are those given (None: the row's), else those inside the prompt.
    """
    prompt, response, inside = asked
    images = (row_images(row) if images is None else images) or inside
    prompt, images = _with_placeholders(prompt, images)
    question, choices = cut_prompt(prompt)
    choices = choices or _listed_choices(row)
    answer = stated_answer(response, choices)
    problem = _raw_problem(row, file, question, choices, answer, images)
    problem.solution = worked_solution(response, answer)
    return problem


def column_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a row with columns for a question and its answer (or response) into a problem.

    Column names count in any case: `Answer` is `answer`, unless the row has that, too.
    """
    row = {name.strip().lower(): value for name, value in row.items()} | dict(row)
    # The question and its choices: a column of choices counts before those in the prompt.
    prompt = _first_text(row, _QUESTION_COLUMNS)
    if prompt is None:
        known = ", ".join(name for name in row if not name.startswith("_"))
        listed = ", ".join(_QUESTION_COLUMNS)
        reason = f"no column of a question ({listed}) or of messages; the row has {known}"
        raise BadRow("row has a question", "row", known, reason)
    prompt, images = _with_placeholders(prompt, row_images(row))
    question, choices = cut_prompt(prompt)
    if in_column := _listed_choices(row):
        question, choices = prompt.strip() if choices else question, in_column

    # The answer: from its column, else from where the response states it.
    response = _first_text(row, _RESPONSE_COLUMNS) or ""
    filled = (row.get(name) for name in _ANSWER_COLUMNS)
    given = next((value for value in filled if value != "" and not is_missing(value)), None)
    given = given[0] if isinstance(given, list) and len(given) == 1 else given
    reason = "several answers are given; write the one that is right"
    require(not isinstance(given, list), "one answer is given", "answer", given, reason)
    is_index = choices and isinstance(given, int) and not _has_numbers(row)
    reason = "an index of a choice may count from 0 or from 1: write the letter or the text"
    require(not is_index, "choice is named", "answer", given, reason)
    reason = f"no column of an answer has a value (NaN is none): {', '.join(_ANSWER_COLUMNS)}"
    require(given is not None or response, "answer is given", "answer", None, reason)
    if given is None:
        answer = stated_answer(response, choices)
    else:
        answer = _short_answer(text({"answer": given}, "answer"), choices)
    problem = _raw_problem(row, file, question, choices, answer, images)
    problem.subject = optional(row, "subject") or optional(row, "category") or problem.subject
    problem.unit = optional(row, "unit")
    problem.solution = worked_solution(response, answer) or worked_solution(
        str(given or ""), answer
    )
    return problem


def exported_problem(row: Row) -> RawProblem:
    """Read back a row that `mathse export` wrote; BadRow if its column `mathse` is damaged."""
    try:
        origin = json.loads(text(row, ORIGIN_COLUMN))
        fields = {name: origin[name] for name in ORIGIN_FIELDS}
        solution, meta = origin["response"], json.loads(origin["meta"] or "{}")
    except (KeyError, TypeError, ValueError) as error:
        reason = f"the column that the export wrote is damaged: {error}"
        value = row.get(ORIGIN_COLUMN)
        raise BadRow("mathse column is whole", ORIGIN_COLUMN, value, reason) from None
    return RawProblem(**fields, images=row_images(row), solution=solution, meta=meta)


def stated_answer(response: str, choices: Sequence[str]) -> str:
    """Return the final answer that a response states, or that it is; BadRow if it states none."""
    bare = response.strip()
    if bare.strip(_ENDS) in choices:
        return bare.strip(_ENDS)
    is_stated = bare and (not (_is_long(bare) or _is_caption(bare)) or _STATED.search(bare))
    found = find_answer(bare, choices=tuple(choices)) if is_stated else None
    reason = "the response does not state its final answer; gold answers are not guessed"
    if choices:
        reason = f"the response states none of the {len(choices)} choices as its answer, or several"
    require(found, "answer is stated", "response", response, reason)
    return str(found)


def worked_solution(response: str, answer: str) -> str | None:
    """Return the response if it says more than the answer."""
    bare, bare_answer = (_WRAPPER.sub("", words).strip() for words in (response, answer))
    bare = _ONLY_STATED.sub("", bare, count=1).strip(_ENDS)
    return None if not bare or bare == bare_answer.strip(_ENDS) else response.strip()


def row_images(row: Row) -> list[Picture]:
    """Return the images of a row from the first image column that holds any."""
    return next(filter(None, (pictures(row.get(name)) for name in _IMAGE_COLUMNS)), [])


def _short_answer(given: str, choices: Sequence[str]) -> str:
    """Return an answer column's value, or the answer that it states if it is a whole solution."""
    given = given.strip()
    return stated_answer(given, choices) if _is_long(given) and _STATED.search(given) else given


def _is_long(answer: str) -> bool:
    return "\n" in answer or len(answer) > MAX_BARE_ANSWER_CHARS


def _is_caption(response: str) -> bool:
    words = len(_WORD.findall(_CHINESE_CHAR.sub("", response)))
    return words + len(_CHINESE_CHAR.findall(response)) / 2 > MAX_BARE_ANSWER_WORDS


def _with_placeholders(prompt: str, images: list[Picture]) -> tuple[str, list[Picture]]:
    """Return a prompt with `<image>` for its image tags, and its images.

    What other models write for an image becomes `<image>`, and files that the prompt names are its
    images if the row has none. BadRow unless it has as many `<image>` as images, or none.
    """
    named = [match[match.lastgroup or 0] for match in _NAMED_IMAGE.finditer(prompt)]
    images = images or [picture for path in named for picture in pictures(path.strip())]
    prompt = _OTHER_IMAGE.sub("<image>", _NAMED_IMAGE.sub("<image>", prompt))
    reason = "an image tag names no image: write <image> and put the path into the column images"
    require(not _IMG.search(prompt), "image tags are whole", "messages", prompt, reason)
    count = len(_IMAGE.findall(prompt))
    reason = f"the prompt has {count} times <image>, the row {len(images)} images"
    if not images:
        reason += f"; its path or bytes belong into one of {', '.join(_IMAGE_COLUMNS)}"
    fits = count in (0, len(images))
    require(fits, "image placeholders fit the images", "messages", prompt, reason)
    return prompt, images


def _raw_problem(
    row: Row, file: DataFile, question: str, choices: list[str], answer: str, images: list[Picture]
) -> RawProblem:
    """Return a problem with the subject, split, level and id of its row."""
    name = row.get("id", row.get("_key"))
    return RawProblem(
        question=question,
        answer=answer,
        choices=choices,
        images=images,
        subject=optional(row, "subject") or "mathematics",
        split=optional(row, "split") or file.split,
        level=integer(row, "level"),
        meta={} if name is None else {"id": str(name)},
    )


def _listed_choices(row: Row) -> list[str]:
    """Return the choices of a row from the first column that holds any."""
    return next((choice_texts(row, name) for name in _CHOICE_COLUMNS if row.get(name)), [])


def _has_numbers(row: Row) -> bool:
    """Return True if the choices of a row are numbers, not texts."""
    given = next((row[name] for name in _CHOICE_COLUMNS if row.get(name)), None)
    return isinstance(given, list) and all(isinstance(choice, int | float) for choice in given)


def _first_text(row: Row, names: Sequence[str]) -> str | None:
    return next((text(row, name) for name in names if isinstance(row.get(name), str | int)), None)


def _content(content: object) -> tuple[str, list[Picture]]:
    """Return text and images of a message; an image among its parts is written as `<image>`."""
    if isinstance(content, str | int | float):
        return str(content), []
    if not isinstance(content, list):
        reason = "the message is empty, or neither text nor parts"
        raise BadRow(_MESSAGE_RULE, "messages", content, reason)
    parts, found = [], []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("image", "image_url"):
            parts.append("<image>")
            found += pictures({name: part[name] for name in part if name not in ("type", "text")})
        elif isinstance(part, str):
            parts.append(part)
        elif kind == "text" and isinstance(part.get("text"), str):
            parts.append(part["text"])
        else:
            raise BadRow(_MESSAGE_RULE, "messages", part, "a part is an image or a text")
    return "\n".join(parts), found
