"""The general layouts, and rows that no layout allows."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mathse.datasets.commands import describe_sources
from mathse.datasets.fields import cut_prompt, guess_answer_type, short_name
from tests.datasets.made import Imported, bring, hub_image, parquet, picture, put
from tests.datasets.test_data_sets import llava


def said(*texts: str | None) -> list[dict[str, Any]]:
    return [
        {"role": role, "content": text}
        for role, text in zip(("user", "assistant") * 3, texts, strict=False)
    ]


def one(found: Imported) -> tuple[str, str, list[str], int]:
    row = found.row()
    return row["question"], row["answer"], row["choices"], len(row["image_ids"])


def test_llava_file(tmp_path: Path) -> None:
    file = put(
        tmp_path / "l" / "train.json",
        [llava("a.jpg", "<image>\nHow many?", "3 + 4 = 7.\nThe answer is 7.")],
    )
    put(tmp_path / "l" / "a.jpg", picture(1, "JPEG"))
    assert one(bring("llava", file, tmp_path)) == ("How many?", "7", [], 1)


def test_sharegpt_with_images_and_a_system_message(tmp_path: Path) -> None:
    talk = [
        {"from": "system", "value": "Be brief."},
        *llava("", "Compare <image> and <image>.", "Yes")["conversations"],
    ]
    put(tmp_path / "l" / "x.json", [{"conversations": talk, "images": ["a.png", "b.png"]}])
    for name in "ab":
        put(tmp_path / "l" / "images" / f"{name}.png", picture(ord(name)))
    assert one(bring("llava", tmp_path / "l", tmp_path)) == (
        "Compare <image> and <image>.",
        "Yes",
        [],
        2,
    )


def test_swift_messages(tmp_path: Path) -> None:
    rows = [
        {
            "messages": said("<image>Is AB < CD?\nA. yes\nB. no", "They are equal.\n\\boxed{B}"),
            "images": ["i/a.png"],
        },
        {"messages": said("What is 2+2?", "#### 4")},
        {"messages": said("<image>What?", "5", "And then?", "6"), "images": ["i/a.png"]},
        {"messages": said("<image><image>What?", "5"), "images": ["i/a.png"]},
    ]
    put(tmp_path / "s" / "val.jsonl", rows)
    put(tmp_path / "s" / "i" / "a.png", picture(1))
    found = bring("ms-swift", tmp_path / "s", tmp_path)
    picked, sums = found.rows()
    assert (picked["question"], picked["choices"], picked["answer"]) == (
        "Is AB < CD?",
        ["yes", "no"],
        "B",
    )
    assert (sums["answer"], sums["image_ids"], sums["split"]) == ("4", [], "val")
    rules = {row["row"]: row["rule"] for row in found.quarantined.to_dicts()}
    assert rules == {2: "one question and one answer", 3: "image placeholders fit the images"}


def test_plain_rows_of_questions_and_answers(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    rows = [
        {"image": "a.png", "question": "What is x?", "answer": "12", "solution": "3 * 4 = 12."},
        {"image": "figures/b.png", "question": "Which?", "answer": "B", "choices": ["4", "5"]},
        {"image": "a.png", "solution": "nothing asked"},
    ]
    put(folder / "train.jsonl", rows)
    put(folder / "val.json", [{"problem": "1+1?", "answer": 2}])
    put(folder / "test.csv", b"question,answer,image\nHow long?,7 cm,a.png\n")
    put(folder / "a.png", picture(1))
    put(folder / "images" / "figures" / "b.png", picture(2))
    found = bring("jsonl", folder, tmp_path)
    read = {row["question"]: row for row in found.rows()}
    assert {name: (row["answer"], row["split"]) for name, row in read.items()} == {
        "What is x?": ("12", "train"),
        "Which?": ("B", "train"),
        "1+1?": ("2", "val"),
        "How long?": ("7 cm", "test"),
    }
    assert read["What is x?"]["solution"] == "3 * 4 = 12."
    assert [len(row["image_ids"]) for row in read.values()].count(1) == 3
    assert found.quarantined["rule"].to_list() == ["row has a question"]


def test_the_list_names_the_columns_of_plain_rows() -> None:
    (entry,) = (part for part in describe_sources().split("\n\n") if part.startswith("jsonl "))
    assert all(name in entry for name in ("question", "answer", "choices", "image", ".csv"))


def test_llama_factory_reads_columns_and_tags(tmp_path: Path) -> None:
    info = {
        "mine": {
            "file_name": "mine.json",
            "formatting": "sharegpt",
            "columns": {"messages": "talk", "images": "pics"},
            "tags": {
                "role_tag": "who",
                "content_tag": "what",
                "user_tag": "pupil",
                "assistant_tag": "teacher",
            },
        },
        "plain_test": {
            "file_name": "plain.jsonl",
            "columns": {"prompt": "ask", "query": "more", "response": "reply"},
        },
        "ranked": {"file_name": "ranked.json", "ranking": True},
        "far": {"hf_hub_url": "someone/data"},
    }
    put(tmp_path / "f" / "dataset_info.json", info)
    talk = [{"who": "pupil", "what": "<image>Name it."}, {"who": "teacher", "what": "A circle"}]
    put(tmp_path / "f" / "mine.json", [{"talk": talk, "pics": ["p/1.png"]}])
    put(tmp_path / "f" / "plain.jsonl", [{"ask": "Add.", "more": "2 and 3", "reply": "Answer: 5"}])
    put(tmp_path / "f" / "p" / "1.png", picture(1))
    plain, mine = bring("llama-factory", tmp_path / "f", tmp_path).rows()
    assert (plain["question"], plain["answer"], plain["split"]) == ("Add.\n2 and 3", "5", "test")
    assert (mine["question"], mine["answer"], mine["answer_type"]) == (
        "Name it.",
        "A circle",
        "text",
    )


def test_a_hub_folder_by_columns(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "problem": "<image>Find x.",
            "images": [hub_image(picture(1))],
            "answer": "$\\sqrt{2}$",
            "options": None,
        },
        {
            "problem": "Pick.",
            "images": [hub_image(picture(2), "two.png")],
            "answer": "b",
            "options": ["u", "v"],
        },
        {"problem": "Pick.", "images": [], "answer": "c", "options": ["u", "v"]},
    ]
    parquet(tmp_path / "h" / "data" / "validation-00000-of-00001.parquet", rows)
    found = bring("hf-folder", tmp_path / "h", tmp_path)
    root, pick = found.rows()
    assert (root["question"], root["answer_type"], root["split"]) == (
        "Find x.",
        "expression",
        "validation",
    )
    assert (pick["answer"], pick["answer_type"]) == ("B", "choice")
    assert found.quarantined["rule"].to_list() == ["choice letter exists"]


def test_messages_with_parts(tmp_path: Path) -> None:
    user = {
        "role": "user",
        "content": [{"type": "image", "text": None}, {"type": "text", "text": "Count."}],
    }
    answer = {"role": "assistant", "content": [{"type": "text", "text": "The answer is 12."}]}
    parquet(
        tmp_path / "h" / "train.parquet",
        [{"messages": [user, answer], "images": [hub_image(picture(1))]}],
    )
    assert one(bring("hf-folder", tmp_path / "h", tmp_path)) == ("Count.", "12", [], 1)


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"conversations": "no"}, "messages are a list"),
        ({"conversations": ["no"]}, "messages have role and content"),
        ({"conversations": [{"from": "ghost", "value": "x"}]}, "messages have role and content"),
        (
            llava("", "Why?", "Because it rains, as one can see in the picture of the sky. " * 3),
            "answer is stated",
        ),
        (
            {
                "messages": said(
                    "Why is that so?", "It follows from what was said.\nAnd from nothing else."
                )
            },
            "answer is stated",
        ),
        ({"messages": said("", "Answer: 4")}, "question is not empty"),
        ({"messages": said("How many?", "")}, "answer is stated"),
        ({"question": "x?"}, "answer is given"),
        ({"answer": "4"}, "row has a question"),
        ({"question": "x?", "answer": {"a": 1}}, "answer is text"),
        ({"question": "x?", "answer": "4", "image": 5}, "image is a path or bytes"),
        ({"question": "x?", "answer": "A", "choices": ["1"]}, "choices are none or 2 to 26"),
        ({"question": "x?", "answer": "A", "choices": ["1", " "]}, "choices are not empty"),
        ({"question": "x?", "answer": "A", "choices": ["1", "1"]}, "choices differ"),
        ({"question": "x?", "answer": "D", "choices": ["1", "2"]}, "choice letter exists"),
        ({"question": "x?", "answer": "A", "choices": "1, 2"}, "choices is a list of texts"),
        ({"question": "see <image2>", "answer": "1"}, "image placeholders fit the images"),
        ({"mathse": "{}"}, "mathse column is whole"),
        ({"question": "x?", "answer": ["1", "2"]}, "one answer is given"),
        ({"question": "x?", "answer": True}, "answer is text"),
        ({"question": "x?", "answer": 1, "choices": ["1", "2"]}, "choice is named"),
        ({"question": "x?", "answer": "1", "choices": ["5", "7"]}, "choice letter exists"),
        ({"question": "x?", "answer": "AC", "choices": ["5", "6", "7"]}, "one choice is right"),
        ({"question": "x?", "answer": "A and (C)", "options": list("xyz")}, "one choice is right"),
        ({"question": "x?", "answer": "(A) 7", "choices": ["5", "7"]}, "one choice is right"),
        ({"question": "x?", "answer": "A", "choices": ["5", None]}, "choices is a list of texts"),
        (
            {"question": "x?", "answer": "A", "choices": {"A": "5", "C": "7"}},
            "choices have letters",
        ),
        ({"question": "x?", "answer": "1", "image": "data:image/png;base64,AAAA"}, "image decodes"),
        ({"question": "x <img>?", "answer": "1"}, "image tags are whole"),
        ({"messages": said("<img>none.png</img>How many?", "4")}, "image is there"),
        ({"messages": said("Describe it.", "It is a triangle with a label.")}, "answer is stated"),
        ({"messages": said("描述图形。", "这是一个有底边的三角形")}, "answer is stated"),
        ({"messages": said("Which?\nA. 1\nB. 2", "The answer is A and B.")}, "answer is stated"),
        (
            {"messages": [{"role": "user", "content": [{"type": "audio"}]}, *said("", "4")[1:]]},
            "messages have role and content",
        ),
        ({"messages": said("How many?", None)}, "messages have role and content"),
    ],
)
def test_a_bad_row_is_named_and_the_rest_goes_on(
    tmp_path: Path, row: dict[str, Any], rule: str
) -> None:
    good = {"messages": said("What is 2+2?", "4")}
    put(
        tmp_path / "s" / "train.jsonl", [good, row, {**good, "messages": said("What is 2+3?", "5")}]
    )
    found = bring("ms-swift", tmp_path / "s", tmp_path)
    assert found.counts["problems"] == 2
    (bad,) = found.quarantined.to_dicts()
    assert (bad["file"], bad["row"]) == ("train.jsonl", 1) and bad["reason"] and bad["field"]
    assert bad["rule"] == rule


URI = f"data:image/png;base64,{base64.b64encode(picture(7)).decode()}"
PARTS = {"type": "text", "text": "How many?"}


@pytest.mark.parametrize(
    "row",
    [
        {"messages": said("<img>p.png</img>How many?", "4")},
        {"messages": said("<img src='p.png'/>\nHow many?", "4")},
        {"messages": said("![the figure](p.png)How many?", "4")},
        {
            "messages": said("<|vision_start|><|image_pad|><|vision_end|>How many?", "4"),
            "images": URI,
        },
        {"messages": said("<|image_1|>\nHow many?", "4"), "images": [URI.partition(",")[2]]},
        {"messages": [{"role": "User", "content": [{"type": "image", "image": "p.png"}, PARTS]}]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": URI}}, PARTS],
                }
            ]
        },
        {
            "messages": [{"role": "user", "content": ["<image>", "How many?"]}],
            "images": '["p.png"]',
        },
        {"question": "How many?", "answer": "4", "image": {"bytes": URI.partition(",")[2]}},
        {"question": "How many?", "answer": "4", "image": {"image_url": {"url": "p.png"}}},
        {"question": "<img>p.png</img>How many?", "answer": 4},
    ],
)
def test_images_wherever_they_may_be(tmp_path: Path, row: dict[str, Any]) -> None:
    if len(row.get("messages", said("", ""))) == 1:
        row = {**row, "messages": [*row["messages"], {"role": "Assistant", "content": 4}]}
    put(tmp_path / "s" / "train.jsonl", [row])
    put(tmp_path / "s" / "p.png", picture(7))
    found = bring("ms-swift", tmp_path / "s", tmp_path)
    assert one(found) == ("How many?", "4", [], 1)
    assert found.images["bytes"].to_list() == [picture(7)]


@pytest.mark.parametrize(
    ("choices", "answer"),
    [
        ({"A": "5", "B": "7", "C": None}, "B"),
        ('["5", "7"]', "b"),
        ("['5', '7']", "(B) 7"),
        ("A. 5\nB. 7", "7"),
        (["A. 5", "B. 7"], "B. 7"),
        ([5, 7], 7),
    ],
)
def test_choices_in_all_their_forms(tmp_path: Path, choices: Any, answer: Any) -> None:
    put(tmp_path / "s" / "a.jsonl", [{"question": "x?", "answer": answer, "choices": choices}])
    found = bring("ms-swift", tmp_path / "s", tmp_path).row()
    assert found["choices"] == ["5", "7"] and found["answer"] in ("B", "7")


@pytest.mark.parametrize(
    "answer", ["A circle.", "7", "$x = 5$ or $x = 7$", "三角形", "New York City"]
)
def test_a_bare_answer_is_no_caption(tmp_path: Path, answer: str) -> None:
    put(tmp_path / "s" / "a.jsonl", [{"messages": said("What?", answer)}])
    assert bring("ms-swift", tmp_path / "s", tmp_path).counts["problems"] == 1


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("<answer> 145° </answer>", "145°"),
        ("\\boxed{5}", "5"),
        ("The answer is $\\boxed{\\frac{1}{2}}$.", "\\frac{1}{2}"),
        ("#### 5", "5"),
        ("<answer>The answer is 5.</answer>", "5"),
        ("The answer is 5.", "5"),
    ],
)
def test_an_answer_alone_is_no_worked_solution(tmp_path: Path, response: str, answer: str) -> None:
    rows = [
        {"problem": "Alone?", "solution": response},
        {"problem": "Both?", "solution": response, "answer": answer},
        {"problem": "Worked?", "solution": f"It is known.\n{response}"},
    ]
    put(tmp_path / "s" / "a.jsonl", [*rows, {"messages": said("Said?", response)}])
    read = {row["question"]: row for row in bring("jsonl", tmp_path / "s", tmp_path).rows()}
    assert {row["answer"] for row in read.values()} == {answer}
    solutions = {name: row["solution"] for name, row in read.items()}
    worked = {"Worked?": f"It is known.\n{response}"}
    assert solutions == {"Alone?": None, "Both?": None, "Said?": None, **worked}


def test_the_text_of_a_choice_is_no_caption(tmp_path: Path) -> None:
    options = ["one side", "the sum of all the sides"]
    row = {"messages": said("Which?", f"{options[1]}."), "options": options}
    put(tmp_path / "s" / "a.jsonl", [row])
    assert bring("ms-swift", tmp_path / "s", tmp_path).row()["answer"] == options[1]


@pytest.mark.parametrize("tag", ["<|image_1|>", "<img>p.png</img>", "![a figure](p.png)"])
def test_a_column_of_choices_leaves_no_raw_image_tag(tmp_path: Path, tag: str) -> None:
    asked = {"question": f"Which? {tag}\nA. x\nB. y", "choices": ["x", "y"], "answer": "B"}
    put(tmp_path / "s" / "a.jsonl", [asked | {"image": "p.png"}])
    put(tmp_path / "s" / "p.png", picture(1))
    row = bring("jsonl", tmp_path / "s", tmp_path).row()
    assert row["question"] == "Which? <image>\nA. x\nB. y" and len(row["image_ids"]) == 1


def test_prompts_are_cut() -> None:
    assert cut_prompt("<image>\nQuestion: Why?\nChoices:\n(A) 1\n(B) 2") == ("Why?", ["1", "2"])
    assert cut_prompt("Why?\nA. 1\nB. 2 <m>\nC. 3") == ("Why?", ["1", "2 <m>", "3"])
    assert cut_prompt("Why? Choices: A:145° B:35° C:55°") == ("Why?", ["145°", "35°", "55°"])
    assert cut_prompt("Why?\nChoices: A:145° B:35° C:55°") == ("Why?", ["145°", "35°", "55°"])
    options = ["5", "6 cm", "-7"]
    assert cut_prompt("<image>How long? (A) 5 (B) 6 cm (C) -7") == ("How long?", options)
    assert cut_prompt("How long is A?\nIs it A. 5, B. 6 cm, C. -7") == (
        "How long is A?\nIs it",
        options,
    )
    assert cut_prompt("多长？A．5 B．6 cm C．-7") == ("多长？", options)
    for whole in (
        "Are (A), (B) and (C) equal",
        "The circles (A) 1 (B) 2 (C) 3 touch. Find the middle one.",
        "The circles (A) 1 (B) 2 (C) 3 touch, don't they?",
        "Which is true of P(A) and P(B)?",
        "Is it (A) 5 or (B) 6",
        "The sides are A: 3, B: 5, C: 7 long. Find A.",
        "The sides are A: 3, B: 5, C: 7, find A",
    ):
        assert cut_prompt(whole) == (whole, [])
    assert cut_prompt("Find A.\nA. Smith says so.") == ("Find A.\nA. Smith says so.", [])
    assert cut_prompt("Why?\nChoices:\n(A) 1\n(C) 2") == ("Why?\nChoices:\n(A) 1\n(C) 2", [])
    assert cut_prompt("Is <image> like <image>") == ("Is <image> like <image>", [])
    assert cut_prompt("如图\n选项：\nA．3\nB．4") == ("如图", ["3", "4"])


def test_long_prompts_are_cut_in_no_time() -> None:
    for gap in (" " * 20_000, " A. x" * 4_000, " choices" * 4_000):
        start = time.monotonic()
        question, choices = cut_prompt(f"Why{gap} y? A. 1 B. 2 C. 3")
        assert question.endswith("y?") and choices == ["1", "2", "3"]
        assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("12", "number"),
        ("-1,204.50", "number"),
        ("3/4", "number"),
        ("50°", "number"),
        ("12%", "number"),
        ("$5", "number"),
        ("1.5e3", "number"),
        (".5", "number"),
        ("{1, 2}", "set"),
        ("[0, 3]", "set"),
        ("Monday", "text"),
        ("New York", "text"),
        ("2x+1", "expression"),
        ("\\frac{1}{2}", "expression"),
        ("x", "expression"),
        ("", "expression"),
    ],
)
def test_kinds_of_answers_are_distinguished(answer: str, kind: str) -> None:
    assert guess_answer_type(answer, []) == kind
    assert guess_answer_type(answer, ["a", "b"]) == "choice"


def test_numbers_of_binary_tables_are_written_as_people_write_them(tmp_path: Path) -> None:
    numbers = [0.1, 3.14, 2.0, 1e22]
    path = tmp_path / "h" / "data" / "train-0.parquet"
    rows = [{"question": f"{number}?", "answer": number} for number in numbers]
    parquet(path, rows, answer=pl.Float32)
    found = bring("hf-folder", tmp_path / "h", tmp_path)
    assert sorted(found.problems["answer"]) == ["0.1", "1e+22", "2.0", "3.14"]
    row = rows[0] | {"choices": [0.1, 0.2]}
    parquet(path, [row], answer=pl.Float32, choices=pl.List(pl.Float32))
    found = bring("hf-folder", tmp_path / "h", tmp_path)
    assert (found.row()["answer"], found.row()["choices"]) == ("0.1", ["0.1", "0.2"])
    put(tmp_path / "s" / "a.jsonl", [{"question": "?", "answer": 0.1 + 0.2},
                                     {"question": "Whole?", "answer": 2.0**53}])  # fmt: skip
    found = bring("jsonl", tmp_path / "s", tmp_path)
    assert found.problems["answer"].sort().to_list() == ["0.3", "9007199254740992.0"]


def test_a_number_that_is_none_is_missing(tmp_path: Path) -> None:
    numbers = [5.0, float("nan"), float("inf"), float("-inf")]
    rows = [{"question": f"{number}?", "answer": number} for number in numbers]
    parquet(tmp_path / "h" / "data" / "train-0.parquet", rows)
    found = bring("hf-folder", tmp_path / "h", tmp_path)
    assert found.row()["answer"] == "5.0"
    assert found.quarantined["rule"].to_list() == ["answer is given"] * 3
    lines = ['{"question": "1?", "answer": 1e999}', '{"question": "2?", "answer": NaN}',
            '{"question": "3?", "answer": NaN, "solution": "The answer is 4."}',
            '{"question": "4?", "answer": "A", "choices": [1.0, 1e999]}']  # fmt: skip
    put(tmp_path / "s" / "a.jsonl", "\n".join(lines))
    found = bring("jsonl", tmp_path / "s", tmp_path)
    assert found.row()["answer"] == "4", "NaN is no answer, so the solution gives it"
    given = ["answer is given", "answer is given", "choices is a list of texts"]
    assert found.quarantined["rule"].to_list() == given


def test_split_names_are_short_names() -> None:
    assert [short_name(words) for words in ("Test-Mini", "1k", " ", "val")] == [
        "test_mini",
        "s1k",
        "train",
        "val",
    ]


def test_a_split_of_other_letters_is_not_train(tmp_path: Path) -> None:
    splits = ("测试", "测试1", "--", "Test 2", "", None, "1k")
    rows = [{"question": f"{one}?", "answer": "1", "split": one} for one in splits]
    put(tmp_path / "s" / "a.jsonl", rows)
    found = bring("jsonl", tmp_path / "s", tmp_path)
    kept = dict(found.problems.select("question", "split").iter_rows())
    assert kept == {"Test 2?": "test_2", "?": "train", "None?": "train", "1k?": "s1k"}
    assert found.quarantined["value"].to_list() == ["测试", "测试1", "--"]
    assert found.quarantined["rule"].unique().to_list() == ["split has a short name"]
