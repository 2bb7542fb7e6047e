"""One good row for each table, and for each rule of each table a change that breaks it."""

from __future__ import annotations

import hashlib
from typing import Any

import polars as pl

import schemas
from schemas import TABLES, Table

Row = dict[str, Any]

PNG = b"\x89PNG\r\n\x1a\n and the rest"
PNG_ID = hashlib.sha256(PNG).hexdigest()
SOLUTION = "See 3 and 4.\n\n 3+4=7.\nThe answer to this problem is 7."
STEPS = ["See 3 and 4.", "3+4=7.", "The answer to this problem is 7."]

FAILED = {"finish_reason": "error", "error": "out of memory", "error_kind": "permanent"}


def hex_id(number: int) -> str:
    return f"{number:016x}"


GOOD: dict[str, Row] = {
    "Problem": {
        "problem_id": hex_id(1),
        "source": "figures",
        "split": "train",
        "subject": "arithmetic",
        "level": 1,
        "family": "bars",
        "question": "Which of <image1> is it?",
        "choices": ["3", "4", "7"],
        "answer": "C",
        "answer_type": "choice",
        "unit": "cm",
        "precision": 0,
        "image_ids": [PNG_ID],
        "language": "en",
        "solution": SOLUTION,
        "meta": '{"seed": 1}',
    },
    "Image": {"image_id": PNG_ID, "bytes": PNG, "format": "PNG", "width": 112, "height": 112},
    "Trajectory": {
        "trajectory_id": hex_id(2),
        "problem_id": hex_id(1),
        "round": "r1",
        "sample_idx": 0,
        "origin": "reflection",
        "parent_id": hex_id(3),
        "input_fingerprint": "abc",
        "model": "def",
        "sampling": '{"temperature": 1.0}',
        "seed": 0,
        "response": SOLUTION,
        "steps": STEPS,
        "finish_reason": "stop",
        "error": None,
        "error_kind": None,
        "prompt_tokens": 20,
        "response_tokens": 30,
    },
    "Verdict": {
        "trajectory_id": hex_id(2),
        "problem_id": hex_id(1),
        "round": "r1",
        "answer_state": "mismatch",
        "predicted_answer": "7",
        "orm_status": "wrong",
        "p_correct": 0.25,
        "error_step": 2,
        "error_analysis": "The sum is wrong.",
        "error_kind": "calculation",
        "accepted": False,
        "reason": "answer_mismatch",
    },
    "TrainRow": {
        "row_id": hex_id(4),
        "problem_id": hex_id(1),
        "trajectory_id": hex_id(2),
        "round": "r0",
        "origin": "teacher",
        "response": SOLUTION,
        "draft": None,
        "error_step": None,
        "error_analysis": None,
    },
    "OrmRow": {
        "row_id": hex_id(5),
        "problem_id": hex_id(1),
        "trajectory_id": hex_id(2),
        "part": "train",
        "response": SOLUTION,
        "steps": STEPS,
        "status": "wrong",
        "error_step": 3,
        "error_analysis": "The sum is wrong.",
        "error_kind": "calculation",
        "figure": "A 3, B 4.",
        "right_step": "3+4=7.",
    },
    "LedgerRow": {
        "round": "r1",
        "problem_id": hex_id(1),
        "state": "accepted",
        "attempts": 4,
        "passes": 4,
    },
    "Prediction": {
        "problem_id": hex_id(1),
        "round": "r1",
        "split": "eval",
        "response": "",
        "finish_reason": "length",
        "error": None,
        "error_kind": None,
        "response_tokens": 0,
    },
    "Graded": {
        "problem_id": hex_id(1),
        "round": "r1",
        "split": "eval_hard",
        "predicted_answer": "7",
        "answer_state": "match",
        "correct": True,
    },
    "Quarantine": {
        "file": "data/problems.parquet",
        "row": 0,
        "rule": "answer is not empty",
        "field": "answer",
        "value": "",
        "reason": "the source has none",
    },
    "Match": {
        "problem_id": hex_id(1),
        "split": "train",
        "other_id": hex_id(4),
        "other_split": "eval",
        "rule": "text_and_picture",
        "text": 0.75,
        "picture": 0.9,
        "same_answer": True,
        "question": "Which of these is it?",
        "other_question": "Which one is it?",
    },
}

SAME_KEY = "same key twice"  # stands for: add the good row a second time

