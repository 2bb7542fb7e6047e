"""The page: its figures add up, its texts are harmless, it fits."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
import yaml
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image
from typer.testing import CliRunner

from mathse.cli import app
from mathse.core.errors import DataError
from mathse.core.layout import Layout
from mathse.core.tables import read_table, write_table
from mathse.engines.open_image import open_image
from mathse.evaluation.paired import Comparison
from mathse.report.page import sections
from mathse.report.page.browser import browser_data
from mathse.report.page.explain import REASONS, STATES, explain, gold_and_teacher, p_correct_note
from mathse.report.page.mathml import to_mathml
from mathse.report.page.orm_trust import orm_trust
from mathse.report.page.pictures import MAX_SIDE, shrink
from mathse.report.page.plots import plot_curves, plot_roc
from mathse.report.page.render import _p_value, render_report
from mathse.report.page.run_tables import RunTables
from mathse.report.page.svg import COLOURS, STYLE, to_svg
from schemas import DROP_REASONS, LEDGER_STATES, REJECT_REASONS
from tests.engines.test_open_image import ODD, turned
from tests.judge.trajectories import problem_id
from tests.report.history import History
from tests.report.page_world import ATTACKS, HOSTILE, KEY, add_round, build_page_world, write_canary


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return build_page_world(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def run(layout: Layout) -> RunTables:
    return RunTables(layout)


@pytest.fixture(scope="module")
def page(run: RunTables) -> str:
    return render_report([run])


class Tags(HTMLParser):
    """All elements of a page, the text of the scripts and that of the rest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            (self.scripts if tag == "script" else self.styles).append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is None:
            self.text += data
        else:
            (self.scripts if self.cdata_elem == "script" else self.styles)[-1] += data


def blocks(page: str) -> tuple[dict[str, Any], list[str]]:
    data, pictures, _ = Tags(page).scripts
    return json.loads(gzip.decompress(base64.b64decode(data))), json.loads(pictures)


def test_every_loss_of_the_funnel_has_a_reason(run: RunTables) -> None:
    rows, dropped = sections.funnel(run), run.dropped.height
    assert [(row["round"], row["origin"]) for row in rows] == [
        ("r1", "student"),
        ("r1", "reflection"),
    ]
    for row in rows:
        assert row["written"] == row["accepted"] + sum(row["rejected"].values())
        assert row["accepted"] == row["rows"] + sum(row["dropped"].values())
    assert rows[0]["rejected"]["cut_off"] == 1 and sum(rows[0]["dropped"].values()) == dropped


def test_each_problem_flows_from_one_state_to_one(run: RunTables) -> None:
    states, flows = sections.ledger_states(run), sections.ledger_flows(run)
    assert {sum(counts.values()) for counts in states.values()} == {5}
    assert flows == {"r1": {("distilled", "distilled"): 1, ("remaining", "accepted"): 1,
                            ("remaining", "reflected"): 1, ("remaining", "hard"): 1,
                            ("remaining", "remaining"): 1}}  # fmt: skip


def test_comparisons_are_better_worse_or_not_known(run: RunTables) -> None:
    pairs = [*sections.comparisons(run), *sections.changes(run)]
    found = {(pair.before, pair.after, pair.split): pair for pair in pairs}
    assert found["r0", "r1", "eval"].outcome == "better"
    assert found["base", "r0", "eval_hard"].outcome == "cannot tell"
    assert found["control", "r1", "eval"].found.gained == 18
    backwards = sections.compare_models(run, "r1", run, "r0")
    assert {pair.outcome for pair in backwards} == {"worse"}


def test_training_problems_that_are_tried_again_are_solved_or_broken(tmp_path: Path) -> None:
    layout = build_page_world(tmp_path)
    assert sections.tried_again(RunTables(layout)) == {}
    add_round(layout)
    assert sections.tried_again(RunTables(layout)) == {
        "r2": {"both": 0, "gained": 1, "lost": 1, "neither": 1}
    }


