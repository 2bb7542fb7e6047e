from __future__ import annotations

from pathlib import Path

import pytest

from mathse.core.code import CodeBase, explain_change
from mathse.core.registry import ANNOTATORS, DATA_ENGINES, ENGINES, REFLECTORS
from tests.closure import ROOT, closure

SOURCE = '''"""Docstring."""
import schemas  # why
from mathse.core.tables import read_table

TEXT = """first

# not a comment
"""


def rows() -> int:
    """Return rows."""
    return len(TEXT) + len('#')  # "quoted"


class Box:
    """A box."""

    size = 1
    """Its size."""
'''


def project(folder: Path, **files: str) -> CodeBase:
    for name, text in files.items():
        file = folder.joinpath(*name.split("__")).with_suffix(".py")
        file = file.with_name(file.name.replace("INIT", "__init__"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        for parent in file.relative_to(folder).parents[:-1]:
            if not (folder / parent / "__init__.py").exists():
                (folder / parent / "__init__.py").write_text('"""Package."""\n')
    return CodeBase(folder)


def digest(folder: Path, text: str) -> str:
    return project(folder, mathse__one=text).fingerprint("mathse.one")["mathse.one"]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ('"""Docstring."""', '"""Other."""', True),
        ("  # why", "", True),
        ("\n\n\ndef rows", "\n# what follows\n\ndef rows", True),
        ('"""Return rows."""', '"""Return rows.\n\n    All.\n    """', True),
        ('"""Its size."""', "", True),
        ('# "quoted"', '# "', True),
        ("first\n\n", "first\n", False),
        ("# not a comment\n", "", False),
        ("'#'", "'##'", False),
        ("size = 1", "size = 2", False),
    ],
)
def test_what_a_hash_covers(tmp_path: Path, old: str, new: str, same: bool) -> None:
    assert old in SOURCE
    found = digest(tmp_path, SOURCE.replace(old, new, 1)) == digest(tmp_path, SOURCE)
    assert found is same


def test_a_name_passed_on_leads_to_its_module_alone(tmp_path: Path) -> None:
    code = project(
        tmp_path,
        schemas__one="class One: ...\n",
        schemas__two="class Two: ...\n",
        schemas__INIT="from schemas.one import One\nfrom schemas.two import Two\n",
        stages__a="import schemas\n\nschemas.One\n",
        stages__b="from schemas import Two\n",
        stages__c="import schemas\n\ngetattr(schemas, 'One')\n",
    )
    assert set(code.closure("stages.a")) == {"stages.a", "schemas.one"}
    assert set(code.closure("stages.b")) == {"stages.b", "schemas.two"}
    assert {"schemas", "schemas.one", "schemas.two"} < set(code.closure("stages.c"))


def test_programs_beside_a_module_belong_to_it(tmp_path: Path) -> None:
    code = project(
        tmp_path, mathse__run='FILE = "worker.py"\n', mathse__worker="import mathse.two\n",
        mathse__two="",
    )  # fmt: skip
    assert set(code.closure("mathse.run")) == {"mathse.run", "mathse.worker", "mathse.two"}


def test_types_and_params_are_not_followed(tmp_path: Path) -> None:
    code = project(
        tmp_path,
        mathse__one="if TYPE_CHECKING:\n    import mathse.two\nelse:\n    import mathse.three\n"
        "def f():\n    from mathse.core.params import Params\n",
        mathse__two="",
        mathse__three="",
        mathse__core__params="import mathse.two\n",
    )
    assert set(code.closure("mathse.one")) == {"mathse.one", "mathse.three"}


def test_entries_of_a_registry_count_where_it_is_used(tmp_path: Path) -> None:
    registry = 'TEACHERS = {\n    "a": "mathse.a:A",\n}\n\n\ndef load(entry): ...\n'
    files = {
        "mathse__core__params": "from mathse.core.registry import TEACHERS\n",
        "mathse__a": "A = 1\n",
        "mathse__b": "B = 1\n",
        "stages__user": "from mathse.core.registry import TEACHERS, load\n",
        "stages__loader": "from mathse.core.registry import load\n"
        "from mathse.core.params import Params\n",
    }
    code = project(tmp_path, mathse__core__registry=registry, **files)
    user, loader = code.fingerprint("stages.user"), code.fingerprint("stages.loader")
    assert set(user) == {
        "stages.user", "mathse.core.registry", "mathse.core.registry.TEACHERS", "mathse.a",
    }  # fmt: skip
    assert set(loader) == {"stages.loader", "mathse.core.registry"}
    code = project(
        tmp_path, mathse__core__registry=registry.replace("}", '    "b": "mathse.b:B",\n}')
    )
    assert code.fingerprint("stages.loader") == loader
    changes = list(explain_change(user, code.fingerprint("stages.user")))
    assert changes == ["mathse.b is new", "mathse.core.registry.TEACHERS has changed"]


def test_stages_import_what_their_work_needs_and_no_more() -> None:
    def packages(stage: str) -> set[str]:
        return {name.split(".")[1] for name in closure(stage) if name.startswith("mathse.")}

    assert not packages("merge") & {"engines", "training", "figures", "datasets"}
    # Of the answers' rules it needs how numbers are written in words, for near-duplicates.
    of_answers = {name for name in closure("merge") if name.startswith("mathse.answers.")}
    assert of_answers == {"mathse.answers.number_words"}
    # eval asks which problems share a figure, and figures know the closing sentence of prompts.
    assert not packages("eval") & {"engines", "training", "judge", "datasets"}
    assert not packages("finetune") & {"judge", "curation", "answers", "figures", "datasets"}
    assert "answers" not in packages("generate") | packages("predict")


def test_packages_do_nothing_when_imported() -> None:
    """What an `__init__` did on import would change results without being counted."""
    import ast

    for file in ROOT.glob("mathse/**/__init__.py"):
        kinds = {type(node).__name__ for node in ast.parse(file.read_text()).body}
        assert kinds <= {"Expr", "Import", "ImportFrom", "Assign", "AnnAssign", "FunctionDef"}, file


def test_a_stage_with_a_model_depends_on_every_engine() -> None:
    """The registry is read from its source: entries that are computed would not be seen."""
    registries = {"distill": {**ENGINES, **DATA_ENGINES}, "orm_data": ANNOTATORS}
    for stage, registry in (registries | {"reflect": REFLECTORS}).items():
        modules = {entry.where.partition(":")[0] for entry in registry.values()}
        assert modules <= set(CodeBase(ROOT).closure(f"stages.{stage}"))
