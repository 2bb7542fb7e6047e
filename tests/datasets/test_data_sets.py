"""Each data set in its published layout, on a few hand-made rows."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data import DATA, missing
from mathse.core.errors import DataError
from mathse.core.images import ImageStore
from mathse.datasets.registry import SOURCES
from tests.datasets.made import bring, hub_image, parquet, picture, put


def tabmwp_row(**other: Any) -> dict[str, Any]:
    row = {
        "question": "How much do two pens and a book cost?",
        "choices": None,
        "answer": "1,204.50",
        "unit": "$",
        "table_title": "Shop",
        "table": "pen | $2\nbook | $1,200.50",
        "table_for_pd": {"thing": ["pen", "book"]},
        "row_num": 2,
        "column_num": 2,
        "solution": "2 + 2 = <<2+2=4>>4.\n4 + 1,200.50 = 1,204.50.",
        "ques_type": "free_text",
        "ans_type": "decimal_number",
        "grade": 4,
        "split": "train",
    }
    return {**row, **other}


def test_tabmwp_in_the_original_layout(tmp_path: Path) -> None:
    root = tmp_path / "tabmwp"
    put(root / "problems_train.json", {"7": tabmwp_row()})
    multi = {
        "question": "Is there a surplus?",
        "choices": ["shortage", "surplus"],
        "answer": "surplus",
        "unit": None,
    }
    put(
        root / "problems_test.json",
        {"9": tabmwp_row(**multi, ans_type="boolean_text", split="test")},
    )
    put(
        root / "problems_test1k.json",
        {"9": tabmwp_row(**multi, ans_type="boolean_text", split="test")},
    )
    for number in (7, 9):
        put(root / "tables" / f"{number}.png", picture(number))
    found = bring("tabmwp", root, tmp_path)
    assert found.counts["rows"] == 2, "the 1k file is a part of the whole one"
    number, choice = found.rows()
    assert (number["answer"], number["answer_type"], number["unit"]) == ("1,204.50", "number", "$")
    assert number["solution"] == "2 + 2 = <<2+2=4>>4.\n4 + 1,200.50 = 1,204.50.", (
        "annotations pass as they are"
    )
    assert (number["split"], number["level"], number["meta"]["id"]) == ("train", 4, "7")
    assert (choice["answer"], choice["answer_type"], choice["split"]) == (
        "surplus",
        "choice",
        "test",
    )
    assert ImageStore(found.out / "images").get(number["image_ids"][0]) == picture(7)
    assert bring("tabmwp", root, tmp_path, splits=["test"]).counts["splits"] == {"test": 1}


@pytest.mark.skipif(not (DATA / "tabmwp").is_dir(), reason=missing("tabmwp"))
def test_tabmwp_on_real_rows(tmp_path: Path) -> None:
    found = bring("tabmwp", DATA / "tabmwp", tmp_path)
    assert found.counts["splits"] == {"dev": 300, "test": 300} and found.counts["quarantined"] == 0
    assert set(found.problems["answer_type"]) == {"number", "choice"}
    assert found.problems["solution"].null_count() == 0


def test_math_vision(tmp_path: Path) -> None:
    row = {
        "id": "4",
        "question": "How big is <image2>?\n<image1>",
        "options": [],
        "answer": "6",
        "solution": None,
    }
    odd = {
        "id": "654",
        "question": "Which?\n<image1>",
        "options": ["A", "B", "D", "F", "G"],
        "answer": "G",
        "level": 3,
    }
    rows = [{**row, "level": 1, "subject": "counting", "image": "images/4.jpg"}]
    rows += [{**odd, "subject": "arithmetic", "image": "images/654.jpg", "solution": None}]
    put(tmp_path / "mv" / "test.jsonl", rows)
    for name in (4, 654):
        put(tmp_path / "mv" / "images" / f"{name}.jpg", picture(name, "JPEG"))
    big, which = bring("math-vision", tmp_path / "mv", tmp_path).rows()
    assert big["question"] == "How big is <image1>?\n<image1>", "one picture shows all parts"
    assert (big["answer_type"], big["level"], big["subject"]) == ("number", 1, "counting")
    assert (which["answer"], which["answer_type"]) == ("G", "choice"), "letters need not be places"


@pytest.mark.skipif(not (DATA / "math-v").is_dir(), reason=missing("math-v"))
def test_math_vision_on_real_rows(tmp_path: Path) -> None:
    found = bring("math-vision", DATA / "math-v", tmp_path)
    assert found.counts["rows"] == 576 and found.counts["problems"] >= 575
    assert set(found.quarantined["rule"]) <= {"choices differ"}, (
        "one of the rows names a choice twice"
    )


def vista_row(pid: str, **other: Any) -> dict[str, Any]:
    about = {
        "split": "testmini",
        "language": "english",
        "source": "Geometry3K",
        "task": "geometry problem solving",
    }
    row = {
        "pid": pid,
        "question": f"What is x in figure {pid}?",
        "image": f"images/{pid}.jpg",
        "choices": ["12", "15"],
        "unit": None,
        "precision": None,
        "answer": "15",
        "question_type": "multi_choice",
        "answer_type": "text",
        "metadata": {
            **about,
            "skills": ["geometry reasoning"],
            "context": "geometry diagram",
            "grade": "high school",
        },
        "query": "Hint: ...",
    }
    return {**row, **other}


VISTA_OTHER = {
    "choices": None,
    "answer": "1.2",
    "question_type": "free_form",
    "answer_type": "float",
    "precision": 1.0,
    "unit": "m",
}


def test_mathvista_json_and_parquet_are_the_same(tmp_path: Path) -> None:
    other = vista_row("2", **VISTA_OTHER)
    other["metadata"] = {
        **other["metadata"],
        "task": "figure question answering",
        "language": "chinese",
    }
    rows = [vista_row("1"), other]
    put(tmp_path / "git" / "data" / "testmini.json", {row["pid"]: row for row in rows})
    put(tmp_path / "git" / "data" / "test.json", {"9": vista_row("9", answer="")})
    for pid in "129":
        put(tmp_path / "git" / "data" / "images" / f"{pid}.jpg", picture(int(pid), "JPEG"))
    found = bring("mathvista", tmp_path / "git", tmp_path)
    gps, fqa = found.rows()
    assert (gps["answer_type"], gps["meta"]["gps"], gps["meta"]["id"]) == ("choice", True, "1")
    assert (fqa["answer_type"], fqa["precision"], fqa["unit"], fqa["language"]) == (
        "number",
        1,
        "m",
        "zh",
    )
    assert fqa["meta"]["gps"] is False and fqa["meta"]["answer_type"] == "float"
    assert found.quarantined["rule"].to_list() == ["answer is not empty"], (
        "the answers of test are not public"
    )

    hub = [{**row, "decoded_image": hub_image(picture(int(row["pid"]), "JPEG"))} for row in rows]
    parquet(tmp_path / "hub" / "data" / "testmini-00000-of-00001.parquet", hub)
    again = bring("mathvista", tmp_path / "hub", tmp_path)
    assert again.problems["problem_id"].to_list() == found.problems["problem_id"].to_list()


def verse_row(index: int, version: str, question: str, **other: Any) -> dict[str, Any]:
    row = {
        "sample_index": str(index),
        "problem_index": "1",
        "problem_version": version,
        "question": question,
        "image": f"images_version/{index}.png",
        "answer": "C",
        "question_type": "multi-choice",
        "metadata": {
            "split": "testmini",
            "source": "GeoQA",
            "subject": "Plane Geometry",
            "subfield": "Angle",
        },
        "query_wo": "Please directly answer.\n"
        "Question: According to the question shown in the image, choose.",
        "query_cot": "Please first conduct reasoning.",
        "question_for_eval": "As shown, a is parallel to b. Then angle 1 is\n"
        "Choices:\nA:30°\nB:40°\nC:50°\nD:60°",
    }
    return {**row, **other}


def test_mathverse_keeps_the_versions(tmp_path: Path) -> None:
    full = "As shown, a is parallel to b. Then angle 1 is\nChoices:\nA:30°\nB:40°\nC:50°\nD:60°"
    free = {
        "question_type": "free-form",
        "answer": "7",
        "question_for_eval": "Find AB.",
        "problem_index": "2",
    }
    rows = [
        verse_row(1, "Text Dominant", full),
        verse_row(2, "Text Lite", full, image="images_version/1.png"),
        verse_row(3, "Vision Only", ""),
        verse_row(4, "Vision Dominant", "Find AB.", **free),
    ]
    put(tmp_path / "verse" / "testmini.json", rows)
    put(tmp_path / "verse" / "testmini_text_only.json", [verse_row(5, "Text_Only", full, image="")])
    for number in (1, 3, 4):
        put(tmp_path / "verse" / "images" / "images_version" / f"{number}.png", picture(number))
    found = bring("mathverse", tmp_path / "verse", tmp_path)
    assert found.counts["rows"] == 5 and found.counts["duplicates"] == 1
    by_id = {row["meta"]["id"]: row for row in found.rows()}
    assert by_id["1"]["choices"] == ["30°", "40°", "50°", "60°"] and by_id["1"]["answer"] == "C"
    assert by_id["1"]["question"] == "As shown, a is parallel to b. Then angle 1 is"
    (twin,) = by_id["1"]["meta"]["also"]
    assert twin["meta"]["problem_version"] == "Text Lite", (
        "the same question and picture under another version"
    )
    assert (
        by_id["3"]["choices"] == ["A", "B", "C", "D"] and by_id["3"]["meta"]["choices"][2] == "50°"
    )
    assert "shown in the image" in by_id["3"]["question"]
    assert (by_id["4"]["answer_type"], by_id["4"]["choices"]) == ("number", [])
    assert by_id["5"]["image_ids"] == [] and by_id["5"]["meta"]["problem_version"] == "Text Only"
    assert by_id["5"]["split"] == "testmini_text_only"


@pytest.mark.parametrize("unpacked", [False, True])
def test_mathverse_as_the_hub_has_it(tmp_path: Path, unpacked: bool) -> None:
    verse, rows = tmp_path / "verse", [verse_row(1, "Text Lite", "Find AB.")]
    text_only = [verse_row(2, "Text Only", "AB is 5. Find AB.", image="")]
    put(verse / "images.zip", b"PK")
    for name, listed in (("testmini", rows), ("testmini_text_only", text_only)):
        put(verse / f"{name}.json", listed)
    if unpacked:
        put(verse / "images" / rows[0]["image"], picture(1))
    else:
        found = bring("mathverse", verse, tmp_path / "no_parquet")
        (reason,) = found.quarantined["reason"]
        assert "unzip images.zip" in reason and found.counts["problems"] == 1
    for name, listed in (("testmini", rows), ("testmini_text_only", text_only)):
        image = None if unpacked or listed is text_only else hub_image(picture(1))
        parquet(verse / f"{name}.parquet", [{**row, "image": image} for row in listed])
    found = bring("mathverse", verse, tmp_path)
    assert found.counts["problems"] == 2 and found.images["bytes"].to_list() == [picture(1)]


def pickled(**other: Any) -> dict[str, Any]:
    row = {
        "id": 12,
        "subject": "如图,直线a∥b,∠1=N_0°,则∠2=()",
        "choices": ["40°", "50°", "60°", "70°"],
        "choice_nums": [40.0, 50.0, 60.0, 70.0],
        "label": 1,
        "answer": "解:∵a∥b,∴∠2=∠1=50°,故选:B.",
        "image": np.full((20, 30), 250, np.uint8),
        "numbers": [50.0],
        "manual_program": ["g_equal", "N_0"],
        "formal_point": ["平行线"],
    }
    return {**row, **other}


@pytest.mark.parametrize("protocol", [2, 5])
def test_geoqa_plus(tmp_path: Path, protocol: int) -> None:
    wrong = [
        pickled(label=7),
        pickled(label=None),
        pickled(image=None),
        pickled(image=np.zeros((0, 3), np.uint8)),
    ]
    for name, rows in (
        ("Mix-train.pk", [pickled(), *wrong]),
        ("Backtrans-train.pk", [pickled(id=99)]),
    ):
        put(tmp_path / "geo" / "data" / name, pickle.dumps(rows, protocol))
    found = bring("geoqa-plus", tmp_path / "geo", tmp_path)
    row = found.row()
    assert row["question"] == "如图,直线a∥b,∠1=50°,则∠2=()" and row["language"] == "zh"
    assert (row["answer"], row["answer_type"], row["split"]) == ("B", "choice", "train")
    assert row["solution"].endswith("故选:B.") and row["meta"]["points"] == ["平行线"]
    assert row["image_ids"] == [
        "12abba7f066e7f05349af575b3de0d8689d139fcbe2d64cdfb4bf277a8d1b0f8"
    ], "fixed for good"
    rules = [
        "choice letter exists",
        "label is a whole number",
        "image is there",
        "image is a picture",
    ]
    assert found.quarantined.sort("row")["rule"].to_list() == rules


def test_unigeo_takes_the_english_text_of_calculations(tmp_path: Path) -> None:
    row = pickled(English_problem="As shown, a ∥ b, ∠1 = N_0 degrees. Then ∠2 = ()")
    image = np.zeros((5, 6, 3), np.uint8)
    put(tmp_path / "u" / "UniGeo" / "calculation_train.pk", pickle.dumps([row]))
    put(tmp_path / "u" / "UniGeo" / "calculation_test.pk", pickle.dumps([{**row, "image": image}]))
    put(tmp_path / "u" / "UniGeo" / "proving_train.pk", pickle.dumps([{"input_text": "prove"}]))
    found = bring("unigeo", tmp_path / "u", tmp_path)
    assert found.counts["splits"] == {"test": 1, "train": 1}
    assert {row["question"] for row in found.rows()} == {
        "As shown, a ∥ b, ∠1 = 50 degrees. Then ∠2 = ()"
    }


class Evil:
    def __init__(self, trace: str) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (self.trace,))


def test_a_pickle_cannot_run_anything(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    put(tmp_path / "geo" / "train.pk", pickle.dumps([pickled(id=Evil(str(trace)))]))
    with pytest.raises(DataError, match="not plain data"):
        bring("geoqa-plus", tmp_path / "geo", tmp_path)
    assert not trace.exists()


def test_geometry3k(tmp_path: Path) -> None:
    data = {
        "problem_text": "Find x. Round to the nearest tenth.",
        "choices": ["3.0", "4.5", "\\sqrt { 7 }", "9"],
        "answer": "C",
        "problem_type_graph": ["Triangle"],
        "problem_type_goal": ["Length"],
        "id": 2401,
    }
    put(tmp_path / "g" / "test" / "2401" / "data.json", data)
    put(tmp_path / "g" / "test" / "2401" / "img_diagram.png", picture(1))
    put(tmp_path / "g" / "test" / "2402" / "data.json", {**data, "answer": "E"})
    put(tmp_path / "g" / "test" / "2402" / "img_diagram.png", picture(2))
    put(tmp_path / "g" / "train" / "1" / "data.json", data)
    found = bring("geometry3k", tmp_path / "g", tmp_path)
    row = found.row()
    assert (row["answer"], row["split"], row["meta"]["graph"]) == ("C", "test", ["Triangle"])
    rules = dict(found.quarantined.select("file", "rule").iter_rows())
    assert rules == {
        "test/2402/data.json": "choice letter exists",
        "train/1/data.json": "image is there",
    }


def test_chartqa(tmp_path: Path) -> None:
    root = tmp_path / "c" / "ChartQA Dataset"
    put(
        root / "train" / "train_human.json",
        [{"imgname": "a.png", "query": "How many?", "label": "14"}],
    )
    put(
        root / "train" / "train_augmented.json",
        [{"imgname": "a.png", "query": "Which year?", "label": ["Japan"]}],
    )
    put(
        root / "val" / "val_human.json",
        [{"imgname": "b.png", "query": "Which?", "label": "[Yes, No]"}],
    )
    put(root / "train" / "png" / "a.png", picture(1))
    put(root / "val" / "png" / "b.png", picture(2))
    rows = {row["question"]: row for row in bring("chartqa", tmp_path / "c", tmp_path).rows()}
    rules = {
        name: (row["answer"], row["answer_type"], row["split"], row["meta"]["kind"])
        for name, row in rows.items()
    }
    assert rules == {
        "How many?": ("14", "number", "train", "human"),
        "Which year?": ("Japan", "text", "train", "augmented"),
        "Which?": ("[Yes, No]", "set", "val", "human"),
    }


def llava(image: str, asked: str, said: str, **other: Any) -> dict[str, Any]:
    talk = [{"from": "human", "value": asked}, {"from": "gpt", "value": said}]
    return {"id": "identity_1", "image": image, "conversations": talk, **other}


def test_mathv360k(tmp_path: Path) -> None:
    hint = (
        "Hint: Please answer the question and provide the correct option letter, "
        "e.g., A, B, C, D, at the end."
    )
    rows = [
        llava(
            "TabMWP/images/1.png",
            f"<image>\n{hint}\nQuestion: Which?\nChoices:\n(A) 51\n(B) 58",
            "The answer is B",
        ),
        llava("IconQA/images/2.png", "<image>\nHint: Answer.\nQuestion: How many dots?", "7"),
        llava("GeoQA+/images/3.png", "<image>\nFind AB.", "OA = 3, so AB = 6.\nAnswer: 6 cm"),
    ]
    put(tmp_path / "m" / "train_samples_all_tuning.json", rows)
    for number, part in enumerate(("TabMWP", "IconQA", "GeoQA+"), start=1):
        put(tmp_path / "m" / "data_images" / part / "images" / f"{number}.png", picture(number))
    geo, dots, which = bring("mathv360k", tmp_path / "m", tmp_path).rows()
    assert (which["question"], which["choices"], which["answer"]) == ("Which?", ["51", "58"], "B")
    assert which["solution"] is None, "the answer alone is no worked solution"
    assert (dots["answer"], dots["subject"], dots["question"]) == ("7", "IconQA", "How many dots?")
    assert geo["answer"] == "6 cm" and geo["solution"] == "OA = 3, so AB = 6.\nAnswer: 6 cm"


def test_multimath_takes_solutions_and_no_captions(tmp_path: Path) -> None:
    root = tmp_path / "mm"
    asked = "<image>\n如图，∠1=50°，则∠2=（ ）\nA. 40°\nB. 50°"
    put(
        root / "solution" / "chat_train_zh.json",
        [llava("a.png", asked, "因为a∥b，所以∠2=50°。\n答案是 B")],
    )
    put(
        root / "solution" / "chat_train_en.json",
        [llava("a.png", "<image>\nFind angle 2.", "It is 50.\nAnswer: 50°")],
    )
    put(root / "caption" / "chat_train_zh.json", [llava("a.png", "<image>\n描述图片", "一条直线")])
    put(root / "images" / "a.png", picture(3))
    english, chinese = bring("multimath", root, tmp_path).rows()
    assert (chinese["choices"], chinese["answer"], chinese["language"]) == (
        ["40°", "50°"],
        "B",
        "zh",
    )
    assert (english["answer"], english["split"]) == ("50°", "train")


def test_mavis_instruct_and_geometry(tmp_path: Path) -> None:
    root = tmp_path / "mavis"
    asked = (
        "<image>\nAccording to the question shown in the image, please first perform reasoning, "
        "then finally select the right answer from the choices, e.g., Answer: xxx.\n"
        "Question: What is the period?\nChoices:\nA: 2\nB: 4"
    )
    more = {"subject": "function", "question_type": "multi-choice"}
    put(
        root / "Caption_to_QA" / "Function.json",
        [llava("sin/func1.png", asked, "It repeats.\nAnswer: B", **more)],
    )
    put(root / "Caption_to_QA" / "sin" / "func1.png", picture(1))
    geo = llava(
        "x/RuleBaseGeo_For_Vision_Dominant/1.png",
        "<image>\nFind AB.",
        "So AB=5.\nThe answer is 5",
        **more,
    )
    put(root / "DataEngine" / "Geo.json", [geo])
    put(root / "DataEngine" / "rule_base_geo_vision_dom" / "1.png", picture(2))
    put(
        root / "MAVIS_Caption" / "caption.json",
        [llava("c.png", "<image>\nDescribe.", "A sine curve.")],
    )
    words = {
        f"{version}_question": f"{version}: BC?"
        for version in ("text_dominant", "text_lite", "vision_dominant")
    }
    images = {
        f"image_{version}": hub_image(picture(9)) for version in ("text_dominant", "text_lite")
    }
    images["image_vision_dominant"] = hub_image(picture(10))
    chinese = {**dict.fromkeys(words, None), "text_lite_question": "求BC", "CoT_reasoning": "BC=8"}
    row = {**images, "answer_index": 1, "choices": ["6", "8"], "text_zh": chinese}
    parquet(
        root / "visualization.parquet", [{**row, "text_en": {**words, "CoT_reasoning": "BC is 8."}}]
    )
    found = bring("mavis", root, tmp_path)
    assert found.counts["rows"] == found.counts["problems"] == 6
    rows = {row["question"]: row for row in found.rows()}
    period = next(row for name, row in rows.items() if name.endswith("What is the period?"))
    assert (period["choices"], period["answer"], period["meta"]["question_type"]) == (
        ["2", "4"],
        "B",
        "multi-choice",
    )
    assert rows["Find AB."]["answer"] == "5" and rows["求BC"]["language"] == "zh"
    assert rows["vision_dominant: BC?"]["meta"]["problem_version"] == "vision dominant"
    assert (
        rows["text_lite: BC?"]["answer"] == "B" and rows["text_lite: BC?"]["solution"] == "BC is 8."
    )


def test_math_puma(tmp_path: Path) -> None:
    row = {
        "image_url": "/home/user/data/Synthesis/images/a/1.png",
        "instruction": "What is AB?",
        "output": "Answer: 4",
    }
    put(tmp_path / "p" / "Synthesis" / "train.json", [row])
    put(tmp_path / "p" / "Synthesis" / "images" / "a" / "1.png", picture(1))
    other = {
        **row,
        "image_url": "images/2.png",
        "instruction": "How tall?",
        "output": "It is 3+1=4.\nAnswer: 4 m",
    }
    put(
        tmp_path / "p" / "VarsityTutors" / "train.jsonl",
        [other, {**other, "image_url": "../../2.png"}],
    )
    put(tmp_path / "p" / "VarsityTutors" / "images" / "2.png", picture(2))
    found = bring("math-puma", tmp_path / "p", tmp_path)
    tall, short = found.rows()
    assert (tall["answer"], tall["meta"]["part"], tall["split"]) == (
        "4 m",
        "VarsityTutors",
        "train",
    )
    assert short["answer"] == "4" and short["solution"] is None
    assert found.quarantined["rule"].to_list() == ["image stays inside the data set"]


@pytest.mark.parametrize(("name", "split"), [("mathvl", "train"), ("mathvl-test", "test")])
def test_mathvl_takes_the_usual_columns(tmp_path: Path, name: str, split: str) -> None:
    row = {
        "question": "如图，求x。",
        "options": ["1", "2", "3"],
        "answer": "C",
        "solution": "x=3",
        "image": "1.png",
    }
    put(tmp_path / "v" / "data.jsonl", [row])
    put(tmp_path / "v" / "images" / "1.png", picture(1))
    found = bring(name, tmp_path / "v", tmp_path).row()
    assert (found["answer"], found["choices"], found["split"]) == ("C", ["1", "2", "3"], split)


def test_every_source_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    for name, source in SOURCES.items():
        assert source.name == name and source.expects and source.home and source.licence
        with pytest.raises(DataError, match="Nothing of"):
            bring(name, tmp_path / "nothing", tmp_path)