def test_the_orm_is_compared_with_the_answers_that_it_judged(run: RunTables) -> None:
    student = next(row for row in orm_trust(run)["judged"] if row["title"] == "r1 student")
    assert student["counts"][True, "correct"] == 2 and student["n"] == sum(
        student["counts"].values()
    )


def test_what_eval_orm_changed_shows(tmp_path: Path) -> None:
    layout = build_page_world(tmp_path)
    assert orm_trust(RunTables(layout))["checks"] == []
    assert "What it passes" not in render_report([RunTables(layout)])
    passed = {"value": 0.25, "n": 8, "low": 0.07, "high": 0.59}
    none = {"value": None, "n": 0, "low": 0.0, "high": 1.0}
    metrics = {
        "orm": {"n": 8},
        "student": {"wrong_passed": passed, "positive_accuracy": none},
        "attacks": {"says_correct": {"passed": passed}},
    }
    layout.metrics("eval_orm").write_text(json.dumps(metrics))
    checks = orm_trust(RunTables(layout))["checks"]
    titles = ["the student's wrong ones", "these, with a line that calls them correct"]
    assert checks == [(title, passed) for title in titles]
    shown = render_report([RunTables(layout)])
    assert "What it passes" in shown and f"<td>{titles[1]}</td><td>25.0 " in shown


def test_skills_that_are_forgotten_show(run: RunTables) -> None:
    (row,) = sections.canary(run)
    assert row["n"] == 4 and [cell and cell[0] for cell in row["cells"]] == [None, None, 0.75, None]


def test_a_skill_that_the_last_round_lost_is_in_the_result(tmp_path: Path) -> None:
    layout = build_page_world(tmp_path)
    write_canary(layout, "base", [True] * 8)
    for wrong, line in (
        (5, None),  # p = 0.0625
        (6, "base on general skills: sums 25.0% instead of 100.0% (n = 8, p = 0.031)."),
    ):
        write_canary(layout, "r1", [number >= wrong for number in range(8)])
        page = render_report([RunTables(layout)])
        result = Tags(page[: page.index('<section id="loop">')]).text
        assert line in result if line else "general skills" not in result
        assert ('<a href="#skills">general skills</a>' in page) == bool(line)
    assert '<h3 id="skills">' in page


def test_the_result_counts_comparisons_and_links_its_numbers(run: RunTables, page: str) -> None:
    result = page[page.index('<section id="result">') : page.index('<section id="loop">')]
    count = len(sections.comparisons(run))
    assert f"These are {count} comparisons, and no p is corrected for that" in result
    at = "#role=evaluation&amp;round=r1&amp;split=eval&amp;against=r0&amp;change=newly+solved"
    assert f'<a href="{at}">20</a> newly solved, <span class="muted">0</span> broken.' in result


def test_new_training_rows_differ_from_all(run: RunTables, page: str) -> None:
    new = sum(row["rows"] for row in sections.funnel(run) if row["round"] == "r1")
    assert 0 < new < run.train.height
    assert f"<b>{run.train.height}</b><span>training rows, {new} of them new in r1</span>" in page


def test_the_page_is_the_same_each_time(run: RunTables, layout: Layout, page: str) -> None:
    assert render_report([RunTables(layout)]) == page


def test_hostile_texts_are_shown_and_do_nothing(page: str) -> None:
    tags = Tags(page)
    scripts = [attributes for tag, attributes in tags.elements if tag == "script"]
    assert [one.get("id") for one in scripts] == ["data", "pictures", None]
    assert not [
        a for _, a in tags.elements for name in a if name.startswith("on") or name == "style"
    ]
    assert not [a for _, a in tags.elements if "src" in a or "srcset" in a]
    assert all((a.get("href") or "#").startswith(("#", "data:,")) for _, a in tags.elements)
    assert "window.hacked" not in tags.scripts[2] and "1337" not in tags.text
    for name in ("script", "end of the block", "attribute", "comment", "template"):
        assert ATTACKS[name] in tags.text, name  # a family's name is in tables
    # Nothing in the file, nor in its data, hides or steers.
    data, _ = blocks(page)
    for text in (page, json.dumps(data, ensure_ascii=False)):
        assert text.replace("\n", "").isprintable()
    texts = [step for steps in data["items"]["steps"] for step in steps]
    assert any("\\u202e" in step for step in texts) and any("\\u001b[31m" in step for step in texts)
    assert ATTACKS["script"] in "\n".join(texts)


