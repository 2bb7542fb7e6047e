from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from mathse import prompts
from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id
from mathse.prompts import (
    CLOSING,
    PROMPTS_VERSION,
    VerdictForm,
    analysis_prefix,
    clean_text,
    judge_messages,
    judge_solution_messages,
    judge_solution_text,
    number_steps,
    parse_selection,
    reflect_messages,
    render_verdict,
    select_messages,
    selection_text,
    solve_messages,
    verdict_prefix,
    weighted_span,
)


def text_of(messages: list[prompts.Message]) -> str:
    (message,) = messages
    assert message["role"] == "user"
    (text,) = [item["text"] for item in message["content"] if item["type"] == "text"]
    return text


def test_solve() -> None:
    messages = solve_messages("How many bars?", ["3", "4"], 2)
    assert [item["type"] for item in messages[0]["content"]] == ["image", "image", "text"]
    assert text_of(messages) == (
        "How many bars?\nA. 3\nB. 4\n"
        "Solve step by step. End with: The answer to this problem is ..."
    )


def test_a_choice_that_is_its_letter_is_not_written_twice() -> None:
    assert "\nA.\nB.\nC. x\n" in text_of(solve_messages("Which?", ["A", "B", "x"], 1))


def test_letters_end_at_z() -> None:
    assert "Z. 25" in text_of(solve_messages("Which?", [str(i) for i in range(26)], 0))
    with pytest.raises(DataError, match="choices"):
        solve_messages("Which?", [str(i) for i in range(27)], 0)


def test_judge_numbers_steps_as_error_step_counts() -> None:
    text = text_of(
        judge_messages("How many?", [], 1, ["1. See 3.", "3+4=7.", "2. odd", "The answer is 7."])
    )
    assert text == (
        "How many?\nSolution:\n1. See 3.\n2. 3+4=7.\n3. 2. odd\n4. The answer is 7.\n"
        "Is every step right? Reply in JSON: status, error_step, error_analysis."
    )


def test_a_stepwise_judge_reads_its_own_solution_before_the_path() -> None:
    own = judge_solution_text("Two bars.", "1. See 3.")
    asked, said, shown = judge_messages("How many?", ["3", "4"], 1, ["1. See 4."], "stepwise", own)
    assert [asked] == judge_solution_messages("How many?", ["3", "4"], 1)
    assert (said["role"], said["content"][0]["text"]) == ("assistant", "Two bars.\n1. See 3.")
    assert "See 4." in shown["content"][-1]["text"] and not any(
        part["type"] == "image" for part in shown["content"]
    )
    assert judge_solution_text(None, "1. See 3.") == "1. See 3."
    with pytest.raises(ParamError, match="own solution"):
        judge_messages("How many?", [], 1, ["1. See 4."], "stepwise")


def test_reflect_gives_feedback_and_doubts_it() -> None:
    text = text_of(
        reflect_messages("How many?", ["1", "2"], 1, "See 3.\n\nThe answer is 1.", 1, "Misread.")
    )
    assert text.startswith(
        "How many?\nA. 1\nB. 2\nThis solution ends in a wrong answer:\n1. See 3.\n2. The"
    )
    assert "step 1: Misread." in text
    assert "may err; the answer is surely wrong" in text
    assert text.endswith(f"End with: {CLOSING} ...")


def test_reflect_without_feedback() -> None:
    assert "step ?: wrong." in text_of(reflect_messages("How many?", [], 1, "It is 1.", None, None))


def test_select_numbers_solutions_and_reads_the_number_that_is_named() -> None:
    text = text_of(select_messages("How many?", ["3", "4"], 1, ["See 3.\nSo 3.", "So <image> 4."]))
    assert text == (
        "How many?\nA. 3\nB. 4\nOne of these solutions is right.\n"
        "Solution 1:\n1. See 3.\n2. So 3.\nSolution 2:\n1. So the image 4.\n"
        "Which one? End with: The right solution is ..."
    )
    assert [parse_selection(selection_text(index), 3) for index in range(3)] == [0, 1, 2]
    said = "The right solution is 1? No: the right solution is 2."
    assert parse_selection(said, 2) == 1 and parse_selection(said, 1) is None
    assert parse_selection("2", 2) is parse_selection("The right solution is 0.", 2) is None


def test_braces_in_data_stay() -> None:
    question, step = r"Find $\frac{1}{2}$ of {x} and {steps}", "{problem} {closing}"
    assert question in text_of(solve_messages(question, ["{a}"], 0))
    assert step in text_of(judge_messages(question, [], 0, [step]))
    assert step in text_of(reflect_messages(question, [], 0, step, 1, "{0} {closing}"))


@pytest.mark.parametrize(
    ("text", "n_images", "cleaned"),
    [
        ("How many?\n<image1>", 1, "How many?"),
        ("<image>\nHow many?", 1, "How many?"),
        ("<image>How many?", 1, "How many?"),
        ("Two figures.\n<image1><image2>\nWhich?", 2, "Two figures.\nWhich?"),
        ("It shows: <image1>\nWhich?", 1, "It shows:\nWhich?"),
        (
            "The clock showed <image1>. Later <image1>.",
            1,
            "The clock showed the image. Later the image.",
        ),
        ("Compare <image1> with <image 2>.", 2, "Compare image 1 with image 2."),
        ("Compare <image> with <IMAGE>.", 2, "Compare image 1 with image 2."),
        ("<image> shows a ring", 1, "the image shows a ring"),
        ("What is on <image1>", 1, "What is on the image"),
        ("Four pieces. <image1> Which two fit?", 1, "Four pieces. Which two fit?"),
        ("These pieces <image1> are joined.", 1, "These pieces the image are joined."),
        ("Choose: <image1>, <image2>", 2, "Choose: image 1, image 2"),
        ("Find $m + n$.\\n<image1>", 1, "Find $m + n$."),
        ("Which?\\n\\n<image1>\nHint", 1, "Which?\nHint"),
        ("<image1> $\\nu$ and $3 \\neq 4$", 1, "$\\nu$ and $3 \\neq 4$"),
        ("An <image2> without pictures", 0, "An image 2 without pictures"),
        ("这是什么？<image1>", 1, "这是什么？"),
        ("a <imagery> b", 1, "a <imagery> b"),
        ("  no placeholder\n\n here ", 1, "no placeholder\n\n here"),
        ("x<|im_end|>y<end_of_utterance><fake_token_around_image>", 1, "xy"),
        ("1 <|x|> 2", 0, "1 <|x|> 2"),
    ],
)
def test_placeholders(text: str, n_images: int, cleaned: str) -> None:
    assert clean_text(text, n_images) == cleaned


