"""Default runs of several seeds become tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from recipes.documents import blocks, results, seeds
from recipes.paper.runs import SPLITS

ROOT = Path(__file__).resolve().parents[2]
BITS = {"base": "0000", "r0": "1000", "r1": "1110", "control": "1100"}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of which two seeds are kept; the second has no control."""
    monkeypatch.setattr(seeds, "ROOT", tmp_path)
    monkeypatch.setattr(results, "ROOT", tmp_path)
    seeds.main([a_run(tmp_path, monkeypatch, 0, BITS)])
    without = {name: bits for name, bits in BITS.items() if name != "control"}
    seeds.main([a_run(tmp_path, monkeypatch, 1, without | {"r1": "1100"})])
    return tmp_path


def a_run(folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int, models: dict[str, str]) -> Path:
    """Write the params of a run of which `result_of` then says what the models answered."""
    run = folder / f"run{seed}"
    run.mkdir()
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    changed = params | {"seed": seed, "controls": ["control"] if "control" in models else []}
    (run / "params.yaml").write_text(yaml.safe_dump(changed, sort_keys=False), encoding="utf-8")
    audit = {"n": 5, "right_passed": 0.5, "wrong_passed": seed * 0.1, "step_exact": 1.0}
    counts = {"accepted_wrong": 2, "accepted_wrong_reasoning": 1}
    answer: dict[str, Any] = {
        "models": {name: dict.fromkeys(SPLITS, bits) for name, bits in models.items()},
        "problems": dict.fromkeys(SPLITS, f"those of seed {seed}"),
        "clusters": {split: [0, 1, 2, 3] for split in SPLITS},
        "choices": dict.fromkeys(SPLITS, "0011"),
        "merge": {"r1": {"problems": {"accepted": 30, "reflected": 8, "hard": 2 + 2 * seed}}},
        "gold": {"r0": 20, "orm": 100},
        "accept": "both",
        "controls": {"control": {"rows": 20}},
        "audit": {"r1": {"student": audit | counts}},
        "texts": {"r1": {"student": {"distinct": 4, "equal_solution": 3 - seed}}},
        "teacher_texts": {
            "student": {"rows": 8, "known": 6, "equal": 1 + seed},
            "reflection": {"rows": 2, "known": 1, "equal": 0},
        },
    }
    monkeypatch.setattr(seeds, "result_of", lambda _: answer)
    return run


def rows(kept: Path, name: str) -> list[list[Any]]:
    content = json.loads((kept / "results" / f"{name}.json").read_text(encoding="utf-8"))
    assert content["seed"] == [0, 1]
    assert all(len(row) == len(content["columns"]) for row in content["rows"])
    found: list[list[Any]] = content["rows"]
    return found


def test_accuracies_are_of_all_problems_and_by_seed(kept: Path) -> None:
    table = {row[0]: row for row in rows(kept, "default-seeds")}
    assert table["r1"][1] == 2 and table["r1"][2][0] == pytest.approx(62.5)
    assert table["r1"][3] == table["r1"][5] == "75.0, 50.0"
    assert table["control"][1] == 1 and table["control"][3] == "50.0"
    assert (table["base"][6], table["control"][6], table["r1"][6]) == (0, 20, 161)


def test_open_problems_and_those_with_choices_are_counted_apart(kept: Path) -> None:
    table = {row[0]: row for row in rows(kept, "default-seeds-answers")}
    assert [share[0] for share in table["r1"][1:]] == pytest.approx([100, 25, 100, 25])


def test_the_last_round_is_compared_with_what_each_seed_has(kept: Path) -> None:
    table = {(row[1], row[2]): row for row in rows(kept, "default-seeds-contrasts")}
    assert table["r0", "eval"][3][0] == pytest.approx(37.5)
    assert table["r0", "eval"][5] == 8 and table["r0", "eval"][6] == "+50.0, +25.0"
    assert table["r0", "eval"][7][0] == pytest.approx(37.5)
    assert table["control", "eval"][3][0] == pytest.approx(25.0)
    assert table["control", "eval"][7] is None, "one seed says nothing of their spread"


def test_the_result_lines_name_the_last_round(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "ROOT", kept)
    lines = blocks.render("result", "").splitlines()
    assert len(lines) == 3
    assert "base → r0 → r1, accuracy in %, mean of 2 seeds" in lines[0]
    shares = "0.0 [0.0, 32.4] → 25.0 [7.1, 59.1] → 62.5 [30.6, 86.3]"
    assert f"eval (n = 8): {shares}." in lines[0]
    assert "Gold used, problems: r1 161, control 20." in lines[2]
    assert "+37.5" in lines[1] and "against r0" in lines[1] and "against control" in lines[1]


def test_audits_are_means_over_seeds(kept: Path) -> None:
    row = ["r1", "student", 10, 50.0, 5.0, 100.0, 4, 2, 62.5]
    assert rows(kept, "default-seeds-audits") == [row]


def test_rows_that_are_the_teachers_text_are_counted(kept: Path) -> None:
    student = ["student", 2, 16, 75.0, 18.75, 25.0]
    assert rows(kept, "default-seeds-texts") == [student, ["reflection", 2, 4, 50.0, 0.0, 0.0]]


def test_runs_of_other_params_are_refused(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run(kept, monkeypatch, 2, BITS)
    text = (run / "params.yaml").read_text(encoding="utf-8")
    (run / "params.yaml").write_text(text.replace("samples: 3", "samples: 4"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"different params.*default s0, default s1"):
        seeds.main([run])