def test_the_policy_allows_this_script_and_this_style_alone(page: str) -> None:
    tags = Tags(page)
    policy = next(a["content"] for tag, a in tags.elements if a.get("http-equiv")) or ""
    for text, kind in ((tags.scripts[2], "script"), (tags.styles[0], "style")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy


def test_no_path_and_no_key_is_in_the_page(page: str) -> None:
    data, _ = blocks(page)
    for text in (page, json.dumps(data)):
        assert KEY not in text and "/home" not in text and "somebody" not in text
    assert "[key]" in page and "…/qwen" in page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/me/models/qwen", "…/qwen"),
        ("~/models/qwen", "…/qwen"),
        (r"C:\models\qwen", "…/qwen"),
        ("models/tiny-base", "models/tiny-base"),
        ("Qwen/Qwen2-VL", "Qwen/Qwen2-VL"),
        ("1/2 and 3/4", "1/2 and 3/4"),
        (f"Authorization: Bearer {KEY}", "Authorization: [key]"),
        ("hf_aBcDeFgHiJkLmNoPqRsT", "[key]"),
    ],
)
def test_paths_and_keys_are_taken_out(text: str, shown: str) -> None:
    assert sections.scrub(text) == shown


def test_a_page_that_would_be_too_large_says_what_it_leaves_out(run: RunTables, page: str) -> None:
    assert "<summary>What was left out" not in page
    most = len(page.encode()) / 1e6 - 0.002
    small = render_report([run], most)
    assert len(small.encode()) <= most * 1e6 and "<summary>What was left out" in small
    part = browser_data([run], 8_000)
    assert len(part.text) + len(part.pictures) <= 8_000 and 0 < part.problems[0] < 60
    everything = browser_data([run], 10_000_000)
    assert everything.problems == (60, 60)


def test_problems_of_disagreement_come_before_others(run: RunTables) -> None:
    few = browser_data([run], 1_500)
    ranks = [(here, of) for _, here, of in few.classes]
    assert ranks[0][0] > 0 and [here for here, _ in ranks[1:]] == [0] * (len(ranks) - 1)


def test_each_reason_and_state_is_explained(run: RunTables) -> None:
    assert set(REASONS) == {*REJECT_REASONS, *DROP_REASONS} and set(STATES) == set(LEDGER_STATES)
    assert "–" not in explain(REASONS, REASONS, dict(sections.settings(run)))
    text = explain(["low_p_correct", "cut_off", "cut_off"], REASONS, {"score.min_p_correct": "0.7"})
    assert text.startswith("low p correct: the ORM calls it correct, but P(correct) is below")
    assert "score.min_p_correct = 0.7; cut off: it" in text
    assert text.count("cut off") == 1


def test_what_is_said_of_gold_and_teacher_follows_from_the_parameters() -> None:
    model = {"engine": "openai", "model": "/home/me/big"}
    figures, reflector = {"engine": "figures"}, "The built-in reflector knows the worked solution."
    gold = "Accepted training answers are checked against gold."
    params = {"score": {"accept": "both"}, "teacher": model, "annotator": model}
    assert gold_and_teacher(params | {"reflector": model}) == f"{gold} The teacher is …/big."
    assert reflector in gold_and_teacher(params | {"reflector": figures})
    assert "teacher and reflector know" in gold_and_teacher(
        {"teacher": figures, "reflector": figures}
    )
    assert gold not in gold_and_teacher({"score": {"accept": "orm"}})
    assert "data set brings" in gold_and_teacher({"teacher": {"engine": "dataset"}})


def test_p_correct_is_explained_with_its_threshold() -> None:
    score = {"accept": "both", "min_p_correct": 0.7}
    threshold = "from score.min_p_correct = 0.7 on it passes, whatever the status."
    assert p_correct_note({"score": score}).endswith(threshold)
    for other in ({"accept": "answer"}, {"min_p_correct": 0.0}):
        assert p_correct_note({"score": score | other}).endswith("whole verdict “correct”.")