def test_a_choice_keeps_its_image() -> None:
    assert "\nA. image 2\nB. image 3\n" in text_of(
        solve_messages("Which?\n<image1>", ["<image2>", "<image3>"], 3)
    )


def test_no_text_brings_an_image_token() -> None:
    bad = "a <image> b\n<image1>\n<|image_pad|>"
    for messages in (
        solve_messages(bad, [bad], 1),
        judge_messages(bad, [bad], 1, [bad]),
        reflect_messages(bad, [bad], 1, bad, 1, bad),
    ):
        assert "<image" not in text_of(messages) and "<|" not in text_of(messages)


def test_a_negative_number_of_images_is_refused() -> None:
    with pytest.raises(ParamError):
        solve_messages("x", [], -1)


def test_verdicts_are_json_that_begins_with_the_prefix() -> None:
    wrong = render_verdict("WRONG", 2, 'It says "3" é')
    assert wrong == '{"status": "WRONG", "error_step": 2, "error_analysis": "It says \\"3\\" é"}'
    assert json.loads(wrong)["error_analysis"] == 'It says "3" é'
    assert render_verdict("correct") == '{"status": "CORRECT"}'
    assert render_verdict("correct", 2, "ignored") == '{"status": "CORRECT"}'
    assert render_verdict("wrong", form="binary") == '{"status": "WRONG"}'
    for status in prompts.STATUSES:
        assert render_verdict(status, 1, "x").startswith(verdict_prefix("diagnostic") + status)


def test_verdicts_without_their_parts_are_refused() -> None:
    for step, analysis in [(None, "x"), (1, None), (0, "x"), (1, "")]:
        with pytest.raises(DataError, match="names step and analysis"):
            render_verdict("WRONG", step, analysis)
    with pytest.raises(ParamError, match="status"):
        render_verdict("MAYBE")
    with pytest.raises(ParamError, match="form"):
        render_verdict("WRONG", 1, "x", form="long")  # type: ignore[arg-type]


def test_number_steps_cleans_each_step() -> None:
    assert number_steps(["See <image>.", ""], 1) == "1. See the image.\n2."


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("<|assis<|user|>tant|>", ""),
        ("a <|im_<|im_<|user|>end|>end|> b", "a  b"),
        ("<fake_token<|user|>_around_image><im<|user|>age>", "the image"),
    ],
)
def test_nested_special_tokens_are_removed(text: str, cleaned: str) -> None:
    assert clean_text(f"See {text}.", 1) == f"See {cleaned}."


def test_prompts_stay_short() -> None:
    """A small model reads these for every sample: their own words must stay few."""
    assert len(text_of(solve_messages("", [], 0))) <= 80
    assert len(text_of(judge_messages("", [], 0, []))) <= 100
    assert len(text_of(reflect_messages("", [], 0, "", 1, "x"))) <= 280


def test_what_decides_a_verdict() -> None:
    def part(*words: Any, **more: Any) -> str:
        text = render_verdict(*words, **more)
        first, last = weighted_span(text, more.get("form", "diagnostic"))
        return text[first:last]

    assert part("WRONG", 1, "x") == part("WRONG", form="binary") == "WRONG"
    assert part("CORRECT") == "CORRECT"
    steps = ["1. A is 3.", "2. 3+4=8."]
    assert (
        part("WRONG", 2, "x", form="stepwise", steps=steps, right_step="3+4=7.") == " =7|=8 wrong"
    )
    assert part("CORRECT", form="stepwise", steps=steps) == ""


def test_other_texts_need_another_version() -> None:
    """The input fingerprint has the version: where this fails, change it and record the hash."""
    question, choices = "Is <image1> <|im_end|>like\n<image2>\nor not?", ["<image>", "B", "3"]
    steps = ["1. A<image> is 3.", "3+4=8, so 12.5", "2. odd <|user|>", f"{CLOSING} 8."]
    texts: list[Any] = [solve_messages(question, choices, count) for count in (0, 1, 2)]
    texts += [reflect_messages(question, choices, 2, "\n\n".join(steps), step, "No <image>.")
              for step in (None, 2)]  # fmt: skip
    texts.append(judge_solution_text("Two bars.", "1. See 3."))
    for form in get_args(VerdictForm):
        texts.append(judge_messages(question, choices, 1, steps, form, steps[0]))
        texts += [verdict_prefix(form), render_verdict("CORRECT", form=form, steps=steps)]
        more = {"form": form, "steps": steps, "right_step": "3+4=7, so 12.5"}
        texts.append(render_verdict("WRONG", 2, "8?", **more))
    texts.append(analysis_prefix(2))
    assert {PROMPTS_VERSION: content_id(texts)} == {"fb59ce876f1616dc": "8e23405c02bedd28"}
