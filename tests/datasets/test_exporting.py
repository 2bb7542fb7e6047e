"""Export for other trainers; what was exported comes back as it was."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from mathse.cli import app
from mathse.core.errors import DataError, ParamError
from mathse.core.images import ImageStore, write_images
from mathse.core.layout import Layout
from mathse.core.params import Problems, Table
from mathse.core.tables import read_table, write_table
from mathse.datasets.exporting import FORMATS, export_rows, training_rows
from mathse.datasets.import_records import check_imports
from mathse.datasets.imported import load_imports
from mathse.engines.open_image import open_image
from mathse.prompts import reflect_messages, select_messages, solve_messages
from tests.datasets.made import Imported, bring, parquet, picture, put
from tests.engines.test_open_image import ODD, turned

BACK = {"llama-factory": "llama-factory", "ms-swift": "ms-swift", "trl": "hf-folder"}


def imported(tmp: Path, *, split: str = "train", numbers: range = range(6)) -> Imported:
    """An import with and without images, choices, solutions; in two languages."""
    root = tmp / f"from-{split}"
    rows: list[dict[str, Any]] = [
        {
            "question": "<image1> Was ist <image2>?",
            "answer": "B",
            "options": ["größer", "1 \\text{ cm}"],
            "level": 2,
        },
        {"question": "2+2?\nTwo lines.", "answer": "4", "unit": "m", "grade": 3},
        {"question": "如图，求∠1。", "answer": "50°", "subject": "geometry"},
        {"question": "Fraction?", "answer": "\\frac{1}{2}"},
        {"question": "No solution here?", "answer": "no"},
        {"question": "Last?", "answer": "yes"},
    ]
    for number in numbers:
        images = ["a.png", "b.jpg"] if number == 0 else ["b.jpg"] if number == 2 else []
        rows[number] |= {"images": images, "split": split, "id": str(number)}
        if number != 4:
            rows[number]["solution"] = (
                f"First {number}.\n\nThen it is so.\nAnswer: {rows[number]['answer']}"
            )
    put(root / "a.png", picture(1))
    put(root / "b.jpg", picture(2, "JPEG"))
    put(root / f"{split}.jsonl", [rows[number] for number in numbers])
    return bring("ms-swift", root, tmp / split)


@pytest.mark.parametrize("form", list(FORMATS))
def test_what_was_exported_comes_back(tmp_path: Path, form: str) -> None:
    first = imported(tmp_path)
    counts = export_rows(form, first.out, tmp_path / "export")
    assert counts == {"rows": 5, "images": 2}
    again = bring(BACK[form], tmp_path / "export", tmp_path)
    assert again.counts["quarantined"] == 0
    kept = first.problems.filter(pl.col("solution").is_not_null())
    assert again.problems.equals(kept) and again.images.equals(first.images)


def test_all_solutions_of_a_problem_come_back(tmp_path: Path) -> None:
    first = imported(tmp_path)
    data = tmp_path / "data"
    problem = first.problems.row(0, named=True)
    rows = [
        {
            "row_id": f"{at:016x}",
            "problem_id": problem["problem_id"],
            "trajectory_id": f"{at:016x}",
            "round": "r1",
        }
        | {"origin": "student", "response": f"Way {at}.\nThe answer to this problem is 4"}
        for at in range(3)
    ]
    for name, count in (("r2", 1), ("r10", 3)):
        write_table(
            pl.DataFrame(rows[:count]), data / "rounds" / name / "train.parquet", sort_by=["row_id"]
        )
    write_table(
        first.problems, data / "problems" / "problems.parquet", sort_by=["split", "problem_id"]
    )
    write_images(first.images, data / "problems" / "images")
    assert training_rows(data, "r2")[0].height == 1
    for form in FORMATS:
        export_rows(form, data, tmp_path / form)
        back = bring(BACK[form], tmp_path / form, tmp_path / "back").row()
        responses = [back["solution"], *(other["solution"] for other in back["meta"]["also"])]
        assert sorted(responses) == sorted(row["response"] for row in rows), "the last round is r10"
        assert back["problem_id"] == problem["problem_id"]
    with pytest.raises(ParamError, match="only of r10, r2"):
        export_rows("trl", data, tmp_path / "x", round_name="r3")


def test_what_the_trainers_read(tmp_path: Path) -> None:
    first = imported(tmp_path)
    for form in FORMATS:
        export_rows(form, first.out, tmp_path / form)
    info = json.loads((tmp_path / "llama-factory" / "dataset_info.json").read_text("utf-8"))[
        "mathse"
    ]
    lines = (tmp_path / "llama-factory" / info["file_name"]).read_text("utf-8").splitlines()
    for line in lines:
        row = json.loads(line)
        talk = row[info["columns"]["messages"]]
        assert [message[info["tags"]["role_tag"]] for message in talk] == ["user", "assistant"]
        paths = row[info["columns"]["images"]]
        assert (
            talk[0]["content"].count("<image>") == len(paths)
            and "<image1>" not in talk[0]["content"]
        )
        origin = json.loads(row["mathse"])
        asked = solve_messages(origin["question"], origin["choices"], len(paths))[0]["content"][-1][
            "text"
        ]
        assert talk[0]["content"] == "<image>" * len(paths) + asked, "the pipeline's own prompt"
        store = ImageStore(first.out / "images")
        for path in paths:
            assert store.get(Path(path).stem) == (tmp_path / "llama-factory" / path).read_bytes()
    assert lines == (tmp_path / "ms-swift" / "train.jsonl").read_text("utf-8").splitlines()
    shard = read_table(tmp_path / "trl" / "data" / "train-00000.parquet")
    assert (
        shard["prompt"][0].to_list()[0]["role"] == "user"
        and shard["completion"][0][0]["role"] == "assistant"
    )
    card = yaml.safe_load((tmp_path / "trl" / "README.md").read_text("utf-8").split("---")[1])
    assert [one["name"] for one in card["dataset_info"]["features"]] == shard.columns


def pipeline(folder: Path, first: Imported, responses: list[str], **drafts: Any) -> Path:
    """A data folder whose training rows answer the first problem that has a picture."""
    problem = first.problems.filter(pl.col("image_ids").list.len() > 0).row(0, named=True)
    names = [f"{number:016x}" for number in range(len(responses))]
    rows = [
        {"row_id": name, "problem_id": problem["problem_id"], "trajectory_id": name, "round": "r1"}
        | {"origin": "reflection", "response": response, **drafts}
        for name, response in zip(names, responses, strict=True)
    ]
    write_table(pl.DataFrame(rows), folder / "rounds/r1/train.parquet", sort_by=["row_id"])
    file = folder / "problems/problems.parquet"
    write_table(first.problems, file, sort_by=["split", "problem_id"])
    write_images(first.images, folder / "problems/images")
    return folder


def exported_rows(folder: Path, form: str) -> list[tuple[str, str, int]]:
    """What a trainer reads: prompt, response, number of images."""
    if form == "trl":
        table = read_table(folder / "data" / "train-00000.parquet").to_dicts()
        return [
            (r["prompt"][0]["content"], r["completion"][0]["content"], len(r["images"]))
            for r in table
        ]
    file = folder / ("mathse.jsonl" if form == "llama-factory" else "train.jsonl")
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    talks = [([one["content"] for one in line["messages"]], line["images"]) for line in lines]
    return [(asked, given, len(images)) for (asked, given), images in talks]


@pytest.mark.parametrize("form", list(FORMATS))
def test_there_are_as_many_tags_as_pictures(tmp_path: Path, form: str) -> None:
    responses = [
        "In <image> we count.",
        "<IMAGE 2>\nSee <image1>.",
        "<video>, <audio> <img>x</img>",
    ]
    data = pipeline(tmp_path / "data", imported(tmp_path), responses)
    export_rows(form, data, tmp_path / form)
    for asked, given, count in exported_rows(tmp_path / form, form):
        own = 0 if form == "trl" else count
        assert asked.count("<image>") == own and asked.startswith("<image>" * own)
        assert not re.search(r"<image|<video|<audio|<img", given, re.IGNORECASE)
    assert "In image 1 we count." in [given for _, given, _ in exported_rows(tmp_path / form, form)]


@pytest.mark.parametrize("form", list(FORMATS))
def test_pictures_are_what_the_student_saw(tmp_path: Path, form: str) -> None:
    odd = {f"{number}.img": data for number, (data, _) in enumerate(ODD.values())}
    odd |= {"turned.img": turned(6), "plain.png": picture(1)}
    rows = [{"question": f"{name}?", "answer": "7", "image": name} for name in odd]
    for name, data in odd.items():
        put(tmp_path / "from" / name, data)
    put(tmp_path / "from" / "a.jsonl", [row | {"solution": "It is 7, as shown."} for row in rows])
    first = bring("ms-swift", tmp_path / "from", tmp_path)
    export_rows(form, first.out, tmp_path / form)
    written = {file.stem: file.read_bytes() for file in (tmp_path / form).rglob("images/*")}
    for shard in (tmp_path / form).rglob("*.parquet"):
        images = read_table(shard)["images"].explode().struct.unnest()
        written |= {Path(path).stem: data for data, path in images.iter_rows()}
    store = ImageStore(first.out / "images")
    assert set(written) == set(first.images["image_id"]) and len(written) == len(odd)
    for name, data in written.items():
        read = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        assert (read == np.asarray(open_image(store.get(name)))).all()
    assert picture(1) in written.values(), "a plain picture keeps its bytes"


@pytest.mark.parametrize("form", list(FORMATS))
def test_a_row_with_a_draft_teaches_to_reflect_too(tmp_path: Path, form: str) -> None:
    first = imported(tmp_path)
    feedback = {"draft": "1. Guess <image>.", "error_step": 1, "error_analysis": "no reason"}
    data = pipeline(tmp_path / "data", first, ["It is so."], **feedback)
    assert export_rows(form, data, tmp_path / form)["rows"] == 2
    problem = first.problems.filter(pl.col("image_ids").list.len() > 0).row(0, named=True)
    given = problem["question"], problem["choices"], 2
    prompts = [solve_messages(*given), reflect_messages(*given, *feedback.values())]
    tags = "" if form == "trl" else "<image><image>"
    assert exported_rows(tmp_path / form, form) == [
        (tags + prompt[0]["content"][-1]["text"], "It is so.", 2) for prompt in prompts
    ]
    back = bring(BACK[form], tmp_path / form, tmp_path / "back")
    assert back.row()["problem_id"] == problem["problem_id"] and back.counts["duplicates"] == 1


@pytest.mark.parametrize("form", list(FORMATS))
def test_a_row_with_candidates_teaches_to_choose_too(tmp_path: Path, form: str) -> None:
    first = imported(tmp_path)
    shown = ["1. Guess <image>.", "It is so."]
    data = pipeline(tmp_path / "data", first, ["It is so."], candidates=shown)
    assert export_rows(form, data, tmp_path / form)["rows"] == 2
    problem = first.problems.filter(pl.col("image_ids").list.len() > 0).row(0, named=True)
    (message,) = select_messages(problem["question"], problem["choices"], 2, shown)
    tags = "" if form == "trl" else "<image><image>"
    selection = (tags + message["content"][-1]["text"], "The right solution is 2.", 2)
    assert exported_rows(tmp_path / form, form)[1] == selection
    back = bring(BACK[form], tmp_path / form, tmp_path / "back")
    assert back.row()["problem_id"] == problem["problem_id"] and back.counts["duplicates"] == 1


def test_an_export_without_its_own_column_still_imports(tmp_path: Path) -> None:
    first = imported(tmp_path)
    export_rows("ms-swift", first.out, tmp_path / "export")
    file = tmp_path / "export" / "train.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    put(file, [{name: row[name] for name in ("messages", "images")} for row in rows])
    found = bring("ms-swift", tmp_path / "export", tmp_path)
    assert found.counts["problems"] == 5
    assert found.problems["answer"].sort().to_list() == sorted(
        ["B", "4", "50°", "\\frac{1}{2}", "yes"]
    )


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    first = imported(tmp_path)
    with pytest.raises(ParamError, match="no export format"):
        export_rows("zip", first.out, tmp_path / "x")
    put(tmp_path / "full" / "mine.txt", "keep me")
    with pytest.raises(ParamError, match="not an empty folder"):
        export_rows("trl", first.out, tmp_path / "full")
    with pytest.raises(DataError, match="No training rows"):
        export_rows("trl", tmp_path / "full", tmp_path / "x")
    with pytest.raises(ParamError, match="no rounds"):
        export_rows("trl", first.out, tmp_path / "x", round_name="r1")


def settings(*tables: dict[str, Any], **other: Any) -> Problems:
    shares = {"orm_share": 0.4, "orm_test_share": 0.2, **other}
    return Problems.model_validate(
        {"source": "tables", "figures": {}, "tables": list(tables), **shares}
    )


def test_imports_become_the_problems_of_the_pipeline(tmp_path: Path) -> None:
    train = imported(tmp_path)
    test = imported(tmp_path, split="test", numbers=range(4, 6))
    tables = (
        {"path": str(train.out), "use": "train"},
        {"path": str(test.out), "use": "eval", "split": "test"},
    )
    rows, images, quarantined = load_imports(settings(*tables), seed=0)
    counts = dict(rows.group_by("split").len().iter_rows())
    assert counts == {"eval": 2, "orm": 2, "orm_test": 1, "train": 1}, (
        "two of six are held out, four shared out"
    )
    assert rows["problem_id"].is_unique().all()
    assert quarantined["rule"].to_list() == ["held-out problems are not trained on"] * 2, (
        "what is evaluated is not trained on"
    )
    found = images.select("image_id").collect()["image_id"]
    assert set(found) >= set(rows["image_ids"].explode(empty_as_null=False))
    assert load_imports(settings(*tables), seed=0)[0].equals(rows)
    limited = load_imports(
        settings({**tables[0], "limit": 2}, orm_share=0, orm_test_share=0), seed=0
    )[0]
    assert limited.height == 2 and set(limited["split"]) == {"train"}
    with pytest.raises(ParamError, match=r"no rows of split dev, only of \['train'\]"):
        load_imports(settings({**tables[0], "split": "dev"}), seed=0)
    with pytest.raises(DataError, match="no finished import"):
        load_imports(settings({"path": str(tmp_path), "use": "train"}), seed=0)
    with pytest.raises(ParamError, match="is empty"):
        load_imports(settings(), seed=0)


def test_a_problem_in_two_evaluated_tables_counts_for_the_first(tmp_path: Path) -> None:
    train = imported(tmp_path)
    test = imported(tmp_path, split="test", numbers=range(3, 6))
    tables = ({"path": str(test.out), "use": "eval"}, {"path": str(train.out), "use": "eval"})
    rows, _, quarantined = load_imports(settings(*tables), seed=0)
    assert rows["problem_id"].is_unique().all() and rows.height == 6
    assert set(quarantined["rule"]) == {"a problem is evaluated once"} and set(
        quarantined["file"]
    ) == {str(train.out / "problems.parquet")}
    stood = train.problems["problem_id"].to_list()
    assert [stood[row] for row in quarantined["row"]] == quarantined["value"].to_list(), (
        "the row in its own file"
    )


def test_what_one_import_has_in_two_splits_is_not_trained_on(tmp_path: Path) -> None:
    def asked(numbers: range) -> list[dict[str, str]]:
        return [{"question": f"{n} plus 1?", "answer": str(n + 1)} for n in numbers]

    put(tmp_path / "d" / "train.jsonl", asked(range(30)))
    put(tmp_path / "d" / "validation.jsonl", asked(range(25, 35)))
    out = str(bring("jsonl", tmp_path / "d", tmp_path).out)
    shares = {"orm_share": 0, "orm_test_share": 0}
    tables = ({"path": out, "split": "train", "use": "train"},
              {"path": out, "split": "validation", "use": "eval"})  # fmt: skip
    rows, _, quarantined = load_imports(settings(*tables, **shares), seed=0)
    assert dict(rows.group_by("split").len().iter_rows()) == {"train": 25, "eval": 10}
    assert quarantined["rule"].to_list() == ["held-out problems are not trained on"] * 5
    # All splits for one use: each problem once, and the rows of the others are named.
    for use, rule in (("train", "trained on"), ("eval", "evaluated")):
        found, _, named = load_imports(settings({"path": out, "use": use}, **shares), seed=0)
        assert found.height == 35 and found["problem_id"].is_unique().all()
        assert named["rule"].to_list() == [f"a problem is {rule} once"] * 5


def test_a_problem_in_two_training_tables_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        put(tmp_path / name / "train.jsonl", [{"question": "1+1?", "answer": "2"}])
    tables = ({"path": str(bring("jsonl", tmp_path / name, tmp_path / name).out), "use": "train"}
              for name in ("a", "b"))  # fmt: skip
    found = load_imports(settings(*tables, orm_share=0, orm_test_share=0), seed=0)
    rows, _, quarantined = found
    assert rows.height == 1 and quarantined["rule"].to_list() == ["a problem is trained on once"]
    assert quarantined["file"].to_list() == [str(tmp_path / "b/out/jsonl/problems.parquet")]


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = CliRunner()
    for name in ("params.yaml", "dvc.yaml"):
        put(tmp_path / name, "")
    monkeypatch.chdir(tmp_path)
    listed = run.invoke(app, ["import", "list"])
    assert listed.exit_code == 0
    assert all(
        word in listed.stdout for word in ("tabmwp", "CC BY-NC-SA 4.0", "expects", "math-vision")
    )
    put(
        tmp_path / "s" / "train.jsonl",
        [{"question": "2+2?", "answer": "4", "solution": "So 4."}, {"question": "?"}],
    )
    out = tmp_path / "out"
    done = run.invoke(app, ["import", "ms-swift", str(tmp_path / "s"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "2 rows read = 1 problems + 1 quarantined + 0 duplicates" in done.stdout
    assert (
        "1 quarantined: answer is given (train.jsonl, row 1, answer null: no column" in done.stdout
    )
    (record,) = json.loads((tmp_path / "imports.json").read_text("utf-8")).items()
    assert record[0] == "out" and record[1]["arguments"] == {"path": str(tmp_path / "s")}
    exported = run.invoke(
        app, ["export", "ms-swift", "--data", str(out), "--out", str(tmp_path / "e")]
    )
    assert exported.exit_code == 0 and "1 rows, 0 images" in exported.stdout
    put(tmp_path / "none" / "train.jsonl", [{"question": "?"}])
    none = run.invoke(app, ["import", "ms-swift", str(tmp_path / "none")])
    assert none.exit_code == 1 and "No problem was kept" in none.output
    assert "FROM import_quarantine WHERE import = 'ms-swift'" in none.output
    put(tmp_path / "empty" / "train.jsonl", "")
    empty = run.invoke(app, ["import", "ms-swift", str(tmp_path / "empty")])
    assert empty.exit_code == 1 and "the files hold no rows" in empty.output
    assert list(json.loads((tmp_path / "imports.json").read_text("utf-8"))) == ["out"]
    assert run.invoke(app, ["import", "tabmwp"]).exit_code == 2
    failed = run.invoke(app, ["import", "tabmwp", str(tmp_path)])
    assert failed.exit_code == 1 and "Nothing of TabMWP is here" in failed.output


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "dvc.yaml"):
        put(tmp_path / name, "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_import_that_keeps_nothing_leaves_an_earlier_one(project: Path) -> None:
    command = ["import", "ms-swift", "s"]
    put(project / "s" / "train.jsonl", [{"question": "2+2?", "answer": "4"}])
    assert CliRunner().invoke(app, command).exit_code == 0
    folder = project / "data" / "import" / "ms-swift"
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    put(project / "s" / "train.jsonl", [{"question": "2+2?"}])
    failed = CliRunner().invoke(app, command)
    assert failed.exit_code == 1 and "No problem was kept" in failed.output
    assert "FROM import_quarantine WHERE import = 'ms-swift.failed'" in failed.output
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    check_imports(Layout(project), [Table(path=str(folder), use="train")])
    reasons = read_table(folder.with_name("ms-swift.failed") / "quarantine.parquet")
    assert reasons["rule"].to_list() == ["answer is given"]


@pytest.mark.parametrize(
    ("path", "out"), [("a", "a"), ("a", "b/../a"), ("a/images", "a"), ("a/problems.parquet", "a")]
)
def test_an_import_is_not_written_onto_what_it_reads(project: Path, path: str, out: str) -> None:
    (project / "b").mkdir()
    put(project / "a" / "images" / "p.png", picture(1))
    put(project / "a" / "train.jsonl", [{"question": "2+2?", "answer": "4"}])
    parquet(project / "a" / "problems.parquet", [{"question": "2+3?", "answer": "5"}])
    done = CliRunner().invoke(app, ["import", "mathvl", path, "--out", out])
    assert done.exit_code == 1 and "a folder of its own" in done.stderr
    assert not (project / "a" / "import.json").exists()


def test_an_import_into_a_folder_of_its_source_reads_the_same_again(project: Path) -> None:
    put(project / "a" / "train.jsonl", [{"question": "2+2?", "answer": "4"}])
    for _ in range(2):
        done = CliRunner().invoke(app, ["import", "mathvl", "a", "--out", "a/out"])
        assert "1 rows read = 1 problems" in done.output


def test_a_damaged_table_and_a_huge_limit_are_named(project: Path) -> None:
    parquet(project / "a" / "train-0.parquet", [{"question": "2+2?", "answer": "4"}])
    put(project / "a" / "train-1.parquet", b"PAR1 and no more")
    done = CliRunner().invoke(app, ["import", "mathvl", "a"])
    assert done.exit_code == 1 and "This Parquet file cannot be read" in done.stderr
    assert str(Path("a", "train-1.parquet")) in done.stderr
    huge = CliRunner().invoke(app, ["import", "mathvl", "a", "--limit", "9" * 20])
    assert huge.exit_code == 2 and "--limit" in huge.output