def test_the_page_says_where_there_is_no_control_and_what_a_reflector_knows(
    layout: Layout, page: str, tmp_path: Path
) -> None:
    knows = "The built-in reflector knows the worked solution, so its answers are right"
    assert "no control" not in page and knows not in page
    copy = Layout(shutil.copytree(layout.folder, tmp_path / "copy"))
    params = yaml.safe_load(copy.params.read_text()) | {"controls": []}
    params["reflector"] |= {"engine": "figures", "model": None}
    copy.params.write_text(yaml.safe_dump(params))
    assert knows in render_report([RunTables(copy)])
    params["reflector"]["engine"] = "student"
    params["orm"] = {**(params.get("orm") or {}), "refresh": "round"}
    copy.params.write_text(yaml.safe_dump(params))
    left = "Not shown: control, evaluated before, but not among the rounds and controls"
    other = render_report([RunTables(copy)])
    assert left in other and "no control" not in other and left not in page
    learns = "after each of them it was trained further"
    assert learns in other and learns not in page
    shutil.rmtree(copy.eval("control").graded.parent)
    figures = copy.metrics("eval", "control")
    figures.parent.mkdir(parents=True)
    figures.write_text("{}\n")  # committed, while the answers stayed in DVC's cache
    other = render_report([RunTables(copy)])
    assert left in other and "make control</code> adds" in other and "no control" not in other
    figures.unlink()
    other = render_report([RunTables(copy)])
    assert "This run has no control" in other and knows not in other and left not in other


def test_a_zero_is_no_link(page: str) -> None:
    assert '<span class="muted">0</span>' in page and not re.search(r'href="[^"]+">0</a>', page)


@pytest.mark.parametrize(
    ("p", "shown"),
    [(0.0001, "< 0.001"), (0.0399, "= 0.040"), (0.0496, "= 0.0496"), (0.0501, "= 0.0501"),
     (0.0601, "= 0.060")],
)  # fmt: skip
def test_a_p_near_the_limit_has_four_decimals(p: float, shown: str) -> None:
    assert _p_value(Comparison(100, 1, 2, 3, 94, 0.1, 0.0, 0.2, p)) == shown


def test_two_runs_are_compared_by_problem(layout: Layout) -> None:
    runs = [RunTables(layout, "old"), RunTables(layout, "new")]
    page = render_report(runs)
    assert "new against old" in page and "Their parameters are the same." in page
    data, _ = blocks(page)
    assert {"old:r1", "new:r1"} <= set(data["items"]["round"])
    assert f"new:r1.{problem_id(0)}" in data["items"]["trajectory_id"]


def test_a_run_of_before_has_problems_in_clusters_of_their_own(
    layout: Layout, run: RunTables, page: str, tmp_path: Path
) -> None:
    copy = Layout(shutil.copytree(layout.folder, tmp_path / "copy"))
    for file in copy.evaluations.glob("*/graded.parquet"):
        rows = read_table(file).drop("cluster")
        write_table(rows, file, sort_by=["split", "problem_id"])
    older = RunTables(copy)
    assert older.graded["cluster"].null_count() == older.graded.height > 0
    assert sections.accuracies(older) == sections.accuracies(run)
    assert sections.comparisons(older) == sections.comparisons(run)
    assert "as one cluster" in page