# (table, rule, what to change in the good row)
BROKEN: list[tuple[str, str, Row | str]] = [
    ("Problem", "problem_id is a content id", {"problem_id": "12"}),
    ("Problem", "problem_id occur once", SAME_KEY),
    ("Problem", "source is not empty", {"source": " "}),
    ("Problem", "split is a short name", {"split": "Train Set"}),
    ("Problem", "subject is not empty", {"subject": ""}),
    ("Problem", "level is at least 0", {"level": -1}),
    ("Problem", "family is not empty", {"family": ""}),
    ("Problem", "question is not empty", {"question": " \n"}),
    ("Problem", "image placeholders fit the images", {"question": "See <image1> and <image2>."}),
    ("Problem", "image placeholders fit the images", {"question": "See <image> and <image>."}),
    ("Problem", "image placeholders fit the images", {"image_ids": []}),
    ("Problem", "choices are not empty", {"choices": ["3", " ", "7"]}),
    ("Problem", "choices are not empty", {"choices": ["3", None, "7"]}),
    ("Problem", "choices are none or 2 to 26", {"choices": ["3"], "answer": "A"}),
    ("Problem", "choices are none or 2 to 26", {"choices": [str(i) for i in range(27)]}),
    ("Problem", "choices differ", {"choices": ["3", "3", "7"]}),
    ("Problem", "answer is not empty", {"answer": " ", "answer_type": "text"}),
    (
        "Problem",
        "answer_type is one of number, choice, expression, text, set",
        {"answer_type": "essay"},
    ),
    ("Problem", "choice letter exists", {"answer": "D"}),
    ("Problem", "choice letter exists", {"answer": "c"}),
    ("Problem", "choice letter exists", {"answer": "8"}),
    ("Problem", "choice letter exists", {"choices": []}),
    ("Problem", "unit is not empty", {"unit": ""}),
    ("Problem", "precision is at least 0", {"precision": -1}),
    ("Problem", "image_ids are SHA-256 digests", {"image_ids": ["figure.png"]}),
    ("Problem", "image_ids are SHA-256 digests", {"image_ids": [None]}),
    ("Problem", "language is a language code", {"language": "English"}),
    ("Problem", "solution is not empty", {"solution": ""}),
    ("Problem", "meta is a JSON object", {"meta": "[1]"}),
    ("Problem", "meta is a JSON object", {"meta": "{seed: 1}"}),
    ("Image", "image_id is a SHA-256 digest", {"image_id": "x.png"}),
    ("Image", "image_id occur once", SAME_KEY),
    ("Image", "image_id is the hash of the bytes", {"bytes": PNG + b"!"}),
    ("Image", "bytes are not empty", {"bytes": b""}),
    ("Image", "format is one of PNG, JPEG, WEBP, GIF, BMP", {"format": "png"}),
    ("Image", "bytes begin as the format says", {"format": "JPEG"}),
    ("Image", "width is at least 1", {"width": 0}),
    ("Image", "height is at least 1", {"height": 0}),
    ("Trajectory", "trajectory_id is a content id", {"trajectory_id": "t1"}),
    ("Trajectory", "trajectory_id occur once", SAME_KEY),
    ("Trajectory", "problem_id is a content id", {"problem_id": ""}),
    ("Trajectory", "round is a short name", {"round": "1"}),
    ("Trajectory", "sample_idx is at least 0", {"sample_idx": -1}),
    (
        "Trajectory",
        "origin is one of teacher, student, reflection",
        {"origin": "human", "parent_id": None},
    ),
    ("Trajectory", "parent_id is a content id", {"parent_id": "t0"}),
    ("Trajectory", "reflections and only they have a parent", {"parent_id": None}),
    ("Trajectory", "reflections and only they have a parent", {"origin": "student"}),
    ("Trajectory", "input_fingerprint is not empty", {"input_fingerprint": ""}),
    ("Trajectory", "model is not empty", {"model": ""}),
    ("Trajectory", "sampling is a JSON object", {"sampling": "temperature=1"}),
    ("Trajectory", "seed is at least 0", {"seed": -1}),
    ("Trajectory", "steps are the lines of the response", {"steps": STEPS[:2]}),
    ("Trajectory", "steps are the lines of the response", {"response": ""}),
    ("Trajectory", "finish_reason is one of stop, length, error", {"finish_reason": "eos"}),
    ("Trajectory", "failed requests and only they have an error", {"error": "no"}),
    ("Trajectory", "failed requests and only they have an error", FAILED | {"error_kind": None}),
    ("Trajectory", "error is not empty", FAILED | {"error": ""}),
    ("Trajectory", "error_kind is one of retryable, permanent", FAILED | {"error_kind": "odd"}),
    ("Trajectory", "failed requests and only they have an error", {"finish_reason": "error"}),
    ("Trajectory", "prompt_tokens is at least 0", {"prompt_tokens": -1}),
    ("Trajectory", "response_tokens is at least 0", {"response_tokens": -1}),
    ("Verdict", "trajectory_id is a content id", {"trajectory_id": "t1"}),
    ("Verdict", "trajectory_id occur once", SAME_KEY),
    ("Verdict", "problem_id is a content id", {"problem_id": "p1"}),
    ("Verdict", "round is a short name", {"round": ""}),
    (
        "Verdict",
        "answer_state is one of match, mismatch, no_answer, unknown, unreadable, timeout, error",
        {"answer_state": "pass"},
    ),
    ("Verdict", "a compared answer is given", {"predicted_answer": None}),
    (
        "Verdict",
        "orm_status is one of correct, wrong, unparseable, skipped",
        {"orm_status": "WRONG", "error_step": None, "error_analysis": None, "error_kind": None},
    ),
    ("Verdict", "p_correct is from 0 to 1", {"p_correct": 1.01}),
    ("Verdict", "p_correct is from 0 to 1", {"p_correct": float("nan")}),
    ("Verdict", "error_step is at least 1", {"error_step": 0}),
    ("Verdict", "error_analysis is not empty", {"error_analysis": ""}),
    (
        "Verdict",
        "error_kind is one of vision, question, knowledge, reasoning, calculation",
        {"error_kind": "typing"},
    ),
    ("Verdict", "only wrong trajectories have feedback", {"orm_status": "unparseable"}),
    ("Verdict", "reason is not empty", {"reason": ""}),
    ("Verdict", "rejected trajectories and only they have a reason", {"reason": None}),
    (
        "Verdict",
        "rejected trajectories and only they have a reason",
        {"accepted": True, "answer_state": "match"},
    ),
    ("Verdict", "an accepted trajectory passed a check", {"accepted": True, "reason": None}),
    (
        "Verdict",
        "an accepted trajectory passed a check",
        {"accepted": True, "reason": None, "answer_state": "timeout"},
    ),
    ("TrainRow", "row_id is a content id", {"row_id": "1"}),
    ("TrainRow", "row_id occur once", SAME_KEY),
    ("TrainRow", "problem_id is a content id", {"problem_id": "1"}),
    ("TrainRow", "trajectory_id is a content id", {"trajectory_id": "1"}),
    ("TrainRow", "trajectory_id occur once", SAME_KEY),
    ("TrainRow", "round is a short name", {"round": "R0"}),
    ("TrainRow", "origin is one of teacher, student, reflection", {"origin": "gpt"}),
    ("TrainRow", "response is not empty", {"response": "\n"}),
    ("TrainRow", "draft is not empty", {"draft": " "}),
    ("TrainRow", "error_step is at least 1", {"error_step": 0}),
    ("TrainRow", "error_analysis is not empty", {"error_analysis": ""}),
    ("OrmRow", "row_id is a content id", {"row_id": "1"}),
    ("OrmRow", "row_id occur once", SAME_KEY),
    ("OrmRow", "problem_id is a content id", {"problem_id": "1"}),
    ("OrmRow", "trajectory_id is a content id", {"trajectory_id": "1"}),
    ("OrmRow", "part is one of train, test", {"part": "dev"}),
    ("OrmRow", "response is not empty", {"response": "", "steps": [], "error_step": None}),
    ("OrmRow", "steps are the lines of the response", {"steps": [*STEPS, "more"]}),
    ("OrmRow", "status is one of correct, wrong", {"status": "unsure"}),
    ("OrmRow", "error_step is at least 1", {"error_step": 0}),
    ("OrmRow", "error_step within steps", {"error_step": 4}),
    ("OrmRow", "error_analysis is not empty", {"error_analysis": " "}),
    ("OrmRow", "figure is not empty", {"figure": " "}),
    ("OrmRow", "right_step is not empty", {"right_step": ""}),
    (
        "OrmRow",
        "error_kind is one of vision, question, knowledge, reasoning, calculation",
        {"error_kind": ""},
    ),
    ("OrmRow", "only wrong trajectories have feedback", {"status": "correct"}),
    ("LedgerRow", "round is a short name", {"round": "round 1"}),
    ("LedgerRow", "problem_id is a content id", {"problem_id": "1"}),
    ("LedgerRow", "round and problem_id occur once", SAME_KEY),
    (
        "LedgerRow",
        "state is one of distilled, accepted, reflected, hard, remaining, quarantined, "
        "contaminated",
        {"state": "lost"},
    ),
    ("LedgerRow", "attempts is at least 0", {"attempts": -1, "passes": -1}),
    ("LedgerRow", "passes is at least 0", {"passes": -1}),
    ("LedgerRow", "passes are at most attempts", {"passes": 5}),
    ("Prediction", "problem_id is a content id", {"problem_id": "1"}),
    ("Prediction", "problem_id and round occur once", SAME_KEY),
    ("Prediction", "round is a short name", {"round": "1"}),
    ("Prediction", "split is a short name", {"split": "eval-hard"}),
    ("Prediction", "finish_reason is one of stop, length, error", {"finish_reason": ""}),
    ("Prediction", "failed requests and only they have an error", {"finish_reason": "error"}),
    ("Prediction", "error is not empty", FAILED | {"error": ""}),
    ("Prediction", "error_kind is one of retryable, permanent", FAILED | {"error_kind": "odd"}),
    ("Prediction", "response_tokens is at least 0", {"response_tokens": -1}),
    ("Graded", "problem_id is a content id", {"problem_id": "1"}),
    ("Graded", "problem_id and round occur once", SAME_KEY),
    ("Graded", "round is a short name", {"round": "1"}),
    ("Graded", "split is a short name", {"split": ""}),
    (
        "Graded",
        "answer_state is one of match, mismatch, no_answer, unknown, unreadable, timeout, error",
        {"answer_state": "right", "correct": False},
    ),
    ("Graded", "a compared answer is given", {"predicted_answer": None}),
    ("Graded", "correct means match", {"correct": False}),
    ("Graded", "correct means match", {"answer_state": "timeout"}),
    ("Quarantine", "file is not empty", {"file": ""}),
    ("Quarantine", "row is at least 0", {"row": -1}),
    ("Quarantine", "rule is not empty", {"rule": ""}),
    ("Quarantine", "field is not empty", {"field": ""}),
    ("Quarantine", "value has at most 200 characters", {"value": "x" * 201}),
    ("Quarantine", "reason is not empty", {"reason": ""}),
    ("Match", "problem_id is a content id", {"problem_id": "12"}),
    ("Match", "other_id is a content id", {"other_id": "12"}),
    ("Match", "problem_id and other_id occur once", SAME_KEY),
    ("Match", "split is a short name", {"split": "Train Set"}),
    ("Match", "other_split is a short name", {"other_split": "Eval Set"}),
    ("Match", "the two sides are of different splits", {"other_split": "train"}),
    (
        "Match",
        "rule is one of text_and_picture, picture_and_answer, text, text_and_answer",
        {"rule": "guess"},
    ),
    ("Match", "text is from 0 to 1", {"text": 1.5}),
    ("Match", "picture is from 0 to 1", {"picture": -0.1}),
    ("Match", "question is not empty", {"question": ""}),
    ("Match", "other_question is not empty", {"other_question": " "}),
]

# Changes that cannot help breaking a second rule of the same table.
ALSO: dict[tuple[str, str], set[str]] = {
    ("Image", "image_id is a SHA-256 digest"): {"image_id is the hash of the bytes"},
    ("Image", "bytes are not empty"): {
        "image_id is the hash of the bytes",
        "bytes begin as the format says",
    },
    ("TrainRow", "row_id occur once"): {"trajectory_id occur once"},
    ("TrainRow", "trajectory_id occur once"): {"row_id occur once"},
    ("OrmRow", "status is one of correct, wrong"): {"only wrong trajectories have feedback"},
    ("LedgerRow", "attempts is at least 0"): {"passes is at least 0"},
}


def model_named(name: str) -> type[Table]:
    return next(model for model in TABLES if model.__name__ == name)


def frame(name: str, *changes: Row) -> pl.DataFrame:
    """The good row of a table once for each change made to it."""
    rows = [GOOD[name] | change for change in changes]
    model = model_named(name)
    return pl.DataFrame(
        rows, schema={**schemas.column_types(model), **schemas.optional_types(model)}
    )


def broken_frame(name: str, change: Row | str) -> pl.DataFrame:
    return frame(name, {}, {}) if isinstance(change, str) else frame(name, change)
