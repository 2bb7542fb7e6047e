"""The prompts of teacher, annotator and reflector."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml

from mathse.answers.check_answer import find_answer
from mathse.core.errors import ParamError
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.engines.roles import PROMPTS_OF
from mathse.prompts.roles import BUILT_IN, FIELDS, RolePrompts, load_prompts
from mathse.reflection import reflect_requests
from tests.closure import ROOT, oracle_params
from tests.judge.trajectories import problems, trajectory, verdict
from tests.test_reflection import SAMPLING, select

PROMPTS = RolePrompts(BUILT_IN)
QUESTIONS = {"en": "How many bars are there?", "zh": "图中有几根柱子？"}


def text_of(messages: list[dict[str, object]]) -> str:
    return json.dumps(messages, ensure_ascii=False)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_language_is_that_of_the_question(language: str) -> None:
    question = QUESTIONS[language]
    closing = {"en": "The answer to this problem is", "zh": "这道题的答案是"}[language]
    texts = [
        text_of(PROMPTS.solve(question, ["3", "4"], 1)),
        text_of(PROMPTS.reflect(question, ["3", "4"], 1, "See 3.\nIt is 3.", 2, "Misread.")),
        text_of(PROMPTS.annotate(question, ["3", "4"], 1, ["See 3.", "It is 3."], "B. 4")),
    ]
    assert all(question in text and "A. 3\\nB. 4" in text for text in texts)
    assert all('{"type": "image"}' in text for text in texts)
    assert all(closing in text for text in texts[:2])
    assert "1. See 3.\\n2. It is 3." in texts[1] and "1. See 3.\\n2. It is 3." in texts[2]
    assert "Misread." in texts[1] and "B. 4" in texts[2] and "improvement_suggestion" in texts[2]
    other = QUESTIONS["zh" if language == "en" else "en"]
    assert (
        RolePrompts(BUILT_IN, language)
        .solve(other, [], 0)[0]["content"][0]["text"]
        .startswith(PROMPTS.solve(question, [], 0)[0]["content"][0]["text"][:20])
    )
    answer = f"{closing} 12." if language == "en" else f"{closing}12。"
    assert find_answer(f"1. 5+7=12.\n{answer}", answer_type="number") == "12"


def test_the_reflector_never_sees_gold() -> None:
    gold = "GOLD-1234"
    table = problems(1).with_columns(answer=pl.lit(gold))
    wrong = trajectory(0, "1. See 3.\nThe answer to this problem is 3.")
    mistakes = select([wrong], [verdict(wrong, False)])
    for writer in (PROMPTS, RolePrompts(BUILT_IN, "zh")):
        [request] = reflect_requests(
            writer.reflect, mistakes, table, sampling=SAMPLING, round_name="r1"
        )
        sent = json.dumps([request.messages, dict(request.context), request.prefix])
        assert gold not in sent and "See 3." in sent


def test_braces_and_dollars_in_data_stay() -> None:
    question = "Find $x$ of ${y} and $steps {problem}"
    assert question in PROMPTS.solve(question, [], 0)[0]["content"][0]["text"]


def test_own_files_are_read_checked_and_part_of_the_digest(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match=r"prompts.folder: .*solve.en.txt cannot be read"):
        RolePrompts(tmp_path)
    folder = tmp_path / "own"
    shutil.copytree(BUILT_IN, folder)
    digest = PROMPTS.digest("solve")
    assert RolePrompts(folder).digest("solve") == digest
    assert RolePrompts(folder, "en").digest("solve") != digest
    (folder / "solve.en.txt").write_text("Only for $$5: $problem")
    own = RolePrompts(folder)
    assert own.digest("solve") != digest
    assert own.digest("reflect") == PROMPTS.digest("reflect")
    assert own.solve("Why?", [], 0)[0]["content"][0]["text"] == "Only for $5: Why?"
    text = yaml.safe_dump(oracle_params(), sort_keys=False)
    (tmp_path / "params.yaml").write_text(text)
    params = load_params(tmp_path / "params.yaml")
    assert load_prompts(Layout(tmp_path), params).digest("solve") == digest
    (tmp_path / "params.yaml").write_text(
        text.replace("folder: mathse/prompts/templates", "folder: own")
    )
    params = load_params(tmp_path / "params.yaml")
    assert load_prompts(Layout(tmp_path), params).digest("solve") == own.digest("solve")
    for bad in ("Without a field", "$problem and $gold", "$problem costs $ 5"):
        (folder / "solve.en.txt").write_text(bad)
        with pytest.raises(ParamError, match=r"solve.en.txt must have the fields \$problem"):
            RolePrompts(folder)


def test_a_stage_depends_on_the_prompts_of_its_roles_alone() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    found = {}
    for name, stage in stages.items():
        stage = stage.get("do", stage)
        files = {dep for dep in stage.get("deps", ()) if dep.startswith("${prompts.folder}")}
        kinds = {kind for role, kind in PROMPTS_OF.items() if role in stage.get("params", ())}
        texts = (f"{kind}.{language}.txt" for kind in kinds for language in QUESTIONS)
        wanted = {f"${{prompts.folder}}/{text}" for text in texts}
        if name == "reflect":  # which may also ask to solve again: all files are its deps
            kinds, wanted = {*FIELDS}, {"${prompts.folder}"}
        assert files == (wanted if name != "code" else set()), name
        found[name] = kinds
    assert found["distill"] == found["control"] == {"solve"}
    assert found["orm_data"] == {"solve", "annotate"}


def test_the_reflector_has_no_field_for_gold() -> None:
    assert "answer" not in FIELDS["reflect"] | FIELDS["solve"]