def test_the_command_compares_revisions(tmp_path: Path) -> None:
    history = History(tmp_path)
    layout = build_page_world(tmp_path)
    history.commit("one")
    graded = read_table(layout.eval("r1").graded)
    one = pl.col("problem_id") == problem_id(0)
    worse = graded.with_columns(
        correct=pl.col("correct") & ~one,
        answer_state=pl.when(one).then(pl.lit("mismatch")).otherwise("answer_state"),
    )
    write_table(worse, layout.eval("r1").graded, sort_by=["split", "problem_id"])
    layout.params.write_text(layout.params.read_text().replace("seed: 0", "seed: 5"))
    history.commit("two")
    history.experiment("worse")
    out = tmp_path / "compared.html"
    words = [
        "--project",
        str(tmp_path),
        "report",
        "--rev",
        "main",
        "--rev",
        "worse",
        "-o",
        str(out),
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    page = out.read_text()
    assert "worse:r1 cannot be distinguished from main:r1 on eval: -2.5" in page
    assert "0 newly solved, 1 broken" in Tags(page).text and "<code>seed</code>" in page
    again = CliRunner().invoke(app, [*words, "--rev", "main"])
    assert again.exit_code == 2 and "--rev once" in again.output


def test_a_run_without_evaluation_is_refused(tmp_path: Path, layout: Layout) -> None:
    (tmp_path / "params.yaml").write_text(layout.params.read_text())
    with pytest.raises(DataError, match="No round was evaluated"):
        RunTables(Layout(tmp_path))


def test_the_command_writes_the_file(layout: Layout, tmp_path: Path) -> None:
    out = tmp_path / "run.html"
    done = CliRunner().invoke(app, ["--project", str(layout.folder), "report", "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert out.read_text().startswith("<!doctype html>") and "open it" in done.output


def test_figures_take_their_colours_from_the_style_sheet() -> None:
    with rc_context(STYLE):
        figure = Figure()
        figure.subplots().plot([0, 1], color=COLOURS["s1"], label="a < b & $x^2$")
        figure.legend()
    svg = to_svg(figure, 'A "plot" <b>')
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == 'A "plot" <b>' and root[0].text == 'A "plot" <b>'
    assert not [e for e in root.iter() if "style" in e.attrib or e.tag == "style"]
    assert "a &lt; b &amp; $x^2$" in svg and "s-s1" in svg
    assert not re.search(r'(?:fill|stroke)="#(?!000000|ffffff)', svg)


def test_formulas_become_mathml() -> None:
    texts = [HOSTILE, "It costs $5 and $6.", r"\(x^2\) and \[ \sqrt{3} \]", r"$\bad{$ {"]
    found = to_mathml(texts)
    assert "<mfrac>" in found[r"$\frac{1}{2}$"] and "<msup>" in found[r"\(x^2\)"]
    assert 'display="block"' in found[r"\[ \sqrt{3} \]"]
    assert not [formula for formula in found if "5" in formula]


def test_pictures_are_made_small(tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    Image.effect_noise((900, 600), 80).save(file)
    kind, small = shrink(file.read_bytes())
    assert kind == "webp" and len(small) < file.stat().st_size / 4
    (tmp_path / "small.webp").write_bytes(small)
    with Image.open(tmp_path / "small.webp") as picture:
        assert picture.size == (MAX_SIDE, MAX_SIDE * 2 // 3)
    assert shrink(b"no picture")[0] == "webp"


def test_pictures_are_those_that_the_student_sees() -> None:
    for odd in (turned(6), *(data for data, _ in ODD.values())):
        shown = Image.open(io.BytesIO(shrink(odd)[1])).convert("RGB")
        assert shown.tobytes() == open_image(odd).tobytes()


@pytest.mark.parametrize("damage", ["footer", "values", "column"])
def test_a_damaged_table_is_named(tmp_path: Path, damage: str) -> None:
    layout = build_page_world(tmp_path)
    file = layout.problems
    whole = file.read_bytes()
    if damage == "column":
        pl.read_parquet(file).drop("question").write_parquet(file)
    else:
        at = len(whole) - 8 if damage == "footer" else 4
        file.write_bytes(whole[:at] + b"\xff" * 8 + whole[at + 8 :])
    with pytest.raises(DataError, match="A table of the report") as error:
        _ = RunTables(layout).problems
    assert error.value.file == str(file)
    assert damage != "column" or "lacks the column question" in str(error.value)


def test_a_plot_without_labels_has_no_legend(recwarn: pytest.WarningsRecorder) -> None:
    plot_roc([])
    plot_curves({})
    assert not [str(one.message) for one in recwarn]
